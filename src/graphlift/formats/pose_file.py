"""``.pose`` files (pose-format), by a reader of their documented layout.

Layout, little-endian: version (float32); width, height, depth (uint16); number of components
(uint16); of each component its name and point format (uint16 length, UTF-8), numbers of points,
limbs and colours (uint16), names of points, limbs (2 uint16), colours (3 uint16). Then, version
0.1: fps, frames (uint16), of which the frames are counted from the file's size because they
overflow; version 0.2: fps (float32), frames (uint32). Then people (uint16), positions float32
(frame, person, point, dims) and confidence float32 (frame, person, point), 0 where missing.

Of several components the one with the most of our joints is read; world landmarks are not px.
People are in no stable order.

Source: pose-format's ``docs/specs/v0.1.md`` and ``v0.2.md``; its library reads the same
(``tests/formats/test_pose_file.py``). A dependency for 80 lines of layout would not pay.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.assembly import Detection, assemble
from graphlift.formats.joint_names import order_by_name, recognise
from graphlift.formats.json_files import check_file_size
from graphlift.formats.keypoint_source import KeypointSource
from graphlift.sequences import Keypoints
from graphlift.words import counted


@dataclass
class _Cursor:
    """Where one is in a file that may end anywhere."""

    data: bytes
    path: Path
    at: int = 0

    def take(self, layout: str) -> tuple[float, ...]:
        """Read numbers of a ``struct`` layout."""
        size = struct.calcsize(layout)
        return struct.unpack(layout, self.bytes(size))

    def bytes(self, size: int) -> bytes:
        """Read so many bytes."""
        if self.at + size > len(self.data):
            raise FormatError(
                f"{self.path}: ends at byte {len(self.data)}, where {counted(size, 'more byte')} "
                "should be: it is cut short, or no .pose file; copy or write it again"
            )
        self.at += size
        return self.data[self.at - size : self.at]

    def text(self) -> str:
        """Read a string."""
        (size,) = self.take("<H")
        return self.bytes(int(size)).decode("utf-8", "replace")


def read_pose(path: Path, source: KeypointSource) -> Keypoints:
    """Read a ``.pose`` file.

    Raises:
        FormatError: If it is not as above, is cut short, or has no component of a person's joints.
    """
    check_file_size(path, source.max_bytes, "split it into clips")
    cursor = _Cursor(path.read_bytes(), path)
    (version,) = cursor.take("<f")
    if round(version, 3) not in (0.1, 0.2):
        raise FormatError(
            f"{path}: is version {version:.3g} of .pose, or no .pose file: 0.1 and 0.2 are read; "
            "write it again with pose-format"
        )
    width, height, _ = cursor.take("<3H")
    components = _components(cursor)
    fps, positions, confidence = _arrays(cursor, components, round(version, 3) == 0.1, source)
    size = (int(width), int(height)) if width and height else None
    source = source.of("pose file", image_size=size, fps=fps or None)
    start, names = _body(components, source)
    here = slice(start, start + len(names))
    triples = np.concatenate([positions[:, :, here, :2], confidence[:, :, here, None]], axis=-1)
    with np.errstate(invalid="ignore"):  # a NaN of a kind that the processor complains of
        triples = triples.astype(np.float64)
    seen = [
        Detection(frame, triples[frame, person])
        for frame, person in np.argwhere((confidence[:, :, here] > 0).any(axis=-1)).tolist()
    ]
    ordered, source = order_by_name(seen, names, source)
    return assemble(ordered, source, frames=range(len(positions)))


def _components(cursor: _Cursor) -> list[tuple[str, str, list[str]]]:
    """Read name, point format and point names of every component."""
    (count,) = cursor.take("<H")
    components = []
    for _ in range(int(count)):
        name, form = cursor.text(), cursor.text()
        points, limbs, colours = (int(number) for number in cursor.take("<3H"))
        components.append((name, form, [cursor.text() for _ in range(points)]))
        cursor.bytes(4 * limbs + 6 * colours)
    named = all(form.startswith("XY") and points for _, form, points in components)
    if not components or not named:
        raise FormatError(f"{cursor.path}: has no points with x and y: nothing to read")
    return components


def _arrays(
    cursor: _Cursor,
    components: list[tuple[str, str, list[str]]],
    first: bool,
    source: KeypointSource,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Read frames per second, positions and confidence; ``first`` for version 0.1."""
    dims = max(len(form) for _, form, _ in components) - 1
    points = sum(len(names) for _, _, names in components)
    fps, frames = cursor.take("<2H" if first else "<fI")
    (people,) = cursor.take("<H")
    if first:
        frames = (len(cursor.data) - cursor.at) // max(1, int(people) * points * (dims + 1) * 4)
    shape = (int(frames), int(people), points)
    given = (len(cursor.data) - cursor.at) // max(1, 4 * points * (dims + 1))
    room = (shape[0], max(1, shape[1]), max(1, points))
    source.check_room(*room, given=given)
    return fps, _floats(cursor, (*shape, dims)), _floats(cursor, shape)


def _floats(cursor: _Cursor, shape: tuple[int, ...]) -> np.ndarray:
    raw = cursor.bytes(4 * math.prod(shape))
    return np.frombuffer(raw, "<f4").reshape(shape)


def _body(
    components: list[tuple[str, str, list[str]]], source: KeypointSource
) -> tuple[int, list[str]]:
    """Find the component that is a person's body: its first point and its points' names."""
    best, start = (0, 0, [name for _, _, names in components for name in names]), 0
    for name, _, names in components:
        if "WORLD" not in name.upper():
            try:
                found = len(recognise(names, source)[1])
            except FormatError:
                found = 0
            if found > best[0]:
                best = (found, start, names)
        start += len(names)
    return best[1], best[2]
