"""The index of a pack: which frames are whose, through which lens, and what they were made from.

JSON, checked like any file of a user: its size, every type, and that sequences follow each
other without gap or overlap.
"""

import hashlib
import json
import math
import re
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from graphlift.cameras import Camera
from graphlift.datasets.licensed.checks import check_rotation, check_size
from graphlift.datasets.licensed.reading import CameraSequence
from graphlift.errors import FormatError, SkeletonError
from graphlift.plain_json import json_as
from graphlift.sequences import is_frame_rate
from graphlift.skeletons import Skeleton
from graphlift.words import problems, reason

INDEX = "index.json"
KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""Names that a kind of keypoints may have: they become part of a file's name."""

_LARGEST = 1 << 26
"""Bytes of an index; Human3.6M's takes half a megabyte."""

_STRICT: dict[str, object] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

_MOST_JOINTS = 1000


_Two = tuple[float, float]
_Three = tuple[float, float, float]


@dataclass(frozen=True)
class CameraEntry:
    """A :class:`graphlift.cameras.Camera` as plain numbers, in its units."""

    __pydantic_config__: ClassVar = _STRICT
    focal: _Two
    centre: _Two
    size: tuple[int, int]
    R: tuple[_Three, _Three, _Three]
    position: _Three
    radial: _Three
    tangential: _Two

    @property
    def camera(self) -> Camera:
        """The camera again."""
        arrays = {"R": np.array(self.R), "position": np.array(self.position)}
        return Camera(**(asdict(self) | arrays))


@dataclass(frozen=True)
class SequenceEntry:
    """One sequence: the fields of a ``CameraSequence``, and which frames are its own.

    Args:
        subject: Name of the person.
        activity: Without the number of the take.
        clip: With it.
        camera: Name of the camera.
        fps: Frames per second.
        first: Its first frame in the arrays.
        frames: Number of its frames.
        lens: px; m, world frame.
    """

    __pydantic_config__: ClassVar = _STRICT
    subject: str
    activity: str
    clip: str
    camera: str
    fps: float
    first: int
    frames: int
    lens: CameraEntry


@dataclass(frozen=True)
class SourceFile:
    """A file that a pack was made from: its name below the data set's folder."""

    __pydantic_config__: ClassVar = _STRICT
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class SkeletonEntry:
    """A :class:`graphlift.skeletons.Skeleton`."""

    __pydantic_config__: ClassVar = _STRICT
    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    centre: str


@dataclass(frozen=True)
class PackIndex:
    """What is in a pack.

    Args:
        format: Always the same.
        version: Of the layout.
        name: What the data is called.
        skeleton: Joint order of all arrays.
        frames: Length of all arrays.
        kinds: Kinds of keypoints.
        sequences: In the order of the arrays.
        sources: The files that it was made from.
        options: The options that were given, and what was found out.
        counts: Poses of each subject.
        notes: What was done and left out, one sentence each.
        arrays: SHA-256 of the numbers in each file.
        sha256: Of all this, as :func:`digest_of` computes it; empty in earlier packs.
    """

    __pydantic_config__: ClassVar = _STRICT
    format: Literal["graphlift-paired"]
    version: Literal[1]
    name: str
    skeleton: SkeletonEntry
    frames: int
    kinds: list[str]
    sequences: list[SequenceEntry]
    sources: list[SourceFile]
    options: dict[str, str | int | float | bool]
    counts: dict[str, int]
    notes: list[str]
    arrays: dict[str, str]
    sha256: str = ""


def digest_of(index: PackIndex) -> str:
    """SHA-256 of an index, in an order that does not depend on the file."""
    about = asdict(replace(index, sha256=""))
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def describe_sequence(sequence: CameraSequence, first: int) -> SequenceEntry:
    """Describe a sequence whose frames begin at ``first``."""
    lens = sequence.lens
    floats = ("focal", "centre", "R", "position", "radial", "tangential")
    return SequenceEntry(
        subject=sequence.subject,
        activity=sequence.activity,
        clip=sequence.clip,
        camera=sequence.camera,
        fps=float(sequence.fps),
        first=first,
        frames=len(sequence.positions),
        lens=CameraEntry(
            size=(int(lens.size[0]), int(lens.size[1])),
            **{name: np.asarray(getattr(lens, name), float).tolist() for name in floats},
        ),
    )


def build_skeleton(index: PackIndex, where: str) -> Skeleton:
    """Make the skeleton of a pack.

    Raises:
        FormatError: If its joints and parents form none.
    """
    if (count := len(index.skeleton.joints)) > _MOST_JOINTS:
        raise FormatError(f"{where}: skeleton has {count} joints: prepare it again")
    try:
        return Skeleton(**asdict(index.skeleton))
    except SkeletonError as error:
        raise FormatError(f"{where}: skeleton: {reason(error)}") from error


def write_index(path: Path, index: PackIndex) -> None:
    """Write an index, checked as it will be when it is read.

    Raises:
        FormatError: If it is one that :func:`read_index` would refuse.
    """
    _check(index, str(path.name))
    index = replace(index, sha256=digest_of(index))
    path.write_text(json.dumps(asdict(index), indent=1, allow_nan=False), encoding="utf-8")


def read_index(path: Path) -> PackIndex:
    """Read and check an index.

    Raises:
        FormatError: If it is too large, no JSON, of another layout or version, or its sequences
            do not add up; the message names the place in it.
    """
    from pydantic import ValidationError

    check_size(path, _LARGEST, "index")
    try:
        index = json_as(PackIndex, path.read_bytes())
    except ValidationError as error:
        raise FormatError(
            f"{path}: is not the index of a pack that this version reads: "
            f"{problems(error, 'file')}: prepare the pack again"
        ) from error
    _check(index, str(path))
    if index.sha256 and index.sha256 != digest_of(index):
        raise FormatError(
            f"{path}: does not hold what was written to it: the pack is damaged; prepare it again"
        )
    return index


def _check(index: PackIndex, where: str) -> None:
    def refuse(place: str, expected: str) -> FormatError:
        return FormatError(f"{where}: {place} {expected}: the pack is damaged; prepare it again")

    if len(set(index.kinds)) != len(index.kinds) or not all(map(KIND.fullmatch, index.kinds)):
        raise refuse(f"kinds {index.kinds}", "should be different short words")
    frame = 0
    names: set[tuple[str, str, str]] = set()
    counts: Counter[str] = Counter()
    for number, entry in enumerate(index.sequences):
        place = f"sequences.{number} ({entry.subject}/{entry.clip}/{entry.camera})"
        if entry.first != frame or entry.frames < 1:
            raise refuse(
                f"{place}: frames {entry.first} to {entry.first + entry.frames}",
                f"should begin at {frame}, where the one before ends, and be at least one",
            )
        name = (entry.subject, entry.clip, entry.camera)
        if name in names or not all(name) or not entry.activity:
            raise refuse(place, "should have a name of its own, and an activity")
        if not is_frame_rate(entry.fps):
            raise refuse(f"{place}: fps {entry.fps:g}", "should be frames per second")
        lens = entry.lens
        if min(lens.focal) <= 0 or min(lens.size) < 1 or not math.isfinite(sum(lens.position)):
            raise refuse(f"{place}: lens", "should have a positive focal length and size")
        check_rotation(np.array(lens.R), f"{where}: {place}: lens", tolerance=1e-4)
        names.add(name)
        counts[entry.subject] += entry.frames
        frame += entry.frames
    if frame != index.frames or not frame:
        raise refuse(f"frames {index.frames}", f"should be {frame}, as of its sequences")
    if dict(counts) != index.counts:
        raise refuse(f"counts {index.counts}", f"should be {dict(counts)}, as of its sequences")
