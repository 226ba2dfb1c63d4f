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
from graphlift.geometry import frames_last, unit_or_zero
from graphlift.motion.bones import SHARE_OF_HEIGHT
from graphlift.motion.requirements import legs
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
    if skeleton != BODY_28 or "LEye" not in seen.joints:
        return np.zeros(positions.shape)
    points = np.moveaxis(frames_last(positions), (-2, -1), (0, 1))
    offsets = np.zeros(points.shape)
    _add_offsets(offsets, points, skeleton)
    return np.moveaxis(offsets, (0, 1), (-2, -1))


def _add_offsets(
    offsets: Float[np.ndarray, "joint 3 *batch"],
    points: Float[np.ndarray, "joint 3 *batch"],
    skeleton: Skeleton,
) -> None:
    """Fill in the offsets of all joints that have one."""
    at = {name: joint for joint, name in enumerate(skeleton.joints)}
    usual = _usual_offsets()

    def between(of: np.ndarray, name: str) -> np.ndarray:
        return np.asarray((of[at[f"L{name}"]] + of[at[f"R{name}"]]) / 2)

    trunk = between(points, "Shoulder") - between(points, "Hip")
    bones = (points[chain[1:]] - points[chain[:-1]] for chain in legs(skeleton))
    left, right = (np.linalg.norm(bone, axis=1).sum(axis=0) for bone in bones)
    stature = ((left + right) / 2 + np.linalg.norm(trunk, axis=0)) / SHARE_OF_HEIGHT
    for name in _GIRDLES:
        left = unit_or_zero(points[at[f"L{name}"]] - points[at[f"R{name}"]], axis=0)
        up = unit_or_zero(trunk - (trunk * left).sum(axis=0) * left, axis=0)
        x, y, z = usual[name]
        along = y * np.cross(up, left, axis=0) + z * up
        offsets[at[f"L{name}"]] = stature * (along + x * left)
        offsets[at[f"R{name}"]] = stature * (along - x * left)
    for name, (start, rest) in _LIMBS.items():
        share = float(usual[name] @ rest)
        for side in "LR":
            bone = points[at[side + name]] - points[at[side + start]]
            offsets[at[side + name]] = stature * share * unit_or_zero(bone, axis=0)
    for name, pair in (("Hip", "Hip"), ("Thorax", "Shoulder")):
        offsets[at[name]] = between(points, pair) + between(offsets, pair) - points[at[name]]


@lru_cache(maxsize=1)
def _usual_offsets() -> dict[str, Float[np.ndarray, "3"]]:
    """Mean of the adults of the table, from a joint of the left side to its point, by its name."""
    bodies = load_bodies()
    mean = bodies.points[bodies.age >= 18].mean(axis=0)
    names = ("Nose", *SIDED_POINTS)
    found = dict(zip(names, mean, strict=True))
    return {name: found["Ankle" if name == "Foot" else name] for name in (*_LIMBS, *_GIRDLES)}
