"""Left and right that a detector confuses, as happens when it sees a body from the side."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
from jaxtyping import Bool, Float

from graphlift.geometry import frames_last
from graphlift.mapped import in_blocks
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
    mended = find_confused(keypoints)
    return exchange_sides(keypoints, mended), mended


def find_confused(keypoints: Keypoints) -> Bool[np.ndarray, "frame person"]:
    """Find the frames that :func:`mend_sides` mends; a mapped file is read block by block.

    Args:
        keypoints: In order of time; NaN where missing.
    """
    rate, _ = frame_rate(keypoints)
    frames, people = keypoints.positions.shape[:2]
    confused = np.zeros((frames, people), dtype=bool)
    for k in range(people):
        steps = _costs(keypoints.positions[:, k], keypoints.skeleton.mirror)
        for frame in _mirrored(steps, MIN_JUMP / MAX_CONFUSED / rate):
            confused[frame, k] = True
    return confused


def exchange_sides(keypoints: Keypoints, mended: Bool[np.ndarray, "frame person"]) -> Keypoints:
    """Exchange left and right in some frames; without any, the keypoints themselves return."""
    if not mended.any():
        return keypoints
    mirror = keypoints.skeleton.mirror
    positions, confidence = np.array(keypoints.positions), np.array(keypoints.confidence)
    for part in in_blocks(mended):
        for each in (positions[part], confidence[part]):
            each[mended[part]] = each[mended[part]][:, mirror]
    return replace(keypoints, positions=positions, confidence=confidence)


def _costs(
    positions: Float[np.ndarray, "frame joint 2"], mirror: np.ndarray
) -> Iterator[tuple[int, float, float]]:
    """Give what a step to each seen frame costs, with the same names and with others.

    Yields:
        The frame's number, and both costs; 0 for the first.
    """
    sides = np.flatnonzero(mirror != np.arange(len(mirror)))
    twins = np.searchsorted(sides, mirror[sides])
    before = np.empty((0, len(sides), 2))
    for part in in_blocks(positions):
        here = frames_last(positions[part, sides], np.float64)
        seen = np.flatnonzero(np.isfinite(here).any(axis=(1, 2)))
        if not len(seen):
            continue
        joints = frames_last(np.concatenate([before, here[seen]]))
        first = np.zeros(len(seen) - len(joints) + 1)
        keep, change = (
            np.concatenate([first, _steps(joints, to)]) for to in (joints, joints[:, twins])
        )
        yield from zip((part.start + seen).tolist(), keep.tolist(), change.tolist(), strict=True)
        before = joints[-1:]


def _mirrored(steps: Iterator[tuple[int, float, float]], price: float) -> Iterator[int]:
    """Find the frames that are mirrored on the cheapest course, whose start is free.

    Where the cheapest courses to both states of a frame were one before it, that part is decided:
    only frames since then are remembered, a few seconds of them.

    Args:
        steps: From :func:`_costs`.
        price: Of a mirrored frame.
    """
    undecided = [(frame, (False, False)) for frame, _, _ in islice(steps, 1)]
    costs = (0.0, 0.0)
    for frame, stay, cross in steps:
        as_is, mirrored = costs
        kept, back = as_is + stay, mirrored + cross
        away, still = as_is + cross, mirrored + stay
        came_from = (back < kept, not away < still)
        costs = (back if came_from[0] else kept, (still if came_from[1] else away) + price)
        if came_from[0] == came_from[1]:
            yield from _back(undecided, came_from[0])
            undecided.clear()
        undecided.append((frame, came_from))
    yield from _back(undecided, costs[1] < costs[0])


def _back(undecided: list[tuple[int, tuple[bool, bool]]], state: bool) -> Iterator[int]:
    """Go back from the state of the last frame, and give the frames that are mirrored."""
    for frame, came_from in reversed(undecided):
        if state:
            yield frame
        state = came_from[state]


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
