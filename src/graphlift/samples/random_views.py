"""Random views of people, on which the open models are trained and tested.

Every sample has a camera of its own, as a function of a seed.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.datasets import MotionCapture
from graphlift.geometry import turn_about_z
from graphlift.preprocessing import canonical
from graphlift.samples.augment import Augmentation, detect_varied, vary_bodies
from graphlift.samples.batches import Batches, Place, always_new
from graphlift.samples.samples import Samples, Selection, activity_weights
from graphlift.skeletons import H36M_17
from graphlift.virtual_cameras import RandomRig, extrinsics

TRAINING_RIG = RandomRig(
    distance=(1.8, 8.0), height=(0.2, 3.2), roll=(-12.0, 12.0), field_of_view=(30.0, 90.0),
    aim_height=(0.5, 1.3), off_centre=0.7,
)  # fmt: skip
UNSEEN_RIG = RandomRig()
H36M_LIKE_RIG = RandomRig(
    distance=(4.2, 5.5), height=(1.4, 1.7), roll=(0.0, 0.0),
    field_of_view=(47.177, 47.177), aim_height=(1.0, 1.0), off_centre=0.3,
)  # fmt: skip
"""Like Human3.6M's: focal length 1145 px of a 1000 px image, 2·atan(500 / 1145) = 47.18°."""


@dataclass(frozen=True, eq=False)
class Views:
    """People as random cameras see them.

    Args:
        rays: Where a detector reports the joints, x and y at unit depth, camera axes.
        confidence: Its confidence; 0 where a joint is missing.
        targets: Root-relative positions, m, camera axes.
        tangent: Half the image's width at unit depth, for screen-normalised input.
        activity: What the person does.
    """

    rays: Float[np.ndarray, "frame joint 2"]
    confidence: Float[np.ndarray, "frame joint"]
    targets: Float[np.ndarray, "frame joint 3"]
    tangent: Float[np.ndarray, " frame"]
    activity: np.ndarray

    def __len__(self) -> int:
        return len(self.rays)

    def samples(self) -> Samples:
        """Give canonical inputs, and the targets in the axes of each virtual camera."""
        seen = canonical(self.rays, self.confidence)
        targets = self.targets @ seen.R.swapaxes(-1, -2)
        return Samples(
            skeleton=H36M_17,
            inputs=seen.inputs.astype(np.float32),
            targets=targets.astype(np.float32),
            activity=self.activity,
        )


@dataclass(frozen=True, eq=False)
class People:
    """Frames of motion capture to draw from.

    Args:
        positions: m, world frame, hip above the origin, the 17 joints.
        activity: What each does.
    """

    positions: Float[np.ndarray, "frame joint 3"]
    activity: np.ndarray

    @cached_property
    def weights(self) -> Float[np.ndarray, " frame"]:
        """Chance of each frame to be drawn; they sum to 1."""
        return activity_weights(self.activity)


def kept_frames(
    capture: MotionCapture, *, stride: int, drop_fast: bool
) -> list[Int[np.ndarray, " frame"]]:
    """Number the frames of each clip that count: every ``stride``-th, perhaps no capture error."""
    return [
        np.flatnonzero((np.arange(len(clip.positions)) % stride == 0) & ~(drop_fast & clip.fast()))
        for clip in capture.clips
    ]


def people_of(capture: MotionCapture, *, stride: int = 1) -> People:
    """Gather every ``stride``-th frame of each clip, without capture errors."""
    kept = kept_frames(capture, stride=stride, drop_fast=True)
    positions = np.concatenate([c.positions[k] for c, k in zip(capture.clips, kept, strict=True)])
    positions = positions.astype(np.float32)
    positions[..., :2] -= positions[:, :1, :2]
    activity = np.repeat([clip.activity for clip in capture.clips], [len(k) for k in kept])
    return People(positions, activity)


def view_batches(people: People, chosen: Selection, place: Place) -> Batches:
    """Draw fresh views of people, a few batches at a time; an epoch has as many as frames."""

    def make(seed: tuple[int, int], count: int) -> tuple[np.ndarray, np.ndarray]:
        views = training_views(people, chosen.augmentation, count=count, seed=seed).samples()
        return views.inputs, views.targets

    return always_new(len(people.positions), make, place, size=chosen.size, seed=chosen.seed)


def training_views(
    people: People, augmentation: Augmentation, *, count: int, seed: tuple[int, ...]
) -> Views:
    """Draw people and cameras, and vary both."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(people.weights), size=count, p=people.weights)
    bodies = vary_bodies(people.positions, drawn, augmentation, rng)
    bodies = turn_about_z(bodies, rng.uniform(0, 2 * np.pi, count))
    positions, tangent, _ = seen_by(bodies, TRAINING_RIG, rng)
    rays, confidence = detect_varied(positions, tangent, augmentation, rng)
    targets = positions - positions[:, [H36M_17.root]]
    return Views(rays, confidence, targets, tangent, people.activity[drawn])


def exact_views(people: People, rig: RandomRig, *, seed: int) -> Views:
    """Project each frame once, without noise, through a camera of its own; keep all joints."""
    rng = np.random.default_rng([seed, len(people.positions)])
    positions, tangent, _ = seen_by(people.positions.astype(np.float64), rig, rng)
    targets = positions - positions[:, [H36M_17.root]]
    rays = positions[..., :2] / positions[..., 2:]
    return Views(rays, np.ones(rays.shape[:-1]), targets, tangent, people.activity)


def hide(views: Views, share: float, *, seed: int) -> Bool[np.ndarray, "frame joint"]:
    """Choose joints to be missing, each with the same chance, but leave at least five."""
    order = np.random.default_rng(seed).random(views.confidence.shape)
    least = np.sort(order, axis=1)[:, [-5]]
    return np.asarray((order < share) & (order < least))


def seen_by(
    bodies: Float[np.ndarray, "frame joint 3"],
    rig: RandomRig,
    rng: np.random.Generator,
    frames: int = 1,
) -> tuple[
    Float[np.ndarray, "frame joint 3"], Float[np.ndarray, " frame"], Float[np.ndarray, "frame 3 3"]
]:
    """Express bodies in the axes of cameras drawn for each, or for every ``frames`` frames.

    Returns:
        Positions, m, camera axes; half the image's width at unit depth; and the rotation from the
        world's axes to the camera's.
    """
    cameras = rig.draw_many(rng, len(bodies) // frames)
    # No person is nearer than half a metre: long limbs push the camera back.
    away = np.linalg.norm(bodies[..., :2], axis=-1).max(axis=1)
    reach = away.reshape(-1, frames).max(axis=1) + rig.off_centre + 0.5
    cameras = replace(cameras, distance=np.maximum(cameras.distance, reach))
    R, position = (np.repeat(array, frames, axis=0) for array in extrinsics(cameras))
    positions = (bodies - position[:, None]) @ R.swapaxes(-1, -2)
    return positions, np.repeat(np.tan(cameras.field_of_view / 2), frames), R
