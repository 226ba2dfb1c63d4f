"""People's sizes from the floor that they stand on.

A monocular lifter does not know how tall people are. A person of another size who looks the same
in the image is as much nearer or further away, so their feet are as much nearer to or further
from the camera's height: where the floor is known, or where several people share it, it tells.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from graphlift.cameras import Camera
from graphlift.motion.bones import SIZES
from graphlift.motion.supports import Level, find_levels
from graphlift.motion.upright import Gravity, find_up
from graphlift.sequences import Poses

LEADING = 0.25
"""Share of the longest rest that anybody shows; who rests less does not move the others."""
LEVEL = 0.2
"""m; a camera this near to the floor's height sees feet at one height, however far away."""
WORTH_SCALING = 5e-4
"""Share of their size; if nobody is further off, nothing is changed and nothing is said."""
SMALLEST, LARGEST = 0.55, 1.25
"""People are not taken to be further from a lifter's size: these, on another floor, they are."""


@dataclass(frozen=True, eq=False)
class FloorDepths:
    """How far below the camera the floor under each person lies, as logarithms.

    Args:
        depth: Of the floor under them below the camera, log m.
        error: Its standard deviation.
        free: Standard deviation of their size: SIZES, or 0 for a stated height.
        leads: Whether they are there for long enough to count for others' sizes.
    """

    depth: Float[np.ndarray, " person"]
    error: Float[np.ndarray, " person"]
    free: Float[np.ndarray, " person"]
    leads: Bool[np.ndarray, " person"]


def scale_to_floor(
    poses: Poses, moving: Poses, camera: Camera, *, stated: Collection[str] = ()
) -> Poses:
    """Scale people so that they reach the floor of a camera whose place is known.

    A person taken for too large is put too far away, and seen from above stands below the floor:
    where they stand tells the size. What it tells is weighed against the model's own scale.

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
    child beside an adult is a child. Only people who are there for a while (LEADING) count for F.
    A person whose size would be out of bounds stands elsewhere: they keep the model's size, and
    do not count.

    Args:
        levels: The floor under each person, along up, m, from the camera.
        height: Of the camera above the floor, m, where it is known.
        stated: People whose size is known.

    Returns:
        Factors, for those of whom the floor tells something.
    """
    names = [name for name, level in levels.items() if level.height < -LEVEL]
    if height is not None and height < LEVEL:
        return {}
    depth = np.array([-levels[name].height for name in names])
    postures = np.array([levels[name].postures for name in names])
    depths = FloorDepths(
        depth=np.log(depth),
        error=np.array([levels[name].error for name in names]) / depth,
        free=np.array([0.0 if name in stated else SIZES for name in names]),
        leads=postures >= LEADING * postures.max(initial=0.0),
    )
    counted = np.ones(len(names), dtype=bool)
    known = None if height is None else float(np.log(height))
    while counted.sum() > (0 if height is not None else 1):
        sizes = _solve(depths, counted, known)
        bounded = (np.log(SMALLEST) <= sizes) & (sizes <= np.log(LARGEST))
        if bounded.all():
            return dict(zip(np.array(names)[counted].tolist(), np.exp(sizes), strict=True))
        worst = np.argmax(np.abs(sizes))
        counted[np.flatnonzero(counted)[worst]] = False
    return {}


def _solve(
    depths: FloorDepths,
    counted: Bool[np.ndarray, " person"],
    known: float | None,
    *,
    iterations: int = 50,
) -> Float[np.ndarray, " counted"]:
    """Log sizes of those who count, by reweighting: each pass has a closed solution."""
    depth, error, free = (x[counted] for x in (depths.depth, depths.error, depths.free))
    leads = depths.leads[counted] | ~depths.leads[counted].any()
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
    if np.abs(scale - 1).max(initial=0.0) < WORTH_SCALING:
        return poses
    said = ", ".join(f"{name}: {s:.3f}" for name, s in zip(poses.people, scale, strict=True))
    return poses.noting(
        f"Scaled so that people {goal} ({said}).",
        positions=poses.positions * scale[:, None, None].astype(poses.positions.dtype),
        sigma=poses.sigma * scale[:, None].astype(poses.sigma.dtype),
    )
