"""The contract of licensed data sets: a reader turns a folder and options into a `Reading`.

A reader is a function ``(folder, options) -> Reading``. It finds out which of the data set's
layouts the folder has, and yields its sequences one at a time, so that memory stays small.
:mod:`graphlift.datasets.licensed.checks` holds the checks that readers share,
:mod:`graphlift.datasets.licensed.completeness` the one that names what is missing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from graphlift.cameras import Camera
from graphlift.errors import ConfigError
from graphlift.skeletons import Skeleton


@dataclass(frozen=True, eq=False)
class CameraSequence:
    """Keypoints and poses of one person in one clip of one camera.

    Args:
        subject: As the data set names the person, such as ``S1``.
        activity: Without the number of the take, such as ``Directions``.
        clip: With it, such as ``Directions 1``.
        camera: Its name in the data set.
        lens: Intrinsics and, where known, the camera's place (m, world frame).
        positions: m, camera axes.
        keypoints: px, by kind: ``gt`` (ground truth), ``cpn``, ``hg``.
        valid: Whether a frame counts in training and in scores.
        fps: Frames per second.
        skeleton: Joint order of all arrays.
    """

    subject: str
    activity: str
    clip: str
    camera: str
    lens: Camera
    positions: Float[np.ndarray, "frame joint 3"]
    keypoints: Mapping[str, Float[np.ndarray, "frame joint 2"]]
    valid: Bool[np.ndarray, " frame"]
    fps: float
    skeleton: Skeleton

    @property
    def where(self) -> str:
        """The sequence's name in messages, such as ``S1/Directions 1/54138969``."""
        return f"{self.subject}/{self.clip}/{self.camera}"


@dataclass(frozen=True)
class ReadOptions:
    """How to read a licensed data set.

    Args:
        partial: Whether to go on where subjects, clips or frames are missing.
        joints: Joints of the pack, where the data set leaves the choice.
        layout: Which of the data set's layouts the folder has; None finds it out.
        annotation: Which 3D, where the data set has several; None takes the published choice.
        scratch: A folder for large temporary files; None takes the system's.

    Raises:
        ConfigError: If ``joints`` is neither 16 nor 17.
    """

    partial: bool = False
    joints: int = 17
    layout: str | None = None
    annotation: str | None = None
    scratch: Path | None = None

    def __post_init__(self) -> None:
        if self.joints not in (16, 17):
            raise ConfigError(f"joints is {self.joints}: give 16 or 17")


@dataclass(frozen=True, eq=False)
class Reading:
    """A data set that is being read.

    Args:
        name: What the data is called.
        sequences: One at a time. It raises at the end if something is missing.
        options: The options that were given, and what was found out.
        sources: Files that were read; complete after the last sequence.
        notes: What was done and left out, one sentence each; complete after the last sequence.
        total: How many sequences there will be, if known: for a progress bar.
    """

    name: str
    sequences: Iterator[CameraSequence]
    options: Mapping[str, str | int | float | bool]
    sources: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    total: int | None = None


Reader = Callable[[Path, ReadOptions], Reading]
