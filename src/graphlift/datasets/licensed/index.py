"""The index of a pack: which frames are whose, through which lens, and what they were made from.

JSON, checked as if it came from anybody: its size, every type, and that sequences follow each
other without gap or overlap.
"""

import json
import math
import re
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from graphlift.cameras import Camera
from graphlift.errors import FormatError, SkeletonError
from graphlift.sequences import is_frame_rate
from graphlift.skeletons import Skeleton
from graphlift.words import problems, reason

if TYPE_CHECKING:
    from graphlift.datasets.licensed.pack import CameraSequence

INDEX = "index.json"
KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""What a kind of detection may be called: it becomes part of a file's name."""

_LARGEST = 1 << 26
"""Bytes of an index; Human3.6M's takes half a megabyte."""

_STRICT: dict[str, object] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

_MOST_JOINTS = 1000


@dataclass(frozen=True)
class Lens:
    """A :class:`graphlift.cameras.Camera` as plain numbers, in its units."""

    __pydantic_config__: ClassVar = _STRICT
    focal: list[float]
    centre: list[float]
    size: list[int]
    R: list[list[float]]
    position: list[float]
    radial: list[float]
    tangential: list[float]


@dataclass(frozen=True)
class Entry:
    """One sequence: the fields of a ``CameraSequence`` and which frames are its own.

    Args:
        subject: Who.
        activity: What they do.
        clip: With the number of the take.
        camera: Name of the camera.
        fps: Frames per second.
        first: Its first frame in the arrays.
        frames: How many.
        lens: Px; m, world frame.
    """

    __pydantic_config__: ClassVar = _STRICT
    subject: str
    activity: str
    clip: str
    camera: str
    fps: float
    first: int
    frames: int
    lens: Lens


@dataclass(frozen=True)
class SourceFile:
    """A file that a pack was made from: its name below the data set's folder."""

    __pydantic_config__: ClassVar = _STRICT
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Tree:
    """A :class:`graphlift.skeletons.Skeleton`."""

    __pydantic_config__: ClassVar = _STRICT
    name: str
    joints: list[str]
    parents: list[int]
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
        kinds: Kinds of detection.
        sequences: In the order of the arrays.
        sources: The files that it was made from.
        options: What was asked for.
        counts: Poses of each subject.
        notes: What was done and left out, one sentence each.
        arrays: SHA-256 of the numbers in each file.
    """

    __pydantic_config__: ClassVar = _STRICT
    format: Literal["graphlift-paired"]
    version: Literal[1]
    name: str
    skeleton: Tree
    frames: int
    kinds: list[str]
    sequences: list[Entry]
    sources: list[SourceFile]
    options: dict[str, str | int | float | bool]
    counts: dict[str, int]
    notes: list[str]
    arrays: dict[str, str]


def entry_of(sequence: "CameraSequence", first: int) -> Entry:
    """Describe a sequence whose frames begin at ``first``."""
    lens = sequence.lens
    return Entry(
        subject=sequence.subject,
        activity=sequence.activity,
        clip=sequence.clip,
        camera=sequence.camera,
        fps=float(sequence.fps),
        first=first,
        frames=len(sequence.positions),
        lens=Lens(
            focal=list(map(float, lens.focal)),
            centre=list(map(float, lens.centre)),
            size=list(map(int, lens.size)),
            R=np.asarray(lens.R, float).tolist(),
            position=np.asarray(lens.position, float).tolist(),
            radial=list(map(float, lens.radial)),
            tangential=list(map(float, lens.tangential)),
        ),
    )


def lens_of(entry: Entry) -> Camera:
    """Make the camera of a sequence again."""
    lens = entry.lens
    k1, k2, k3 = lens.radial
    return Camera(
        focal=(lens.focal[0], lens.focal[1]),
        centre=(lens.centre[0], lens.centre[1]),
        size=(lens.size[0], lens.size[1]),
        R=np.array(lens.R),
        position=np.array(lens.position),
        radial=(k1, k2, k3),
        tangential=(lens.tangential[0], lens.tangential[1]),
    )


def tree_of(skeleton: Skeleton) -> Tree:
    """Describe a skeleton."""
    return Tree(skeleton.name, list(skeleton.joints), list(skeleton.parents), skeleton.centre)


def skeleton_of(index: PackIndex, where: str) -> Skeleton:
    """Make the skeleton of a pack.

    Raises:
        FormatError: If its joints and parents are none.
    """
    tree = index.skeleton
    if len(tree.joints) > _MOST_JOINTS:
        raise FormatError(f"{where}: skeleton has {len(tree.joints)} joints: prepare it again")
    try:
        return Skeleton(tree.name, tuple(tree.joints), tuple(tree.parents), tree.centre)
    except SkeletonError as error:
        raise FormatError(f"{where}: skeleton: {reason(error)}") from error


def write_index(path: Path, index: PackIndex) -> None:
    """Write an index, checked as it will be when it is read.

    Raises:
        FormatError: If it is one that :func:`read_index` would refuse.
    """
    _check(index, str(path.name))
    path.write_text(json.dumps(asdict(index), indent=1, allow_nan=False), encoding="utf-8")


def read_index(path: Path) -> PackIndex:
    """Read and check an index.

    Raises:
        FormatError: If it is too large, no JSON, of another layout or version, or its sequences
            do not add up; the message names the place in it.
    """
    from pydantic import TypeAdapter, ValidationError

    if (size := path.stat().st_size) > _LARGEST:
        raise FormatError(f"{path}: takes {size / 1e6:.0f} MB, which no index does")
    try:
        index = TypeAdapter(PackIndex).validate_json(path.read_bytes())
    except ValidationError as error:
        raise FormatError(
            f"{path}: is not the index of a pack that this version reads: "
            f"{problems(error, 'file')}: prepare the pack again"
        ) from error
    _check(index, str(path))
    return index


def _check(index: PackIndex, where: str) -> None:
    def refuse(place: str, wanted: str) -> FormatError:
        return FormatError(f"{where}: {place} {wanted}: the pack is damaged; prepare it again")

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
        if wrong := _wrong_lens(entry.lens):
            raise refuse(f"{place}: lens", wrong)
        names.add(name)
        counts[entry.subject] += entry.frames
        frame += entry.frames
    if frame != index.frames or not frame:
        raise refuse(f"frames {index.frames}", f"should be {frame}, as of its sequences")
    if dict(counts) != index.counts:
        raise refuse(f"counts {index.counts}", f"should be {dict(counts)}, as of its sequences")


def _wrong_lens(lens: Lens) -> str:
    sizes = {"focal": 2, "centre": 2, "size": 2, "position": 3, "radial": 3, "tangential": 2}
    for name, count in sizes.items():
        if len(getattr(lens, name)) != count:
            return f"should have {count} numbers as {name}"
    if len(lens.R) != 3 or any(len(row) != 3 for row in lens.R):
        return "should have a 3 by 3 matrix as R"
    R = np.array(lens.R)
    if np.abs(R).max() > 2 or not np.allclose(R @ R.T, np.eye(3), atol=1e-4):
        return "should have a rotation as R"
    if min(lens.focal) <= 0 or min(lens.size) < 1 or not math.isfinite(sum(lens.position)):
        return "should have a positive focal length and size"
    return ""
