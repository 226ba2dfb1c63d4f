"""Numbers of frames: in names of files and images, and from the first to the last."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from graphlift.errors import FormatError
from graphlift.formats.keypoint_source import KeypointSource
from graphlift.words import counted, listed, shown

LARGEST_FRAME = 1 << 53
# From the first digit of a row on alone: from each of a million digits would take hours.
_LAST = re.compile(r"(?<![0-9])([0-9]+)(?:\.\w+)?$")
_NUMBERED = re.compile(r"(?P<clip>.*?)(?P<frame>[0-9]{1,15})(?:_keypoints)?")


def span_of(frames: Collection[int], source: KeypointSource) -> range:
    """Give all frames from the first to the last, if they are not absurdly many.

    Raises:
        FormatError: If there is no room for one joint in each.
    """
    first, last = min(frames, default=0), max(frames, default=-1)
    if max(abs(first), abs(last)) > LARGEST_FRAME:
        raise FormatError(
            f"{source.where}: a frame has the number {shown(max(last, -first))}: check that its "
            "numbers count frames"
        )
    source.check_room(last - first + 1, 1, 1, given=len(frames))
    return range(first, last + 1)


def first_frame(frames: range) -> str:
    """Say how a file counts its frames, for a note, where they do not begin at 0 or 1.

    Frames before the first may have had no people, which such files leave out.
    """
    return f"frames {frames.start} to {frames.stop - 1}" if frames.start > 1 else ""


def number_in(name: str) -> int | None:
    """Read the number that a file's name ends in; None if there is none or it is absurd."""
    match = _LAST.search(name.strip())
    return int(match[1]) if match and len(match[1]) < 16 else None


def numbered(paths: Sequence[Path], folder: Path) -> dict[int, Path]:
    """Say which frame each file is of, by the number that its name ends in.

    Raises:
        FormatError: If a name has none, two have the same, or they are of several clips.
    """
    if len(paths) == 1:
        return {0: paths[0]}
    clips: dict[str, dict[int, Path]] = {}
    for path in paths:
        match = _NUMBERED.fullmatch(path.stem)
        if match is None:
            tail = "_keypoints" if path.stem.endswith("_keypoints") else ""
            raise FormatError(
                f"{path}: has no frame number in its name: name it as "
                f"{path.stem.removesuffix('_keypoints')}_000000000012{tail}{path.suffix}"
            )
        frames = clips.setdefault(match["clip"], {})
        if int(match["frame"]) in frames:
            raise FormatError(
                f"{path}: is frame {int(match['frame'])}, as {frames[int(match['frame'])].name} "
                "is: keep one of them"
            )
        frames[int(match["frame"])] = path
    if len(clips) > 1:
        raise FormatError(
            f"{folder}: holds {len(clips)} clips ({listed(sorted(clips), 5)}): put each into "
            "a folder of its own"
        )
    return next(iter(clips.values()))


def frames_noted(frames: range, files: int) -> tuple[str, str]:
    """Say which frames a folder counts, and how many of them have no file."""
    gaps = len(frames) - files
    return (
        f"{counted(len(frames), 'frame')}, {frames[0]} to {frames[-1]}",
        f"{gaps} without a file taken as frames without people" if gaps else "",
    )
