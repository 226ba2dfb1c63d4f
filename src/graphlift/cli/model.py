"""``graphlift model``: the networks of the study, the ones you trained, detectors' weights."""

import json
from pathlib import Path
from typing import Annotated

import typer

from graphlift.cli import video

app = typer.Typer(
    help="The networks of the study, the ones you trained, and detectors' weights.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command()(video.get)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command("list")
def list_models(
    as_json: Json = False,
    channels: Annotated[int, typer.Option(help="Features of a joint inside.", min=1)] = 128,
    blocks: Annotated[int, typer.Option(help="Residual blocks.", min=0)] = 4,
) -> None:
    """List every method and variant with its size and cost, at 16 joints.

    MACs are the multiply-accumulates of the weight products for one pose: unified, every
    neighbour is transformed and then aggregated; reduced, in the order the layer chooses.
    """
    from graphlift.complexity import complexity
    from graphlift.graph import VARIANTS

    rows = [
        {"method": method, "decoupled": decoupled}
        | vars(complexity(method, decouple_self=decoupled, channels=channels, blocks=blocks))
        for method, decoupled in VARIANTS
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    typer.echo(
        f"{'method':<19}{'decoupled':<11}{'parameters':>11}{'MACs unified':>14}{'reduced':>11}"
    )
    for row in rows:
        typer.echo(
            f"{row['method']:<19}{'yes' if row['decoupled'] else 'no':<11}{row['parameters']:>11,}"
            f"{row['macs_unified']:>14,}{row['macs_reduced']:>11,}"
        )


@app.command()
def info(
    model: Annotated[Path, typer.Argument(help="A model.safetensors or checkpoint of a run.")],
    as_json: Json = False,
) -> None:
    """Say what a trained network is: its configuration, data, seed and scores."""
    from graphlift.training.checkpoints import read_checkpoint

    tensors, story = read_checkpoint(model)
    learnt = {
        name: list(tensor.shape) for name, tensor in tensors.items() if "running" not in name
    }
    if as_json:
        typer.echo(json.dumps(story | {"tensors": learnt}, indent=2))
        return
    for key, value in story.items():
        if key != "curve":
            typer.echo(f"{key}: {json.dumps(value)}")
    typer.echo(f"tensors: {len(learnt)}")
