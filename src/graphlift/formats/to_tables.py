"""Write tables in long form, CSV and Parquet: one row a frame, person and joint.

Fronts of segments, which are no joints, are not in them.
"""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.files import replacing
from graphlift.formats.archive import describe_alone
from graphlift.mapped import in_blocks
from graphlift.sequences import Poses

_WORDS = ("person", "joint")
_REPEATED = ["frame", "time_s", *_WORDS, "axes"]
"""Columns of Parquet whose values repeat; a dictionary of measured numbers only costs time."""
COLUMNS = ("frame", "time_s", "person", "joint", "x_m", "y_m", "z_m", "sigma_m", "seen", "axes")


def write_csv(path: Path, poses: Poses) -> tuple[str, ...]:
    """Write CSV with a header; what is missing or unknown is an empty field.

    Positions have six decimals, a thousandth of a millimetre; ``axes`` names in every row
    their frame of reference.
    """
    with csv_parts(path) as write:
        return write(poses)


@contextmanager
def csv_parts(path: Path) -> Iterator[Callable[[Poses], tuple[str, ...]]]:
    """Give a function that writes a part of a clip: :func:`write_csv` of the whole."""
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        frames = 0

        def write(part: Poses) -> tuple[str, ...]:
            nonlocal frames
            for columns in _chunks(part, frames):
                for name in ("time_s", "x_m", "y_m", "z_m", "sigma_m"):
                    numbers = np.round(columns[name].astype(np.float64), 6)
                    columns[name] = np.where(np.isfinite(numbers), numbers.astype(object), "")
                for name, names in _words(part).items():
                    columns[name] = np.array(names, object)[columns[name]]
                columns["seen"] = columns["seen"].astype(int)
                writer.writerows(zip(*(columns[name].tolist() for name in COLUMNS), strict=True))
            frames += len(part)
            return _remarks(part)

        yield write


def write_parquet(path: Path, poses: Poses) -> tuple[str, ...]:
    """Write Parquet with the columns of the CSV; null where missing or unknown.

    The file's metadata hold, under ``graphlift``, what is no table, as JSON.
    """
    with parquet_parts(path) as write:
        return write(poses)


@contextmanager
def parquet_parts(path: Path) -> Iterator[Callable[[Poses], tuple[str, ...]]]:
    """Give a function that writes a part of a clip: :func:`write_parquet` of the whole."""
    import pyarrow as pa
    from pyarrow import parquet

    with replacing(path) as beside, ExitStack() as files:
        writer: Any = None
        frames, about = 0, ""

        def write(part: Poses) -> tuple[str, ...]:
            nonlocal writer, frames, about
            about = _about(part)
            if writer is None:
                schema = _schema(part).with_metadata({"graphlift": about})
                writer = parquet.ParquetWriter(beside, schema, use_dictionary=_REPEATED)
                files.enter_context(writer)
            words = _words(part)
            for columns in _chunks(part, frames):
                arrays = [
                    pa.DictionaryArray.from_arrays(columns[name], words[name])
                    if name in words
                    else pa.array(columns[name], from_pandas=True)
                    for name in COLUMNS
                ]
                writer.write_table(pa.table(arrays, schema=writer.schema))
            frames += len(part)
            return _remarks(part)

        yield write
        if writer is not None:
            writer.add_key_value_metadata({"graphlift": about})  # with the notes of the last part


def _about(poses: Poses) -> str:
    """Describe what is no table, as JSON."""
    about = describe_alone(poses)
    about.pop("fronts", None)
    return json.dumps(about)


def _schema(poses: Poses) -> Any:  # noqa: ANN401
    import pyarrow as pa

    words = pa.dictionary(pa.int32(), pa.string())
    number = pa.float64() if poses.positions.dtype == np.float64 else pa.float32()
    kinds = {"frame": pa.int64(), "time_s": pa.float64(), "seen": pa.bool_()}
    kinds |= dict.fromkeys(("person", "joint", "axes"), words)
    return pa.schema([(name, kinds.get(name, number)) for name in COLUMNS])


def _remarks(poses: Poses) -> tuple[str, ...]:
    note = f"Everything in m, {poses.axes} axes; one row a frame, person and joint."
    return (note,) if poses.fronts is None else (note, "Fronts are only in .npz and .json.")


def _words(poses: Poses) -> dict[str, tuple[str, ...]]:
    """Name what columns of words hold; :func:`_chunks` has their places here."""
    return {"person": poses.people, "joint": poses.skeleton.joints, "axes": (poses.axes,)}


def _chunks(poses: Poses, first: int) -> Iterator[dict[str, Any]]:
    """Yield columns of rows, some frames at a time; their numbers begin with ``first``."""
    people, joints = (np.arange(len(_words(poses)[name]), dtype=np.int32) for name in _WORDS)
    for part in in_blocks(poses.positions, poses.sigma, poses.seen):
        positions = poses.positions[part]
        count, size = len(positions), len(people) * len(joints)
        start = first + part.start
        frames = np.repeat(np.arange(start, start + count), size)
        x, y, z = positions.reshape(-1, 3).T
        yield {
            "frame": frames,
            "time_s": frames / (poses.fps or np.nan),
            "person": np.tile(np.repeat(people, len(joints)), count),
            "joint": np.tile(joints, count * len(people)),
            "x_m": x,
            "y_m": y,
            "z_m": z,
            "sigma_m": poses.sigma[part].ravel(),
            "seen": poses.seen[part].ravel(),
            "axes": np.zeros(count * size, dtype=np.int32),
        }
