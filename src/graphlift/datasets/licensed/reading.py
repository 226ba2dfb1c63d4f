"""What is asked of a reader of 3D and 2D, and what it gives back while it reads."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from graphlift.datasets.licensed.index import SourceFile
from graphlift.datasets.licensed.pack import CameraSequence
from graphlift.errors import ConfigError


@dataclass(frozen=True)
class Choices:
    """How to read a data set of 3D and 2D.

    Args:
        partial: Whether to go on where subjects, clips or frames are missing.
        joints: Joints of the pack, where the data set leaves the choice.
        layout: Which of the data set's layouts a folder has; None finds it out.
        annotation: Which 3D, where the data set has several; None takes the published choice.
        scratch: A folder for large temporary files; None takes the system's.

    Raises:
        ConfigError: If ``joints`` is neither 16 nor 17.
    """

    partial: bool = False
    joints: int = 17
    layout: str | None = None
    scratch: Path | None = None
    annotation: str | None = None

    def __post_init__(self) -> None:
        if self.joints not in (16, 17):
            raise ConfigError(f"joints is {self.joints}: give 16 or 17")


@dataclass(frozen=True, eq=False)
class Reading:
    """A data set that is being read.

    Args:
        name: What the data is called.
        sequences: One at a time. It raises at the end if something is missing.
        options: What was asked for, and what was found out.
        sources: Files that were read; whole after the last sequence.
        notes: What was done and left out, one sentence each; whole after the last sequence.
        expected: How many sequences there will be, if known: for a progress bar.
    """

    name: str
    sequences: Iterator[CameraSequence]
    options: dict[str, str | int | float | bool] = field(default_factory=dict)
    sources: list[SourceFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    expected: int | None = None
