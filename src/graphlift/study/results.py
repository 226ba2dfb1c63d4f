"""Result lines: one JSON object for each finished run, which is all that a report is made of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationError

import graphlift
from graphlift.errors import FormatError
from graphlift.files import append_line
from graphlift.plain_json import check_plain, json_as, parse_json
from graphlift.words import counted, plain, problems, shown

RESULTS = "results.jsonl"

Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PerCent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
"""What the fields may hold, checked when a line is read."""


@dataclass(frozen=True)
class ActivityScore:
    """Errors over the test frames of one activity, all cameras."""

    frames: Count
    mpjpe_mm: NotNegative
    p_mpjpe_mm: NotNegative


@dataclass(frozen=True)
class CrossScore:
    """PCK at 150 mm and AUC, per cent, over one activity of the other data set."""

    frames: Count
    pck: PerCent
    auc: PerCent


@dataclass(frozen=True)
class AnswerScore:
    """Test errors, mm, and PCK and AUC, per cent, of one way to answer with several poses."""

    mpjpe_mm: NotNegative
    p_mpjpe_mm: NotNegative
    cross_pck: PerCent | None
    cross_auc: PerCent | None


@dataclass(frozen=True)
class CurvePoint:
    """One evaluation during training: mean loss since the one before, and validation error.

    The test error is there if the run asked for it (``evaluate_test``); nothing is chosen by it.
    """

    step: int
    loss: float
    validation_mpjpe_mm: float
    test_mpjpe_mm: NotNegative | None = None


@dataclass(frozen=True)
class Bin:
    """Mean 3D error of the test joints whose 2D detection is off by ``from_px`` to ``to_px``."""

    from_px: float
    to_px: float
    joints: int
    mpjpe_mm: float


@dataclass(frozen=True)
class SecondErrors:
    """Errors over blocks of one second (all its frames, all cameras) of one activity.

    Neighbouring frames hold nearly the same pose, so a bootstrap draws blocks, not frames.
    """

    frames: Sequence[Count]
    mpjpe_mm: Sequence[NotNegative]
    p_mpjpe_mm: Sequence[NotNegative]


@dataclass(frozen=True)
class WorstFrame:
    """One of the test frames with the largest errors, to be drawn.

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
        method: A weight-sharing method, or one of :data:`graphlift.networks.OTHERS`.
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
        cross_auc: AUC on the other data set.
        data: Name of the training and test data.
        data_digest: SHA-256 of it.
        labels_digest: SHA-256 of the table of ordinal labels that people gave, if they did.
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
        hypotheses: Scores of a network that gives several poses of a frame, by how one is
            chosen: the ``most likely``, which is what all other scores are of, their ``mean``, and
            the best by the truth, an ``oracle`` that only a test has. Empty for other networks.
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
    channels: Count
    parameters: Count
    macs_unified: int
    macs_reduced: int
    steps: Count
    batch_size: Count
    seconds: NotNegative
    poses_per_second: NotNegative
    runs_at_once: Count
    best_step: Count
    validation_mpjpe_mm: NotNegative
    validation_end_mm: NotNegative
    mpjpe_mm: NotNegative
    p_mpjpe_mm: NotNegative
    n_mpjpe_mm: NotNegative
    cross_pck: PerCent | None
    cross_auc: PerCent | None
    data: str
    data_digest: str
    cross_data: str | None
    cross_digest: str | None
    per_activity: Mapping[str, ActivityScore]
    cross_per_activity: Mapping[str, CrossScore]
    per_joint_mm: Mapping[str, NotNegative]
    visible_mm: NotNegative
    occluded_mm: NotNegative
    occluded_share: Annotated[float, Field(ge=0, le=1)]
    noise_bins: Sequence[Bin]
    curve: Sequence[CurvePoint]
    blocks: Mapping[str, SecondErrors]
    failures: Sequence[WorstFrame]
    protocols: Mapping[str, str] = field(default_factory=dict)
    hypotheses: Mapping[str, AnswerScore] = field(default_factory=dict)
    adaptations: Sequence[str] = field(default_factory=list)
    labels_digest: str | None = None
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
    results = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                results.append(json_as(Result, line))
                _check(results[-1])
            except ValueError as error:
                way_out = f"delete line {number} and `graphlift study run` scores its run again"
                fault = str(error)
                if isinstance(error, ValidationError):
                    fault = problems(error, "the whole line")
                    if not line.endswith(b"\n"):
                        way_out = (
                            "it is cut short: `graphlift study run` on this folder sets it aside "
                            "and scores its run again"
                        )
                    elif version := _other_version(line):
                        way_out = f"it is of {version}: report it by that one, or {way_out}"
                raise FormatError(
                    f"{path}, line {number}: not a result of a training run ({fault}); {way_out}"
                ) from error
    return results


def _other_version(line: bytes) -> str:
    """Name the version of graphlift that wrote a line, and this one; "" where it is this one."""
    try:
        version = parse_json(line)["version"]
    except (ValueError, LookupError, TypeError):
        return ""
    if version == graphlift.__version__:
        return ""
    return f"graphlift {plain(str(version), 20)}, and this is {graphlift.__version__}"


def _check(result: Result) -> None:
    """Refuse what the types of the fields allow and no training run leaves.

    Raises:
        ValueError: Naming the field.
    """
    try:
        check_plain(result.config)
    except ValueError as error:
        raise ValueError(f"config: {error}") from error
    _check_config(result.config)
    for name, each in result.blocks.items():
        if not len(each.frames) == len(each.mpjpe_mm) == len(each.p_mpjpe_mm):
            raise ValueError(f"blocks.{name}: lists of different length")
    if result.best_step > result.steps:
        raise ValueError(
            f"best_step: {result.best_step} is beyond the last of {counted(result.steps, 'step')}"
        )


def _check_config(config: Mapping[str, Any]) -> None:
    """Refuse values of the keys that reports read; those of other versions may lack them.

    Raises:
        ValueError: Naming the key.
    """
    for table in ("model", "supervision"):
        held = isinstance(config.get(table, {}), Mapping)
        if not held:
            raise ValueError(f"config.{table}: is no table, but {shown(config[table])}")
    model = config.get("model", {})
    for path, of, key in (
        ("config.model.joints", model, "joints"),
        ("config.evaluate_stride", config, "evaluate_stride"),
    ):
        if type(of.get(key, 1)) is not int:
            raise ValueError(f"{path}: is no whole number, but {shown(of[key])}")


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
    append_line(aside, cut)
    with path.open("r+b") as file:
        file.truncate(len(whole) + 1 if whole else 0)
    return cut.decode("utf-8", errors="replace")
