"""What every step asks of a clip: a frame rate, a frame of reference, legs and a trunk."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from graphlift import sequences
from graphlift.errors import ModelError
from graphlift.sequences import ASSUMED_FPS, FRAME_RATES, Axes, Keypoints, Poses, is_frame_rate
from graphlift.skeletons import Skeleton

_BLOCK = 512
"""Frames at a time: what is computed of them, in float64, stays in the cache."""


def frame_rate(sequence: Poses | Keypoints) -> tuple[float, tuple[str, ...]]:
    """Find the frames per second, and a note if they had to be assumed.

    Raises:
        ModelError: If the frame rate is outside
            :data:`graphlift.sequences.FRAME_RATES`.
    """
    fps, assumed = sequences.frame_rate(sequence)
    return check_rate(fps), assumed


def check_rate(fps: float) -> float:
    """Refuse a frame rate outside :data:`graphlift.sequences.FRAME_RATES`.

    Raises:
        ModelError: With the way out.
    """
    if not is_frame_rate(fps):
        least, most = FRAME_RATES
        raise ModelError(
            f"fps is {fps:g}, but motion in seconds needs a positive number of frames per second, "
            f"from {least:g} to {most:,.0f}: give the video's, or None to have {ASSUMED_FPS:g} "
            "assumed"
        )
    return float(fps)


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


def middle(
    positions: Float[np.ndarray, "*batch joint 3"], skeleton: Skeleton, name: str
) -> Float[np.ndarray, "*batch 3"]:
    """Average the left and the right joint of a name, such as ``Hip`` or ``Shoulder``.

    Raises:
        SkeletonError: If the skeleton has no such joints.
    """
    pair = skeleton.index(f"L{name}", f"R{name}")
    return np.asarray(positions[..., pair, :].mean(axis=-2))


def blocks(count: int) -> Iterator[slice]:
    """Cut ``count`` frames into short blocks, at least one, maybe empty.

    Steps keep whole clips in the poses' own precision, and float64 for a block only: an hour of
    frames needs little memory.
    """
    for start in range(0, max(count, 1), _BLOCK):
        yield slice(start, start + _BLOCK)


def runs(flags: np.ndarray) -> np.ndarray:
    """Find the stretches of consecutive True in a line of flags: (run, 2), start and end."""
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    return np.flatnonzero(edges).reshape(-1, 2)
