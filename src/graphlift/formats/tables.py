"""Plain csv tables, long and wide, and SLEAP's.

*Long*: a header with ``frame``, ``joint``, ``x``, ``y`` and optionally ``person`` and
``confidence``, one row a joint. *Wide*: two or three columns a joint, ``Nose_x``, ``Nose_y``,
``Nose_c`` (or ``_confidence``, ``_score``, ``_likelihood``), and optionally ``frame`` and
``person``; without either the rows are the frames. Separated by commas, semicolons or tabs; an
empty cell is a joint that is missing. *SLEAP's analysis csv* is wide: ``track``, ``frame_idx``,
``instance.score``, ``nose.x``, ``nose.y``, ``nose.score``; instances of no track have an empty
one, labelled ones have no scores, and a row with neither track nor positions is a frame
without people. What else a column may be called: :mod:`graphlift.formats.headers`.

Source: SLEAP's ``sleap/info/write_tracking_h5.py`` and ``sleap/io/format/csv.py`` (1.2 to 1.5).
"""

import csv
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from graphlift.errors import FormatError
from graphlift.formats.assembly import Detection, assemble, finish, select_people
from graphlift.formats.frame_numbers import first_frame, number_in, span_of
from graphlift.formats.headers import Header, Number, Watch, person_in, read_header
from graphlift.formats.joint_names import order_by_name, recognise, unused
from graphlift.formats.json_files import check_file_size
from graphlift.formats.keypoint_source import KeypointSource
from graphlift.numerals import decimal
from graphlift.sequences import Keypoints
from graphlift.skeletons import MEDIAPIPE_33
from graphlift.words import counted, listed, plain, reason

Rows = Iterator[tuple[int, list[str]]]
Numbers = Sequence[float]
People = dict[str, dict[int, Numbers]]
"""The numbers of each person, by frame."""

_FEW = 4
"""Rows from which it is remarkable that each is of another person."""


class Column(NamedTuple):
    """What a column holds."""

    person: str
    joint: str
    number: Number


def read_csv(path: Path, source: KeypointSource) -> Keypoints:
    """Read a plain table.

    Raises:
        FormatError: If the header is neither kind, a column is not understood and changes, or a
            row does not fit the header; column and line are named.
    """
    rows = rows_of(path, source.max_bytes, separator_in(path))
    names = [name.strip() for name in next(rows, (1, [""]))[1]]
    header = read_header(names, path)
    watch = Watch(header, path)
    source = source.of("csv").noting(unused(header.unused))
    read = _wide if header.joint is None else _long
    keypoints = read(path, header, _watched(rows, watch), source)
    if watch.depth and not _is_mediapipe(keypoints, header):
        raise FormatError(
            f"{path}: has z beside x and y, as 3D positions have: 2D keypoints are lifted; if x "
            "and y are px, take the columns of z out"
        )
    return keypoints


def separator_in(path: Path) -> str:
    """Find what separates the columns of a table: commas, semicolons or tabs."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return max(",;\t", key=file.readline(1 << 20).count)


def rows_of(path: Path, max_bytes: int, separator: str) -> Rows:
    """Read a table's rows, with their line numbers; empty lines are passed over.

    Raises:
        FormatError: If the file is empty, too large or no text.
    """
    check_file_size(path, max_bytes, "split it into clips, or save it as .npz")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=separator)
            for row in reader:
                if any(row):
                    yield reader.line_num, row
    except (csv.Error, UnicodeDecodeError) as error:
        raise FormatError(
            f"{path}: cannot be read as a table: {reason(error)}: it is damaged, or no text in "
            "UTF-8"
        ) from error


def check_length(row: Sequence[str], cells: int, path: Path, line: int) -> None:
    """Refuse a row that has not as many cells as the header.

    Raises:
        FormatError: If it has more or fewer; the line is named.
    """
    if len(row) != cells:
        raise FormatError(
            f"{path}, line {line}: {counted(len(row), 'cell')}, but the header has {cells}: the "
            "file is cut short or damaged"
        )


def cell(text: str, path: Path, line: int) -> float:
    """Read a number; an empty cell is NaN.

    Raises:
        FormatError: If it is no number; the line is named.
    """
    try:
        return decimal(text) if text.strip() else np.nan
    except ValueError:
        raise FormatError(
            f"{path}, line {line}: {text[:40]!r} is no number: write positions with a decimal "
            "point, and leave a missing one empty"
        ) from None


def _watched(rows: Rows, watch: Watch) -> Rows:
    """Pass rows on that have as many cells as the header, and look at those not used."""
    for line, row in rows:
        check_length(row, len(watch.header.names), watch.path, line)
        watch.see(row, line)
        yield line, row


def _is_mediapipe(keypoints: Keypoints, header: Header) -> bool:
    """Say whether a z is MediaPipe's: beside fractions that have a visibility, or 33 joints."""
    scored = any(number == "c" for _, number in header.points.values())
    scored |= "c" in header.numbers.values()
    return keypoints.skeleton is MEDIAPIPE_33 or (scored and "fractions" in keypoints.source)


def _long(path: Path, header: Header, rows: Rows, source: KeypointSource) -> Keypoints:
    frame_at, joint_at = header.frame, header.joint or 0
    if frame_at is None:
        raise FormatError(
            f"{path}: has no column frame beside {listed(header.names)}: add one that "
            "counts frames"
        )
    columns: dict[Column, int] = {}
    cells: dict[tuple[int, int], float] = {}
    for line, row in rows:
        frame = _frame(row[frame_at], path, line)
        person = "0" if header.person is None else person_in(row[header.person]) or "unnamed"
        for place, number in header.numbers.items():
            column = columns.setdefault(
                Column(person, row[joint_at].strip(), number), len(columns)
            )
            if (frame, column) in cells:
                raise FormatError(
                    f"{path}, line {line}: {plain(row[joint_at])} of {plain(person)} comes "
                    f"twice in frame {plain(row[frame_at])}: keep one of them, or name "
                    "each person in a column person"
                )
            cells[frame, column] = cell(row[place], path, line)
    frames, places = np.array(list(cells), dtype=np.int64).reshape(-1, 2).T
    return from_cells(list(columns), frames, places, np.array(list(cells.values())), source)


def _wide(path: Path, header: Header, rows: Rows, source: KeypointSource) -> Keypoints:
    frame_at, person_at = header.frame, header.person
    if person_at is not None and frame_at is None:
        raise FormatError(
            f"{path}: has a column {plain(header.names[person_at])} but none that counts "
            "frames, so who is in one frame with whom is unknown: add a column frame"
        )
    if not header.points:
        raise FormatError(
            f"{path}: its columns ({listed(header.names)}, ...) are neither frame, joint, x, y "
            "nor Nose_x, Nose_y, ...: rename them"
        )
    tables, nameless = _by_person(path, header, rows)
    _check_people(tables, header, path)
    if nameless:
        return _tracked(tables, nameless, header, source)
    width = len(header.points)
    columns = [Column(person, *split) for person in tables for split in header.points.values()]
    starts = [n * width for n, table in enumerate(tables.values()) for _ in table]
    frames = [frame for table in tables.values() for frame in table]
    values = np.array([row for table in tables.values() for row in table.values()])
    return from_cells(
        columns,
        np.repeat(np.array(frames, dtype=np.int64), width),
        np.add.outer(starts, range(width)).ravel(),
        _scored(values.reshape(-1, width), header).ravel(),
        source,
    )


def _by_person(path: Path, header: Header, rows: Rows) -> tuple[People, list[tuple[int, Numbers]]]:
    """Read rows, sorted by person; those without a person come separately."""
    frame_at, person_at = header.frame, header.person
    tables: People = {}
    nameless: list[tuple[int, Numbers]] = []
    for line, row in rows:
        person = "0" if person_at is None else person_in(row[person_at])
        numbers = array("d", (cell(row[place], path, line) for place in header.points))
        table = {} if person is None else tables.setdefault(person, {})
        frame = _frame(row[frame_at], path, line) if frame_at is not None else len(table)
        if frame in table:
            raise FormatError(
                f"{path}, line {line}: frame {frame} of {plain(person)} comes twice: keep one of "
                "them, or name each person in a column person"
            )
        table[frame] = numbers
        if person is None:
            nameless.append((frame, numbers))
    return tables, nameless


def _check_people(tables: People, header: Header, path: Path) -> None:
    """Refuse a column of people that counts rows instead."""
    frames = {frame for table in tables.values() for frame in table}
    once = all(len(table) == 1 for table in tables.values())
    if once and len(frames) >= _FEW and header.person is not None:
        raise FormatError(
            f"{path}: {plain(header.names[header.person])} is another in every frame: if it "
            "counts rows, and not people, take it out"
        )


def _tracked(
    tables: People,
    nameless: Sequence[tuple[int, Numbers]],
    header: Header,
    source: KeypointSource,
) -> Keypoints:
    """Make keypoints of rows of which some name no person: these are tracked."""
    points = list(header.points.values())
    names = list(dict.fromkeys(joint for joint, _ in points))
    at = ([names.index(joint) for joint, _ in points], ["xyc".index(n) for _, n in points])
    named = [(frame, v, who) for who, table in tables.items() for frame, v in table.items()]
    seen = []
    for frame, values, who in (*named, *((frame, values, None) for frame, values in nameless)):
        triples = np.full((len(names), 3), np.nan)
        triples[:, 2] = [(name, "c") in points or 1.0 for name in names]
        triples[at] = _scored(np.array([values]), header)[0]
        if np.isfinite(triples[:, :2]).all(axis=1).any():
            seen.append(Detection(frame, triples, who))
    frames = {frame for frame, *_ in named} | {frame for frame, _ in nameless}
    span = span_of(frames, source)
    ordered, source = order_by_name(seen, names, source)
    return assemble(ordered, source, frames=span)


def _scored(values: np.ndarray, header: Header) -> np.ndarray:
    """Give the confidence 1 to what SLEAP's users labelled: rows that have no scores."""
    scores = [place for place, (_, n) in enumerate(header.points.values()) if n == "c"]
    if scores and any(name.lower() == "instance.score" for name in header.names):
        labelled = np.isnan(values[:, scores]).all(axis=1)
        values[np.ix_(labelled, scores)] = 1
    return values


def _frame(text: str, path: Path, line: int) -> int:
    """Read a frame's number; of an image's name, the number in it."""
    named = number_in(text) if re.search(r"[A-Za-z]", text) else None
    number = cell(text, path, line) if named is None else named
    if not 0 <= number < 1e15 or number != int(number):
        raise FormatError(f"{path}, line {line}: frame {text[:40]!r} is no whole number from 0")
    return int(number)


def from_cells(
    columns: Sequence[Column],
    frames: Int[np.ndarray, " cell"],
    places: Int[np.ndarray, " cell"],
    values: Float[np.ndarray, " cell"],
    source: KeypointSource,
) -> Keypoints:
    """Make keypoints of a table's cells. Frames between the first and the last may have none.

    Args:
        columns: What each column holds.
        frames: Of each cell.
        places: Which column each cell is of.
        values: Of each cell.
        source: The file.

    Raises:
        FormatError: If there is no cell, names are not recognised, or a column comes twice.
    """
    if not len(values):
        raise FormatError(f"{source.where}: has a header but no row: it is cut short, or empty")
    twice, times = Counter(columns).most_common(1)[0]
    if times > 1:
        raise FormatError(
            f"{source.where}: two columns are {twice.number} of {plain(twice.joint)} of "
            f"{plain(twice.person)}: keep one of them"
        )
    names = list(dict.fromkeys(each.joint for each in columns))
    skeleton, joints, unknown = recognise(names, source)
    target = {names[place]: joint for joint, place in joints.items()}
    people = list(dict.fromkeys(each.person for each in columns if each.joint in target))
    span = span_of(np.unique(frames).tolist(), source)
    given = -(-len(values) * max(1, len(people)) // len(columns))
    source.check_room(len(span), len(people), len(skeleton), given=given)
    triples = np.full((len(span), len(people), len(skeleton), 3), np.nan)
    triples[..., 2] = 1
    person_at = {person: place for place, person in enumerate(people)}
    ours = np.array([
        (person_at[person], target[joint], "xyc".index(number)) if joint in target else (0, 0, -1)
        for person, joint, number in columns
    ])[places]  # fmt: skip
    kept = ours[:, 2] >= 0
    triples[(frames[kept] - span.start, *ours[kept].T)] = values[kept]
    source = source.noting(first_frame(span), unused(unknown))
    keypoints = finish(triples[..., :2], triples[..., 2], skeleton, source, people=people)
    return select_people(keypoints, source)
