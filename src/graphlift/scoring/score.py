"""Scores of arrays in memory, or mapped from a file."""

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float

from graphlift.errors import ConfigError, ShapeError
from graphlift.protocols.named import Average, Protocol
from graphlift.scoring.accumulate import Sums
from graphlift.scoring.frames import Frames, label_frames
from graphlift.scoring.pose_errors import MIN_JOINTS, pose_errors
from graphlift.scoring.scores import Counts, Scores, mean_of
from graphlift.skeletons import Skeleton
from graphlift.words import counted, shown

CHUNK = 4096
"""Frames scored at a time: enough for NumPy to be fast, few enough for the processor's cache."""


def score_poses(
    predicted: Float[np.ndarray, "frame joint 3"],
    target: Float[np.ndarray, "frame joint 3"],
    protocol: Protocol,
    *,
    activity: Sequence[str] | np.ndarray | None = None,
    sequence: Sequence[str] | np.ndarray | None = None,
    valid: np.ndarray | None = None,
    adaptations: Sequence[str] = (),
    allow_missing: bool = False,
) -> Scores:
    """Score predictions under a protocol.

    Args:
        predicted: m, camera axes, with the root at any position; NaN where nothing is predicted.
        target: The truth of the same frames and joints, m; NaN where it is not known.
        protocol: Which joints are scored, and how they are averaged.
        activity: Name of what the person does, per frame.
        sequence: Name of the clip by one camera, per frame, in order of time: for velocities, for
            the protocol's groups, and for the sequences that it leaves out.
        valid: Whether a frame, (frame,), or a joint of it, (frame, joint), counts.
        adaptations: Names of :data:`graphlift.protocols.adaptations.ADAPTATIONS`.
        allow_missing: Score the joints that are predicted if others are missing.

    Raises:
        ShapeError: If arrays do not fit each other or the protocol, a prediction is missing, or
            no frame is left.
        ConfigError: If the protocol does not take an adaptation.
    """
    skeleton = _check(predicted, target, protocol, adaptations)
    frames = label_frames(
        protocol, target.shape, activity=activity, sequence=sequence, valid=valid
    )
    sums = Sums(frames, np.isin(protocol.scored, protocol.correct))
    for start in range(0, len(target), CHUNK):
        rows = slice(start, start + CHUNK)
        counting = frames.counting(rows, len(skeleton))
        chunk = predicted[rows], target[rows], counting
        sums.add(pose_errors(*chunk, protocol, skeleton, adaptations), start)
    counts = _counts(frames, sums)
    if counts.joints_missing and not allow_missing:
        frame, joint = sums.first_missing or (0, 0)
        clip = "" if sequence is None else f" (in {shown(str(sequence[frame]))})"
        raise ShapeError(
            f"predicted lacks {counted(counts.joints_missing, 'joint')} whose truth counts (not "
            f"finite, or in a frame without {protocol.root} or {MIN_JOINTS} joints), the first "
            f"{protocol.scored[joint]} of frame {frame}{clip}: predict them, mark them not valid "
            "in the truth, or allow them to be missing (--allow-missing), when they count as "
            "wrong for PCK and AUC and are in no other mean"
        )
    if not counts.frames_scored:
        raise ShapeError(
            f"no frame can be scored: of {counted(counts.frames, 'frame')}, "
            f"excluded sequences have {counts.frames_excluded:,}, and in "
            f"{counts.frames_not_valid:,} the truth of {protocol.root} or of {MIN_JOINTS} joints "
            "is not valid: check `sequence`, `valid` and the truth"
        )
    averaging: Average = protocol.average if activity is not None else "frames"
    return _scores(sums, protocol, tuple(adaptations), averaging, counts)


def _check(
    predicted: np.ndarray, target: np.ndarray, protocol: Protocol, adaptations: Sequence[str]
) -> Skeleton:
    shapes = f"predicted {predicted.shape} and target {target.shape}"
    if predicted.shape != target.shape or target.ndim != 3 or target.shape[2] != 3:
        raise ShapeError(
            f"{shapes} should be the same (frame, joint, 3): give the same frames and joints of "
            "both, in the same order"
        )
    skeleton = protocol.skeleton_of(target.shape[1])
    if skeleton is None or not len(target):
        raise ShapeError(
            f"{shapes} should be of a frame or more and of {protocol.joint_orders} for protocol "
            f"{protocol.name}: choose the joints, or another protocol"
        )
    for name in adaptations:
        if name not in protocol.adaptations:
            known = ", ".join(protocol.adaptations) or "none"
            raise ConfigError(f"{protocol.name} has no adaptation {shown(name)}: it has {known}")
    return skeleton


def _counts(frames: Frames, sums: Sums) -> Counts:
    excluded, counted = int(frames.excluded.sum()), int(sums.counted.sum())
    return Counts(
        frames=len(frames.cell),
        frames_scored=sums.scored,
        frames_excluded=excluded,
        frames_not_valid=len(frames.cell) - sums.scored - excluded,
        joints_not_valid=sums.scored * len(sums.correct) - counted,
        joints_missing=counted - int(sums.predicted.sum()),
    )


def _scores(
    sums: Sums,
    protocol: Protocol,
    adaptations: tuple[str, ...],
    averaging: Average,
    counts: Counts,
) -> Scores:
    labels = sums.labels
    named = labels.activities if labels.activities != ("",) else ()
    activities = {name: sums.score(at) for at, name in enumerate(named)}
    activities = {name: score for name, score in activities.items() if score.frames}
    groups = {name: sums.score(np.s_[:, at]) for at, name in enumerate(labels.groups, 1)}
    parts = range(len(labels.activities)) if averaging == "activities" else [np.s_[:]]
    return Scores(
        protocol=protocol,
        adaptations=adaptations,
        average=averaging,
        overall=mean_of([sums.score(part) for part in parts]),
        per_activity=activities,
        per_group={name: score for name, score in groups.items() if score.frames},
        per_joint={
            name: mean_of([sums.score(part, joint) for part in parts])
            for joint, name in enumerate(protocol.scored)
        },
        counts=counts,
        notes=_notes(labels, protocol, averaging, counts, activities),
    )


def _notes(
    labels: Frames,
    protocol: Protocol,
    averaging: Average,
    counts: Counts,
    scored: Collection[str],
) -> tuple[str, ...]:
    """List why the numbers are not the protocol's, or not all of them."""
    known = protocol.activities
    absent = [name for name in known or labels.activities if name and name not in scored]
    unknown = [name for name in scored if known and name not in known]
    partly = protocol.frames and counts.frames_scored != protocol.frames
    notes = {
        f"{protocol.name} averages over activities, and there is no `activity`: these are means "
        "over frames": averaging != protocol.average,
        f"activities without a frame that counts: {', '.join(absent)}": absent and scored,
        f"activities that {protocol.data} does not have: {', '.join(unknown)}": unknown,
        f"{counted(counts.frames_scored, 'frame is', 'frames are')} scored; the whole test set "
        f"has {protocol.frames or 0:,}": partly,
        "no MPJVE: it needs `sequence`, the clip and camera of each frame": not (
            labels.follows.any()
        ),
        f"sequences of no group: {', '.join(labels.ungrouped[:5])}": labels.ungrouped,
        f"joints that are not predicted: {counts.joints_missing:,}; they are in no mean of "
        "distances, and wrong for PCK and AUC": counts.joints_missing,
    }
    return tuple(note for note, holds in notes.items() if holds)
