"""What is read: where it is, and what the caller and the file state about it."""

from dataclasses import dataclass, replace
from typing import Any

from graphlift.errors import ConfigError, FormatError
from graphlift.sequences import FRAME_RATES, check_frame_rate, is_image_size
from graphlift.skeletons import (
    COCO_17,
    COCO_23,
    H36M_16,
    H36M_17,
    HALPE_26,
    MPI_INF_3DHP_17,
    MPII_16,
    SKELETONS,
    Skeleton,
)
from graphlift.words import counted, one_line, shown

MAX_BYTES = 1 << 30
"""The most that is read whole, of a file and of the arrays made of it: 1 GiB. JSON takes some
ten times as much memory while it is read, tables six times."""

_COMMON = (COCO_17, H36M_17, MPI_INF_3DHP_17, MPII_16, H36M_16)
"""Skeletons that share their number of joints with another, in the order in which 2D keypoints
come in them: what detectors find before what data sets of 3D poses have."""

_WHOLE_BODY = {133: (COCO_23, COCO_17), 136: (HALPE_26,)}
"""COCO-WholeBody and Halpe full body: their first joints are these, then come face and hands. The
first is taken unless the caller states another."""

_NUMBER = 8
"""Bytes of a number in the arrays."""

_PLENTY = 1 << 26
"""Bytes of arrays that any file may become."""

_SPARSE = 200
"""Larger arrays may have at most so many times the numbers that the file holds. Frames without
people and people who are absent take room; if they take more than this, the file counts something
else than frames or people."""


@dataclass(frozen=True)
class KeypointSource:
    """A file, or objects in memory, that keypoints are read from.

    Args:
        where: Path, or the kind of object, for messages.
        skeleton: Joint order.
        image_size: Width and height, px.
        fps: Frames per second.
        people: How many people to keep: those who are seen longest and largest.
        clip: Which clip, of a file that holds several.
        max_bytes: The most that is read whole.
        person: Keep one of them: see :func:`graphlift.tracking.choose`.
        tools: How the kinds that are expected begin; any kind is read where there are none.
        kind: What it turned out to be, in a few words.
        usual: Skeletons that files of this kind hold if nothing else is stated.
        notes: What was assumed, in a few words each.
        stated: The line that a file has about its own source, in place of one that is made.
        max_frames: The most from the first to the last.
    """

    where: str
    skeleton: Skeleton | None = None
    image_size: tuple[int, int] | None = None
    fps: float | None = None
    people: int | None = None
    clip: str | None = None
    max_bytes: int = MAX_BYTES
    person: str | None = None
    tools: tuple[str, ...] = ()
    kind: str = ""
    usual: tuple[Skeleton, ...] = ()
    notes: tuple[str, ...] = ()
    stated: str = ""
    max_frames: int | None = None

    def __post_init__(self) -> None:
        try:
            if self.fps is not None:
                check_fps(self.fps, "fps")
            if self.image_size is not None:
                check_image_size(self.image_size, "image_size")
        except FormatError as error:
            raise ConfigError(str(error)) from error
        if self.people is not None and self.people < 1:
            raise ConfigError(f"people is {self.people}: keep at least 1, or leave it out for all")

    def of(
        self,
        kind: str,
        *,
        usual: tuple[Skeleton, ...] = (),
        image_size: object = None,
        fps: object = None,
    ) -> "KeypointSource":
        """Add what it turned out to be and what it states; what the caller states has priority.

        Raises:
            FormatError: If it is of another tool than expected, has no clips and one was chosen,
                or its size or its frames per second cannot be.
        """
        if self.tools and not kind.startswith(self.tools):
            raise FormatError(
                f"{self.where}: is {kind}, and {self.tools[0]} was expected: call read_keypoints, "
                "which recognises the kind, or the loader of its tool"
            )
        if self.clip is not None and not kind.startswith("VideoPose3D"):
            raise FormatError(
                f"{self.where}: has no clip {shown(self.clip)}: only VideoPose3D's npz holds "
                "several, by name; leave clip (--clip) out"
            )
        size, rate = None, None
        if image_size not in (None, (None, None)):
            size = check_image_size(image_size, f"{self.where}: image size")
        if fps is not None:
            rate = check_fps(fps, f"{self.where}: fps")
        size, rate = self.image_size or size, self.fps or rate
        return replace(self, kind=kind, usual=usual, image_size=size, fps=rate)

    def noting(self, *notes: str) -> "KeypointSource":
        """Copy with more notes; empty ones are left out."""
        return replace(self, notes=(*self.notes, *(note for note in notes if note)))

    def line(self, skeleton: Skeleton) -> str:
        """State in a line what was read and what was assumed."""
        if self.stated:
            return self.stated
        return one_line(f"{self.kind} {self.where} ({', '.join((skeleton.name, *self.notes))})")

    def check_frames(self, frames: int) -> None:
        """Refuse more frames than the caller allows, before people are told apart in them.

        Raises:
            FormatError: Naming how many there are.
        """
        if self.max_frames is not None and frames > self.max_frames:
            raise FormatError(
                f"{self.where}: {frames:,} frames, more than the {self.max_frames:,} that are "
                "allowed: check that its numbers count frames, or cut the clip"
            )

    def check_room(
        self, frames: int, people: int, joints: int, *, given: int | None = None
    ) -> None:
        """Refuse arrays larger than the caller allows, or mostly empty, before they are made.

        Args:
            frames: From the first to the last.
            people: In all of them together.
            joints: Of each.
            given: How many poses the file holds, if it leaves out people who are absent.

        Raises:
            FormatError: Naming how many frames and people there would be.
        """
        self.check_frames(frames)
        size = frames * people * joints * 3 * _NUMBER
        who = counted(people, "person", "people")
        taken = f"{counted(frames, 'frame')} of {who} would take {size / 1e9:.1f} GB"
        if size > self.max_bytes:
            raise FormatError(
                f"{self.where}: {taken}, more than the {self.max_bytes / 1e9:.1f} GB allowed: "
                "check that its numbers count frames, keep fewer people (people=1), split it, or "
                "raise max_bytes"
            )
        if given is not None and size > max(_PLENTY, _SPARSE * given * joints * 3 * _NUMBER):
            raise FormatError(
                f"{self.where}: {taken}, and the file holds {counted(given, 'pose')}, fewer than "
                f"one in {_SPARSE}: check that its numbers count frames, and check the ids of "
                "people"
            )


def skeleton_named(name: str) -> Skeleton:
    """Find a skeleton by name.

    Raises:
        ConfigError: If there is none of this name.
    """
    if name not in SKELETONS:
        raise ConfigError(f"no skeleton {shown(name)}: give one of {', '.join(SKELETONS)}")
    return SKELETONS[name]


def skeleton_of(count: int, source: KeypointSource) -> Skeleton:
    """Find the skeleton of a number of joints: the caller's, a usual one, or the only one.

    Args:
        count: Joints in the file; those beyond the skeleton's are face and hands.
        source: The file.

    Raises:
        FormatError: If the caller's has another number of joints, none has so many, or several.
    """
    where, expected = source.where, source.skeleton
    if expected is not None:
        if count != len(expected) and expected not in _WHOLE_BODY.get(count, ()):
            raise FormatError(
                f"{where}: has {counted(count, 'joint')}, but {expected.name} has "
                f"{len(expected)}: leave the skeleton out, or give the one it was made with"
            )
        return expected
    if count in _WHOLE_BODY:
        return _WHOLE_BODY[count][0]
    fitting = [skeleton for skeleton in source.usual if len(skeleton) == count]
    fitting = fitting or [
        each for each in dict.fromkeys((*_COMMON, *SKELETONS.values())) if len(each) == count
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = [skeleton.name for skeleton in fitting]
        raise FormatError(
            f"{where}: {count} joints may be {', '.join(names[:-1])} or {names[-1]}, and the file "
            f"does not say: give skeleton={names[0]!r} (--skeleton {names[0]}) or another of them"
        )
    known = ", ".join(f"{skeleton.name} ({len(skeleton)})" for skeleton in SKELETONS.values())
    raise FormatError(
        f"{where}: no skeleton of {counted(count, 'joint')} is known: known are {known}"
    )


def check_fps(fps: object, where: str) -> float:
    """Check frames per second that a file or a caller states.

    Raises:
        FormatError: If they are no number, or outside :data:`graphlift.sequences.FRAME_RATES`.
    """
    try:
        return check_frame_rate(float(fps))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        least, most = FRAME_RATES
        raise FormatError(
            f"{where} is {shown(fps)}: frames per second are a number above 0, from {least:g} to "
            f"{most:,.0f}, such as 25; leave it out if it is unknown"
        ) from error


def check_image_size(size: Any, where: str) -> tuple[int, int]:  # noqa: ANN401
    """Check the width and height that a file or a caller states.

    Raises:
        FormatError: If they are not two whole numbers from 1 to a million.
    """
    if not is_image_size(size):
        raise FormatError(
            f"{where} is {shown(size)}: width and height are two whole numbers of px, such as "
            "(1920, 1080)"
        )
    width, height = size
    return int(width), int(height)
