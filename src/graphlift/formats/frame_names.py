"""Frames by the numbers in the names of their files."""

import re
from collections.abc import Sequence
from pathlib import Path

from graphlift.errors import FormatError
from graphlift.words import listed

_NUMBERED = re.compile(r"(?P<clip>.*?)(?P<frame>[0-9]{1,15})(?:_keypoints)?")


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
        f"{len(frames)} frames, {frames[0]} to {frames[-1]}",
        f"{gaps} without a file taken as nobody" if gaps else "",
    )
