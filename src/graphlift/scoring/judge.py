"""Some frames of predictions against their truth: how far off each joint is, and which count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from graphlift.metrics import (
    AUC_THRESHOLDS,
    PCK_THRESHOLD,
    Alignment,
    joint_errors,
    thresholds_above,
)
from graphlift.protocols.adaptations import (
    ROOT_IN_PLACE,
    match_bone_length,
    root_in_place,
    shift_hips,
)
from graphlift.protocols.named import Protocol
from graphlift.skeletons import Skeleton

FEWEST = 3
"""Joints of a frame; on two, P-MPJPE is zero whatever is predicted."""
_FARTHEST = 1e100
"""m; what is beyond is as good as infinite, and its square would be."""
ALIGNMENTS: Mapping[str, Alignment] = {
    "mpjpe": "none",
    "p_mpjpe": "similarity",
    "n_mpjpe": "scale",
}


@dataclass(frozen=True, eq=False)
class Judged:
    """Some frames, the protocol's joints.

    Args:
        placed: Frames with truth enough to be scored.
        counts: Joints whose truth is known, in frames that are placed.
        predicted: Those of them that are also predicted.
        values: By name of metric: distances, m, 0 where not predicted; ``pck`` and ``auc``:
            shares of thresholds kept, 0 where not predicted.
        offset: From the truth to the prediction, both rooted, m; NaN where not predicted.
    """

    placed: Bool[np.ndarray, " frame"]
    counts: Bool[np.ndarray, "frame joint"]
    predicted: Bool[np.ndarray, "frame joint"]
    values: Mapping[str, Float[np.ndarray, "frame joint"]]
    offset: Float[np.ndarray, "frame joint 3"]


def judge(
    predicted: Float[np.ndarray, "frame joint 3"],
    target: Float[np.ndarray, "frame joint 3"],
    valid: Bool[np.ndarray, "frame joint"],
    protocol: Protocol,
    skeleton: Skeleton,
    adaptations: Sequence[str],
) -> Judged:
    """Compare some frames.

    Args:
        predicted: m, all joints of the skeleton.
        target: The same joints, m.
        valid: Joints whose truth may count.
        protocol: Which joints, rooted where.
        skeleton: Of the arrays.
        adaptations: Names of deviations that were asked for.
    """
    p, t = _positions(predicted), _positions(target)
    if "hip-shift" in adaptations:
        p = shift_hips(p, skeleton)
    t = t - t[:, [skeleton.root]]
    if ROOT_IN_PLACE in adaptations:
        p = root_in_place(p, skeleton.root)
    else:
        p = p - p[:, [skeleton.root]]
    if "bone-length" in adaptations:
        p = match_bone_length(p, t, skeleton, np.isfinite(p + t).all(axis=-1))
    joints = skeleton.index(*protocol.scored)
    known = np.isfinite(t[..., 0]) & valid & valid[:, [skeleton.root]]
    p, t, known = p[:, joints], t[:, joints], known[:, joints]
    placed = known.sum(axis=1) >= FEWEST
    counts = known & placed[:, None]
    there = counts & np.isfinite(p[..., 0])
    there &= there.sum(axis=1, keepdims=True) >= FEWEST
    offset = np.where(there[..., None], p - t, np.nan)
    return Judged(placed, counts, there, _values(p, t, there), offset)


def _positions(array: np.ndarray) -> np.ndarray:
    """Copy positions, in double precision; a joint that lacks a coordinate lacks all."""
    positions = np.array(array, dtype=np.float64, order="C")  # or sums would differ by order
    sound = np.abs(positions) < _FARTHEST
    if not sound.all():
        positions[~sound.all(axis=-1)] = np.nan
    return positions


def _values(p: np.ndarray, t: np.ndarray, there: np.ndarray) -> dict[str, np.ndarray]:
    rows = there.any(axis=1)
    everywhere = bool(there.all())
    values = {name: np.zeros(there.shape) for name in (*ALIGNMENTS, "pck", "auc")}
    if not rows.any():
        return values
    if not everywhere:
        p, t = p[rows], t[rows]
    present = None if everywhere else there[rows]
    for name, alignment in ALIGNMENTS.items():
        errors = joint_errors(p, t, alignment=alignment, present=present)
        values[name][rows] = np.nan_to_num(errors)
        if alignment == "none":
            values["pck"][rows] = errors < PCK_THRESHOLD
            values["auc"][rows] = thresholds_above(errors) / len(AUC_THRESHOLDS)
    return values
