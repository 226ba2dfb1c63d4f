"""Random views of people over time, for networks over time: windows of frames of one person.

Each window is one person on one body, before one camera that stands still, by one definition of
the keypoints and one detector, whose errors last (:mod:`graphlift.detector_noise`).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from graphlift.datasets.mocap.turns import Motion
from graphlift.detector_noise import simulate_clip
from graphlift.errors import ConfigError
from graphlift.lifting import Lifter
from graphlift.networks import WINDOW
from graphlift.preprocessing import canonical_28, features_over_time
from graphlift.samples.anatomy import Anatomy, draw_figures
from graphlift.samples.augment import Augmentation
from graphlift.samples.batches import Batches, Place, always_new
from graphlift.samples.body_views import BodyViews, derive_middles, pose_kinds, see
from graphlift.samples.random_views import TRAINING_RIG, UNSEEN_RIG
from graphlift.samples.samples import Samples, Selection
from graphlift.simulated_detector import occluded
from graphlift.skeletons import BODY_28
from graphlift.virtual_cameras import RandomRig
from graphlift.words import counted

TOGETHER = 256
"""Frames that are lifted at once."""
BATCHES_TOGETHER = 4
"""Batches of windows that are drawn at once."""
WINDOW_FRAMES = 45
"""Frames of a window in training: 19 middle and 19 last frames are corrected in each."""
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
        """Numbers of the frames that are followed by enough others of the same clip.

        Raises:
            ConfigError: If there is none.
        """
        motion, last = self.motion, len(self.motion) - self.frames
        first = np.arange(max(last + 1, 0))
        end = first + self.frames - 1
        whole = motion.frame[end] - motion.frame[first] == self.frames - 1
        same = motion.clip[end] == motion.clip[first]
        starts = np.asarray(first[whole & same & (np.abs(motion.fps[first] - FPS) < 1)])
        if not len(starts):
            raise ConfigError(
                f"no clip has {counted(self.frames, 'frame')} in a row at {FPS:g} fps, which "
                "networks over time are trained on: give motion capture that has"
            )
        return starts

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
        augmentation: How detections vary in noise, confidence and mirroring; what a detector
            loses for a while is :mod:`graphlift.detector_noise`'s.
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


def window_batches(people: ClipPeople, chosen: Selection, place: Place) -> Batches:
    """Draw fresh windows, lifted by a model of single frames, a few batches at a time."""
    base = Lifter.load(str(chosen.base), threads=1)

    def make(seed: tuple[int, int], count: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        views = draw_windows(people, chosen.anatomy, chosen.augmentation, count, rng)
        windows = window_samples(views, base, people.frames)
        return windows.inputs, windows.targets

    return always_new(
        len(people.starts),
        make,
        place,
        size=chosen.size,
        seed=chosen.seed,
        together=BATCHES_TOGETHER,
    )


UNSEEN = {
    "exact": Augmentation(noise=0, exact=1, mirror=0, confident=1),
    "noisy": Augmentation(noise=1, exact=0, mirror=0, confident=0),
}
"""How validation people are detected: exactly, and at levels up to CPN's."""


def unseen_windows(motion: Motion, base: str, *, count: int = 160, seed: int = 27) -> Samples:
    """View validation people over time, half of them exactly and half with errors that last.

    Everybody has their own body; keypoints are a capture system's joints or a detector's points.

    Args:
        motion: Of validation people.
        base: The model of single frames.
        count: Windows of each kind.
        seed: Of windows, cameras and detections.
    """
    people = ClipPeople(motion, WINDOW_FRAMES, balance=0)
    anatomy = Anatomy(bodies=0, size=0, bones=0, recombine=0, tilted=0)
    lifter = Lifter.load(base, threads=1)
    parts = []
    for number, (name, augmentation) in enumerate(UNSEEN.items()):
        rng = np.random.default_rng((seed, number))
        views = draw_windows(people, anatomy, augmentation, count, rng, rig=UNSEEN_RIG)
        samples = window_samples(views, lifter, people.frames)
        parts.append(replace(samples, activity=np.full(len(samples), name)))
    return Samples(
        skeleton=BODY_28,
        inputs=np.concatenate([part.inputs for part in parts]),
        targets=np.concatenate([part.targets for part in parts]),
        activity=np.concatenate([part.activity for part in parts]),
    )


def window_samples(views: BodyViews, base: Lifter, frames: int, window: int = WINDOW) -> Samples:
    """Give windows as a network over time sees them, and what it should say.

    Args:
        views: Windows, the frames of one after those of another.
        base: The model of single frames.
        frames: Of a window.
        window: Frames that the network makes one correction from.

    Returns:
        ``inputs`` of (window, frame, feature), and ``targets`` of (window, 2, output, joint, 6):
        of the middle frames, then of the last ones, of each run of ``window`` frames.
    """
    seen = canonical_28(views.rays, views.confidence)
    parts = [slice(at, at + TOGETHER) for at in range(0, len(views), TOGETHER)]
    answers = np.concatenate([base.run(seen.inputs[part]) for part in parts])
    features = features_over_time(answers, seen)
    targets = views.samples().targets.reshape(-1, frames, len(BODY_28), 6)
    outputs, middle = frames - window + 1, window // 2
    heads = (targets[:, middle : middle + outputs], targets[:, window - 1 :])
    return Samples(
        skeleton=BODY_28,
        inputs=features.reshape(-1, frames, features.shape[-1]),
        targets=np.stack(heads, axis=1),
        activity=views.activity.reshape(-1, frames)[:, 0],
    )


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
