"""Scores of prediction files."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from graphlift.errors import FormatError, ShapeError
from graphlift.formats.pose_arrays import PoseArrays, read_pose_arrays
from graphlift.protocols.named import Protocol
from graphlift.scoring.score import score_poses
from graphlift.scoring.scores import Scores
from graphlift.skeletons import BODY_28, joint_map
from graphlift.words import counted, shown

_LARGEST_REACH = 20.0
"""m; if half of the joints are farther than this from the root, the unit is mm or cm, not m."""
_SAMPLED_FRAMES = 500


def score_files(
    predicted: Path,
    target: Path,
    protocol: Protocol,
    *,
    adaptations: Sequence[str] = (),
    allow_missing: bool = False,
) -> Scores:
    """Score an ``.npz`` of predictions against one of the truth.

    Activities and sequences may be in either file. What the predictions mark as not valid is not
    predicted; what the truth marks so does not count.

    Args:
        predicted: See :mod:`graphlift.formats.pose_arrays` for what is in a file.
        target: The same frames and joints. Of poses of body-28, in either file, the protocol's
            joints are scored.
        protocol: Which joints are scored, and how they are averaged.
        adaptations: As in :func:`graphlift.scoring.score_poses`.
        allow_missing: Score the joints that are predicted if others are missing.

    Raises:
        DatasetNotFoundError: If a file does not exist.
        FormatError: If a file is damaged or not of such arrays, the two do not fit each other or
            the protocol, a prediction is missing, or no frame is left.
        ConfigError: If the protocol does not take an adaptation.
    """
    mine, truth = (_as_scored(read_pose_arrays(path), protocol) for path in (predicted, target))
    _check_lengths(mine, truth)
    labels = {name: _label(mine, truth, name) for name in ("activity", "sequence")}
    for arrays in (mine, truth):
        _check_skeleton(arrays, protocol)
    if mine.axes and truth.axes and mine.axes != truth.axes:
        raise FormatError(
            f"{mine.path} is in {mine.axes} axes and {truth.path} in {truth.axes} axes: give both "
            "in the same"
        )
    poses = mine.poses
    if mine.valid is not None and mine.valid.shape[0] == len(poses):
        poses = np.array(poses, dtype=np.float64)
        poses[~mine.valid] = np.nan
    try:
        scores = score_poses(
            poses,
            truth.poses,
            protocol,
            activity=labels["activity"],
            sequence=labels["sequence"],
            valid=truth.valid,
            adaptations=adaptations,
            allow_missing=allow_missing,
        )
    except ShapeError as error:
        raise FormatError(f"{predicted} against {target}: {error}") from error
    return replace(scores, notes=(*scores.notes, *_check_units(mine, truth, protocol)))


def _check_units(mine: PoseArrays, truth: PoseArrays, protocol: Protocol) -> Iterator[str]:
    """Refuse a truth that is not in metres; note such predictions, which may be a true result."""
    if (reach := _reach(truth, protocol)) > _LARGEST_REACH:
        raise FormatError(
            f"{truth.path}: in poses {truth.poses.shape} half of the joints are {reach:,.0f} m or "
            f"more from {protocol.root}: positions should be metres; divide millimetres by 1000"
        )
    if (reach := _reach(mine, protocol)) > _LARGEST_REACH:
        yield (
            f"half of the predicted joints are {reach:,.0f} m or more from {protocol.root}: "
            "divide them by 1000 if they are in millimetres"
        )


def _check_lengths(mine: PoseArrays, truth: PoseArrays) -> None:
    """Find the sequence of which one file has more frames, where both name theirs.

    Raises:
        FormatError: If there is one.
    """
    if mine.sequence is None or truth.sequence is None or len(mine.poses) == len(truth.poses):
        return
    own, true = Counter(mine.sequence.tolist()), Counter(truth.sequence.tolist())
    for name in sorted({*own, *true}):
        if own[name] != true[name]:
            raise FormatError(
                f"sequence {shown(name)} has {counted(own[name], 'frame')} in {mine.path} and "
                f"{true[name]:,} in {truth.path}: give the same frames of both; none is cut to fit"
            )


def _label(mine: PoseArrays, truth: PoseArrays, name: str) -> np.ndarray | None:
    """Take a label from the truth, or from the predictions where only they have it."""
    own: np.ndarray | None = getattr(mine, name)
    true: np.ndarray | None = getattr(truth, name)
    if own is None or true is None or len(own) != len(true):
        return own if true is None else true
    if (differs := own != true).any():
        at = int(np.argmax(differs))
        raise FormatError(
            f"{name} of frame {at} is {shown(str(own[at]))} in {mine.path} and "
            f"{shown(str(true[at]))} in {truth.path}: put the frames of both into the same order"
        )
    return true


def _as_scored(arrays: PoseArrays, protocol: Protocol) -> PoseArrays:
    """Take of body-28 the joints of the protocol's own skeleton, if it has all that are scored."""
    own = protocol.skeletons[0]
    if arrays.skeleton is None or arrays.skeleton.joints != BODY_28.joints:
        return arrays
    conversion = joint_map(BODY_28, own)
    kinds = dict(zip(own.joints, conversion.kinds, strict=True))
    if any(kinds[joint] == "missing" for joint in protocol.scored):
        return arrays
    return replace(arrays, poses=conversion(arrays.poses), skeleton=own)


def _check_skeleton(arrays: PoseArrays, protocol: Protocol) -> None:
    skeleton = arrays.skeleton
    if skeleton and skeleton.joints not in [each.joints for each in protocol.skeletons]:
        taken = " or ".join(each.name for each in protocol.skeletons)
        raise FormatError(
            f"{arrays.path}: its joints are those of {skeleton.name}, and {protocol.name} "
            f"takes {taken}: convert them, or choose another protocol"
        )


def _reach(arrays: PoseArrays, protocol: Protocol) -> float:
    """Find the median distance of the joints from the root, m, in some of the frames."""
    step = max(1, len(arrays.poses) // _SAMPLED_FRAMES)
    some = np.array(arrays.poses[::step], dtype=np.float64)
    skeleton = protocol.skeleton_of(some.shape[1])
    rooted = some - some[:, [skeleton.root if skeleton else 0]]
    distance = np.linalg.norm(rooted[np.isfinite(rooted).all(axis=-1)], axis=-1)
    return float(np.median(distance)) if len(distance) else 0.0
