"""Read the tables of poses that we write: CSV and Parquet in long form."""

import csv
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.archive import compose
from graphlift.formats.labels import is_rooted, order_by_label
from graphlift.formats.to_tables import COLUMNS
from graphlift.formats.writing import usual_rate
from graphlift.mapped import BLOCK
from graphlift.numerals import decimal, is_whole
from graphlift.plain_json import parse_json
from graphlift.sequences import Axes, Poses
from graphlift.words import counted

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
    with _opened(path) as (file, described):
        rows = file.metadata.num_rows
        if rows > MOST_ROWS:
            raise FormatError(f"{rows:,} rows are not read whole: convert it to .npz first")
        return _poses(file.read(), described)


def parquet_in_parts(path: Path) -> Iterator[Poses]:
    """Read the same part by part, whatever its length, if its rows are in our order.

    Raises:
        FormatError: As :func:`read_parquet`, and if rows are in another order.
    """
    first = 0
    with _opened(path) as (file, described):
        size = BLOCK * len(described["people"]) * len(described["skeleton"]["joints"])
        for rows in _cut(file, max(size, 1)):
            try:
                poses = _poses(rows, described, first)
            except FormatError as error:
                raise FormatError(
                    f"from frame {first:,}: {error}; frames of a long table are in order"
                ) from error
            first += len(poses)
            yield poses


def _cut(file: Any, size: int) -> Iterator[Any]:  # noqa: ANN401
    """Read a file of rows as tables of ``size`` rows, at least one; the last may be shorter."""
    import pyarrow as pa

    waiting: list[Any] = []
    for batch in file.iter_batches(batch_size=size, columns=list(COLUMNS)):
        missing = size - sum(each.num_rows for each in waiting)
        waiting.append(batch.slice(0, missing))
        if batch.num_rows >= missing:
            yield pa.Table.from_batches(waiting)
            waiting = [batch.slice(missing)]
    if any(each.num_rows for each in waiting) or not file.metadata.num_rows:
        yield pa.Table.from_batches(waiting, schema=file.schema_arrow)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a Parquet file of ours, with what it states of its poses.

    A small file that claims to have rows without end is refused: numbers hardly shrink.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        # What pyarrow buffers ahead it keeps until the file is closed: in the end, all of it.
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            rows, size = file.metadata.num_rows, path.stat().st_size
            if rows > 1_000_000 and rows > 10 * size:
                raise FormatError(f"{rows:,} rows in {size:,} bytes: it is broken")
            about = (file.metadata.metadata or {}).get(b"graphlift")
            if about is None or not set(COLUMNS) <= set(file.schema_arrow.names):
                raise FormatError(
                    f"is no table of graphlift's: its columns should be {', '.join(COLUMNS)}"
                )
            yield file, parse_json(about)
    except (pa.ArrowException, OSError) as error:
        raise FormatError(f"is damaged, or no Parquet ({error!s:.200})") from error


def _poses(stored: Any, described: Any, first: int = 0) -> Poses:  # noqa: ANN401
    """Make poses of a table's rows, and of what the file states; ``first`` is the first frame."""
    known = {"person": described["people"], "joint": described["skeleton"]["joints"]}
    columns: dict[str, np.ndarray] = {}
    stored = stored.unify_dictionaries()
    for word in _WORDS:
        cells = stored[word].combine_chunks().dictionary_encode()
        code = [known[word].index(name) for name in cells.dictionary.to_pylist()]
        columns[word] = np.array(code, dtype=np.int64)[cells.indices.to_numpy()]
    for name in (*_NUMBERS, "frame", "seen"):
        columns[name] = stored[name].to_numpy()
    columns["frame"] = columns["frame"] - first
    return compose(_scatter(columns, [len(known[word]) for word in _WORDS]), described)


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
            f"{counted(len(frame), 'row is', 'rows are')} not one for each of "
            f"{counted(frames, 'frame')}, {counted(counts[0], 'person', 'people')} and "
            f"{counted(counts[1], 'joint')}: it is cut short or was changed"
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
