"""Plain csv tables, long and wide.

*Long*: a header with ``frame``, ``joint``, ``x``, ``y`` and optionally ``person`` and
``confidence``, one row a joint. *Wide*: two or three columns a joint, ``Nose_x``, ``Nose_y``,
``Nose_c`` (or ``_confidence``, ``_score``, ``_likelihood``), and optionally ``frame`` and
``person``; without either the rows are the frames. Separated by commas, semicolons or tabs; an
empty cell is a joint that is missing.
"""

import csv
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.assembly import Origin, check_room
from graphlift.formats.columns import NUMBERS, Column, Number, from_columns
from graphlift.formats.json_files import check_file_size
from graphlift.formats.request import Request
from graphlift.sequences import Keypoints
from graphlift.words import listed

_FRAME = ("frame", "frame_id", "frame_number", "image_id", "index", "")
_PERSON = ("person", "person_id", "id", "track_id", "individual", "individuals")
_JOINT = ("joint", "keypoint", "bodypart", "name", "landmark")


def read_csv(path: Path, request: Request) -> Keypoints:
    """Read a plain table.

    Raises:
        FormatError: If the header is neither kind, or a row does not fit it; the line is named.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = file.readline(1 << 20)
    separator = max(",;\t", key=first.count)
    rows = rows_of(path, request, separator)
    header = [name.strip() for name in next(rows, (1, [""]))[1]]
    lower = [name.lower() for name in header]
    if any(name in _JOINT for name in lower) and {"x", "y"} <= set(lower):
        return _long(path, lower, rows, request)
    return _wide(path, header, rows, request)


def rows_of(path: Path, request: Request, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Read a table's rows, with their line numbers; empty lines are passed over.

    Raises:
        FormatError: If the file is empty, too large or no text.
    """
    check_file_size(path, request.max_bytes, "split it into clips, or save it as .npz")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=separator)
            for row in reader:
                if any(row):
                    yield reader.line_num, row
    except (csv.Error, UnicodeDecodeError) as error:
        raise FormatError(
            f"{path}: cannot be read as a table: {error}: it is damaged, or no text in UTF-8"
        ) from error


def cell(text: str, path: Path, line: int) -> float:
    """Read a number; an empty cell is NaN.

    Raises:
        FormatError: If it is no number; the line is named.
    """
    try:
        return float(text) if text.strip() else np.nan
    except ValueError:
        raise FormatError(
            f"{path}, line {line}: {text[:40]!r} is no number: write positions with a decimal "
            "point, and leave a missing one empty"
        ) from None


def _long(
    path: Path, header: list[str], rows: Iterator[tuple[int, list[str]]], request: Request
) -> Keypoints:
    at = {name: place for place, name in reversed(list(enumerate(header)))}
    frame_at = next((at[name] for name in _FRAME if name in at), None)
    person_at = next((at[name] for name in _PERSON if name in at), None)
    joint_at = next(at[name] for name in _JOINT if name in at)
    numbers = {NUMBERS[name]: at[name] for name in header if name in NUMBERS}
    if frame_at is None:
        raise FormatError(
            f"{path}: has no column frame beside {listed(header)}: say which frame each row is"
        )
    columns: dict[Column, int] = {}
    frames: dict[int, int] = {}
    cells: dict[tuple[int, int], float] = {}
    for line, row in rows:
        if len(row) != len(header):
            raise _unequal(path, line, row, header)
        frame = frames.setdefault(_whole(row[frame_at], path, line), len(frames))
        person = row[person_at].strip() if person_at is not None else "0"
        for number, place in numbers.items():
            column = columns.setdefault(
                Column(person, row[joint_at].strip(), number), len(columns)
            )
            if (frame, column) in cells:
                raise FormatError(
                    f"{path}, line {line}: {row[joint_at]} of {person} comes twice in frame "
                    f"{row[frame_at]}: keep one of them"
                )
            cells[frame, column] = cell(row[place], path, line)
    if not cells:
        raise FormatError(f"{path}: has a header but no row: there is nothing to lift")
    people = len({column.person for column in columns})
    _check_table(path, (len(frames), people, len(columns)), len(cells), request)
    values = np.full((len(frames), len(columns)), np.nan)
    values[tuple(np.array(list(cells)).T)] = list(cells.values())
    return from_columns(list(columns), values, list(frames), Origin("csv", str(path)), request)


def _wide(
    path: Path, header: list[str], rows: Iterator[tuple[int, list[str]]], request: Request
) -> Keypoints:
    lower = [name.lower() for name in header]
    frame_at = next((lower.index(name) for name in _FRAME if name in lower), None)
    person_at = next((lower.index(name) for name in _PERSON if name in lower), None)
    places = {place: split for place, name in enumerate(header) if (split := _split(name))}
    if person_at is not None and frame_at is None:
        raise FormatError(
            f"{path}: has a column {header[person_at]} but none that counts frames, so who is "
            "beside whom is not said: add a column frame"
        )
    if not places:
        raise FormatError(
            f"{path}: its columns ({listed(header)}, ...) are neither frame, joint, x, y "
            "nor Nose_x, Nose_y, ...: rename them"
        )
    tables: dict[str, dict[int, array[float]]] = {}
    for line, row in rows:
        if len(row) != len(header):
            raise _unequal(path, line, row, header)
        person = row[person_at].strip() if person_at is not None else "0"
        table = tables.setdefault(person, {})
        frame = _whole(row[frame_at], path, line) if frame_at is not None else len(table)
        if frame in table:
            raise FormatError(
                f"{path}, line {line}: frame {frame} of {person} comes twice: keep one of them"
            )
        table[frame] = array("d", (cell(row[place], path, line) for place in places))
    frames = sorted({frame for table in tables.values() for frame in table})
    rows_given = sum(len(table) for table in tables.values())
    size = (len(frames), len(tables), len(places) * len(tables))
    _check_table(path, size, len(places) * rows_given, request)
    empty = array("d", [np.nan] * len(places))
    columns = [Column(person, *split) for person in tables for split in places.values()]
    blocks = [np.array([table.get(frame, empty) for frame in frames]) for table in tables.values()]
    values = np.concatenate(blocks, axis=1) if blocks else np.zeros((0, 0))
    return from_columns(columns, values, frames, Origin("csv", str(path)), request)


def _check_table(path: Path, size: tuple[int, int, int], cells: int, request: Request) -> None:
    """Refuse a table that is mostly empty once everybody has columns in every frame.

    Args:
        path: The file.
        size: Frames, people, and columns of them all.
        cells: How many the file has.
        request: What the caller allows.
    """
    frames, people, columns = size
    joints = -(-columns // (3 * max(1, people)))
    given = -(-cells // max(1, 3 * joints))
    check_room(frames, people, joints, str(path), request, given=given)


def _split(name: str) -> tuple[str, Number] | None:
    """Split ``Nose_x`` into joint and number."""
    for separator in "_. ":
        joint, _, number = name.rpartition(separator)
        if joint and number.lower() in NUMBERS:
            return joint, NUMBERS[number.lower()]
    return None


def _whole(text: str, path: Path, line: int) -> int:
    number = cell(text, path, line)
    if not 0 <= number < 1e15 or number != int(number):
        raise FormatError(f"{path}, line {line}: frame {text[:40]!r} is no whole number from 0")
    return int(number)


def _unequal(path: Path, line: int, row: list[str], header: list[str]) -> FormatError:
    return FormatError(
        f"{path}, line {line}: {len(row)} cells, but the header has {len(header)}: the file is "
        "cut short or damaged"
    )
