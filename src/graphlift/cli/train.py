"""``graphlift train`` and ``graphlift evaluate``: one network."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphlift.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphlift.simulated_detector import Detections

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
    from graphlift.samples import read_data
    from graphlift.training.config import read_config
    from graphlift.training.loop import train as run
    from graphlift.training.state import MODEL, is_finished

    settings = read_config(config, overrides or ())
    data = read_data(settings.data)
    folder = out or Path("runs") / config.stem
    if is_finished(settings, data.digest, folder):
        typer.echo(f"graphlift: {folder} is finished: there is nothing to do", err=True)
    with training_bar() as show:
        for progress in run(settings, data, folder):
            show(folder.name, progress)
    typer.echo(folder / MODEL)


def evaluate(
    model: Annotated[Path, typer.Argument(help="A model.safetensors that training left.")],
    data: Annotated[
        str, typer.Option(help="prior, a folder with cmu.npz, splits.json, or prepared packs.")
    ] = "",
    detections: Annotated[
        str, typer.Option(help="gt, hg-sim, cpn-sim, or hg, cpn of a pack.")
    ] = "",
    protocol: Annotated[
        str, typer.Option(help="Print one protocol alone, such as h36m-16 or 3dhp-14.")
    ] = "",
    adapt: Annotated[
        list[str] | None,
        typer.Option(
            help="A known deviation from a protocol (docs/scoring.md), such as own-width. "
            "Repeatable."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result.")] = False,
) -> None:
    """Score a network on the test subjects and, where there is one, on the other data set.

    On motion capture by open-16 and cross-14, on prepared packs by h36m-16 (or -17) and 3dhp-14;
    what that means is printed with the numbers. Data and detections are those of its training
    unless given.
    """
    from dataclasses import asdict

    from graphlift.samples import read_data
    from graphlift.study.evaluation import evaluate_model
    from graphlift.training.checkpoints import read_checkpoint

    source = data or read_checkpoint(model)[1].get("config", {}).get("data", "prior")
    result = asdict(
        evaluate_model(
            model,
            read_data(source),
            name=str(model),
            detections=_detections(detections),
            adaptations=tuple(adapt or ()),
        )
    )
    if protocol and protocol not in result["protocols"]:
        raise ConfigError(
            f"--protocol {protocol!r}: {source} is scored by {', '.join(result['protocols'])}"
        )
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    typer.echo("\n".join(_told(result, protocol)))


_OWN = ("mpjpe_mm", "p_mpjpe_mm", "n_mpjpe_mm")
_CROSS = ("cross_pck", "cross_auc")


def _told(result: "Mapping[str, Any]", protocol: str) -> "Iterator[str]":
    """Write what a reader wants of a result: every number under the protocol that made it."""
    for key in ("method", "detections", "data"):
        yield f"{key}: {result[key]}"
    for at, (name, line) in enumerate(result["protocols"].items()):
        if protocol not in ("", name):
            continue
        yield line
        for key in _CROSS if at else _OWN:
            yield f"{key}: {result[key]}"
        if at:
            for group, score in result["cross_per_activity"].items():
                yield f"  {group}: PCK {score['pck']}, AUC {score['auc']}"
        else:
            for activity, score in result["per_activity"].items():
                yield f"  {activity}: {score['mpjpe_mm']}, P-MPJPE {score['p_mpjpe_mm']}"


def _detections(name: str) -> "Detections | None":
    from graphlift.simulated_detector import DETECTIONS

    if name and name not in DETECTIONS:
        raise ConfigError(f"--detections {name!r}: use one of {', '.join(DETECTIONS)}")
    return name or None
