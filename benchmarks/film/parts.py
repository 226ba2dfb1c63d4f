"""The error of a pose taken apart, by undoing one thing after another; and how sure a mean is.

Everything is in the camera's axes, about the mean of the compared joints. Undone are, in this
order: the turn about the vertical (yaw), the rest of the turn, the size (then what is left is
P-MPJPE), and of each joint the error along its ray (depth). What is left then lies across the
rays: limbs that point elsewhere in the image, or bones of other lengths. Each step has the least
squared error, so the squares never grow.
"""

from dataclasses import dataclass

import numpy as np

BLOCK = 20
"""Frames that are drawn together: a third of a second, by when errors have mostly changed."""
DRAWS = 1000
PARTS = ("yaw", "rest of the turn", "size", "depth", "across the rays")


@dataclass(frozen=True, eq=False)
class Parts:
    """Of one view, frame by frame; NaN where the pose or the reference is not known.

    Args:
        stages: Mean distance of the joints, m: as lifted, then after each step.
        yaw: By how much the pose is turned from the reference about the vertical,
            counter-clockwise seen from above, degrees.
        rest: Angle of the rest of the turn, degrees.
        size: The pose's size as a share of the reference's.
    """

    stages: np.ndarray  # frame 5
    yaw: np.ndarray  # frame
    rest: np.ndarray  # frame
    size: np.ndarray  # frame

    @property
    def shares(self):
        """What each of :data:`PARTS` adds to the mean distance, m: (frame, 5)."""
        return np.concatenate([-np.diff(self.stages, axis=1), self.stages[:, -1:]], axis=1)


def take_apart(predicted, target, rays, up):
    """Take a view's errors apart.

    Args:
        predicted: (frame, joint, 3), m, camera axes; where its origin is does not matter.
        target: The same joints, m, camera axes.
        rays: Unit vectors from the camera to each joint of the target.
        up: Unit vector against gravity, camera axes.
    """
    known = (np.isfinite(predicted) & np.isfinite(target)).all(axis=(1, 2))
    stages = np.full((len(target), len(PARTS)), np.nan)
    yaw, rest, size = (np.full(len(target), np.nan) for _ in range(3))
    x, goal = (
        each[known] - each[known].mean(axis=1, keepdims=True) for each in (predicted, target)
    )
    steps = [x]
    angle = best_yaw(x, goal, up)
    steps.append(turn_about(x, up, angle))
    R = best_rotation(steps[-1], goal)
    steps.append(steps[-1] @ R.swapaxes(-1, -2))
    scale = (steps[-1] * goal).sum(axis=(1, 2)) / (steps[-1] ** 2).sum(axis=(1, 2))
    steps.append(steps[-1] * scale[:, None, None])
    error = steps[-1] - goal
    along = (error * rays[known]).sum(axis=-1, keepdims=True) * rays[known]
    errors = [each - goal for each in steps] + [error - along]
    stages[known] = np.stack([np.linalg.norm(e, axis=-1).mean(axis=-1) for e in errors], axis=-1)
    yaw[known], rest[known], size[known] = -np.degrees(angle), angle_of(R), 1 / scale
    return Parts(stages, yaw, rest, size)


def best_yaw(x, goal, up):
    """The angle about ``up`` by which each pose has to be turned to be nearest to its goal, rad.

    With the parts a and b of a joint and its goal that are perpendicular to the axis, the sum of
    a · b grows by cos, and that of up · (a × b) by sin.
    """
    across = np.cross(x, goal) @ up
    along = (x * goal).sum(axis=-1) - (x @ up) * (goal @ up)
    return np.arctan2(across.sum(axis=-1), along.sum(axis=-1))


def turn_about(x, axis, angle):
    """Turn each pose about a unit vector by its angle, rad (Rodrigues' formula)."""
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    return cos * x + sin * np.cross(axis, x) + (1 - cos) * (x @ axis)[..., None] * axis


def best_rotation(x, goal):
    """The rotation of each pose about the origin that brings it nearest to its goal.

    Source: Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976.
    """
    U, _, Vt = np.linalg.svd(goal.swapaxes(-1, -2) @ x)
    proper = np.ones((len(x), 1, 3))
    proper[:, 0, 2] = np.linalg.det(U @ Vt)
    return (U * proper) @ Vt


def angle_of(rotation):
    """By how much a rotation turns, degrees."""
    cosine = (np.trace(rotation, axis1=-2, axis2=-1) - 1) / 2
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def bootstrap(values, *, block=BLOCK, draws=DRAWS, seed=0):
    """Means over frames, drawn anew in blocks of frames that follow one another.

    Args:
        values: (frame, ...); NaN is left out.
        block: Frames of a block. The clip is a ring, so that all frames are as likely.
        draws: How many.
        seed: The same seed draws the same frames, so that differences can be taken.

    Returns:
        (draw, ...).

    Source: Politis and Romano, "A circular block-resampling procedure for stationary data", 1992.
    """
    frames = len(values)
    starts = np.random.default_rng(seed).integers(frames, size=(draws, -(-frames // block)))
    at = (starts[..., None] + np.arange(block)).reshape(draws, -1)[:, :frames] % frames
    return np.stack([mean_of_known(values[each]) for each in at])


def mean_of_known(values):
    """Over the first axis, of what is not NaN; NaN where nothing is known."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.where(
        count > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1), np.nan
    )


def mean_and_spread(values):
    """The mean over frames, and half of the interval that has 95 % of the means drawn anew."""
    low, high = np.quantile(bootstrap(values), [0.025, 0.975], axis=0)
    return mean_of_known(values), (high - low) / 2
