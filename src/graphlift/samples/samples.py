"""Samples: inputs and targets of a network, in one form for all data sets."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.samples.anatomy import Anatomy
from graphlift.samples.augment import Augmentation
from graphlift.samples.batches import Batches, Place
from graphlift.simulated_detector import Detections
from graphlift.skeletons import Skeleton

Cameras = Literal["open", "own", "random"]
Split = Literal["train", "validation", "test", "cross"]
"""``cross`` is the other data set, which is never trained or chosen on."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which samples of a data set, in which batches: the keys of a run that decide it.

    Args:
        cameras: The four of the open protocol, those that a pack was recorded with, or a random
            one for every sample.
        detections: Which keypoints the network sees.
        joints: How many the network takes, 16, 17 or 28.
        held_out: Training subjects that are validated on instead of trained on.
        augmentation: How random views vary.
        anatomy: How people in views of 28 joints vary.
        adaptations: Deviations from the protocols, by name.
        base: The model of single frames whose answers, over time, are the inputs.
        size: Samples a batch.
        seed: The same seed gives the same batches, whatever step a run goes on from.
        flip: Mirror half of the samples; random views are mirrored by their augmentation alone.
        vary: See varied people through the cameras of the open protocol
            (:mod:`graphlift.samples.rig_views`).
        drop_last: Drop what an epoch over a pack has left after its last whole batch.
        unlabelled: Training subjects whose 3D positions training must not see.
        ordinal_labels: A table of what people said of the order in depth of joints.
    """

    cameras: Cameras = "open"
    detections: Detections = "gt"
    joints: int = 16
    held_out: tuple[str, ...] = ()
    augmentation: Augmentation = field(default_factory=Augmentation)
    anatomy: Anatomy = field(default_factory=Anatomy)
    adaptations: tuple[str, ...] = ()
    base: str | None = None
    size: int = 64
    seed: int = 0
    flip: bool = False
    vary: bool = False
    drop_last: bool = True
    unlabelled: tuple[str, ...] = ()
    ordinal_labels: str = ""


def _empty() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Samples:
    """Frames seen by cameras: a network's inputs and targets, and which frame each belongs to.

    Where every frame has a random camera of its own, the arrays after ``activity`` are empty.

    Args:
        skeleton: Joint order of all arrays.
        inputs: Keypoints on the screen, in [-1, 1] where inside the image; or, from random
            cameras, of :func:`graphlift.preprocessing.canonical`. Float32.
        targets: Root-relative positions, m, axes of the camera (of the virtual camera, where the
            inputs are canonical), float32.
        activity: Name of what the person does, per frame.
        keypoints: Detected 2D positions, px of the image, float32.
        noise: Distance of each detection from the truth, px.
        hidden: Whether another limb hides the joint.
        clip: Index into ``clips``, per frame.
        frame: Frame number in its clip.
        camera: Index of the camera.
        clips: Names of the clips.
        fps: Frames per second of the clips.
    """

    skeleton: Skeleton
    inputs: Float[np.ndarray, "frame joint coordinate"]
    targets: Float[np.ndarray, "frame joint 3"]
    activity: np.ndarray
    keypoints: Float[np.ndarray, "frame joint 2"] = field(default_factory=_empty)
    noise: Float[np.ndarray, "frame joint"] = field(default_factory=_empty)
    hidden: Bool[np.ndarray, "frame joint"] = field(default_factory=_empty)
    clip: Int[np.ndarray, " frame"] = field(default_factory=_empty)
    frame: Int[np.ndarray, " frame"] = field(default_factory=_empty)
    camera: Int[np.ndarray, " frame"] = field(default_factory=_empty)
    clips: tuple[str, ...] = ()
    fps: float = 0.0

    def __len__(self) -> int:
        return len(self.inputs)

    def every(self, stride: int) -> "Samples":
        """Every so many-th frame, from the first; a frame is its view by one camera."""
        thinned: dict[str, Any] = {
            key: value[::stride]
            for key, value in vars(self).items()
            if isinstance(value, np.ndarray)
        }
        return replace(self, **thinned)


def activity_weights(activity: np.ndarray) -> Float[np.ndarray, " frame"]:
    """Chance of each frame to be drawn in training; they sum to 1.

    An activity is drawn in proportion to the square root of its number of frames: halfway
    between as recorded (salsa would be 40 %) and all activities alike.
    """
    _, index, count = np.unique(activity, return_inverse=True, return_counts=True)
    weights = 1 / np.sqrt(count[index])
    return np.asarray(weights / weights.sum())


class TrainingData(Protocol):
    """A data set to train, validate and test on, and perhaps another to test on as well."""

    @property
    def name(self) -> str:
        """What reports call it."""

    @property
    def digest(self) -> str:
        """SHA-256 of what is trained, validated and tested on."""

    @property
    def licence(self) -> str:
        """What trained weights may be used for, as far as the data determine it."""

    @property
    def cross_name(self) -> str | None:
        """What reports call the other data set."""

    @property
    def cross_digest(self) -> str | None:
        """SHA-256 of the other data set."""

    def check(self, chosen: Selection) -> tuple[str, ...]:
        """Check before training what would fail in training, validation or scoring.

        Returns:
            What scores on these data will lack, in one sentence each.

        Raises:
            ConfigError: If cameras, detections, joints or held-out subjects do not fit the data.
            DatasetNotFoundError: If there is nothing of a subject who is trained on or tested.
            FormatError: If a detection that counts is not finite, or no frame counts in a test.
        """

    def describe(self, chosen: Selection) -> Mapping[str, str]:
        """Describe in a line each by which protocols a network is scored, by their names.

        The first is that of the test subjects, the second that of the other data set.

        Raises:
            ConfigError: If none of them takes an adaptation, or so many joints.
        """

    def batches(self, chosen: Selection, place: Place) -> Batches:
        """Draw batches of the training subjects.

        Args:
            chosen: Which samples.
            place: Moves an array to the network's device.
        """

    def samples(self, split: Split, chosen: Selection) -> Samples:
        """Give the samples of a split.

        Raises:
            DatasetNotFoundError: If ``cross`` is asked for and there is none.
        """
