"""Where a detector finds a joint: at points of the surface, not at the joint's centre.

Models of 28 joints lift what detectors find to joints by one definition (``docs/people.md``), so
their poses, put before the camera, lie beside the keypoints by a few centimetres at shoulders and
hips. What compares the two adds the usual difference.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from graphlift.bodies import load_bodies
from graphlift.bodies.segments import SIDED_POINTS
from graphlift.geometry import unit_or_zero
from graphlift.motion.bones import SHARE_OF_HEIGHT
from graphlift.motion.requirements import legs, middle
from graphlift.skeletons import BODY_28, Skeleton

_LIMBS = {
    "Knee": ("Hip", (0, 0, -1)), "Foot": ("Knee", (0, 0, -1)),
    "Elbow": ("Shoulder", (1, 0, 0)), "Wrist": ("Elbow", (1, 0, 0)),
}  # fmt: skip
"""For a joint of a limb, where its bone begins, and where that points in the T-pose."""
_GIRDLES = ("Shoulder", "Hip")
"""Joints whose difference is given in the axes of chest and pelvis."""


def surface_offsets(
    positions: Float[np.ndarray, "*batch joint 3"], skeleton: Skeleton, seen: Skeleton
) -> Float[np.ndarray, "*batch joint 3"]:
    """Find where the points that a detector finds lie against the joints of poses.

    Args:
        positions: m, any axes.
        skeleton: Of the poses. Only those of :data:`graphlift.skeletons.BODY_28` differ.
        seen: Of the keypoints. A detector's have eyes; the joints of motion capture are where the
            model puts them.

    Returns:
        m, same axes; 0 where there is no difference.
    """
    offsets = np.zeros(positions.shape)
    if skeleton != BODY_28 or "LEye" not in seen.joints:
        return offsets
    at = {name: joint for joint, name in enumerate(skeleton.joints)}
    usual = _usual_offsets()
    hips, shoulders = (middle(positions, skeleton, name) for name in ("Hip", "Shoulder"))
    trunk = shoulders - hips
    leg = np.linalg.norm(np.diff(positions[..., legs(skeleton), :], axis=-2), axis=-1)
    stature = leg.sum(axis=-1).mean(axis=-1) + np.linalg.norm(trunk, axis=-1)
    stature = stature[..., None] / SHARE_OF_HEIGHT
    for name in _GIRDLES:
        left = unit_or_zero(positions[..., at[f"L{name}"], :] - positions[..., at[f"R{name}"], :])
        up = unit_or_zero(trunk - (trunk * left).sum(axis=-1, keepdims=True) * left)
        x, y, z = usual[name]
        along = y * np.cross(up, left) + z * up
        offsets[..., at[f"L{name}"], :] = stature * (along + x * left)
        offsets[..., at[f"R{name}"], :] = stature * (along - x * left)
    for name, (start, rest) in _LIMBS.items():
        share = float(usual[name] @ rest)
        for side in "LR":
            bone = positions[..., at[side + name], :] - positions[..., at[side + start], :]
            offsets[..., at[side + name], :] = stature * share * unit_or_zero(bone)
    for name, pair in (("Hip", "Hip"), ("Thorax", "Shoulder")):
        shifted = positions + offsets
        offsets[..., at[name], :] = middle(shifted, skeleton, pair) - positions[..., at[name], :]
    return offsets


@lru_cache(maxsize=1)
def _usual_offsets() -> dict[str, Float[np.ndarray, "3"]]:
    """Mean of the adults of the table, from a joint of the left side to its point, by its name."""
    bodies = load_bodies()
    mean = bodies.points[bodies.age >= 18].mean(axis=0)
    names = ("Nose", *SIDED_POINTS)
    found = dict(zip(names, mean, strict=True))
    return {name: found["Ankle" if name == "Foot" else name] for name in (*_LIMBS, *_GIRDLES)}
