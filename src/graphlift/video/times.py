"""The times of a video's frames, and keypoints at even times where those were uneven.

Phones lower their frame rate in the dark, screen recorders write a frame when something moves,
and other programs drop frames: the frame rate in the header is then a mean or wrong. Smoothing,
speeds and files of motion need even steps, so keypoints are interpolated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from graphlift.sequences import Keypoints

UNEVEN_STEP = 0.25
"""How far a frame may be from its even time, in steps; the rounding of Matroska to whole
milliseconds stays well below."""

LONGEST_STEP = 0.5
"""s; nothing is interpolated between two frames that are farther apart."""

BROKEN_STEP = 60.0
"""s; a step longer than this is an error of the file, not a pause."""

MOST_ADDED = 10
"""Even frames for each frame of the video, at most."""


@dataclass(frozen=True, eq=False)
class EvenTimes:
    """Even steps in place of uneven ones.

    Args:
        fps: Frames per second, as many as where the video has most.
        times: s, from the first frame's to at most the last one's.
    """

    fps: float
    times: Float[np.ndarray, " frame"]

    def nearest(self, times: Float[np.ndarray, " old"]) -> Int[np.ndarray, " frame"]:
        """Find the old frame that is nearest to each even time."""
        after = np.clip(np.searchsorted(times, self.times), 1, len(times) - 1)
        earlier = self.times - times[after - 1] <= times[after] - self.times
        return np.asarray(after - earlier)


def even_times(times: Float[np.ndarray, " frame"]) -> EvenTimes | None:
    """Find even steps for frames at uneven times, s; None if they are even, or no times at all."""
    if not are_times(times):
        return None
    steps = np.diff(times)
    ideal = times[0] + np.arange(len(times)) * steps.mean()
    if np.abs(times - ideal).max() <= UNEVEN_STEP * steps.mean():
        return None
    short = steps[steps <= 1.5 * np.quantile(steps, 0.1)]
    fps = min(1 / short.mean(), MOST_ADDED / steps.mean())
    fps = float(round(fps)) if abs(fps - round(fps)) < 0.01 * fps else float(fps)
    count = int((times[-1] - times[0]) * fps + UNEVEN_STEP) + 1
    return EvenTimes(fps, times[0] + np.arange(count) / fps)


def are_times(times: Float[np.ndarray, " frame"]) -> bool:
    """Say whether times of frames make sense: they increase, by no more than a minute each."""
    steps = np.diff(times)
    return len(steps) > 1 and bool((steps > 0).all() and (steps < BROKEN_STEP).all())


def at_even_times(keypoints: Keypoints, times: Sequence[float | None]) -> Keypoints:
    """Give keypoints of a video's frames the frame rate that the frames were shown at.

    Frames at even times stay as they are, and their rate is the times' where the header's is
    unknown or over one per cent away. Otherwise keypoints are interpolated to even times:
    linearly between a frame before and one after that see the joint and are at most LONGEST_STEP
    apart; else the nearest frame's if that is at most half a step away; else missing.

    Args:
        keypoints: One frame for each time.
        times: s; None where it is unknown.

    Returns:
        Keypoints whose ``source`` states what was done.
    """
    if not times or None in times:
        return keypoints
    known = np.array(times, dtype=np.float64)
    if not are_times(known):
        return keypoints
    even = even_times(known)
    if even is None:
        fps = (len(known) - 1) / float(known[-1] - known[0])
        stated = keypoints.fps
        if stated is not None and abs(fps - stated) <= 0.01 * stated:
            return keypoints
        source = f"{keypoints.source}, {fps:.4g} fps by the frames' times"
        return replace(keypoints, fps=fps, source=source)
    positions, confidence = _interpolate(keypoints, known, even)
    steps = np.diff(known) * 1000
    done = (
        f"{len(known):,} frames {steps.min():.0f} to {steps.max():.0f} ms apart interpolated to "
        f"{len(even.times):,} at {even.fps:.4g} fps"
    )
    return replace(
        keypoints,
        positions=positions,
        confidence=confidence,
        fps=even.fps,
        source=f"{keypoints.source}, {done}",
    )


def _interpolate(
    keypoints: Keypoints, times: Float[np.ndarray, " old"], even: EvenTimes
) -> tuple[Float[np.ndarray, "frame person joint 2"], Float[np.ndarray, "frame person joint"]]:
    after = np.clip(np.searchsorted(times, even.times, side="right"), 1, len(times) - 1)
    before = after - 1
    step = times[after] - times[before]
    part = np.clip((even.times - times[before]) / step, 0, 1)[:, None, None]
    seen = keypoints.seen
    between = seen[before] & seen[after] & (step <= LONGEST_STEP)[:, None, None]
    nearest = even.nearest(times)
    near = np.abs(times[nearest] - even.times) <= 0.5 / even.fps
    alone = ~between & seen[nearest] & near[:, None, None]

    def blend(values: np.ndarray, part: np.ndarray, missing: float) -> np.ndarray:
        wide = (slice(None),) * 3 + (None,) * (values.ndim - 3)
        mixed = (1 - part[wide]) * values[before] + part[wide] * values[after]
        kept = np.where(alone[wide], values[nearest], missing)
        return np.asarray(np.where(between[wide], mixed, kept))

    return blend(keypoints.positions, part, np.nan), blend(keypoints.confidence, part, 0.0)
