"""Write TRC, Motion Analysis' table of marker positions, as OpenSim reads it.

y up, mm; one file holds one person; a missing joint is three empty fields.

Source: "Marker (.trc) Files" in OpenSim's documentation: three lines of header, two of column
names, an empty one, then frame number, time and coordinates, all parted by tabs.
"""

import math
from pathlib import Path
from typing import TextIO

import numpy as np

from graphlift.formats.labels import plain_label
from graphlift.formats.writing import (
    axes_remark,
    check_people,
    gaps,
    write_each,
    y_up,
)
from graphlift.mapped import in_blocks
from graphlift.sequences import Poses, frame_rate

MM = 1000.0
HEADER = (
    *("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units"),
    *("OrigDataRate", "OrigDataStartFrame", "OrigNumFrames"),
)


def write_trc(path: Path, poses: Poses) -> tuple[str, ...]:
    """Write TRC, one file a person; with several, ``x.trc`` becomes ``x.NAME.trc``.

    A marker is named after its joint, with ``_`` where OpenSim allows no such sign.

    Returns:
        What was done, one sentence each.

    Raises:
        FormatError: If there are no people to write.
    """
    check_people(path, poses)
    fps, remarks = frame_rate(poses)
    remarks += (axes_remark(poses, "y", "mm"),)
    present = np.isfinite(poses.positions).all(axis=-1)
    people = [i for i in range(len(poses.people)) if present[:, i].any()]

    def write(beside: Path, name: str, number: int) -> None:
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            _write_table(file, name, poses, people[number], fps)

    files = write_each(path, [poses.people[i] for i in people], write)
    for i, name in enumerate(poses.people):
        if i not in people:
            remarks += (f"Person {name} is in no frame: left out.",)
        elif not present[:, i].all():
            whole = gaps(present[:, i].all(axis=-1))
            remarks += (f"Person {name} lacks joints in {whole}: their fields are empty.",)
    return (*remarks, *files)


def _write_table(file: TextIO, name: str, poses: Poses, person: int, fps: float) -> None:
    labels = list(map(plain_label, poses.skeleton.joints))
    count = len(poses)
    header = (
        f"PathFileType\t4\t(X/Y/Z)\t{name}",
        "\t".join(HEADER),
        f"{fps:.6g}\t{fps:.6g}\t{count}\t{len(labels)}\tmm\t{fps:.6g}\t1\t{count}",
        "Frame#\tTime\t" + "\t".join(f"{label}\t\t" for label in labels),
        "\t\t" + "\t".join(f"X{i}\tY{i}\tZ{i}" for i in range(1, len(labels) + 1)),
        "",
    )
    file.writelines(f"{line}\n" for line in header)
    for part in in_blocks(poses.positions):
        positions = y_up(poses.positions[part, person], poses.axes) * MM
        for frame, places in enumerate(positions.reshape(len(positions), -1), start=part.start):
            fields = "\t".join(f"{v:.5f}" if math.isfinite(v) else "" for v in places.tolist())
            file.write(f"{frame + 1}\t{frame / fps:.6f}\t{fields}\n")
