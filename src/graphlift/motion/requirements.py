"""What every step needs of a clip: a frame of reference, legs and a trunk."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from graphlift.errors import ModelError
from graphlift.sequences import Axes, Poses
from graphlift.skeletons import ANKLE_HEIGHT, SOLE_HEIGHTS, Skeleton

_BLOCK = 512
"""Frames at a time: what is computed of them in float64 stays in the processor's cache."""
_SHORTEST = 64
"""Frames at a time of many people: more than a window of most filters."""


def check_axes(poses: Poses, axes: Axes, step: str) -> None:
    """Refuse poses in another frame of reference than a step works in.

    Raises:
        ModelError: Naming the step and the way out.
    """
    if poses.axes != axes:
        way = {
            "world": "call to_world() or graphlift.motion.stand() first",
            "camera": "give them as the lifter returned them",
        }[axes]
        raise ModelError(f"{step} needs poses in {axes} axes, these are in {poses.axes}: {way}")


def legs(skeleton: Skeleton) -> Int[np.ndarray, "side chain"]:
    """Find hip, knee and ankle of the left and of the right leg (Human3.6M's foot is the ankle).

    Raises:
        SkeletonError: If the skeleton has no such joints.
    """
    ankle = "Ankle" if "LAnkle" in skeleton.joints else "Foot"
    return np.stack([skeleton.index(f"{s}Hip", f"{s}Knee", f"{s}{ankle}") for s in "LR"])


def below(skeleton: Skeleton, joint: int) -> Int[np.ndarray, " joint"]:
    """Find the joints that hang on a joint, and so move with it."""
    found: list[int] = []
    for other in skeleton.order:
        if skeleton.parents[other] in (joint, *found):
            found.append(other)
    return np.array(found, dtype=int)


def soles(
    skeleton: Skeleton,
) -> tuple[Int[np.ndarray, "side part"], Float[np.ndarray, " part"]]:
    """Find what of the left and the right foot touches the floor, and how high it is then, m.

    Heel and toes if the skeleton has them, else the ankle.

    Raises:
        SkeletonError: If the skeleton has neither ankles nor feet.
    """
    parts = [part for part in SOLE_HEIGHTS if {f"L{part}", f"R{part}"} <= set(skeleton.joints)]
    if "Heel" not in parts or len(parts) == 1:
        return legs(skeleton)[:, 2:], np.array([ANKLE_HEIGHT])
    joints = np.stack([skeleton.index(*(side + part for part in parts)) for side in "LR"])
    return joints, np.array([SOLE_HEIGHTS[part] for part in parts])


def sole_heights(
    positions: Float[np.ndarray, "frame person joint 3"],
    skeleton: Skeleton,
    up: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "frame person side"]:
    """Find how high along ``up`` the floor is that each sole would lie on, m.

    The mean of heel and toes: their least would be below the floor by what is wrong with them.
    """
    joints, heights = soles(skeleton)
    return np.asarray((positions[..., joints, :] @ up - heights).mean(axis=-1))


def middle(
    positions: Float[np.ndarray, "*batch joint 3"], skeleton: Skeleton, name: str
) -> Float[np.ndarray, "*batch 3"]:
    """Average the left and the right joint of a name, such as ``Hip`` or ``Shoulder``.

    Raises:
        SkeletonError: If the skeleton has no such joints.
    """
    pair = skeleton.index(f"L{name}", f"R{name}")
    return np.asarray(positions[..., pair, :].mean(axis=-2))


def blocks(count: int, size: int = _BLOCK, *, people: int = 1) -> Iterator[slice]:
    """Cut ``count`` frames into short blocks, at least one, maybe empty.

    Steps keep whole clips in the poses' own precision, and float64 for a block only: an hour of
    frames needs little memory. Blocks of many people are shorter.
    """
    size = size if people < 2 else max(size // people, _SHORTEST)
    for start in range(0, max(count, 1), size):
        yield slice(start, start + size)


def runs(flags: np.ndarray) -> np.ndarray:
    """Find the stretches of consecutive True in a line of flags: (run, 2), start and end."""
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    return np.flatnonzero(edges).reshape(-1, 2)
