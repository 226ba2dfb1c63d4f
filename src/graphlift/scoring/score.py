"""Scores of arrays in memory, or mapped from a file."""

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float

from graphlift.errors import ConfigError, ShapeError
from graphlift.protocols.named import Average, Protocol
from graphlift.scoring.frames import Frames, label_frames
from graphlift.scoring.judge import FEWEST, judge
from graphlift.scoring.scores import Counts, Score, Scores, mean_of
from graphlift.scoring.tally import Tally
from graphlift.skeletons import Skeleton
from graphlift.words import shown

CHUNK = 4096
"""Frames at a time: enough for NumPy to be quick, few enough for the processor's cache."""


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
        predicted: m, camera axes, anywhere; NaN where nothing is predicted.
        target: The truth of the same frames and joints, m; NaN where it is not known.
        protocol: Which.
        activity: Name of what the person does, per frame.
        sequence: Name of the clip by one camera, per frame, in order of time: for velocities, for
            the protocol's groups, and for the sequences that it leaves out.
        valid: Whether a frame, (frame,), or a joint of it, (frame, joint), counts.
        adaptations: Names of :data:`graphlift.protocols.adaptations.ADAPTATIONS`.
        allow_missing: Score what is there if predictions are missing.

    Raises:
        ShapeError: If arrays do not fit each other or the protocol, a prediction is missing, or
            no frame is left.
        ConfigError: If the protocol does not take an adaptation.
    """
    skeleton = _check(predicted, target, protocol, adaptations)
    frames = label_frames(
        protocol, target.shape, activity=activity, sequence=sequence, valid=valid
    )
    tally = Tally(frames, np.isin(protocol.scored, protocol.correct))
    for start in range(0, len(target), CHUNK):
        rows = slice(start, start + CHUNK)
        counting = frames.counting(rows, len(skeleton))
        chunk = predicted[rows], target[rows], counting
        tally.add(judge(*chunk, protocol, skeleton, adaptations), start)
    counts = _counts(frames, tally)
    if counts.joints_missing and not allow_missing:
        raise _missing(counts.joints_missing, tally, protocol, sequence)
    if not counts.frames_scored:
        raise ShapeError(
            f"none of {counts.frames:,} frames can be scored: {counts.frames_excluded:,} are of "
            f"excluded sequences, and in {counts.frames_not_valid:,} the truth of {protocol.root} "
            f"or of {FEWEST} joints is not valid: check `sequence`, `valid`, and NaN in the truth"
        )
    averaging: Average = protocol.average if activity is not None else "frames"
    return _scores(tally, protocol, tuple(adaptations), averaging, counts)


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
        wanted = " or ".join(f"{len(each)} joints ({each.name})" for each in protocol.skeletons)
        raise ShapeError(
            f"{shapes} should be of a frame or more and of {wanted} for protocol {protocol.name}: "
            "choose the joints, or another protocol"
        )
    for name in adaptations:
        if name not in protocol.adaptations:
            known = ", ".join(protocol.adaptations) or "none"
            raise ConfigError(f"{protocol.name} has no adaptation {shown(name)}: it has {known}")
    return skeleton


def _missing(
    count: int,
    tally: Tally,
    protocol: Protocol,
    sequence: Sequence[str] | np.ndarray | None,
) -> ShapeError:
    frame, joint = tally.first_missing or (0, 0)
    place = f"frame {frame}" + ("" if sequence is None else f" (in {shown(str(sequence[frame]))})")
    return ShapeError(
        f"predicted lacks {count:,} joints whose truth counts (not finite, or in a frame without "
        f"{protocol.root} or {FEWEST} joints), the first {protocol.scored[joint]} of "
        f"{place}: predict them, mark them not valid in the truth, or allow them to be missing "
        "(--allow-missing), when they count as wrong for PCK and AUC and are in no other mean"
    )


def _counts(frames: Frames, tally: Tally) -> Counts:
    excluded, counted = int(frames.excluded.sum()), int(tally.counts.sum())
    return Counts(
        frames=len(frames.cell),
        frames_scored=tally.placed,
        frames_excluded=excluded,
        frames_not_valid=len(frames.cell) - tally.placed - excluded,
        joints_not_valid=tally.placed * len(tally.correct) - counted,
        joints_missing=counted - int(tally.predicted.sum()),
    )


def _scores(
    tally: Tally,
    protocol: Protocol,
    adaptations: tuple[str, ...],
    averaging: Average,
    counts: Counts,
) -> Scores:
    labels = tally.labels
    parts = [tally.cells_of(activity=a) for a in range(len(labels.activities))]
    cells = parts if averaging == "activities" else [tally.cells_of()]
    per_activity = {
        name: tally.score(part)
        for name, part in zip(labels.activities, parts, strict=True)
        if tally.frames[part].any() and labels.activities != ("",)
    }
    per_group = {
        name: tally.score(tally.cells_of(group=g))
        for g, name in enumerate(labels.groups, 1)
        if tally.frames[tally.cells_of(group=g)].any()
    }
    return Scores(
        protocol=protocol,
        adaptations=adaptations,
        average=averaging,
        overall=mean_of([tally.score(part) for part in cells if tally.frames[part].any()]),
        per_activity=per_activity,
        per_group=per_group,
        per_joint={
            name: _joint(tally, cells, joint) for joint, name in enumerate(protocol.scored)
        },
        counts=counts,
        notes=_notes(labels, protocol, averaging, counts, per_activity),
    )


def _joint(tally: Tally, cells: Sequence[np.ndarray], joint: int) -> Score:
    known = [part for part in cells if tally.counts[part, joint].any()]
    return mean_of([tally.score(part, joint) for part in known])


def _notes(
    labels: Frames,
    protocol: Protocol,
    averaging: Average,
    counts: Counts,
    scored: Collection[str],
) -> tuple[str, ...]:
    """Say what keeps the numbers from being the protocol's, or from being all of them."""
    known = protocol.activities
    absent = [name for name in known or labels.activities if name and name not in scored]
    strange = [name for name in scored if known and name not in known]
    partly = protocol.frames and counts.frames_scored != protocol.frames
    notes = {
        f"{protocol.name} averages over activities, and there is no `activity`: these are means "
        "over frames": averaging != protocol.average,
        f"activities without a frame that counts: {', '.join(absent)}": absent and scored,
        f"activities that {protocol.data} does not have: {', '.join(strange)}": strange,
        f"{counts.frames_scored:,} frames are scored; the whole test set has "
        f"{protocol.frames or 0:,}": partly,
        "no MPJVE: it needs `sequence`, the clip and camera of each frame": not (
            labels.follows.any()
        ),
        f"sequences of no group: {', '.join(labels.ungrouped[:5])}": labels.ungrouped,
        f"joints that are not predicted: {counts.joints_missing:,}; they are in no mean of "
        "distances, and wrong for PCK and AUC": counts.joints_missing,
    }
    return tuple(note for note, holds in notes.items() if holds)
