"""Feet: when they stand on the floor, and how to make them stand still then.

A foot stands from when the sole is down to when the heel lifts: while its ankle is still. How high
it is, heel and toes say, or the ankle where the skeleton has none.
"""

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
from jaxtyping import Bool, Float

from graphlift.geometry import every, swing, unit_vectors
from graphlift.motion.requirements import (
    below,
    blocks,
    check_axes,
    legs,
    runs,
    sole_heights,
    soles,
)
from graphlift.sequences import FRONTS, Poses, frame_rate
from graphlift.skeletons import ANKLE_HEIGHT, Skeleton
from graphlift.words import counted

SLOW, STILL = 0.5, 0.4
"""m/s; a foot in contact moves slower than SLOW throughout and than STILL somewhere."""
NEAR_FLOOR = 0.2
"""m; the sole of a foot in contact is at most this far above or below the floor."""
NEAR_OTHER = 0.12
"""m; and at most this much higher than the person's other ankle."""
SHORTEST = 0.1
"""s; a contact takes longer."""
BLEND = 0.2
"""s; how long before and after a contact the foot is led to and from its place."""

_X, _UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def find_contacts(
    poses: Poses, ground: tuple[Float[np.ndarray, "3"], float] | None = None
) -> Bool[np.ndarray, "frame person joint"]:
    """Find when each ankle stands on the floor, from its height and speed with hysteresis.

    Args:
        poses: World axes, unless the ground is given.
        ground: Which way is up in the poses' axes, and how high the floor is along it, m.

    Returns:
        True where a joint is in contact; only ankles ever are.

    Raises:
        ModelError: If poses are in camera axes.
        SkeletonError: If the skeleton has no ankles.
    """
    if ground is None:
        check_axes(poses, "world", "finding contacts")
    up, floor = (_UP, 0.0) if ground is None else ground
    fps, _ = frame_rate(poses)
    ankles = legs(poses.skeleton)[:, 2]
    flags = np.zeros(poses.positions.shape[:-1], dtype=bool)
    above = np.empty((*flags.shape[:2], 2))
    for at in blocks(len(poses), people=len(poses.people)):
        above[at] = sole_heights(poses.positions[at], poses.skeleton, up) - floor
    flags[..., ankles] = standing_feet(poses.positions[..., ankles, :], up, fps, above=above)
    return flags


def standing_feet(
    feet: Float[np.ndarray, "frame person side 3"],
    up: Float[np.ndarray, "3"],
    fps: float,
    *,
    above: Float[np.ndarray, "frame person side"] | None = None,
) -> Bool[np.ndarray, "frame person side"]:
    """Find slow, low stretches of ankles' paths.

    Args:
        feet: m, any axes that do not turn.
        up: Unit vector against gravity, same axes.
        fps: Frames per second.
        above: How high the soles are above the floor, m, if that is known.
    """
    if len(feet) < 2:
        return np.zeros(feet.shape[:-1], dtype=bool)
    speed = np.empty(feet.shape[:-1], feet.dtype)
    slow = np.empty(speed.shape, dtype=bool)
    for part in blocks(len(feet), people=feet.shape[1]):
        first = max(part.start - 1, 0)  # a frame more at either end, if there is one
        moved = np.gradient(feet[first : part.stop + 1], axis=0)[part.start - first :]
        here = feet[part]
        speed[part] = np.linalg.norm(moved[: len(here)], axis=-1) * fps
        height = here @ up
        slow[part] = speed[part] < SLOW  # NaN is never slow
        slow[part] &= height - np.fmin.reduce(height, axis=-1, keepdims=True) < NEAR_OTHER
        if above is not None:
            slow[part] &= np.abs(above[part]) < NEAR_FLOOR
    flags = np.zeros(slow.shape, dtype=bool)
    for person, side in np.ndindex(slow.shape[1:]):
        found = runs(slow[:, person, side])
        count = np.append(0, np.cumsum(speed[:, person, side] < STILL))
        still, length = np.diff(count[found])[:, 0] > 0, np.diff(found)[:, 0]
        for start, end in found[still & (length > SHORTEST * fps)]:
            flags[start:end, person, side] = True
    return flags


def plant_feet(
    poses: Poses, contacts: Bool[np.ndarray, "frame person joint"] | None = None
) -> Poses:
    """Hold each foot still during a contact; knees follow so that no bone changes its length.

    The ankle is moved to its mean place over the contact, at the height at which the sole touches
    the floor, and is led there and back over BLEND seconds; heel and toes move with it. The hip
    stays; a place out of the leg's reach is approached as far as the leg allows.

    Args:
        poses: World axes.
        contacts: From :func:`find_contacts`, which is asked when left out.

    Returns:
        Poses whose ``contacts`` say when each foot stands.

    Raises:
        ModelError: If poses are in camera axes.
        SkeletonError: If the skeleton has no hips, knees and ankles.
    """
    check_axes(poses, "world", "holding feet")
    fps, assumed = frame_rate(poses)
    flags = find_contacts(poses) if contacts is None else contacts
    positions = poses.positions.copy()
    every = product(range(2), range(len(poses.people)))
    count = sum(_plant(poses, positions, flags, person, side, fps) for side, person in every)
    return poses.noting(
        *assumed,
        f"Feet stand still in {counted(count, 'contact')}.",
        positions=positions,
        contacts=flags,
        fronts=_turn_thighs(poses, positions),
    )


def _plant(
    poses: Poses,
    positions: Float[np.ndarray, "frame person joint 3"],
    flags: Bool[np.ndarray, "frame person joint"],
    person: int,
    side: int,
    fps: float,
) -> int:
    """Move one leg in ``positions``, a copy of the poses'; return how many contacts it has."""
    chain = legs(poses.skeleton)[side]
    hanging = below(poses.skeleton, chain[2])
    ankle = positions[:, person, chain[2]].astype(np.float64)
    heights = partial(_ankle_heights, poses, person, side)
    shift, count = _shifts(ankle, flags[:, person, chain[2]], heights, fps)
    moved = np.flatnonzero(every(np.isfinite(ankle)) & ~every(shift == 0))
    for part in blocks(len(moved)):
        at = moved[part]
        leg = positions[at[:, None], person, chain].astype(np.float64)
        forward = _forward(poses.positions[at, person], poses.skeleton)
        knee, end = bend_leg(leg, leg[:, 2] + shift[at], forward)
        positions[at[:, None], person, hanging] += (end - leg[:, 2])[:, None]
        positions[at[:, None], person, chain[1:]] = np.stack([knee, end], axis=1)
    return count


def _turn_thighs(
    poses: Poses, positions: Float[np.ndarray, "frame person joint 3"]
) -> Float[np.ndarray, "frame person segment 3"] | None:
    """Turn the fronts of thighs as the thighs turn, from the poses' positions to others."""
    if poses.fronts is None:
        return None
    fronts = poses.fronts.copy()
    thighs = zip(("LThigh", "RThigh"), legs(poses.skeleton), strict=True)
    for (name, (hip, knee, _)), part in product(thighs, blocks(len(fronts))):
        here = fronts[part, :, FRONTS.index(name)]
        before, after = (
            unit_vectors((p[part, :, knee] - p[part, :, hip]).astype(np.float64))
            for p in (poses.positions, positions)
        )
        moved = ~every(before == after) & every(np.isfinite(before + after))
        here[moved] = swing(here[moved], before[moved], after[moved])
    return fronts


def bend_leg(
    leg: Float[np.ndarray, "frame 3 3"],
    target: Float[np.ndarray, "frame 3"],
    forward: Float[np.ndarray, "frame 3"],
) -> tuple[Float[np.ndarray, "frame 3"], Float[np.ndarray, "frame 3"]]:
    """Bring ankles to targets by two-bone inverse kinematics.

    With thigh a, shin b and hip to ankle d, the knee lies (a² - b² + d²) / 2d along the line from
    hip to ankle, and off it by the rest of a (law of cosines), to the side where it was; the knee
    of a straight leg bends forward, that of one stretched out ahead upward.

    Args:
        leg: Hip, knee, ankle, m.
        target: Where the ankle should be, m.
        forward: Which way the person faces; zero if that is unknown.

    Returns:
        Knee and ankle; thigh and shin keep their lengths, and the hip is not moved.
    """
    hip, knee, _ = leg.swapaxes(0, 1)
    a, b = np.linalg.norm(np.diff(leg, axis=1), axis=-1).T[..., None]
    reach = target - hip
    d = np.linalg.norm(reach, axis=-1, keepdims=True)
    along = np.where(d > 1e-9, reach, knee - hip)
    along = along / np.linalg.norm(along, axis=-1, keepdims=True)
    # A leg folded on itself or stretched out has no side for the knee: stop just short.
    d = np.clip(d, np.abs(a - b) + 1e-6 * (a + b), (1 - 1e-6) * (a + b))
    off = np.zeros_like(along)
    for side, least in ((_X, 0.0), (_UP, 1e-6), (forward, 1e-6), (knee - hip, 0.01 * a)):
        across = side - (side * along).sum(axis=-1, keepdims=True) * along
        length = np.linalg.norm(across, axis=-1, keepdims=True)
        off = np.where(length > least, across / np.where(length > 0, length, 1), off)
    cos = (a**2 - b**2 + d**2) / 2 / d
    sin = np.sqrt(np.maximum(a**2 - cos**2, 0))
    return hip + cos * along + sin * off, hip + d * along


def _shifts(
    ankle: Float[np.ndarray, "frame 3"],
    flags: Bool[np.ndarray, " frame"],
    heights: Callable[[slice], Float[np.ndarray, "frame part"]],
    fps: float,
) -> tuple[Float[np.ndarray, "frame 3"], int]:
    """Find how far the ankle is to be moved in every frame, and in how many contacts.

    Args:
        ankle: m, world axes.
        flags: When it is in contact.
        heights: How high it would be in some frames if a part of its foot touched the floor, m.
        fps: Frames per second.
    """
    shift = np.zeros_like(ankle)
    contacts = runs(flags & every(np.isfinite(ankle)))
    for number, (start, end) in enumerate(contacts):
        held = ankle[start:end].mean(axis=0)
        lying = heights(slice(start, end))
        held[2] = np.median(lying, axis=0).max()  # none of the foot below the floor
        shift[start:end] = held - ankle[start:end]
        before = contacts[number - 1][1] if number else 0
        after = contacts[number + 1][0] if number + 1 < len(contacts) else len(ankle)
        fade = _fade(start - before, fps)
        shift[start - len(fade) : start] += fade[::-1, None] * shift[start]
        fade = _fade(after - end, fps)
        shift[end : end + len(fade)] += fade[:, None] * shift[end - 1]
    return shift, len(contacts)


def _ankle_heights(
    poses: Poses, person: int, side: int, frames: slice
) -> Float[np.ndarray, "frame part"]:
    """Find how high an ankle would be if heel, or a toe, of its foot touched the floor, m."""
    z = poses.positions[frames, person, :, 2]
    parts, heights = soles(poses.skeleton)
    if parts.shape[1] == 1:  # the ankle itself
        return np.full((len(z), 1), ANKLE_HEIGHT)
    ankle = legs(poses.skeleton)[side, 2]
    return np.asarray(z[:, ankle, None] - z[:, parts[side]] + heights)


def _fade(room: int, fps: float) -> Float[np.ndarray, " frame"]:
    """Weights that fall smoothly from 1 to 0 over BLEND or the frames there are, ends left out."""
    count = min(int(room), round(BLEND * fps))
    x = 1 - np.arange(1, count + 1) / (count + 1)
    return x**2 * (3 - 2 * x)


def _forward(
    positions: Float[np.ndarray, "frame joint 3"], skeleton: Skeleton
) -> Float[np.ndarray, "frame 3"]:
    """Find where a person faces: up × (left hip to right hip)."""
    left, right = legs(skeleton)[:, 0]
    across = positions[..., right, :] - positions[..., left, :]
    return np.stack([-across[..., 1], across[..., 0], np.zeros_like(across[..., 0])], axis=-1)
