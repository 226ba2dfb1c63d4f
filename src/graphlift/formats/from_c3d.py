"""Read C3D: the points of ours and of others, where their labels are joints.

Bytes are read here, and not by a library: it takes a page, bounds what a damaged file can ask for,
and needs no extra; ezc3d, an independent one, checks it in the tests.

Source: as :mod:`graphlift.formats.to_c3d`.
"""

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from graphlift.errors import FormatError
from graphlift.formats.from_trc import UNITS
from graphlift.formats.keypoint_source import check_fps
from graphlift.formats.labels import labelled_poses
from graphlift.formats.to_c3d import BLOCK, INTEL, LAST_FRAME
from graphlift.formats.writing import usual_rate
from graphlift.geometry import y_up_to_z_up
from graphlift.sequences import Poses
from graphlift.words import counted

MOST_GAPS = 10
"""Places for joints, of those that have a label; people of one skeleton fill them all."""

_TYPES = {1: "<u1", 2: "<u2", 4: "<f4"}

Parameter = float | str | list[float] | list[str]
Parameters = Mapping[str, Parameter]
"""By ``GROUP:NAME``."""


def read_c3d(path: Path) -> Poses:
    """Read C3D as poses in world axes; labels are joints, or ``Person:Joint``.

    Raises:
        FormatError: If it is no C3D of a PC, is cut short, or its points are no person's joints.
        ValueError: If it is damaged; or struct.error or IndexError.
    """
    content = path.read_bytes()
    parameters = _parameters(content)
    points = _points(content, parameters)
    labels = _labels(parameters)[: points.shape[1]]
    unit = _text(parameters, "POINT:UNITS", "").lower()
    if unit not in UNITS:
        raise FormatError(f"POINT:UNITS {unit[:40]!r} should be m, cm or mm")
    up = _text(parameters, "POINT:Y_SCREEN", "+Z").upper()
    if up not in ("+Z", "+Y"):
        raise FormatError(f"POINT:Y_SCREEN {up[:40]!r} should be +Z or +Y, what is up")
    people, joints, places = _by_person(labels, points)
    metres = places * UNITS[unit]
    return labelled_poses(
        list(joints),
        metres if up == "+Z" else y_up_to_z_up(metres),
        str(path),
        people=[name or str(number) for number, name in enumerate(people)],
        fps=usual_rate(check_fps(parameters.get("POINT:RATE"), "POINT:RATE")),
        axes="world",
        notes=(f"Read from a C3D: {up[1:].lower()} is up, in {unit}.",),
    )


def _by_person(
    labels: list[str], points: Float[np.ndarray, "frame point 3"]
) -> tuple[dict[str, int], dict[str, int], Float[np.ndarray, "frame person label 3"]]:
    """Sort points labelled ``Person:Joint`` by both; NaN where a person lacks a joint."""
    people: dict[str, int] = {}
    joints: dict[str, int] = {}
    for label in labels:
        person, _, joint = label.rpartition(":")
        people.setdefault(person, len(people))
        joints.setdefault(joint, len(joints))
    if len(people) * len(joints) > MOST_GAPS * len(labels):
        raise FormatError(
            f"{len(labels)} labels of {len(people)} people have {len(joints)} names of "
            "joints: these are no people; export joints as Person:Joint"
        )
    places = np.full((len(points), len(people), len(joints), 3), np.nan)
    for at, label in enumerate(labels):
        person, _, joint = label.rpartition(":")
        places[:, people[person], joints[joint]] = points[:, at]
    return people, joints, places


def _parameters(content: bytes) -> Parameters:
    """Read the parameter section; it has 255 blocks at most."""
    if len(content) < 2 * BLOCK or content[1] != 80:
        raise FormatError("is no C3D: export it again")
    start = BLOCK * (content[0] - 1)
    blocks, processor = content[start + 2], content[start + 3]
    if processor != INTEL:
        raise FormatError(
            f"was written on a DEC or MIPS machine (processor {processor}), which is not "
            "read: save it again with a program for PCs"
        )
    groups: dict[int, str] = {}
    found: dict[tuple[int, str], Parameter] = {}
    at, end = start + 4, start + BLOCK * blocks
    while at < min(end, len(content)) and content[at]:
        length, group = struct.unpack_from("<bb", content, at)
        after = at + 2 + abs(length)
        name = content[at + 2 : after].decode("ascii", "replace").strip().upper()
        (offset,) = struct.unpack_from("<h", content, after)
        if group < 0:
            groups[-group] = name
        else:
            found[group, name] = _value(content, after + 2)
        if offset <= 0:
            break
        at = after + offset
    return {f"{groups.get(group, '')}:{name}": value for (group, name), value in found.items()}


def _value(content: bytes, at: int) -> Parameter:
    kind, count = struct.unpack_from("<bB", content, at)
    shape = list(content[at + 2 : at + 2 + count])
    start = at + 2 + count
    size = int(np.prod(shape, dtype=np.int64)) if shape else 1
    if size * abs(kind) > len(content) - start:
        raise ValueError(f"a parameter of {size} values")
    if kind == -1:
        width = shape[0] if shape else 1
        text = content[start : start + size].decode("ascii", "replace")
        texts = [text[i : i + width].strip() for i in range(0, size, width or 1)]
        return texts if len(shape) > 1 else text.strip()
    numbers = np.frombuffer(content, _TYPES.get(kind, "<u1"), size, start).astype(float)
    return numbers.tolist() if shape else float(numbers[0])


def _labels(parameters: Parameters) -> list[str]:
    """Gather LABELS, LABELS2 and so on."""
    labels: list[str] = []
    for number in range(1, 256):
        part = parameters.get(f"POINT:LABELS{number if number > 1 else ''}")
        if not isinstance(part, list):
            break
        labels += map(str, part)
    return labels


def _points(content: bytes, parameters: Parameters) -> np.ndarray:
    """Read points (frame, point, 3) in the file's unit; NaN where one is missing."""
    count, analog, first, last = struct.unpack_from("<HHHH", content, 2)
    scale = _number(parameters, "POINT:SCALE", struct.unpack_from("<f", content, 12)[0])
    block = int(_number(parameters, "POINT:DATA_START", struct.unpack_from("<H", content, 16)[0]))
    word = np.dtype("<f4" if scale < 0 else "<i2")
    row = (4 * count + analog) * word.itemsize
    data = content[BLOCK * (block - 1) :] if block > 0 else b""
    frames = _frame_count(parameters, first, last, len(data) // row if row else 0)
    if not count or frames < 1 or frames * row > len(data):
        raise FormatError(
            f"should have {counted(frames, 'frame')} of {counted(count, 'point')} and has "
            f"{counted(len(data), 'byte')} of them: it is cut short; copy or export it again"
        )
    words = np.frombuffer(data, word, frames * (row // word.itemsize)).reshape(frames, -1)
    with np.errstate(invalid="ignore"):  # a NaN of a kind that the processor complains of
        points = words[:, : 4 * count].reshape(frames, count, 4).astype(np.float64)
    missing = (points[..., 3] < 0) | ~np.isfinite(points).all(axis=-1)
    places = points[..., :3] * (scale if scale > 0 else 1.0)
    places[missing] = np.nan
    return np.asarray(places)


def _frame_count(parameters: Parameters, first: int, last: int, room: int) -> int:
    """Count the frames; of a long clip the header, which counts to 65,535, cannot."""
    ends = [parameters.get(f"TRIAL:ACTUAL_{end}_FIELD") for end in ("START", "END")]
    if all(isinstance(pair, list) and len(pair) == 2 for pair in ends):
        begin, stop = (int(low) + (int(high) << 16) for low, high in ends)  # type: ignore[misc, str-unpack]
        if stop >= begin > 0:
            return stop - begin + 1
    long = _number(parameters, "POINT:LONG_FRAMES", 0.0)
    if long >= 1:
        return int(long)
    return room if last == LAST_FRAME else last - first + 1


def _text(parameters: Parameters, name: str, otherwise: str) -> str:
    value = parameters.get(name, otherwise)
    return str(value[0] if isinstance(value, list) and value else value).strip()


def _number(parameters: Parameters, name: str, otherwise: float) -> float:
    value = parameters.get(name)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    number = float(value) if isinstance(value, float) else float(otherwise)
    if not np.isfinite(number):
        raise ValueError(f"{name} is {number}")
    return number
