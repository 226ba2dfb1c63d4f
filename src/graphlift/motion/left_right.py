"""Left and right that a detector confuses, as happens when it sees a body from the side."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from graphlift.motion.requirements import blocks
from graphlift.sequences import Keypoints, frame_rate

MAX_CONFUSED = 1.0
"""s; a body whose sides stay exchanged for longer is taken to have turned round: after this time
if it is narrow in the image, up to five times later if it is wide."""

MIN_JUMP = 0.12
"""Body sizes; how far joints jump at least, on average, when sides are exchanged and back.

Chosen on validation subjects (``benchmarks/motion_steps.py``, runs of up to half a second): 0.08
to 0.15 leave 1 % of frames wrong of 23 %, 0.04 and 0.3 leave 3 and 7 %.
"""

MAX_STEP = 0.5
"""Body sizes; no joint's step counts for more."""

BLOCK = 4096
"""Frames that are read at a time: a long clip stays in its file."""


def mend_sides(keypoints: Keypoints) -> tuple[Keypoints, Bool[np.ndarray, "frame person"]]:
    """Put left and right back where a detector has confused them for less than a second.

    For every person the cheapest course through the frames is found, each frame as it is or with
    the names of left and right exchanged. A step costs the mean distance that joints move, in body
    sizes; an exchanged frame costs a little more, so that what lasts stays as the detector has it.

    Args:
        keypoints: In order of time; NaN where missing.

    Returns:
        The keypoints, and which frames were mended.

    Source: the course is Viterbi's, "Error bounds for convolutional codes", IEEE Trans. Inf.
    Theory 1967; the costs are ours.
    """
    rate, _ = frame_rate(keypoints)
    mirror = keypoints.skeleton.mirror
    people = range(keypoints.positions.shape[1])
    mended = np.stack(
        [
            _confused(keypoints.positions[:, k], mirror, MIN_JUMP / MAX_CONFUSED / rate)
            for k in people
        ],
        axis=1,
    )
    if not mended.any():
        return keypoints, mended
    positions, confidence = np.array(keypoints.positions), np.array(keypoints.confidence)
    for part in blocks(len(mended), BLOCK):
        for each in (positions[part], confidence[part]):
            each[mended[part]] = each[mended[part]][:, mirror]
    return replace(keypoints, positions=positions, confidence=confidence), mended


def _confused(
    positions: Float[np.ndarray, "frame joint 2"], mirror: np.ndarray, price: float
) -> Bool[np.ndarray, " frame"]:
    """Find the frames to mirror."""
    sides = np.flatnonzero(mirror != np.arange(len(mirror)))
    present = [
        np.isfinite(positions[part][:, sides]).any(axis=(1, 2))
        for part in blocks(len(positions), BLOCK)
    ]
    seen = np.flatnonzero(np.concatenate(present))
    confused = np.zeros(len(positions), dtype=bool)
    if not len(seen):
        return confused
    keep, change = [], []
    for part in blocks(len(seen), BLOCK):
        frames = seen[part.start : part.stop + 1]  # one more, to step into the next block
        here = positions[frames].astype(np.float64)
        joints, other = here[:, sides], here[:, mirror[sides]]
        keep += _steps(joints, joints).tolist()
        change += _steps(joints, other).tolist()
    confused[seen] = _course(keep, change, price)
    return confused


def _course(keep: list[float], change: list[float], price: float) -> list[bool]:
    """Find the cheapest course from what steps cost with the same names, and with others."""
    costs, came_from = (0.0, 0.0), [(False, False)]
    for stay, cross in zip(keep, change, strict=True):
        as_is, mirrored = costs
        from_other = (mirrored + cross < as_is + stay, not as_is + cross < mirrored + stay)
        came_from.append(from_other)
        costs = (
            min(as_is + stay, mirrored + cross),
            min(as_is + cross, mirrored + stay) + price,
        )
    state, course = costs[1] < costs[0], []
    for origin in reversed(came_from):
        course.append(state)
        state = origin[state]
    return course[::-1]


def _steps(
    before: Float[np.ndarray, "frame joint 2"], after: Float[np.ndarray, "frame joint 2"]
) -> Float[np.ndarray, " step"]:
    """Mean distance from each frame to the next, in body sizes; 0 where no joint is in both."""
    low = np.fmin.reduce(before, axis=1)
    size = np.median((np.fmax.reduce(before, axis=1) - low).max(axis=-1))
    distance = np.linalg.norm(after[1:] - before[:-1], axis=-1)
    known = np.isfinite(distance)
    capped = np.minimum(np.where(known, distance, 0) / max(float(size), 1e-9), MAX_STEP)
    return np.asarray(capped.sum(axis=1) / np.maximum(known.sum(axis=1), 1))
