"""ultralytics' files: ``to_json`` of its results, and the folder that ``save_txt`` leaves.

Layouts. *to_json*: a frame is ``[{"name", "class", "confidence", "box", "track_id"?, "keypoints":
{"x": [...], "y": [...], "visible"?: [...]}}]``, one object a person; a video is a list of such
lists, as they are collected, or a folder of one file a frame. *save_txt*: ``NAME_12.txt`` for
frame 12 of a video, which counts from 1, and no file for a frame without people; a line a person:
class, x, y, width and height of the box, then x, y and, if the model has it, visibility of each
joint, then the box's confidence (with ``save_conf``) and the track's id (with ``track``). All
positions are fractions of the image, so its size must be known. Seventeen joints are COCO's.

Source: ultralytics' ``engine/results.py`` and ``engine/predictor.py`` (8.1 to 8.3).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.assembly import Detection, assemble, identity
from graphlift.formats.frame_numbers import frames_noted, numbered, span_of
from graphlift.formats.json_files import check_file_size, entries, first_filled, numbers
from graphlift.formats.keypoint_source import KeypointSource
from graphlift.numerals import decimal
from graphlift.sequences import Keypoints
from graphlift.skeletons import COCO_17, HALPE_26, SKELETONS, Skeleton
from graphlift.words import counted

USUAL = (COCO_17, HALPE_26)
_BOX = 5
"""Numbers of a line before the joints: class and box."""


# to_json


def is_frame(data: Any) -> bool:  # noqa: ANN401
    """Say whether JSON is the people of one frame, as ``to_json`` writes them."""
    first = data[0] if isinstance(data, list) and data else None
    keypoints = first.get("keypoints") if isinstance(first, dict) else None
    return isinstance(keypoints, dict) and {"x", "y"} <= set(keypoints)


def is_video(data: Any) -> bool:  # noqa: ANN401
    """Say whether JSON is a list of frames, as ``to_json`` writes each."""
    return isinstance(data, list) and any(map(is_frame, first_filled(data)))


def from_frames(data: list[Any], source: KeypointSource) -> Keypoints:
    """Make keypoints of one frame, or of a list of frames.

    Raises:
        FormatError: If it is not as above.
    """
    source = source.of("ultralytics JSON", usual=USUAL)
    frames = [data] if is_frame(data) else data
    seen = (
        person
        for number, frame in enumerate(frames)
        for person in people_in(frame, source.where, number)
    )
    return assemble(seen, source, frames=range(len(frames)))


def people_in(data: Any, where: str, frame: int) -> Iterator[Detection]:  # noqa: ANN401
    """Go through the people of one frame.

    Raises:
        FormatError: If it is not as above.
    """
    where = f"{where}: frame {frame}"
    for number, person in enumerate(entries(data, where)):
        keypoints = person.get("keypoints")
        if not isinstance(keypoints, dict):
            continue  # a box without a body
        of = f"{where}: keypoints of person {number}"
        x, y = (numbers(keypoints.get(axis), of) for axis in "xy")
        c = numbers(keypoints["visible"], of) if "visible" in keypoints else np.ones(x.shape)
        if x.ndim != 1 or not x.shape == y.shape == c.shape:
            raise FormatError(
                f"{of} should be as many x as y and visible, but are {x.shape}, {y.shape} and "
                f"{c.shape}"
            )
        yield Detection(frame, np.array([x, y, c]).T, identity(person.get("track_id")))


# save_txt


def label_files(folder: Path) -> list[Path]:
    """List the files of ``save_txt`` in a folder, or in ``labels`` below it."""
    for place in (folder, folder / "labels"):
        files = sorted(place.glob("*.txt"))
        if any(_is_label(path) for path in files[:10]):
            return files
    return []


def read_labels(folder: Path, source: KeypointSource) -> Keypoints:
    """Read the folder of ``save_txt``.

    Raises:
        FormatError: If the image's size is unknown, a line is not as above, or a name has no
            frame number.
    """
    source = source.of("ultralytics txt", usual=USUAL)
    if source.image_size is None:
        raise FormatError(
            f"{folder}: ultralytics' txt has positions as fractions of the image, and not its "
            "size: give image_size=(width, height) in px (--image-size WIDTHxHEIGHT)"
        )
    files = numbered(label_files(folder), folder)
    video = all(re.fullmatch(r".*_[1-9][0-9]*", path.stem) for path in files.values())
    frames = span_of([*files, *([1] if video else [])], source)
    lines = [(frame, at, words) for frame in sorted(files) for at, words in
             _lines(files[frame], source.max_bytes)]  # fmt: skip
    if len({words[0] for _, _, words in lines}) > 1:
        raise FormatError(
            f"{folder}: its lines are of several classes, "
            f"{', '.join(f'{name:g}' for name in sorted({words[0] for *_, words in lines})[:6])}: "
            "keep the lines of one, people"
        )
    source = source.noting(*frames_noted(frames, len(files)))
    seen = [Detection(frame, *_person(words, at, source)) for frame, at, words in lines]
    return assemble(seen, source, frames=frames)


def _lines(path: Path, max_bytes: int) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Read the lines of a file as numbers, each with its place for messages."""
    if path.stat().st_size == 0:
        return  # a frame without people
    check_file_size(path, max_bytes, "split it into clips")
    known: set[str] = set()
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        at = f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            words = tuple(decimal(word) for word in line.split())
        except ValueError as error:
            raise FormatError(
                f"{at}: {line[:40]!r} should be numbers: class, box and keypoints of a person"
            ) from error
        if line in known:
            raise FormatError(
                f"{at}: the line stands in the file already: ultralytics wrote into the folder "
                "twice; detect into a new one"
            )
        known.add(line)
        yield at, words


def _person(
    words: tuple[float, ...], at: str, source: KeypointSource
) -> tuple[np.ndarray, int | str | None]:
    """Make px of a line's joints, and find who it is."""
    joints, dims = _layout(len(words) - _BOX, at, source.skeleton)
    flat = np.array(words[_BOX : _BOX + joints * dims]).reshape(joints, dims)
    rest = words[_BOX + joints * dims :]
    # Of one number more, a whole one from 1 on is an id; a confidence of 1 is as good as none.
    known = identity(rest[-1]) if rest and rest[-1] >= 1 else None
    c = flat[:, 2] if dims == 3 else np.ones(joints)
    with np.errstate(over="ignore"):  # what is absurd is refused with all others
        xy = flat[:, :2] * np.asarray(source.image_size)
    return np.column_stack([xy, c]), known


def _layout(count: int, at: str, skeleton: Skeleton | None) -> tuple[int, int]:
    """Say how many joints of how many numbers a line has."""
    known = [skeleton] if skeleton else [*USUAL, *SKELETONS.values()]
    sizes = [len(each) for each in known]
    for joints in dict.fromkeys(sizes):
        for dims in (3, 2):
            if 0 <= count - joints * dims <= 2:
                return joints, dims
    raise FormatError(
        f"{at}: {counted(_BOX + count, 'number is', 'numbers are')} no class, box and keypoints "
        f"of {', '.join(map(str, dict.fromkeys(sizes)))} joints: detect with a pose model"
    )


def _is_label(path: Path) -> bool:
    with path.open("rb") as file:
        words = file.readline(1 << 14).split()
    try:
        return len(words) > _BOX and all(np.isfinite([decimal(w.decode()) for w in words]))
    except (ValueError, UnicodeDecodeError):
        return False
