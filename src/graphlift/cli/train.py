"""``graphlift train`` and ``graphlift evaluate``: one network."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphlift.errors import ConfigError

if TYPE_CHECKING:
    from graphlift.detections import Detections

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Override a key, in TOML: --set 'model.channels = 64'. Repeatable."
    ),
]


def train(
    config: Annotated[Path, typer.Argument(help="The run, in TOML; see recipes/.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run; default runs/CONFIG. An interrupted one goes on."),
    ] = None,
    overrides: Set = None,
) -> None:
    """Train one network, or go on where an interrupted run stopped.

    Ctrl-C saves first; the same command then goes on, and ends bitwise as if it had never been
    interrupted. Leaves model.safetensors, log.jsonl and TensorBoard events in the folder.
    """
    from graphlift.cli.progress import training_bar
    from graphlift.protocols import read_study_data
    from graphlift.training.config import read_config
    from graphlift.training.loop import MODEL, is_finished
    from graphlift.training.loop import train as run

    settings = read_config(config, overrides or ())
    data = read_study_data(settings.data)
    folder = out or Path("runs") / config.stem
    if is_finished(settings, data.digest, folder):
        typer.echo(f"graphlift: {folder} is finished: there is nothing to do", err=True)
    with training_bar() as show:
        for progress in run(settings, data, folder):
            show(folder.name, progress)
    typer.echo(folder / MODEL)


def evaluate(
    model: Annotated[Path, typer.Argument(help="A model.safetensors that training left.")],
    data: Annotated[str, typer.Option(help="prior, or a folder with cmu.npz, splits.json.")] = "",
    detections: Annotated[str, typer.Option(help="gt, hg-sim or cpn-sim.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result.")] = False,
) -> None:
    """Score a network on the test subjects (open-16) and the other data set (cross-14).

    Data and detections are those of its training unless given.
    """
    from dataclasses import asdict

    from graphlift.protocols import read_study_data
    from graphlift.study.runner import evaluate_model
    from graphlift.training.checkpoints import read_checkpoint

    source = data or read_checkpoint(model)[1].get("config", {}).get("data", "prior")
    result = asdict(
        evaluate_model(
            model, read_study_data(source), name=str(model), detections=_detections(detections)
        )
    )
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    for key in (
        "method",
        "detections",
        "data",
        "mpjpe_mm",
        "p_mpjpe_mm",
        "cross_pck",
        "cross_auc",
    ):
        typer.echo(f"{key}: {result[key]}")
    for line in result["protocols"].values():
        typer.echo(line)


def _detections(name: str) -> "Detections | None":
    from graphlift.detections import DETECTIONS

    if name and name not in DETECTIONS:
        raise ConfigError(f"--detections {name!r}: use one of {', '.join(DETECTIONS)}")
    return name or None
