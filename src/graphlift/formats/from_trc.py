"""Read TRC, Motion Analysis' table of marker positions: one person, y up.

Source: as :mod:`graphlift.formats.to_trc`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.keypoint_source import check_fps
from graphlift.formats.labels import labelled_poses
from graphlift.formats.writing import usual_rate
from graphlift.geometry import y_up_to_z_up
from graphlift.sequences import Poses
from graphlift.words import counted

UNITS: Mapping[str, float] = {"m": 1.0, "meters": 1.0, "cm": 0.01, "mm": 0.001}
"""Metres per unit."""


def read_trc(path: Path, person: str = "0") -> Poses:
    """Read TRC as poses in world axes: y up becomes z up.

    Args:
        path: Of a file whose markers are joints of a person.
        person: The person's name, which the file does not state.

    Raises:
        FormatError: If it is no TRC, is cut short, or its markers are no person's joints.
    """
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    if len(lines) < 5 or not lines[0].startswith("PathFileType"):
        raise FormatError("does not begin as a TRC does (PathFileType): export it again")
    head = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    unit = head.get("Units", "").strip().lower()
    if unit not in UNITS:
        raise FormatError(f"Units {unit[:40]!r} should be m, cm or mm")
    fps = usual_rate(check_fps(head.get("DataRate"), "DataRate"))
    labels = [label for label in (each.strip() for each in lines[3].split("\t")[2:]) if label]
    numbers = _rows(lines, 2 + 3 * len(labels))
    if head.get("NumFrames", "").strip() != str(len(numbers)) or not labels:
        raise FormatError(
            f"says {head.get('NumFrames', '')[:40]!r} frames of {counted(len(labels), 'marker')}, "
            f"and has {counted(len(numbers), 'frame')}: it is cut short or damaged; export it "
            "again"
        )
    positions = y_up_to_z_up(numbers[:, 2:].reshape(len(numbers), 1, len(labels), 3) * UNITS[unit])
    note = f"Read from a TRC: y is up, in {unit}."
    return labelled_poses(
        labels, positions, str(path), people=(person,), fps=fps, axes="world", notes=(note,)
    )


def _rows(lines: Sequence[str], width: int) -> np.ndarray:
    """Read frames; every one has all its fields, so the array is no larger than the file."""
    rows: list[np.ndarray] = []
    for number, line in enumerate(lines[5:], start=6):
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) == width + 1 and not fields[-1].strip():
            fields.pop()
        if len(fields) != width:
            raise FormatError(
                f"line {number}: {counted(len(fields), 'field')}, not {width}: number, time and "
                "three for each marker; the file is cut short or damaged"
            )
        if "_" in line:  # Python alone takes 1_0 for 10
            raise FormatError(f"line {number}: a field is no number: export it again")
        try:
            rows.append(np.array([field.strip() or "nan" for field in fields], dtype=np.float64))
        except ValueError as error:
            raise FormatError(f"line {number}: {error!s:.80}: export it again") from error
    return np.array(rows).reshape(-1, width)
