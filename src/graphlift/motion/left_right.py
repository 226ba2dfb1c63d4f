"""Left and right that change places, as detectors let them when they see a body from aside."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from graphlift.sequences import Keypoints, frame_rate

LONGEST = 1.0
"""s; a body whose sides stay changed for longer is taken to have turned round: so soon if it is
narrow in the image, up to five times later if it is wide."""

STEP = 0.12
"""Body sizes; what joints jump at least, in the mean, when sides change there and back.

Chosen on validation subjects (``benchmarks/motion_steps.py``, runs of up to half a second): 0.08
to 0.15 leave 1 % of frames wrong of 23 %, 0.04 and 0.3 leave 3 and 7 %.
"""

FAR = 0.5
"""Body sizes; no joint's step counts for more."""

BLOCK = 4096
"""Frames that are looked at together: a long clip stays in its file."""


def mend_sides(keypoints: Keypoints) -> tuple[Keypoints, Bool[np.ndarray, "frame person"]]:
    """Put left and right back where a detector has confused them for less than a second.

    For every person the cheapest course through the frames is found, each frame as it is or
    mirrored in its names: a step costs the mean distance that joints move, in body sizes; a
    mirrored frame costs a little by itself, so that what lasts stays as the detector has it.

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
        [_confused(keypoints.positions[:, k], mirror, STEP / LONGEST / rate) for k in people],
        axis=1,
    )
    if not mended.any():
        return keypoints, mended
    positions, confidence = np.array(keypoints.positions), np.array(keypoints.confidence)
    positions[mended] = positions[mended][:, mirror]
    confidence[mended] = confidence[mended][:, mirror]
    return replace(keypoints, positions=positions, confidence=confidence), mended


def _confused(
    positions: Float[np.ndarray, "frame joint 2"], mirror: np.ndarray, price: float
) -> Bool[np.ndarray, " frame"]:
    """Find the frames to mirror."""
    sides = np.flatnonzero(mirror != np.arange(len(mirror)))
    there = np.concatenate(
        [np.isfinite(positions[part][:, sides]).any(axis=(1, 2)) for part in _blocks(positions)]
        or [np.zeros(0, dtype=bool)]
    )
    seen = np.flatnonzero(there)
    keep, change = [], []
    for part in _blocks(seen):
        frames = seen[part.start : part.stop + 1]  # one more, to step into the next block
        joints, other = positions[frames][:, sides], positions[frames][:, mirror[sides]]
        keep += _steps(joints, joints).tolist()
        change += _steps(joints, other).tolist()
    confused = np.zeros(len(positions), dtype=bool)
    confused[seen] = _course(keep, change, price) if len(seen) else False
    return confused


def _course(keep: list[float], change: list[float], price: float) -> list[bool]:
    """Find the cheapest course from what steps cost: through the same names, or across."""
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
    far = np.linalg.norm(after[1:] - before[:-1], axis=-1)
    known = np.isfinite(far)
    capped = np.minimum(np.where(known, far, 0) / max(float(size), 1e-9), FAR)
    return np.asarray(capped.sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _blocks(array: np.ndarray) -> list[slice]:
    return [slice(start, start + BLOCK) for start in range(0, len(array), BLOCK)]
