"""People's sizes from the floor that they stand on.

A monocular lifter does not know how tall people are. A person of another size who looks the same
in the image is as much nearer or further away, so their feet are as much nearer to or further
from the camera's height: a known floor, or one that several people share, gives their sizes.
"""

from collections.abc import Collection, Mapping

import numpy as np
from jaxtyping import Float

from graphlift.cameras import Camera
from graphlift.motion.bones import SIZES
from graphlift.motion.supports import Level, find_levels
from graphlift.motion.upright import Gravity, find_up
from graphlift.sequences import Poses

LEADING_REST = 0.25
"""Share of the longest rest of any person; people who rest less do not move the others."""
MIN_CAMERA_HEIGHT = 0.2
"""m; a camera nearer to the floor than this sees all feet at one height, however far away."""
MIN_SCALING = 5e-4
"""Share of people's size; if no person is further off, nothing is changed and nothing is noted."""
SMALLEST, LARGEST = 0.55, 1.25
"""Bounds of the factors on a lifter's size; a person beyond stands on another floor."""


def scale_to_floor(
    poses: Poses, moving: Poses, camera: Camera, *, stated: Collection[str] = ()
) -> Poses:
    """Scale people so that they reach the floor of a camera whose place is known.

    A person taken for too large is put too far away, and seen from above stands below the floor:
    where they stand gives the size, which is weighed against the model's own scale.

    Args:
        poses: Rooted, camera axes.
        moving: The same poses where :func:`graphlift.motion.locate` put them.
        camera: Its height above the floor and its turn count.
        stated: Names of people whose size is known and stays.
    """
    levels = find_levels(moving, camera.R[:, 2])
    sizes = find_sizes(levels, height=float(camera.position[2]), stated=stated)
    return _scaled(poses, sizes, "reach the given camera's floor")


def share_floor(
    poses: Poses, moving: Poses, *, stated: Collection[str] = ()
) -> tuple[Poses, Gravity]:
    """Scale people so that they stand on one floor, as far as people's sizes allow.

    Only how large they are against each other is known; all together keep the model's scale, or
    that of those whose height is stated.

    Args:
        poses: Rooted, camera axes.
        moving: The same poses where :func:`graphlift.motion.locate` put them.
        stated: Names of people whose size is known and stays.

    Returns:
        Poses of their new sizes, and the gravity that these sizes were found with.
    """
    # Bodies alone tell who stands elsewhere: gravity is not to be bent to bring people together.
    gravity = find_up(moving, elsewhere=poses.people)
    sizes = find_sizes(find_levels(moving, gravity.up), stated=stated)
    if sizes:
        gravity = find_up(moving, elsewhere=set(poses.people) - set(sizes))
        levels = find_levels(moving, gravity.up)
        sizes = find_sizes({name: levels[name] for name in sizes}, stated=stated)
    return _scaled(poses, sizes, "stand on one floor"), gravity


def find_sizes(
    levels: Mapping[str, Level], *, height: float | None = None, stated: Collection[str] = ()
) -> dict[str, float]:
    """Find how much larger each person is than the model's, from the floors under them.

    Minimises, over log sizes a and the log depth F of the floor below the camera, the sum of
    ((d + a - F) / error)² + (a / SIZES)², with d the log depth of each person's own floor. Small
    people are less rare than giants: below -2 SIZES the second term grows linearly (Huber), so a
    child beside an adult is a child. Only people who rest for a while (LEADING_REST) count for F.
    A person whose size would be out of bounds stands elsewhere: they keep the model's size, and
    do not count.

    Args:
        levels: The floor under each person, along up, m, from the camera.
        height: Of the camera above the floor, m, where it is known.
        stated: People whose size is known.

    Returns:
        Factors, for those whose size the floor gives.
    """
    names = [name for name, level in levels.items() if level.height < -MIN_CAMERA_HEIGHT]
    if height is not None and height < MIN_CAMERA_HEIGHT:
        return {}
    depth = np.array([-levels[name].height for name in names])
    postures = np.array([levels[name].postures for name in names])
    people = np.array(
        [
            np.log(depth),
            np.array([levels[name].error for name in names]) / depth,
            [0.0 if name in stated else SIZES for name in names],
            postures >= LEADING_REST * postures.max(initial=0.0),
        ]
    )
    counted = np.ones(len(names), dtype=bool)
    known = None if height is None else float(np.log(height))
    while counted.sum() > (0 if height is not None else 1):
        sizes = _solve(people[:, counted], known)
        bounded = (np.log(SMALLEST) <= sizes) & (sizes <= np.log(LARGEST))
        if bounded.all():
            return dict(zip(np.array(names)[counted].tolist(), np.exp(sizes), strict=True))
        worst = np.argmax(np.abs(sizes))
        counted[np.flatnonzero(counted)[worst]] = False
    return {}


def _solve(
    people: Float[np.ndarray, "4 person"], known: float | None, *, iterations: int = 50
) -> Float[np.ndarray, " person"]:
    """Find log sizes by reweighting: each pass has a closed solution.

    Args:
        people: Of each person: log depth of their floor below the camera, its standard deviation,
            that of their size (0 for a stated height), and 1 if they count for others' sizes.
        known: Log depth of the floor, if known.
        iterations: Passes.
    """
    depth, error, free, leads = people
    leads = leads if leads.any() else np.ones_like(leads)
    sizes = np.zeros(len(depth))
    for _ in range(iterations):
        prior = free**2 * np.maximum(1, -sizes / (2 * SIZES))
        floor = known
        if floor is None:
            floor = float(np.average(depth, weights=leads / (error**2 + prior)))
        sizes = (floor - depth) * prior / (error**2 + prior)
    return sizes


def _scaled(poses: Poses, sizes: Mapping[str, float], goal: str) -> Poses:
    scale = np.array([sizes.get(name, 1.0) for name in poses.people])
    if np.abs(scale - 1).max(initial=0.0) < MIN_SCALING:
        return poses
    factors = ", ".join(f"{name}: {s:.3f}" for name, s in zip(poses.people, scale, strict=True))
    return poses.noting(
        f"Scaled so that people {goal} ({factors}).",
        positions=poses.positions * scale[:, None, None].astype(poses.positions.dtype),
        sigma=poses.sigma * scale[:, None].astype(poses.sigma.dtype),
    )
