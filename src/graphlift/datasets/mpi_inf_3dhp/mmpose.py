"""mmpose's annotation files of MPI-INF-3DHP, and its pickled cameras.

Layout of the ``.npz``: ``imgname`` (``S4_Seq2_Cam0_001033.jpg``, ``TS1_002001.jpg``: sequence,
camera, frame from 1), ``part`` (row, 17, 3) px and visibility, ``S`` (row, 17, 4) m in camera axes
and visibility; ``center`` and ``scale`` are not read. The 3D is ``annot3``. The pickle:
{``S4_Seq2_Cam0`` or ``TS1``: {``f``, ``c``: (2, 1) px, ``w``, ``h``, and for training ``R`` (3, 3)
and ``T`` (3, 1) m, world to camera}}. In test files rows are the frames that count, and those
between are not there: they are frames of their own, not a film.

Source: mmpose's ``preprocess_mpi_inf_3dhp.py`` and the layout of its test data.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.cameras import Camera
from graphlift.datasets.licensed.pack import CameraSequence
from graphlift.datasets.mpi_inf_3dhp.assembly import (
    Choice,
    Source,
    check_lengths,
    check_shape,
    paired,
)
from graphlift.datasets.mpi_inf_3dhp.calibration import placed
from graphlift.datasets.mpi_inf_3dhp.facts import TEST_SIZES, TRAIN_SIZE, Part
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats.npz_members import list_members, map_member, read_members
from graphlift.formats.plain_pickle import unpickle_plain
from graphlift.words import shown

_IMAGE = re.compile(r"(?:.*/)?(?:(TS\d+)|(S\d+)_(Seq\d+)_Cam(\d+))_(\d+)\.\w+", re.ASCII)
_TRAIN_CAMERA = re.compile(r"S[1-8]_Seq[12]_Cam\d{1,2}", re.ASCII)
_LARGEST_CAMERAS = 10_000_000


def read_mmpose(
    path: Path,
    cameras_path: Path,
    part: Part,
    choice: Choice,
) -> Iterator[CameraSequence]:
    """Yield the sequences of a file; arrays that are not compressed stay in it until needed.

    Args:
        path: The ``.npz``.
        cameras_path: The pickle.
        part: Which part they are of.
        choice: Which sequences and cameras; how many bytes one compressed array may take.

    Raises:
        DatasetNotFoundError: If a sequence or camera is in one of the files and not the other.
        FormatError: If a file is damaged, asks to run code, or is not as above.
    """
    lenses = read_camera_pickle(cameras_path)
    names, keypoints, positions = _arrays(path, choice.max_bytes)
    check_lengths(str(path), imgname=names, part=keypoints, S=positions)
    rows = _rows(names, path)
    cameras = choice.cameras if part == "train" else (0,)
    wanted = [(name, camera) for name in choice.sequences for camera in cameras]
    missing = [each for each in wanted if each not in rows]
    if missing and (not choice.partial or len(missing) == len(wanted)):
        raise DatasetNotFoundError(
            f"{path}: has no images of {', '.join(_key(*each) for each in missing)}: make the "
            "file again, name the sequences and cameras to read, or go on without (--partial)"
        )
    for name, camera in wanted:
        if (name, camera) in missing:
            continue
        key = _key(name, camera)
        if key not in lenses:
            raise DatasetNotFoundError(
                f"{cameras_path}: has no camera {key}: use the pickle that was made with {path}"
            )
        at = rows[name, camera]
        xy = keypoints[at][..., :2].astype(np.float32)
        xyz = positions[at][..., :3].astype(np.float32)
        source = Source(f"{path}: {key}", name, camera)
        yield paired(source, xy, xyz, np.ones(len(at), dtype=bool), lenses[key])


def read_camera_pickle(path: Path) -> dict[str, Camera]:
    """Read mmpose's pickled cameras of MPI-INF-3DHP by name.

    Where the data set's own image size is known, it is used in place of the file's: some files
    that the converter wrote have a height of 204 for 2048.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If it asks to run code, is damaged or not as above.
    """
    cameras = _table(path)
    return {
        name: replace(camera, size=_known_size(name) or camera.size)
        for name, camera in cameras.items()
    }


def note_sizes(path: Path) -> str | None:
    """Say which cameras of a pickle have another image size than the data set; None if none has.

    Raises:
        DatasetNotFoundError: As :func:`read_camera_pickle`.
        FormatError: As there.
    """
    cameras = _table(path)
    wrong = [name for name, camera in cameras.items()
             if camera.size != (_known_size(name) or camera.size)]  # fmt: skip
    if not wrong:
        return None
    width, height = cameras[wrong[0]].size
    known = "{} x {}".format(*(_known_size(wrong[0]) or ()))
    more = f" and {len(wrong) - 1} more cameras" if len(wrong) > 1 else ""
    return (
        f"{path.name}: says {width} x {height} px of {wrong[0]}{more}; the data set's own image "
        f"size, {known} px, is used"
    )


def _known_size(name: str) -> tuple[int, int] | None:
    """px, of a camera as the pickle calls it; None for one that the data set does not have."""
    if _TRAIN_CAMERA.fullmatch(name):
        return TRAIN_SIZE
    return TEST_SIZES.get(name)


def _table(path: Path) -> dict[str, Camera]:
    if not path.is_file():
        raise DatasetNotFoundError(
            f"no cameras at {path}: mmpose's converter writes them with the annotations"
        )
    if path.stat().st_size > _LARGEST_CAMERAS:
        raise FormatError(f"{path}: {path.stat().st_size:,} bytes are no table of cameras")
    table = unpickle_plain(path.read_bytes(), str(path))
    if not isinstance(table, dict) or not table:
        raise FormatError(f"{path}: should be a dictionary of cameras by name")
    return {str(name): _camera(of, f"{path}: {name}") for name, of in table.items()}


def _camera(fields: Any, where: str) -> Camera:  # noqa: ANN401
    fields = fields if isinstance(fields, dict) else {}
    fx, fy = _numbers(fields, "f", 2, where)
    cx, cy = _numbers(fields, "c", 2, where)
    width, height = (_numbers(fields, key, 1, where)[0] for key in "wh")
    if min(fx, fy) <= 0 or min(width, height) < 1:
        raise FormatError(
            f"{where}: f {fx:g}, {fy:g} and size {width:g}x{height:g} are no camera's"
        )
    R, position = np.eye(3), np.zeros(3)
    if "R" in fields:
        Rt = np.reshape([*_numbers(fields, "R", 9, where)], (3, 3))
        R, position = placed(np.column_stack([Rt, _numbers(fields, "T", 3, where)]), where, unit=1)
    return Camera((fx, fy), (cx, cy), (int(width), int(height)), R, position)


def _numbers(fields: dict[Any, Any], name: str, count: int, where: str) -> list[float]:
    value = fields.get(name)
    array = np.asarray(value) if isinstance(value, (int, float, np.ndarray)) else np.zeros(0)
    if array.dtype.kind not in "iuf" or array.size != count or not (np.abs(array) < 1e6).all():
        raise FormatError(
            f"{where}: {name} should be {count} numbers: the file is damaged or of another kind"
        )
    return [float(number) for number in array.reshape(-1)]


def _arrays(path: Path, max_bytes: int) -> tuple[np.ndarray, ...]:
    members = list_members(path)
    found = read_members(path, members, ("imgname",), max_bytes)
    for name in ("part", "S"):
        mapped = map_member(path, members[name]) if name in members else None
        if mapped is not None:
            found[name] = mapped
        else:
            found |= read_members(path, members, (name,), max_bytes)
    if missing := {"imgname", "part", "S"} - set(found):
        raise FormatError(
            f"{path}: has no {', '.join(sorted(missing))}: it is no annotation file of mmpose"
        )
    if found["imgname"].dtype.kind != "U" or found["imgname"].ndim != 1:
        raise FormatError(f"{path}: imgname should be a list of names")
    return (
        found["imgname"],
        check_shape(found["part"], 17, 3, f"{path}: part"),
        check_shape(found["S"], 17, 4, f"{path}: S"),
    )


def _rows(names: np.ndarray, path: Path) -> dict[tuple[str, int], np.ndarray]:
    """Find the rows of each sequence and camera, in the order of their frames."""
    found: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for row, name in enumerate(names.tolist()):
        match = _IMAGE.fullmatch(name)
        if match is None:
            raise FormatError(
                f"{path}: row {row} is of image {shown(name)}, and names such as TS1_002001.jpg "
                "or S4_Seq2_Cam0_001033.jpg are expected: it is another data set's file"
            )
        test, subject, clip, camera, frame = match.groups()
        found[test or f"{subject} {clip}", int(camera or 0)].append((int(frame), row))
    for (name, camera), each in found.items():
        each.sort()
        if len({frame for frame, _ in each}) < len(each):
            raise FormatError(
                f"{path}: {_key(name, camera)} has a frame twice: make the file again"
            )
    return {key: np.array([row for _, row in each]) for key, each in found.items()}


def _key(name: str, camera: int) -> str:
    """Name a camera as the pickle does."""
    return f"{name.replace(' ', '_')}_Cam{camera}" if " " in name else name
