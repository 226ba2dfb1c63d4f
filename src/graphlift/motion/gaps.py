"""Gaps: frames in which a joint was not found. Short ones are filled, with a note.

A gap has known values on both sides; frames before the first or after the last known value are no
gap and stay missing.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.errors import ModelError
from graphlift.geometry import every, unit_vectors
from graphlift.sequences import Keypoints, Poses, frame_rate
from graphlift.words import counted

Method = Literal["linear", "pchip"]

MAX_GAP = 0.5
"""s; motion cannot be guessed for longer, and most gaps that detectors leave are shorter."""

FILLED_CONFIDENCE = 0.5
"""Confidence of a filled keypoint, as a share of the lower one of those at the gap's two ends."""


def bridgeable(
    known: Bool[np.ndarray, "frame column"], longest: int
) -> Bool[np.ndarray, "frame column"]:
    """Mark the missing frames that lie in a gap of at most ``longest`` frames."""
    if known.all():
        return np.zeros_like(known)
    frame = np.arange(len(known))[:, None]
    before = np.maximum.accumulate(np.where(known, frame, -1), axis=0)
    after = np.minimum.accumulate(np.where(known, frame, len(known))[::-1], axis=0)[::-1]
    between = (before >= 0) & (after < len(known))
    return np.asarray(~known & between & (after - before - 1 <= longest))


def fill(
    values: Float[np.ndarray, "frame column d"], *, longest: int, method: Method = "pchip"
) -> Float[np.ndarray, "frame column d"]:
    """Interpolate over gaps of at most ``longest`` frames; a value is missing if any d is NaN.

    ``pchip`` is smooth and never overshoots the values at a gap's ends; ``linear`` is a straight
    line.

    Source: Fritsch and Carlson, "Monotone piecewise cubic interpolation", SIAM J. Numer. Anal.
    1980 (PCHIP).
    """
    known = every(np.isfinite(values))
    gaps = bridgeable(known, longest)
    filled = np.array(values, dtype=np.float64)
    for column in np.flatnonzero(gaps.any(axis=0)):
        at, missing = np.flatnonzero(known[:, column]), np.flatnonzero(gaps[:, column])
        near = _neighbours(at, missing)
        filled[missing, column] = _interpolate(near, filled[near, column], missing, method)
    return filled


def fill_keypoints(
    keypoints: Keypoints,
    *,
    seconds: float = MAX_GAP,
    frames: int | None = None,
    method: Method = "pchip",
) -> Keypoints:
    """Fill short gaps of single joints; longer ones stay NaN for the lifter to mask.

    Filled joints have half the confidence of the gap's less certain end, and ``source`` says how
    many there are.

    Args:
        keypoints: From a detector or a file.
        seconds: Longest gap to fill.
        frames: The same in frames, instead of seconds.
        method: ``pchip`` or ``linear``.

    Raises:
        ModelError: If the longest gap is negative, or the method unknown.
    """
    longest, words, assumed = _longest(keypoints, seconds, frames, method)
    joints = len(keypoints.people) * len(keypoints.skeleton)
    columns = keypoints.positions.reshape(len(keypoints), joints, 2)
    gaps = bridgeable(every(np.isfinite(columns)), longest)
    if not gaps.any():
        return keypoints
    confidence = keypoints.confidence.reshape(len(keypoints), joints)
    lower = np.minimum(_carried(confidence, ~gaps), _carried(confidence[::-1], ~gaps[::-1])[::-1])
    note = f"{counted(int(gaps.sum()), 'joint')} filled over gaps of up to {words} ({method})"
    unstated = [each.rstrip(".") for each in assumed]
    return replace(
        keypoints,
        positions=fill(columns, longest=longest, method=method).reshape(keypoints.positions.shape),
        confidence=np.where(gaps, FILLED_CONFIDENCE * lower, confidence).reshape(
            keypoints.confidence.shape
        ),
        source="; ".join(filter(None, (keypoints.source, note, *unstated))),
    )


def fill_poses(
    poses: Poses,
    *,
    seconds: float = MAX_GAP,
    frames: int | None = None,
    method: Method = "pchip",
) -> Poses:
    """Fill short gaps bone by bone, so that a limb turns instead of shrinking half-way.

    Directions and lengths of bones are interpolated apart, and the root's path if poses are not
    rooted; joints that were known stay where they were. Filled joints are not ``seen``, and their
    ``sigma`` is unknown. Fronts are filled as unit vectors. Longer gaps stay NaN.

    Arguments and errors are those of :func:`fill_keypoints`.
    """
    longest, words, assumed = _longest(poses, seconds, frames, method)
    poses = _bridge_fronts(poses, longest, method)
    missing = ~every(np.isfinite(poses.positions))
    if not missing.any():
        return poses
    positions = _bridge_bones(poses, longest, method)
    filled = missing & every(np.isfinite(positions))
    if not filled.any():
        return poses
    np.copyto(positions, poses.positions, where=~filled[..., None])
    return poses.noting(
        *assumed,
        f"Gaps of up to {words} were filled ({method}): "
        f"{counted(filled.sum(), 'joint')} in {counted(filled.any(axis=(1, 2)).sum(), 'frame')}.",
        positions=positions,
        seen=poses.seen & ~filled,
        sigma=np.where(filled, np.nan, poses.sigma),
    )


def _bridge_bones(
    poses: Poses, longest: int, method: Method
) -> Float[np.ndarray, "frame person joint 3"]:
    """Fill the root's path and each bone's turn and length, and add them up along the tree."""
    given, parents = poses.positions, poses.skeleton.parents
    bridged = np.empty_like(given)
    for joint in poses.skeleton.order:
        own = given[:, :, joint].astype(np.float64)
        if parents[joint] < 0:
            bridged[:, :, joint] = fill(own, longest=longest, method=method)
            continue
        bones = own - given[:, :, parents[joint]]
        lengths = np.linalg.norm(bones, axis=-1, keepdims=True)
        turned = fill(bones, longest=longest, method=method)
        now = np.linalg.norm(turned, axis=-1, keepdims=True)
        expected = fill(lengths, longest=longest, method="linear")
        scale = np.divide(expected, now, out=np.ones_like(now), where=now > 0)
        bridged[:, :, joint] = bridged[:, :, parents[joint]] + turned * scale
    return bridged


def _bridge_fronts(poses: Poses, longest: int, method: Method) -> Poses:
    """Fill the fronts of segments; the deviation of a filled one is unknown."""
    if poses.fronts is None:
        return poses
    frames, people, segments, _ = poses.fronts.shape
    columns = poses.fronts.reshape(frames, people * segments, 3)
    gaps = bridgeable(every(np.isfinite(columns)), longest)
    if not gaps.any():
        return poses
    filled = columns.copy()
    for column in np.flatnonzero(gaps.any(axis=0)):  # in float64, and so one after the other
        turned = fill(columns[:, [column]], longest=longest, method=method)[:, 0]
        filled[gaps[:, column], column] = unit_vectors(turned[gaps[:, column]])
    sigma = poses.front_sigma
    if sigma is not None:
        sigma = np.where(gaps.reshape(sigma.shape), np.nan, sigma).astype(sigma.dtype)
    return replace(poses, fronts=filled.reshape(poses.fronts.shape), front_sigma=sigma)


def _neighbours(
    at: Int[np.ndarray, " known"], missing: Int[np.ndarray, " missing"]
) -> Int[np.ndarray, " near"]:
    """Find the two known frames before each gap, and the two after it.

    No others count: PCHIP's slope at a known value depends on it and the two beside it. All of an
    hour would take 80 MB for each joint, and most of the time.
    """
    after = np.unique(np.searchsorted(at, missing))
    near = np.unique(after[:, None] + np.arange(-2, 2))
    return at[near[(near >= 0) & (near < len(at))]]


def _interpolate(
    at: Int[np.ndarray, " known"],
    values: Float[np.ndarray, "known d"],
    missing: Int[np.ndarray, " missing"],
    method: Method,
) -> Float[np.ndarray, "missing d"]:
    """Interpolate at missing frames, each of which lies between two known ones."""
    if method == "linear":
        return np.stack([np.interp(missing, at, line) for line in values.T], axis=-1)
    # Written out: SciPy's would cost every clip with gaps 0.4 s and 40 MB, to load it.
    tangents, before = _tangents(at, values), np.searchsorted(at, missing) - 1
    length = (at[before + 1] - at[before])[:, None]
    x = (missing - at[before])[:, None] / length
    start = (1 + 2 * x) * values[before] + x * length * tangents[before]
    end = (3 - 2 * x) * values[before + 1] + (x - 1) * length * tangents[before + 1]
    return np.asarray((1 - x) ** 2 * start + x**2 * end)


def _tangents(
    at: Int[np.ndarray, " known"], values: Float[np.ndarray, "known d"]
) -> Float[np.ndarray, "known d"]:
    """Find PCHIP's slopes: weighted harmonic means of those on either side, 0 at a turn."""
    steps = np.diff(at)[:, None]
    slopes = np.diff(values, axis=0) / steps
    if len(at) == 2:
        return np.repeat(slopes, 2, axis=0)
    before, after = 2 * steps[1:] + steps[:-1], steps[1:] + 2 * steps[:-1]
    on = np.sign(slopes[1:]) * np.sign(slopes[:-1]) > 0
    earlier, later = np.where(on, slopes[:-1], 1.0), np.where(on, slopes[1:], 1.0)
    inner = np.where(on, (before + after) / (before / earlier + after / later), 0.0)
    first, last = (_end_tangent(steps[each], slopes[each]) for each in ([0, 1], [-1, -2]))
    return np.concatenate([first[None], inner, last[None]])


def _end_tangent(
    steps: Int[np.ndarray, "2 1"], slopes: Float[np.ndarray, "2 d"]
) -> Float[np.ndarray, " d"]:
    """Find the slope at an end: of the parabola through three values, if it keeps their shape.

    Args:
        steps: From the end inwards.
        slopes: On them.
    """
    slope = ((2 * steps[0] + steps[1]) * slopes[0] - steps[0] * slopes[1]) / steps.sum()
    steep = (np.sign(slopes[0]) != np.sign(slopes[1])) & (np.abs(slope) > 3 * np.abs(slopes[0]))
    slope = np.where(steep, 3 * slopes[0], slope)
    return np.where(np.sign(slope) == np.sign(slopes[0]), slope, 0.0)


def _carried(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Carry the last known value of each column forward."""
    frame = np.where(known, np.arange(len(values))[:, None], 0)
    return np.asarray(np.take_along_axis(values, np.maximum.accumulate(frame, axis=0), axis=0))


def _longest(
    sequence: Keypoints | Poses, seconds: float, frames: int | None, method: str
) -> tuple[int, str, tuple[str, ...]]:
    """Longest gap in frames, and in words; a note if the frame rate was assumed."""
    if method not in ("linear", "pchip"):
        raise ModelError(f"no way {method!r} to fill gaps: take 'pchip' or 'linear'")
    limit = seconds if frames is None else frames
    if not limit >= 0:
        raise ModelError(f"the longest gap to fill is {limit}: give 0 (none) or more")
    if frames is not None:
        return int(frames), counted(int(frames), "frame"), ()
    fps, assumed = frame_rate(sequence)
    # A gap of half a second at 29.97 fps has 15 frames.
    return round(min(seconds * fps, len(sequence))), f"{seconds:g} s", assumed
