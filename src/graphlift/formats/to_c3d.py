"""Write C3D, the biomechanics laboratories' binary format: all people in one file.

z up, mm, 32-bit floats. A missing point has residual -1 and lies at the origin; any other has
residual 0. Sigma is not written: readers do not agree on how a residual is packed beside floats.

We write the bytes ourselves: of the two libraries, c3d 0.6 leaves the previous frame's coordinates
at missing points, and ezc3d 1.7 cuts a clip after 65,535 frames, which is 22 minutes at 50 fps.

Source: "The C3D File Format User Guide", Motion Lab Systems, 2008: header, parameter section,
data section, in blocks of 512 bytes.
"""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graphlift.errors import FormatError
from graphlift.files import replacing
from graphlift.formats.writing import (
    axes_remark,
    check_people,
    gaps,
    plain_names,
    z_up,
)
from graphlift.sequences import Poses, frame_rate

MM = 1000.0
BLOCK = 512
INTEL = 84
MOST_LABELS = 255
"""In one parameter: a dimension is one byte. The next ones go into LABELS2, and so on."""
LONGEST_LABEL = 80
MOST_POINTS = 5 * MOST_LABELS
LAST_FRAME = 2**16 - 1
"""The header counts frames in 16 bits; longer clips state their length in POINT:LONG_FRAMES."""
CHUNK = 16384

Value = str | float | int | Sequence[str] | Sequence[int]


def write_c3d(path: Path, poses: Poses) -> tuple[str, ...]:
    """Write C3D; labels are joints, or ``Person:Joint`` with several people.

    Returns:
        What was done, one sentence each.

    Raises:
        FormatError: If there are no people to write, or more points than the format can name.
    """
    check_people(path, poses)
    fps, remarks = frame_rate(poses)
    labels = list(poses.skeleton.joints)
    if len(poses.people) > 1:
        labels = [f"{person}:{one}" for person in plain_names(poses.people) for one in labels]
    if len(labels) > MOST_POINTS:
        raise FormatError(
            f"{path}: {len(labels)} points, and a .c3d names {MOST_POINTS} at most: write one "
            "person at a time, or .npz"
        )
    blocks = -(-(4 + len(_parameters(labels, len(poses), fps, data_block=0))) // BLOCK)
    parameters = _parameters(labels, len(poses), fps, data_block=2 + blocks)
    with replacing(path) as beside, beside.open("wb") as file:
        file.write(_header(len(labels), len(poses), fps, data_block=2 + blocks))
        file.write(bytes([1, 80, blocks, INTEL]) + parameters.ljust(blocks * BLOCK - 4, b"\0"))
        for start in range(0, len(poses), CHUNK):
            file.write(_points(poses, slice(start, start + CHUNK)).tobytes())
        if len(poses) <= LAST_FRAME:  # of a longer clip, readers count frames by the file's size
            file.write(b"\0" * (-file.tell() % BLOCK))
    whole = np.isfinite(poses.positions).all(axis=(1, 2, 3))
    if not whole.all():
        remarks += (f"Points are missing in {gaps(whole)}: their residual is -1.",)
    return (*remarks, axes_remark(poses, "z", "mm"))


def _points(poses: Poses, frames: slice) -> np.ndarray:
    """Lay out x, y, z and residual of every point of some frames."""
    points = np.zeros((*poses.positions[frames].shape[:-1], 4), dtype="<f4")
    points[..., :3] = z_up(poses.positions[frames], poses.axes) * MM
    points[~np.isfinite(poses.positions[frames]).all(axis=-1)] = (0, 0, 0, -1)
    return points


def _header(points: int, frames: int, fps: float, *, data_block: int) -> bytes:
    last = min(frames, LAST_FRAME)
    head = struct.pack("<BBHHHHHfHHf", 2, 80, points, 0, 1, last, 0, -1.0, data_block, 0, fps)
    return head.ljust(BLOCK, b"\0")


def _parameters(labels: list[str], frames: int, fps: float, *, data_block: int) -> bytes:
    """Compose the parameter section's groups; its length does not depend on ``data_block``."""
    point: dict[str, Value] = {
        "USED": len(labels),
        "SCALE": -1.0,  # negative: the data are floats
        "RATE": fps,
        "DATA_START": data_block,
        "FRAMES": min(frames, LAST_FRAME),
        "UNITS": "mm",
        "X_SCREEN": "+X",
        "Y_SCREEN": "+Z",
    }
    for number, start in enumerate(range(0, len(labels), MOST_LABELS), start=1):
        part = labels[start : start + MOST_LABELS]
        point[f"LABELS{number if number > 1 else ''}"] = part
        point[f"DESCRIPTIONS{number if number > 1 else ''}"] = [""] * len(part)
    if frames > LAST_FRAME:
        point["LONG_FRAMES"] = float(frames)
    groups: Mapping[str, Mapping[str, Value]] = {
        "POINT": point,
        "ANALOG": {"USED": 0, "RATE": 0.0, "GEN_SCALE": 1.0},
        "FORCE_PLATFORM": {"USED": 0},
        "TRIAL": {
            "ACTUAL_START_FIELD": [1, 0],
            "ACTUAL_END_FIELD": [frames & 0xFFFF, frames >> 16],
        },
        "MANUFACTURER": {"SOFTWARE": "graphlift"},
    }
    records = [
        record
        for i, (name, group) in enumerate(groups.items(), start=1)
        for record in (
            _record(name, -i, b"\0"),
            *(_record(parameter, i, _value(value)) for parameter, value in group.items()),
        )
    ]
    return b"".join(records) + b"\0\0"


def _record(name: str, group: int, content: bytes) -> bytes:
    """Compose a group (negative number) or a parameter; ``content`` ends with no description."""
    body = content if group < 0 else content + b"\0"
    return (
        struct.pack("<bb", len(name), group)
        + name.encode()
        + struct.pack("<h", 2 + len(body))
        + body
    )


def _value(value: Value) -> bytes:
    """Compose type, dimensions and data; text in lists is padded to one width."""
    if isinstance(value, float):
        return struct.pack("<bBf", 4, 0, value)
    if isinstance(value, int):
        return struct.pack("<bBH", 2, 0, value)
    if isinstance(value, str):
        return struct.pack("<bBB", -1, 1, len(value)) + value.encode("ascii", "replace")
    if all(isinstance(one, int) for one in value):
        return struct.pack(f"<bBB{len(value)}H", 2, 1, len(value), *value)
    texts = [str(one).encode("ascii", "replace")[:LONGEST_LABEL] for one in value]
    width = max(1, *map(len, texts))
    return struct.pack("<bBBB", -1, 2, width, len(texts)) + b"".join(
        text.ljust(width) for text in texts
    )
