"""``graphlift train`` and ``graphlift evaluate``: one network."""

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from graphlift.cli.options import (
    PROTOCOLS,
    Adaptations,
    Json,
    Overrides,
    complete,
    data_option,
)
from graphlift.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def train(
    config: Annotated[Path, typer.Argument(help="The run, in TOML; see recipes/.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder of the run; an interrupted run goes on.",
            show_default="runs/CONFIG",
        ),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Train one network, or go on where an interrupted run stopped.

    Ctrl-C saves first; the same command then goes on, and ends bitwise as if it had never been
    interrupted. Leaves model.safetensors, log.jsonl and TensorBoard events in the folder.

    torchrun --nproc-per-node 2 -m graphlift train CONFIG

    shares every batch among so many processes, on one machine or on several.
    """
    from graphlift.cli.progress import training_bar
    from graphlift.samples.data_sets import read_data
    from graphlift.training.config import read_config

    # Loading torch takes seconds: whoever lacks it, or mistyped something, is told before.
    if importlib.util.find_spec("torch") is None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    settings = read_config(config, overrides or ())
    data = read_data(settings.data)

    from graphlift.training.distributed import joined
    from graphlift.training.loop import train as run
    from graphlift.training.state import MODEL, is_finished

    folder = out or Path("runs") / config.stem
    with joined(settings.device) as group, training_bar(hidden=not group.first) as show:
        if group.first and is_finished(settings, data.digest, folder):
            typer.echo(f"graphlift: {folder} is finished: there is nothing to do", err=True)
        for progress in run(settings, data, folder, group):
            show(folder.name, progress)
    if group.first:
        typer.echo(folder / MODEL)


def evaluate(
    model: Annotated[Path, typer.Argument(help="A model.safetensors that training left.")],
    data: Annotated[str, data_option("of its training")] = "",
    detections: Annotated[
        Literal["gt", "hg-sim", "cpn-sim", "hg", "cpn"] | None,
        typer.Option(
            help="2D to evaluate on; hg and cpn of a pack.", show_default="of its training"
        ),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="Print one protocol alone, such as h36m-16 or 3dhp-14.",
            autocompletion=complete(*PROTOCOLS),
        ),
    ] = "",
    adapt: Adaptations = None,
    as_json: Json = False,
) -> None:
    """Score a network on the test subjects and, where there is one, on the other data set.

    On motion capture by open-16 and cross-14, on prepared packs by h36m-16 (or -17) and 3dhp-14;
    what that means is printed with the numbers. Data and detections are those of its training
    unless given.
    """
    from dataclasses import asdict

    from graphlift.samples.data_sets import read_data
    from graphlift.study.evaluation import evaluate_model
    from graphlift.training.checkpoints import config_of

    source = data or config_of(model)[0].data
    scored = evaluate_model(
        model, read_data(source), name=str(model), detections=detections, adaptations=adapt or ()
    )
    result = asdict(scored)
    if protocol and protocol not in result["protocols"]:
        raise ConfigError(
            f"--protocol {protocol!r}: {source} is scored by {', '.join(result['protocols'])}"
        )
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    typer.echo("\n".join(_describe(result, protocol)))


_OWN = ("mpjpe_mm", "p_mpjpe_mm", "n_mpjpe_mm")
_CROSS = ("cross_pck", "cross_auc")


def _describe(result: "Mapping[str, Any]", protocol: str) -> "Iterator[str]":
    """Write the main numbers of a result, each under the protocol that it was scored by."""
    for key in ("method", "detections", "data"):
        yield f"{key}: {result[key]}"
    for at, (name, line) in enumerate(result["protocols"].items()):
        if protocol not in ("", name):
            continue
        yield line
        for key in _CROSS if at else _OWN:
            yield f"{key}: {result[key]}"
        for how, score in result["hypotheses"].items():
            keys = _CROSS if at else _OWN[:2]
            yield f"  {how}: {', '.join(f'{key} {score[key]}' for key in keys)}"
        if at:
            for group, score in result["cross_per_activity"].items():
                yield f"  {group}: PCK {score['pck']}, AUC {score['auc']}"
        else:
            for activity, score in result["per_activity"].items():
                yield f"  {activity}: {score['mpjpe_mm']}, P-MPJPE {score['p_mpjpe_mm']}"
