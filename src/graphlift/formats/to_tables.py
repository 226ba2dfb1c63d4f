"""Write tables in long form, CSV and Parquet: one row a frame, person and joint.

Fronts of segments, which are no joints, are not in them.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.files import replacing
from graphlift.formats.archive import describe_alone
from graphlift.sequences import Poses

COLUMNS = ("frame", "time_s", "person", "joint", "x_m", "y_m", "z_m", "sigma_m", "seen", "axes")
CHUNK = 4096
"""Frames that are turned into rows at once."""


def write_csv(path: Path, poses: Poses) -> tuple[str, ...]:
    """Write CSV with a header; what is missing or unknown is an empty field.

    Positions have six decimals, a thousandth of a millimetre; ``axes`` names in every row
    their frame of reference.
    """
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for columns in _chunks(poses):
            for name in ("time_s", "x_m", "y_m", "z_m", "sigma_m"):
                numbers = np.round(columns[name].astype(np.float64), 6)
                columns[name] = np.where(np.isfinite(numbers), numbers.astype(object), "")
            columns["seen"] = columns["seen"].astype(int)
            writer.writerows(zip(*(columns[name].tolist() for name in COLUMNS), strict=True))
    return _remarks(poses)


def write_parquet(path: Path, poses: Poses) -> tuple[str, ...]:
    """Write Parquet with the columns of the CSV; null where missing or unknown.

    The file's metadata hold, under ``graphlift``, what is no table, as JSON.
    """
    import pyarrow as pa
    from pyarrow import parquet

    words = pa.dictionary(pa.int32(), pa.string())
    number = pa.float64() if poses.positions.dtype == np.float64 else pa.float32()
    kinds = {"frame": pa.int64(), "time_s": pa.float64(), "seen": pa.bool_()}
    kinds |= dict.fromkeys(("person", "joint", "axes"), words)
    about = describe_alone(poses)
    about.pop("fronts", None)
    schema = pa.schema(
        [(name, kinds.get(name, number)) for name in COLUMNS],
        metadata={"graphlift": json.dumps(about)},
    )
    with replacing(path) as beside, parquet.ParquetWriter(beside, schema) as writer:
        for columns in _chunks(poses):
            arrays = [
                pa.array(columns[field.name], from_pandas=True).cast(field.type)
                for field in schema
            ]
            writer.write_table(pa.table(arrays, schema=schema))
    return _remarks(poses)


def _remarks(poses: Poses) -> tuple[str, ...]:
    note = f"Everything in m, {poses.axes} axes; one row a frame, person and joint."
    return (note,) if poses.fronts is None else (note, "Fronts are only in .npz and .json.")


def _chunks(poses: Poses) -> Iterator[dict[str, Any]]:
    """Yield columns of rows, some frames at a time; at least once, so that a header is written."""
    people, joints = np.array(poses.people, object), np.array(poses.skeleton.joints, object)
    for start in range(0, max(len(poses), 1), CHUNK):
        positions = poses.positions[start : start + CHUNK]
        count, size = len(positions), len(people) * len(joints)
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
            "sigma_m": poses.sigma[start : start + CHUNK].ravel(),
            "seen": poses.seen[start : start + CHUNK].ravel(),
            "axes": np.full(count * size, poses.axes, object),
        }
