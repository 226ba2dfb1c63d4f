"""Errors of some frames of predictions, and which of their joints count."""

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

MIN_JOINTS = 3
"""Fewest joints of a frame that is scored; on two, P-MPJPE is zero whatever is predicted."""
_LARGEST = 1e100
"""m; a larger coordinate counts as infinite, because its square would be."""
ALIGNMENTS: Mapping[str, Alignment] = {
    "mpjpe": "none",
    "p_mpjpe": "similarity",
    "n_mpjpe": "scale",
}


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors of some frames, for the joints that the protocol scores.

    Args:
        scored: Frames with enough truth to be scored.
        counted: Joints whose truth is known, in frames that are scored.
        predicted: Those of them that are also predicted.
        values: By name of metric: distances, m, 0 where not predicted; ``pck`` and ``auc``:
            shares of thresholds kept, 0 where not predicted.
        offset: From the truth to the prediction, both root-relative, m; NaN where not predicted.
    """

    scored: Bool[np.ndarray, " frame"]
    counted: Bool[np.ndarray, "frame joint"]
    predicted: Bool[np.ndarray, "frame joint"]
    values: Mapping[str, Float[np.ndarray, "frame joint"]]
    offset: Float[np.ndarray, "frame joint 3"]


def pose_errors(
    predicted: Float[np.ndarray, "frame joint 3"],
    target: Float[np.ndarray, "frame joint 3"],
    valid: Bool[np.ndarray, "frame joint"],
    protocol: Protocol,
    skeleton: Skeleton,
    adaptations: Sequence[str],
) -> Errors:
    """Compare some frames.

    Args:
        predicted: m, all joints of the skeleton.
        target: The same joints, m.
        valid: Joints whose truth may count.
        protocol: Which joints are scored.
        skeleton: Of the arrays.
        adaptations: Names of the deviations from the protocol to apply.
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
    scored = known.sum(axis=1) >= MIN_JOINTS
    counted = known & scored[:, None]
    present = counted & np.isfinite(p[..., 0])
    present &= present.sum(axis=1, keepdims=True) >= MIN_JOINTS
    offset = np.where(present[..., None], p - t, np.nan)
    return Errors(scored, counted, present, _values(p, t, present), offset)


def _positions(array: np.ndarray) -> np.ndarray:
    """Copy positions, in double precision; a joint that lacks a coordinate lacks all."""
    positions = np.array(array, dtype=np.float64, order="C")  # or sums would differ by order
    sound = np.abs(positions) < _LARGEST
    if not sound.all():
        positions[~sound.all(axis=-1)] = np.nan
    return positions


def _values(p: np.ndarray, t: np.ndarray, present: np.ndarray) -> dict[str, np.ndarray]:
    rows = present.any(axis=1)
    complete = bool(present.all())
    values = {name: np.zeros(present.shape) for name in (*ALIGNMENTS, "pck", "auc")}
    if not rows.any():
        return values
    if not complete:
        p, t = p[rows], t[rows]
    some = None if complete else present[rows]
    for name, alignment in ALIGNMENTS.items():
        errors = joint_errors(p, t, alignment=alignment, present=some)
        values[name][rows] = np.nan_to_num(errors)
        if alignment == "none":
            values["pck"][rows] = errors < PCK_THRESHOLD
            values["auc"][rows] = thresholds_above(errors) / len(AUC_THRESHOLDS)
    return values
