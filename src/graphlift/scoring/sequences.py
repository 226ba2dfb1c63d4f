"""Scores of predictions that come sequence by sequence, as a network makes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from graphlift.errors import ShapeError
from graphlift.protocols.named import Protocol
from graphlift.scoring.score import score_poses
from graphlift.scoring.scores import Scores
from graphlift.words import shown


@dataclass(frozen=True, eq=False)
class ScoredSequence:
    """What was predicted of one clip by one camera, and the truth.

    Args:
        name: Of clip and camera, the subject first: ``S9 Directions 1.54138969``, or ``TS1``. By
            it a protocol finds its groups and the sequences that it leaves out.
        activity: What the person does, such as ``Directions``; empty where it is not known.
        predicted: m, camera axes, with the root at any position; NaN where nothing is predicted.
        target: The same frames and joints, m; NaN where the truth is not known.
        valid: Whether a frame, or a joint of it, counts; None for all.
    """

    name: str
    activity: str
    predicted: Float[np.ndarray, "frame joint 3"]
    target: Float[np.ndarray, "frame joint 3"]
    valid: Bool[np.ndarray, " frame"] | Bool[np.ndarray, "frame joint"] | None = None


def score_sequences(
    sequences: Iterable[ScoredSequence],
    protocol: Protocol,
    *,
    adaptations: Sequence[str] = (),
    allow_missing: bool = False,
) -> Scores:
    """Score predictions under a protocol, sequence by sequence.

    Every frame that is given is scored, so predict the frames of the protocol's stride. The poses
    of all sequences are kept in memory, in the precision given: 220 MB in single precision for
    Human3.6M's test set.

    Args:
        sequences: In any order, each once, its frames in order of time.
        protocol: Which joints are scored, and how they are averaged.
        adaptations: As in :func:`graphlift.scoring.score_poses`.
        allow_missing: Score the joints that are predicted if others are missing.

    Raises:
        ShapeError: If there is none, arrays of a sequence do not fit each other or the protocol,
            a name comes twice, only some have activities; and as :func:`score_poses`.
        ConfigError: If the protocol does not take an adaptation.
    """
    given = list(sequences)
    if not given:
        raise ShapeError(f"no sequence to score under {protocol.name}: give one or more")
    seen: set[str] = set()
    for each in given:
        if each.name in seen:
            raise ShapeError(f"sequence {shown(each.name)} comes twice: name each clip and camera")
        seen.add(each.name)
        _check(each, given[0], protocol)
    lengths = [len(each.target) for each in given]
    activities = [each.activity for each in given]
    return score_poses(
        np.concatenate([each.predicted for each in given]),
        np.concatenate([each.target for each in given]),
        protocol,
        activity=np.repeat(activities, lengths) if all(activities) else None,
        sequence=np.repeat([each.name for each in given], lengths),
        valid=np.concatenate([_valid(each) for each in given]),
        adaptations=adaptations,
        allow_missing=allow_missing,
    )


def _check(each: ScoredSequence, first: ScoredSequence, protocol: Protocol) -> None:
    if bool(each.activity) != bool(first.activity):
        raise ShapeError(
            f"one of the sequences {shown(first.name)} and {shown(each.name)} has no activity: "
            "name that of each, or of none"
        )
    shape = each.target.shape
    fits = len(shape) == 3 and protocol.skeleton_of(shape[1]) is not None
    if each.predicted.shape != shape or not fits or shape[1:] != (*first.target.shape[1:2], 3):
        raise ShapeError(
            f"sequence {shown(each.name)}: predicted {each.predicted.shape} and target {shape} "
            f"should be the same (frame, joint, 3) of {protocol.joint_orders}, one number of "
            "joints in all: give the same frames of both; none is cut to fit"
        )
    if each.valid is not None and each.valid.shape not in (shape[:1], shape[:2]):
        raise ShapeError(
            f"sequence {shown(each.name)}: valid {each.valid.shape} should be {shape[:1]} or "
            f"{shape[:2]}: one for each frame, or each joint of it"
        )


def _valid(each: ScoredSequence) -> np.ndarray:
    """Expand validity to one value per joint, so that sequences can be concatenated."""
    valid = np.ones(1, dtype=bool) if each.valid is None else each.valid
    return np.broadcast_to(valid if valid.ndim == 2 else valid[:, None], each.target.shape[:2])
