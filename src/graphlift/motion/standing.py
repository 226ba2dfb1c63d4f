"""Feet that stand, before sizes and the floor are known: on one level, as far as up is known.

The level is the person's own. How high it is depends on how large and how far away they are taken
for, and does not count.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.cameras import Camera
from graphlift.motion.feet import standing_feet
from graphlift.motion.requirements import legs
from graphlift.motion.smoothing import savgol
from graphlift.motion.tree import Planes, outer
from graphlift.motion.upright import find_up
from graphlift.sequences import Poses, frame_rate

LEVEL = 0.06
"""m; how far the ankle of a standing foot is from the level of the others, in one frame.

By the truth it is 2 cm; but what is wrong with the level and with a contact lasts for many frames,
each of which counts.
"""


@dataclass(frozen=True, eq=False)
class Standing:
    """When one person's feet stand.

    Args:
        feet: Of each ankle, left and right; only where it was seen.
        up: Unit vector against gravity, camera axes.
        tilt: How far up is off, rad (standard deviation).
    """

    feet: Bool[np.ndarray, "frame side"]
    up: Float[np.ndarray, "3"]
    tilt: float


def find_standing(poses: Poses, path: Float[np.ndarray, "frame 3"], camera: Camera) -> Standing:
    """Find when a person's feet stand, and which way is up.

    That is exact where the camera's place is known.

    Args:
        poses: Of one person, root-relative, camera axes.
        path: Of their root, m, camera axes (:func:`graphlift.motion.trajectory.find_path`).
        camera: Standing still.

    Raises:
        SkeletonError: If the skeleton lacks hips, knees, ankles or shoulders.
    """
    fps, _ = frame_rate(poses)
    ankles = legs(poses.skeleton)[:, 2]
    moving = savgol(poses.positions, fps)
    moving += path[:, None, None]
    if camera.placed:
        up, tilt = camera.R[:, 2], 0.0
    else:
        gravity = find_up(replace(poses, positions=moving, rooted=False))
        up, tilt = gravity.up, gravity.sigma
    places = moving[:, :, ankles].astype(np.float64)
    del moving  # all joints: of an hour, 60 MB
    feet = standing_feet(places, up, fps)
    return Standing(feet[:, 0] & poses.seen[:, 0, ankles], up, tilt)


def on_one_level(
    standing: Standing,
    frames: Int[np.ndarray, " frame"],
    ankles: Float[np.ndarray, "3 side frame"],
) -> tuple[Planes, Planes]:
    """Weigh the heights of ankles against those of all that stand in these frames: their median.

    Feet that are apart by some distance are, by an error of up, on one level only to within the
    tilt times that distance. One further off than two standard deviations, as on a step, weighs
    less (Huber).

    Args:
        standing: Of the whole clip.
        frames: Which of its frames.
        ankles: m, camera axes.

    Returns:
        Information of each ankle, symmetric, and right side of the normal equations of a step.
    """
    on = standing.feet[frames].T
    up = np.broadcast_to(standing.up[:, None, None], ankles.shape)
    if not on.any():
        return np.zeros((6, *on.shape)), np.zeros(ankles.shape)
    heights = (up * ankles).sum(axis=0)
    off = np.median(heights[on]) - heights
    flat = ankles - up * heights
    middle = np.median(flat[:, on], axis=1)[:, None, None]
    sd = np.hypot(LEVEL, standing.tilt * np.linalg.norm(flat - middle, axis=0))
    weights = on / sd / np.maximum(sd, np.abs(off) / 2)
    return outer(up, weights), up * (weights * off)
