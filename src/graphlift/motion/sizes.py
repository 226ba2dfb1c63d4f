"""People's sizes from the floor that they stand on.

A monocular lifter does not know how tall people are. A person of another size who looks the same
in the image is as much nearer or further away, so their feet are as much nearer to or further
from the camera's height: a known floor, or one that several people share, gives their sizes. What
stays uncertain of them is in ``Poses.size_sigma``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from graphlift.cameras import Camera
from graphlift.motion.bones import PROPORTIONS, expected_sizes, sizes_learnt
from graphlift.motion.supports import Level, find_levels
from graphlift.motion.upright import Gravity, find_up
from graphlift.sequences import Poses

LEADING_REST = 0.25
"""Share of the longest rest of any person; people who rest less do not move the others."""
MIN_CAMERA_HEIGHT = 0.2
"""m; a camera nearer to the floor than this sees all feet at one height, however far away."""
MIN_SCALING = 5e-4
"""Share of people's size; if no person is further off, positions stay and nothing is noted."""
SMALLEST, LARGEST = 0.55, 1.25
"""Bounds of the factors on a lifter's size; a person beyond stands on another floor."""
_EXACT = 1e-9
"""Stands for a ``size_sigma`` of 0, by which nothing can be divided."""


@dataclass(frozen=True)
class Size:
    """What a floor says of a person's size.

    Args:
        factor: How much larger the person is than the model's.
        sigma: Standard deviation of its logarithm.
    """

    factor: float
    sigma: float


def scale_to_floor(
    poses: Poses, moving: Poses, camera: Camera, *, stated: Collection[str] = ()
) -> Poses:
    """Scale people so that they reach the floor of a camera whose place is known.

    A person taken for too large is put too far away, and seen from above stands below the floor:
    where they stand gives the size, which is weighed against the model's own scale by the poses'
    ``size_sigma``; that becomes what stays uncertain. The lens and the camera are
    taken as exact.

    Args:
        poses: Rooted, camera axes.
        moving: The same poses where :func:`graphlift.motion.locate` put them.
        camera: Its height above the floor and its turn count.
        stated: Names of people whose size is known and stays.
    """
    levels = find_levels(moving, camera.R[:, 2])
    height = float(camera.position[2])
    sizes = find_sizes(levels, expected_sizes(poses), height=height, stated=stated)
    return _scaled(poses, sizes, "reach the given camera's floor")


def share_floor(
    poses: Poses, moving: Poses, *, stated: Collection[str] = ()
) -> tuple[Poses, Gravity]:
    """Scale people so that they stand on one floor, as far as people's sizes allow.

    Only how large they are against each other is learnt; all together keep the model's scale, or
    that of those whose height is stated. That scale is the mean of what each person alone would
    give, so its own error is theirs over the root of their number: on a perfect floor, of each of
    n people ``size_sigma`` becomes ``size_sigma`` / √n. That holds for people who are tall or
    small independently of each other; of a group of children, who are all small, it is too sure.
    The further people are from each other, the more does an error of gravity count.

    Args:
        poses: Rooted, camera axes.
        moving: The same poses where :func:`graphlift.motion.locate` put them.
        stated: Names of people whose size is known and stays.

    Returns:
        Poses of their new sizes, and the gravity that these sizes were found with.
    """
    # Bodies alone tell who stands elsewhere: gravity is not to be bent to bring people together.
    gravity = find_up(moving, elsewhere=poses.people)
    expected = expected_sizes(poses)
    sizes = find_sizes(find_levels(moving, gravity.up), expected, stated=stated)
    if sizes:
        gravity = find_up(moving, elsewhere=set(poses.people) - set(sizes))
        levels = find_levels(moving, gravity.up)
        sizes = find_sizes({name: levels[name] for name in sizes}, expected, stated=stated)
        sizes = _tilted(sizes, levels, gravity, expected)
    return _scaled(poses, sizes, "stand on one floor"), gravity


def find_sizes(
    levels: Mapping[str, Level],
    expected: Mapping[str, float],
    *,
    height: float | None = None,
    stated: Collection[str] = (),
) -> dict[str, Size]:
    """Find how much larger each person is than the model's, from the floors under them.

    Minimises, over log sizes a and the log depth F of the floor below the camera, the sum of
    ((d + a - F) / error)² + (a / s)², with d the log depth of each person's own floor, and s how
    far their size is expected to be off. Small people are less rare than giants: below -2 s the
    second term grows linearly (Huber), so a child beside an adult is a child. Only people who rest
    for a while (LEADING_REST) count for F. Those whose height is stated stay as they are, a = 0;
    how far off it is counts for what stays uncertain of the others. A person whose size would be
    out of bounds stands elsewhere: they keep the model's size, and do not count.

    Args:
        levels: The floor under each person, along up, m, from the camera.
        expected: s, at least of those people.
        height: Of the camera above the floor, m, where it is known.
        stated: People whose size is known.

    Returns:
        Those whose size the floor gives.
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
            [0.0 if name in stated else max(expected[name], _EXACT) for name in names],
            postures >= LEADING_REST * postures.max(initial=0.0),
            [expected[name] for name in names],
        ]
    )
    counted = np.ones(len(names), dtype=bool)
    known = None if height is None else float(np.log(height))
    while counted.sum() > (0 if height is not None else 1):
        sizes, sigmas = _solve(people[:, counted], known)
        bounded = (np.log(SMALLEST) <= sizes) & (sizes <= np.log(LARGEST))
        if bounded.all():
            found = map(Size, np.exp(sizes).tolist(), sigmas.tolist())
            return dict(zip(np.array(names)[counted].tolist(), found, strict=True))
        worst = np.argmax(np.abs(sizes))
        counted[np.flatnonzero(counted)[worst]] = False
    return {}


def _solve(
    people: Float[np.ndarray, "5 person"], known: float | None, *, iterations: int = 50
) -> tuple[Float[np.ndarray, " person"], Float[np.ndarray, " person"]]:
    """Find log sizes by reweighting: each pass has a closed solution.

    A size is the share prior / (error² + prior) of F - d. Its variance is that of the size where
    the floor is known, share error², and as much of F's as it takes over, share² var F, which is
    uncorrelated with it. F is a weighted mean of d, whose variance is error² + s².

    Args:
        people: Of each person: log depth of their floor below the camera, its standard deviation,
            that by which their size may change (0 for a stated height), 1 if they count for
            others' sizes, and the standard deviation of their size.
        known: Log depth of the floor, if known.
        iterations: Passes at most; there are fewer once one changes nothing.

    Returns:
        Log sizes and their standard deviations.
    """
    depth, error, free, leads, expected = people
    leads = leads if leads.any() else np.ones_like(leads)
    sizes = np.zeros(len(depth))
    for _ in range(iterations):
        before = sizes
        wider = _wider(sizes, free)
        prior = free**2 * wider
        share = prior / (error**2 + prior)
        floor, doubt = known, 0.0
        if floor is None:
            weights = leads / (error**2 + prior)
            weights /= weights.sum()
            floor = float(weights @ depth)
            doubt = float(weights**2 @ (error**2 + expected**2 * wider))
        sizes = (floor - depth) * share
        if (sizes == before).all():
            break  # as every further pass would leave them
    found = np.sqrt(share * error**2 + share**2 * doubt)
    return sizes, np.where(free > 0, found, expected)


def _wider(sizes: np.ndarray, free: np.ndarray | float) -> np.ndarray:
    """Find by what a prior's variance is wider for small people, so that it grows linearly."""
    return np.asarray(np.maximum(1, -sizes / (2 * np.maximum(free, _EXACT))))


def _tilted(
    sizes: Mapping[str, Size],
    levels: Mapping[str, Level],
    gravity: Gravity,
    expected: Mapping[str, float],
) -> dict[str, Size]:
    """Add what an error of gravity makes of sizes; nobody becomes less sure than as a prior.

    Where gravity is tilted by an angle, the floor under a person rises or falls by as much, times
    how far they stand, across the floor, from the middle of all.
    """
    up = gravity.up
    places = {name: levels[name].point - (levels[name].point @ up) * up for name in sizes}
    middle = np.mean(list(places.values()), axis=0) if places else np.zeros(3)
    found = {}
    for name, size in sizes.items():
        away = float(np.linalg.norm(places[name] - middle))
        tilt = gravity.sigma * away / -levels[name].height
        prior = expected[name] * np.sqrt(_wider(np.log(size.factor), expected[name]))
        sigma = max(size.sigma, min(float(prior), float(np.hypot(size.sigma, tilt))))
        found[name] = Size(size.factor, sigma)
    return found


def describe_sizes(
    poses: Poses,
    *,
    stated: Collection[str] = (),
    by_floor: bool = False,
    present: Bool[np.ndarray, " person"] | None = None,
) -> tuple[str, ...]:
    """Say in a sentence how sure people's sizes are; nothing where that is unknown.

    Args:
        poses: After all steps that learn of sizes.
        stated: Names of people whose height was stated.
        by_floor: Whether a floor gave sizes.
        present: Who has a pose in any frame, where these are a part of a clip only.
    """
    if poses.size_sigma is None:
        return ()
    there = np.asarray(poses.valid.any(axis=0) if present is None else present)
    known = there & np.isfinite(poses.size_sigma)
    if not known.any():
        return ()
    shares = 100 * poses.size_sigma[known]
    words = sorted({f"{share:.2g}" for share in (shares.min(), shares.max())}, key=float)
    doubt = f"uncertain by {' to '.join(words)} % (standard deviation)"
    names = {name for name, there in zip(poses.people, known, strict=True) if there}
    if names <= set(stated):
        return (f"People's sizes follow from the stated height and are {doubt}.",)
    way = f"a stated height (height=, --height) makes that {100 * PROPORTIONS:.2g} %"
    others = [*["the floor"] * by_floor, *["stated heights"] * bool(names & set(stated))]
    if not others:
        return (f"People's sizes are the model's own and {doubt}; {way}.",)
    origins = " and ".join(["the model", *others])
    return (f"People's sizes follow from {origins} and are {doubt}; {way}.",)


def _scaled(poses: Poses, sizes: Mapping[str, Size], goal: str) -> Poses:
    """Scale people by what a floor says of them; the poses themselves if it says nothing."""
    if not sizes:
        return poses
    learnt = np.array([sizes[name].sigma if name in sizes else np.nan for name in poses.people])
    poses = replace(poses, size_sigma=sizes_learnt(poses, learnt))
    scale = np.array([sizes[name].factor if name in sizes else 1.0 for name in poses.people])
    if np.abs(scale - 1).max(initial=0.0) < MIN_SCALING:
        return poses
    factors = ", ".join(f"{name}: {s:.3f}" for name, s in zip(poses.people, scale, strict=True))
    return poses.noting(
        f"Scaled so that people {goal} ({factors}).",
        positions=poses.positions * scale[:, None, None].astype(poses.positions.dtype),
        sigma=poses.sigma * scale[:, None].astype(poses.sigma.dtype),
    )
