"""Result lines: one JSON object for each finished run, which is all that a report is made of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from graphlift.errors import FormatError
from graphlift.files import append_line, naming
from graphlift.plain_json import check_plain
from graphlift.words import problems

RESULTS = "results.jsonl"


@dataclass(frozen=True)
class ActivityScore:
    """Errors over the test frames of one activity, all cameras."""

    frames: int
    mpjpe_mm: float
    p_mpjpe_mm: float


@dataclass(frozen=True)
class CrossScore:
    """PCK at 150 mm and AUC, per cent, over one activity of the other data set."""

    frames: int
    pck: float
    auc: float


@dataclass(frozen=True)
class CurvePoint:
    """Where a run stood at one evaluation: mean training loss since the last, validation error."""

    step: int
    loss: float
    validation_mpjpe_mm: float


@dataclass(frozen=True)
class Bin:
    """Mean 3D error of the test joints whose 2D detection is off by ``from_px`` to ``to_px``."""

    from_px: float
    to_px: float
    joints: int
    mpjpe_mm: float


@dataclass(frozen=True)
class Blocks:
    """Errors over stretches of one second (all its frames, all cameras) of one activity.

    Neighbouring frames are nearly the same pose; seconds are the unit that a bootstrap draws.
    """

    frames: Sequence[int]
    mpjpe_mm: Sequence[float]
    p_mpjpe_mm: Sequence[float]


@dataclass(frozen=True)
class Failure:
    """One of the worst test frames, to be drawn.

    ``keypoints`` in px of the 1000 px image; ``predicted`` and ``truth`` in mm, camera axes,
    root-relative; one row a joint, in the order of ``per_joint_mm``.
    """

    activity: str
    clip: str
    frame: int
    camera: int
    mpjpe_mm: float
    keypoints: Sequence[Sequence[float]]
    predicted: Sequence[Sequence[float]]
    truth: Sequence[Sequence[float]]
    occluded: Sequence[bool]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one finished run is and what it scored; errors in mm, PCK and AUC in per cent.

    Args:
        name: Unique in its study: method, detections and seed.
        method: A weight-sharing method, ``martinez`` or ``semgcn``.
        decoupled: Whether self-connections have weights of their own by option.
        detections: ``gt``, ``hg-sim`` or ``cpn-sim``; the last two are simulated.
        seed: Of initial weights and batches.
        channels: Width.
        parameters: Learnt numbers.
        macs_unified: Multiply-accumulates a pose, every neighbour transformed.
        macs_reduced: The same in the order the layer chooses.
        steps: Optimiser steps.
        batch_size: Poses a step.
        seconds: Wall-clock time of the training steps, evaluations left out.
        poses_per_second: Training throughput, with as many runs at once as ``runs_at_once``.
        runs_at_once: How many runs shared the machine.
        best_step: Step whose weights were kept: the lowest validation error.
        validation_mpjpe_mm: That error.
        validation_end_mm: Validation error at the last step, which no selection touched.
        mpjpe_mm: Test error, protocol ``open-16``.
        p_mpjpe_mm: The same after similarity alignment.
        n_mpjpe_mm: The same after scaling.
        cross_pck: PCK at 150 mm on the other data set, protocol ``cross-14``; None without it.
        cross_auc: AUC there.
        data: Name of the training and test data.
        data_digest: SHA-256 of it.
        cross_data: Name of the other data set, or None.
        cross_digest: SHA-256 of it, or None.
        per_activity: Test errors by activity.
        cross_per_activity: The other data set's scores by activity.
        per_joint_mm: Mean test error of each joint, by name, weighted as ``mpjpe_mm`` is.
        visible_mm: Mean test error over joints that no limb hides from the camera.
        occluded_mm: Mean test error over joints that one does.
        occluded_share: Share of the test joints that are hidden.
        noise_bins: Error against 2D noise; one bin when the detections are exact.
        curve: Training loss and validation error over the run.
        blocks: Test errors by the second, by activity.
        failures: The worst test frames.
        protocols: What ``open-16`` and ``cross-14`` were here, a line each; none in older lines.
        adaptations: Known deviations from the protocols that the scores were made with.
        config: The run's whole configuration.
        version: Of graphlift.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "allow_inf_nan": False}

    name: str
    method: str
    decoupled: bool
    detections: str
    seed: int
    channels: int
    parameters: int
    macs_unified: int
    macs_reduced: int
    steps: int
    batch_size: int
    seconds: float
    poses_per_second: float
    runs_at_once: int
    best_step: int
    validation_mpjpe_mm: float
    validation_end_mm: float
    mpjpe_mm: float
    p_mpjpe_mm: float
    n_mpjpe_mm: float
    cross_pck: float | None
    cross_auc: float | None
    data: str
    data_digest: str
    cross_data: str | None
    cross_digest: str | None
    per_activity: Mapping[str, ActivityScore]
    cross_per_activity: Mapping[str, CrossScore]
    per_joint_mm: Mapping[str, float]
    visible_mm: float
    occluded_mm: float
    occluded_share: float
    noise_bins: Sequence[Bin]
    curve: Sequence[CurvePoint]
    blocks: Mapping[str, Blocks]
    failures: Sequence[Failure]
    protocols: Mapping[str, str] = field(default_factory=dict)
    adaptations: Sequence[str] = field(default_factory=list)
    config: Mapping[str, Any]
    version: str


def append_result(path: Path, result: Result) -> None:
    """Add one line, whole or not at all."""
    append_line(path, json.dumps(asdict(result), separators=(",", ":"), allow_nan=False))


def read_results(path: Path) -> list[Result]:
    """Read every line.

    Raises:
        FileNotFoundError: If there is no such file.
        FormatError: If a line is cut short, is no result, or holds what no training run leaves: a
            number that is not finite, no steps, a negative error; the message names file and line.
    """
    from pydantic import TypeAdapter, ValidationError

    adapter = TypeAdapter(Result)
    results = []
    data = path.read_bytes()
    lines = data.splitlines()
    for number, line in enumerate(lines, 1):
        again = f"delete line {number} and `graphlift study run` scores its run again"
        try:
            results.append(adapter.validate_json(line))
            fault = _fault(results[-1])
        except ValidationError as error:
            cut = number == len(lines) and not data.endswith(b"\n")
            way_out = (
                "it is cut short: `graphlift study run` on this folder sets it aside and scores "
                "its run again"
                if cut
                else again
            )
            raise FormatError(
                f"{path}, line {number}: not a result ({problems(error, 'the whole line')}); "
                f"{way_out}"
            ) from error
        if fault:
            raise FormatError(
                f"{path}, line {number}: not a result of a training run ({fault}); {again}"
            )
    return results


def _fault(result: Result) -> str | None:
    """Say what no training run could have left; None if all makes sense."""
    try:
        check_plain(result.config)
    except ValueError as error:
        return f"config: {error}"
    for name, each in result.blocks.items():
        if not len(each.frames) == len(each.mpjpe_mm) == len(each.p_mpjpe_mm):
            return f"blocks.{name}: lists of different length"
    faults = (
        *(f"{name}: {n} is less than 1" for name, n in _counts(result).items() if n < 1),
        *(f"{name}: {n:g} is negative" for name, n in _errors(result).items() if n < 0),
        *(
            f"{name}: {n:g} % is not between 0 and 100"
            for name, n in _shares(result).items()
            if not 0 <= n <= 100
        ),
    )
    if not faults and result.best_step > result.steps:
        return f"best_step: {result.best_step} is beyond the last of {result.steps} steps"
    return next(iter(faults), None)


def _counts(result: Result) -> dict[str, int]:
    names = ("channels", "parameters", "steps", "batch_size", "runs_at_once", "best_step")
    counts = {name: getattr(result, name) for name in names}
    counts |= {f"per_activity.{a}.frames": s.frames for a, s in result.per_activity.items()}
    counts |= {f"cross_per_activity.{a}.frames": s.frames
               for a, s in result.cross_per_activity.items()}  # fmt: skip
    return counts | {f"blocks.{a}.frames": min(b.frames, default=1)
                     for a, b in result.blocks.items()}  # fmt: skip


def _errors(result: Result) -> dict[str, float]:
    names = (
        *("seconds", "poses_per_second", "validation_mpjpe_mm", "validation_end_mm"),
        *("mpjpe_mm", "p_mpjpe_mm", "n_mpjpe_mm", "visible_mm", "occluded_mm"),
    )
    errors = {name: getattr(result, name) for name in names}
    errors |= {f"per_joint_mm.{joint}": error for joint, error in result.per_joint_mm.items()}
    errors |= {f"per_activity.{a}": min(s.mpjpe_mm, s.p_mpjpe_mm)
               for a, s in result.per_activity.items()}  # fmt: skip
    return errors | {f"blocks.{a}": min((*b.mpjpe_mm, *b.p_mpjpe_mm), default=0.0)
                     for a, b in result.blocks.items()}  # fmt: skip


def _shares(result: Result) -> dict[str, float]:
    """Per cent."""
    shares = {"occluded_share": 100 * result.occluded_share}
    shares |= {"cross_pck": result.cross_pck or 0.0, "cross_auc": result.cross_auc or 0.0}
    shares |= {f"cross_per_activity.{a}.pck": s.pck for a, s in result.cross_per_activity.items()}
    return shares | {f"cross_per_activity.{a}.auc": s.auc
                     for a, s in result.cross_per_activity.items()}  # fmt: skip


def without_poses(result: Result) -> Result:
    """Leave the poses of the worst frames out, for lines that are published.

    They are pieces of motion capture, which a repository must not carry; which frames they were
    stays.
    """
    bare = [replace(f, keypoints=[], predicted=[], truth=[]) for f in result.failures]
    return replace(result, failures=bare)


def set_aside_cut_line(path: Path) -> str | None:
    """Move a last line without its newline, left by an interrupted write, to ``*.cut``.

    Returns:
        What was moved, or None when the file is whole or absent.
    """
    if not path.exists():
        return None
    data = path.read_bytes()
    whole, _, cut = data.rpartition(b"\n")
    if not cut:
        return None
    aside = path.with_suffix(path.suffix + ".cut")
    with naming(aside), aside.open("ab") as file:
        file.write(cut + b"\n")
    with path.open("r+b") as file:
        file.truncate(len(whole) + 1 if whole else 0)
    return cut.decode("utf-8", errors="replace")
