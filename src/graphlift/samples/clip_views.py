"""Random views of people over time, for networks over time: windows of frames of one person.

Each window is one person on one body, before one camera that stands still, by one definition of
the keypoints and one detector, whose errors last (:mod:`graphlift.detector_noise`).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from graphlift.datasets.mocap.turns import Motion
from graphlift.detector_noise import simulate_clip
from graphlift.samples.anatomy import Anatomy, draw_figures
from graphlift.samples.augment import Augmentation
from graphlift.samples.body_views import BodyViews, derive_middles, pose_kinds, see
from graphlift.samples.random_views import TRAINING_RIG
from graphlift.simulated_detector import occluded
from graphlift.skeletons import BODY_28
from graphlift.virtual_cameras import RandomRig

FPS = 30.0
"""Frames per second of windows; clips of other rates are left out."""


@dataclass(frozen=True, eq=False)
class ClipPeople:
    """Frames from which windows begin, and how likely each is.

    Args:
        motion: Every frame of each clip.
        frames: Of a window.
        balance: As in :class:`graphlift.samples.anatomy.Anatomy`.
    """

    motion: Motion
    frames: int
    balance: float = 0.5

    @cached_property
    def starts(self) -> Int[np.ndarray, " window"]:
        """Numbers of the frames that are followed by enough others of the same clip."""
        motion, last = self.motion, len(self.motion) - self.frames
        first = np.arange(max(last + 1, 0))
        end = first + self.frames - 1
        whole = motion.frame[end] - motion.frame[first] == self.frames - 1
        same = motion.clip[end] == motion.clip[first]
        return first[whole & same & (np.abs(motion.fps[first] - FPS) < 1)]

    @cached_property
    def weights(self) -> Float[np.ndarray, " frame"]:
        """Chance of each frame to begin a window, by its kind of pose; they sum to 1."""
        kinds = pose_kinds(self.motion)
        count = np.bincount(kinds[self.starts], minlength=kinds.max() + 1).astype(float)
        weights = np.zeros(len(self.motion))
        weights[self.starts] = count[kinds[self.starts]] ** -self.balance
        return np.asarray(weights / weights.sum())


def draw_windows(
    people: ClipPeople,
    anatomy: Anatomy,
    augmentation: Augmentation,
    count: int,
    rng: np.random.Generator,
    *,
    rig: RandomRig = TRAINING_RIG,
    starts: Int[np.ndarray, " window"] | None = None,
) -> BodyViews:
    """Draw windows: the frames of one after those of another.

    Args:
        people: Where they begin.
        anatomy: How people vary.
        augmentation: How detections vary.
        count: How many windows.
        rng: Random generator.
        rig: Cameras.
        starts: The frames that they begin with, in place of drawing them.
    """
    if starts is None:
        starts = rng.choice(len(people.motion), size=count, p=people.weights)
    frames = people.frames
    figures = draw_figures(people.motion, starts, anatomy, people.weights, rng, frames=frames)
    activity = np.repeat(people.motion.activity[starts], frames)
    seen = see(figures, anatomy, augmentation, rng, rig=rig, frames=frames)
    rays, confidence = _detect(
        seen.positions, seen.given, seen.captured, augmentation, rng, frames
    )
    return seen.views(rays, confidence, activity)


def _detect(
    positions: np.ndarray,
    given: np.ndarray,
    captured: np.ndarray,
    augmentation: Augmentation,
    rng: np.random.Generator,
    frames: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate a detector on windows; rays, and confidences, 0 where a joint is missing."""
    truth = positions[..., :2] / positions[..., 2:]
    windows = (len(truth) // frames, frames, len(BODY_28))
    hidden = occluded(positions, BODY_28).reshape(windows)
    level = rng.uniform(0, augmentation.noise, windows[0])
    level[rng.random(windows[0]) < augmentation.exact] = 0
    found = simulate_clip(
        truth.reshape(*windows, 2), hidden, BODY_28, fps=FPS, level=level,
        seed=int(rng.integers(2**62)),
    )  # fmt: skip
    sure = rng.random((windows[0], 1, 1)) < augmentation.confident
    confidence = np.where(sure & (found.confidence > 0), 1.0, found.confidence)
    confidence = confidence.reshape(given.shape)
    missing = ~given | (confidence == 0)
    rays = np.where(missing[..., None], 0, found.keypoints.reshape(truth.shape))
    rays, confidence, missing = derive_middles(rays, confidence, missing, ~captured)
    return rays, np.where(missing, 0, confidence)
