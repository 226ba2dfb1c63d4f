"""Read the tables of poses that we write: CSV and Parquet in long form."""

import csv
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.archive import compose
from graphlift.formats.labels import is_rooted, order_by_label
from graphlift.formats.to_tables import COLUMNS
from graphlift.formats.writing import usual_rate
from graphlift.numerals import decimal, is_whole
from graphlift.plain_json import parse_json
from graphlift.sequences import Axes, Poses

_NUMBERS = ("x_m", "y_m", "z_m", "sigma_m")
_WORDS = ("person", "joint")

MOST_ROWS = 20_000_000
"""Six hours of one person at 50 frames a second."""

Table = Mapping[str, np.ndarray]
"""Columns: ``frame``, numbers and ``seen`` as they are; ``person`` and ``joint`` as codes."""


def read_csv(path: Path) -> Poses:
    """Read CSV that :func:`graphlift.formats.to_tables.write_csv` wrote.

    Joints are known by their names, the frame rate by the times; a model, notes and a camera are
    not in a CSV.

    Raises:
        FormatError: If it has other columns, or is not one row a frame, person and joint.
    """
    table, names, axes, last = _read_rows(path)
    if axes not in get_args(Axes):
        raise FormatError(f"axes {axes[:40]!r} should be camera or world, in every row")
    arrays = _scatter(table, [len(names[word]) for word in _WORDS])
    joints, people = list(names["joint"]), tuple(names["person"])
    skeleton, positions, notes = order_by_label(joints, arrays["poses"], str(path))
    if notes:
        raise FormatError(
            "its joints are of no known skeleton: give the .npz or .json, which describe theirs"
        )
    order = [joints.index(joint) for joint in skeleton.joints]
    frames = len(positions)
    return Poses(
        positions,
        skeleton,
        axes="camera" if axes == "camera" else "world",
        rooted=is_rooted(positions[:, :, skeleton.root]),
        seen=arrays["seen"][:, :, order],
        sigma=arrays["sigma"][:, :, order],
        fps=usual_rate((frames - 1) / last) if last > 0 and frames > 1 else None,
        people=people,
    )


def read_parquet(path: Path) -> Poses:
    """Read Parquet that :func:`graphlift.formats.to_tables.write_parquet` wrote, exactly.

    Raises:
        FormatError: If it is no Parquet, not of ours, or damaged.
        ModuleNotFoundError: Without pyarrow (extra ``formats``).
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            _check_rows(file.metadata.num_rows, path.stat().st_size)
            stored = file.read().unify_dictionaries()
            about = (file.metadata.metadata or {}).get(b"graphlift")
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"is damaged, or no Parquet ({error!s:.200})") from error
    if about is None or not set(COLUMNS) <= set(stored.column_names):
        raise FormatError(
            f"is no table of graphlift's: its columns should be {', '.join(COLUMNS)}"
        )
    described = parse_json(about)
    known = {"person": described["people"], "joint": described["skeleton"]["joints"]}
    columns: dict[str, np.ndarray] = {}
    for word in _WORDS:
        cells = stored[word].combine_chunks().dictionary_encode()
        code = [known[word].index(name) for name in cells.dictionary.to_pylist()]
        columns[word] = np.array(code, dtype=np.int64)[cells.indices.to_numpy()]
    for name in (*_NUMBERS, "frame", "seen"):
        columns[name] = stored[name].to_numpy()
    return compose(_scatter(columns, [len(known[word]) for word in _WORDS]), described)


def _check_rows(rows: int, size: int) -> None:
    """Refuse a small file that claims to have rows without end: numbers hardly shrink.

    Raises:
        FormatError: If so.
    """
    if rows > MOST_ROWS or (rows > 1_000_000 and rows > 10 * size):
        raise FormatError(
            f"{rows:,} rows in {size:,} bytes: it is broken, or the clip is too long; cut it"
        )


def _scatter(table: Table, counts: list[int]) -> dict[str, np.ndarray]:
    """Put rows where they belong, whatever their order; each place must have exactly one.

    Raises:
        FormatError: If not.
    """
    frame = table["frame"]
    frames = int(frame.max()) + 1 if len(frame) else 0
    shape = (frames, *counts)
    if len(frame) != frames * counts[0] * counts[1] or (len(frame) and frame.min() < 0):
        raise FormatError(
            f"{len(frame):,} rows are not one for each of {frames:,} frames, {counts[0]} people "
            f"and {counts[1]} joints: it is cut short or was changed"
        )
    at: np.ndarray = np.zeros(0, dtype=np.int64)
    if frames:
        at = np.ravel_multi_index((frame, table["person"], table["joint"]), shape)
    if len(np.unique(at)) != len(frame):
        raise FormatError("a joint has two rows in one frame")
    kind = table["x_m"].dtype
    places = np.full((len(frame), 3), np.nan, kind)
    sigma, seen = np.full(len(frame), np.nan, kind), np.zeros(len(frame), bool)
    places[at] = np.stack([table[name] for name in _NUMBERS[:3]], axis=-1)
    sigma[at], seen[at] = table["sigma_m"], table["seen"]
    return {
        "poses": places.reshape(*shape, 3),
        "sigma": sigma.reshape(shape),
        "seen": seen.reshape(shape),
    }


def _read_rows(path: Path) -> tuple[Table, dict[str, dict[str, int]], str, float]:
    """Read a CSV's columns; the names with their codes; the axes; the time of the last frame."""
    numbers = {name: array("d") for name in _NUMBERS}
    whole = {name: array("q") for name in ("frame", "seen", *_WORDS)}
    names: dict[str, dict[str, int]] = {word: {} for word in _WORDS}
    axes, last = "", 0.0
    for number, row in _rows(path):
        try:
            cells = dict(zip(COLUMNS, row, strict=True))
            for name in _NUMBERS:
                numbers[name].append(decimal(cells[name] or "nan"))
            for name in ("frame", "seen"):
                whole[name].append(_whole(cells[name]))
            last = max(last, decimal(cells["time_s"] or "0"))
        except (ValueError, OverflowError) as error:
            raise FormatError(f"line {number}: {error!s:.80}: write it again") from error
        for word in _WORDS:
            whole[word].append(names[word].setdefault(cells[word], len(names[word])))
        if axes and axes != cells["axes"]:
            raise FormatError(f"line {number}: axes change: give one clip in one file")
        axes = cells["axes"]
    columns = {name: np.array(cells) for name, cells in numbers.items()}
    columns |= {name: np.array(cells, dtype=np.int64) for name, cells in whole.items()}
    return columns, names, axes, last


def _whole(text: str) -> int:
    if not is_whole(text):
        raise ValueError(f"{text[:40]!r} is no whole number")
    return int(text)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        try:
            if tuple(next(reader, ())) != COLUMNS:
                raise FormatError(
                    f"holds no poses: a table of them has the columns {', '.join(COLUMNS)}"
                )
            for row in reader:
                yield reader.line_num, row
        except csv.Error as error:
            raise FormatError(f"line {reader.line_num}: {error}") from error
