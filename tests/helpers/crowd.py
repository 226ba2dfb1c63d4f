"""People who walk across a camera's view, as a detector of many errors sees them; all simulated.

Everybody walks straight on, on one floor; they come into view and leave it by walking, and hide
each other. The detector misses people, repeats them, sees people where there are none, and is off
by normal noise in every joint. Who is who is known, so that trackers can be scored.
"""

from dataclasses import dataclass

import numpy as np
from helpers.walker import film, walk

from graphlift.cameras import camera_to_image, world_to_camera

CAMERA = film((0.0, -9.0, 2.2), (0.0, 0.0, 0.9), focal=900.0)
FEWEST = 6
"""Joints in the image without which nobody is detected."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A simulated clip.

    Args:
        frames: Detections of each frame, in any order: (person, 17, 3).
        whose: Whose each is; -1 for a duplicate or a ghost.
        truth: x and y, px, of everybody, (frame, person, 17, 2); NaN where out of sight.
        fps: Frames per second.
    """

    frames: list
    whose: list
    truth: np.ndarray
    fps: float


@dataclass(frozen=True)
class Detector:
    """Errors: chances per person and frame (ghosts: per frame), and noise in body sizes."""

    missed: float = 0.03
    repeated: float = 0.01
    ghosts: float = 0.01
    noise: float = 0.015


PERFECT = Detector(0, 0, 0, 0)


def paths(starts, headings, speeds, frames, fps=30.0):
    """Keypoints of people who walk from a start (m), px, (frame, person, 17, 2), and distances."""
    world = np.stack(
        [
            walk(frames, fps, speed=speed, heading=heading, start=start)
            for start, heading, speed in zip(starts, headings, speeds, strict=True)
        ],
        axis=1,
    )
    camera = world_to_camera(world, CAMERA)
    depth = camera[..., 2].mean(axis=2)
    ahead = camera[..., 2:] > 1
    px = camera_to_image(np.where(ahead, camera, 1.0), CAMERA)
    return np.where(ahead, px, np.nan), depth


def visible(px, depth, size=CAMERA.size):
    """Hide joints outside the image and behind somebody's trunk, and people half hidden."""
    px = np.where(((px > 0) & (px < size)).all(axis=-1, keepdims=True), px, np.nan)
    trunk = px[:, :, [1, 4, 11, 14]]  # hips and shoulders
    low = np.nanmin(trunk, axis=2, initial=np.inf) - 6
    high = np.nanmax(trunk, axis=2, initial=-np.inf) + 6
    for near in range(px.shape[1]):
        inside = ((px > low[:, near, None, None]) & (px < high[:, near, None, None])).all(axis=-1)
        behind = depth > depth[:, [near]] + 0.1
        px = np.where((inside & behind[..., None])[..., None], np.nan, px)
    there = np.isfinite(px[..., 0]).sum(axis=-1) >= FEWEST
    return np.where(there[..., None, None], px, np.nan)


def detect(px, detector=None, *, fps=30.0, seed=0):
    """What a detector of such errors makes of visible people."""
    detector, rng = detector or Detector(), np.random.default_rng(seed)
    frames, whose = [], []
    for joints in px:
        seen, names = [], []
        for person in np.flatnonzero(np.isfinite(joints[..., 0]).any(axis=1)):
            if rng.random() < detector.missed:
                continue
            seen.append(_noisy(joints[person], detector.noise, rng))
            names.append(person)
            if rng.random() < detector.repeated:
                seen.append(_noisy(joints[person], 3 * detector.noise, rng, sure=0.6))
                names.append(-1)
        if len(seen) and rng.random() < detector.ghosts:
            shift = rng.uniform(0, CAMERA.size) - np.nanmean(seen[0][:, :2], axis=0)
            seen.append(seen[0] * [1, 1, 0.5] + [*shift, 0])
            names.append(-1)
        order = rng.permutation(len(seen))
        frames.append(np.array(seen).reshape(-1, 17, 3)[order])
        whose.append([int(names[place]) for place in order])
    return Scene(frames, whose, px, fps)


def _noisy(joints, noise, rng, sure=1.0):
    size = np.linalg.norm(np.nanmax(joints, axis=0) - np.nanmin(joints, axis=0))
    xy = joints + rng.normal(0, max(noise, 1e-9) * size, joints.shape)
    confidence = sure * rng.uniform(0.6, 1, (17, 1))
    return np.concatenate([xy, np.where(np.isfinite(xy[:, :1]), confidence, np.nan)], axis=-1)


def crowd(people, *, seconds=10.0, fps=30.0, detector=None, seed=0):
    """So many people who walk at random across the view and past each other."""
    rng = np.random.default_rng(seed)
    starts = np.stack([rng.uniform(-4, 4, people), rng.uniform(-3, 6, people)], axis=1)
    headings = rng.uniform(-0.4, 0.4, people) + np.pi * rng.integers(0, 2, people)
    speeds = rng.uniform(0.5, 1.2, people)
    # Half are on their way already; the others come in later, from outside the view.
    late = rng.random(people) < 0.5
    way = np.stack([np.cos(headings), np.sin(headings)], axis=1)
    starts[late] -= way[late] * rng.uniform(3, 8, (late.sum(), 1))
    px, depth = paths(starts, headings, speeds, int(seconds * fps), fps)
    return detect(visible(px, depth), detector, fps=fps, seed=seed + 1)


def score(scene, ids):
    """Score ids as the field does: IDF1, MOTA and the number of switches (motmetrics).

    The distance of a detection from a person is the mean over joints, in sizes of the person;
    from 0.3 they do not match.
    """
    import motmetrics

    events = motmetrics.MOTAccumulator(auto_id=True)
    for joints, seen, names in zip(scene.truth, scene.frames, ids, strict=True):
        there = np.flatnonzero(np.isfinite(joints[..., 0]).any(axis=1))
        kept = [place for place, name in enumerate(names) if name >= 0]
        distances = _distances(joints[there], seen[kept, :, :2])
        distances[~(distances < 0.3)] = np.nan
        events.update(there.tolist(), [names[place] for place in kept], distances)
    measures = motmetrics.metrics.create()
    return measures.compute(
        events, metrics=["idf1", "mota", "num_switches"], return_dataframe=False
    )


def _distances(truth, seen):
    """Mean over the joints that both have, in sizes of the person; (person, detection)."""
    off = np.linalg.norm(truth[:, None] - seen, axis=-1)
    both = np.isfinite(off)
    counts = both.sum(axis=-1)
    total = np.where(both, off, 0).sum(axis=-1)
    size = np.linalg.norm(np.nanmax(truth, axis=1) - np.nanmin(truth, axis=1), axis=-1)
    mean = np.divide(total, counts, out=np.full(counts.shape, np.nan), where=counts > 0)
    return mean / np.maximum(size, 1.0)[:, None]
