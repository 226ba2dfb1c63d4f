"""DeepLabCut's tables: csv and h5, of one animal and of several.

Layout: column levels ``scorer``, ``individuals`` (several animals), ``bodyparts``, ``coords`` (x,
y, likelihood; labelled data have no likelihood); the index is the frame, or for labelled images
their folder and name, which has the frame's number. The h5 is pandas' (``df_with_missing``), in
its ``table`` layout as DeepLabCut's analysis writes it, or ``fixed``.

Source: DeepLabCut's standard output (``docs/standardDeepLabCut_UserGuide.md``, 2.2 to 3.0) and the
files that pandas 1 to 3 writes.
"""

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.frame_numbers import number_in
from graphlift.formats.hdf5 import read_dataset, texts
from graphlift.formats.headers import NUMBERS
from graphlift.formats.keypoint_source import KeypointSource
from graphlift.formats.plain_pickle import unpickle_plain
from graphlift.formats.tables import Column, cell, check_length, from_cells, rows_of
from graphlift.sequences import Keypoints
from graphlift.words import counted, shown

_LEVELS = ("scorer", "individuals", "bodyparts", "coords")


def read_csv(path: Path, source: KeypointSource) -> Keypoints:
    """Read a csv.

    Raises:
        FormatError: If the header is not as above, or a cell is no number; the line is named.
    """
    source = source.of("DeepLabCut csv")
    levels: dict[str, list[str]] = {}
    lines = rows_of(path, source.max_bytes, ",")
    for _, row in lines:
        level = row[0].strip().lower()
        if level not in _LEVELS:
            raise FormatError(
                f"{path}: {shown(row[0])} stands in the header, where DeepLabCut has "
                f"{', '.join(_LEVELS)}: the header is damaged"
            )
        levels[level] = row
        if level == "coords":
            break
    if not {"bodyparts", "coords"} <= set(levels) or len({*map(len, levels.values())}) > 1:
        raise FormatError(f"{path}: its header has no levels bodyparts and coords of one length")
    # Labelled images have three columns of index, without names.
    first = next((n for n, name in enumerate(levels["coords"]) if name.lower() in NUMBERS), 1)
    columns = _columns(
        levels.get("individuals", ["0"] * len(levels["coords"]))[first:],
        levels["bodyparts"][first:],
        levels["coords"][first:],
        source.where,
    )
    frames, values = [], []
    for line, row in lines:
        check_length(row, first + len(columns), path, line)
        frames.append(_frame(row[first - 1], f"{path}, line {line}"))
        values.append(array("d", (cell(text, path, line) for text in row[first:])))
    table = np.array(values).reshape(len(values), len(columns))
    return _from_rows(columns, table, frames, source)


def from_hdf5(group: Any, source: KeypointSource) -> Keypoints:  # noqa: ANN401
    """Make keypoints of the group of an h5 in which pandas keeps a table.

    Raises:
        FormatError: If it is not as above.
    """
    source = source.of("DeepLabCut h5")
    where = f"{source.where}: {group.name.strip('/')}"
    read = _table if "table" in set(group) else _fixed
    frames, blocks = read(group, where, source.max_bytes)
    names = [name for block, _ in blocks for name in block]
    if not names or len({*map(len, names)}) > 1 or not 2 <= len(names[0]) <= 4:
        raise FormatError(
            f"{where}: its columns should have the levels {', '.join(_LEVELS)}: this is no table "
            "of DeepLabCut's"
        )
    several = len(names[0]) == 4
    columns = _columns(
        [name[1] if several else "0" for name in names],
        [name[-2] for name in names],
        [name[-1] for name in names],
        source.where,
    )
    values = np.concatenate([block for _, block in blocks], axis=1)
    return _from_rows(columns, values, frames, source)


def _from_rows(
    columns: Sequence[Column], values: np.ndarray, frames: Sequence[int], source: KeypointSource
) -> Keypoints:
    numbers, counts = np.unique(np.array(frames, dtype=np.int64), return_counts=True)
    if (counts > 1).any():
        raise FormatError(
            f"{source.where}: two rows are frame {numbers[counts > 1][0]}: keep one of them"
        )
    places = np.tile(np.arange(len(columns)), len(frames))
    return from_cells(
        columns,
        np.repeat(np.array(frames, dtype=np.int64), len(columns)),
        places,
        values.ravel(),
        source,
    )


def _columns(
    people: Sequence[str], joints: Sequence[str], numbers: Sequence[str], where: str
) -> list[Column]:
    for number in numbers:
        if number.lower() not in NUMBERS:
            raise FormatError(
                f"{where}: coords are x, y and likelihood, but one is {shown(number)}"
            )
    return [
        Column(person, joint, NUMBERS[number.lower()])
        for person, joint, number in zip(people, joints, numbers, strict=True)
    ]


def _frame(index: str, where: str) -> int:
    """Read a frame's number: the index, or the number in an image's name."""
    number = number_in(index)
    if number is None:
        raise FormatError(f"{where}: {shown(index)} has no frame number")
    return number


Blocks = list[tuple[list[tuple[str, ...]], np.ndarray]]


def _table(group: Any, where: str, max_bytes: int) -> tuple[list[int], Blocks]:  # noqa: ANN401
    """Read pandas' ``table`` layout: records of an index and blocks of columns."""
    records = read_dataset(group, "table", where, max_bytes)
    attributes = group["table"].attrs
    fields = [name for name in records.dtype.names or () if name.startswith("values_block_")]
    blocks: Blocks = []
    for field in fields:
        kind = attributes.get(f"{field}_kind")
        if not isinstance(kind, bytes):
            raise FormatError(f"{where}: {field} has no names: the file is damaged")
        values = records[field].reshape(len(records), -1)
        blocks.append((_names(unpickle_plain(bytes(kind), f"{where}: {field}")), values))
    if "index" not in (records.dtype.names or ()) or not blocks:
        raise FormatError(f"{where}: has no index or no values: the file is damaged")
    for names, values in blocks:
        _check_block(names, values, where)
    return _index(records["index"], where), blocks


def _fixed(group: Any, where: str, max_bytes: int) -> tuple[list[int], Blocks]:  # noqa: ANN401
    """Read pandas' ``fixed`` layout: levels of names, and for each column which of them."""
    blocks: Blocks = []
    number = 0
    while f"block{number}_values" in set(group):
        levels = int(group.attrs.get(f"block{number}_items_nlevels", 0))
        words = [
            _level(group, f"block{number}_items", level, where, max_bytes)
            for level in range(min(levels, 4))
        ]
        values = read_dataset(group, f"block{number}_values", where, max_bytes)
        names = [tuple(name) for name in zip(*words, strict=True)] if words else []
        _check_block(names, values, where)
        blocks.append((names, values))
        number += 1
    rows = "axis1" if "axis1" in set(group) else "axis1_level2"
    if rows == "axis1":
        return _index(read_dataset(group, rows, where, max_bytes), where), blocks
    return _index(np.array(_level(group, "axis1", 2, where, max_bytes)), where), blocks


def _level(group: Any, axis: str, level: int, where: str, max_bytes: int) -> list[str]:  # noqa: ANN401
    """Read one level of an index: its words, in the order of the rows or columns."""
    words = texts(read_dataset(group, f"{axis}_level{level}", where, max_bytes))
    places = read_dataset(group, f"{axis}_label{level}", where, max_bytes)
    if (
        not np.issubdtype(places.dtype, np.integer)
        or not ((places >= 0) & (places < len(words))).all()
    ):
        raise FormatError(f"{where}: {axis}_label{level} points outside its level: damaged")
    return [words[place] for place in places.ravel()]


def _check_block(names: Sequence[tuple[str, ...]], values: np.ndarray, where: str) -> None:
    if values.ndim != 2 or values.shape[1] != len(names) or values.dtype.kind not in "iuf":
        raise FormatError(
            f"{where}: {counted(len(names), 'column is', 'columns are')} named, but the values "
            f"are {values.shape} of {values.dtype}: the file is damaged or no table of keypoints"
        )


def _names(value: object) -> list[tuple[str, ...]]:
    if not isinstance(value, list):
        return []
    return [tuple(map(str, each)) for each in value if isinstance(each, tuple)]


def _index(values: np.ndarray, where: str) -> list[int]:
    if np.issubdtype(values.dtype, np.integer):
        return [int(value) for value in values]
    return [_frame(text, where) for text in texts(values)]
