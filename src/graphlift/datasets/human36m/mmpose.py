"""mmpose's annotations of Human3.6M: one row an image, in camera axes.

``h36m_train.npz`` and ``h36m_test.npz``: ``imgname`` (``S1/S1_Directions_1.54138969/
S1_Directions_1.54138969_000001.jpg``), ``part`` (row, 17, 3) px and visibility, ``S`` (row, 17, 4)
m and visibility; rows of one clip and camera follow each other. ``cameras.pkl`` lies in the same
folder or the one above. ``cpn_ft_h36m_dbb_train.npy`` and ``..._test.npy`` (row, 17, 3), if there,
are CPN's detections of the same rows. Files are read block by block.

Source: mmpose's ``tools/dataset_converters/preprocess_h36m.py`` (OpenMMLab).
"""

import math
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

import numpy as np

from graphlift.datasets.human36m.calibration import published_cameras
from graphlift.datasets.human36m.camera_files import Cameras, read_camera_pickle
from graphlift.datasets.human36m.facts import (
    CAMERAS,
    FPS,
    LEFT_OUT,
    NECK,
    SUBJECTS,
    clip_name,
)
from graphlift.datasets.human36m.projection import check_projection, project
from graphlift.datasets.licensed.pack import CameraSequence, digest_file
from graphlift.datasets.licensed.reading import Choices, Reading
from graphlift.errors import FormatError
from graphlift.files import container
from graphlift.formats.npz_members import Member, check_text, list_members, map_npy, read_header
from graphlift.skeletons import H36M_16, H36M_17
from graphlift.words import shown

PATTERNS = ("h36m_t[er]*.npz", "fps50/h36m_t[er]*.npz", "annotation_body3d/fps50/h36m_t[er]*.npz")

_ROWS = 8192
"""Read at once: 10 MB."""

_NAME = re.compile(r"(S[0-9]+)_([A-Za-z]+(?:_[0-9]+)?)\.([0-9]{8})_([0-9]{1,9})\.[a-z]{3,4}")

Rows = Mapping[str, np.ndarray]
Key = tuple[str, str, str]


def read_sequences(
    folder: Path, paths: list[Path], choices: Choices, reading: Reading
) -> Iterator[CameraSequence]:
    """Read the rows as sequences, in their order, training set first.

    Raises:
        FormatError: If an array is not as above, rows of a clip are apart, or 2D is not the image
            of 3D.
    """
    cameras = _cameras(paths[0].parent, folder, reading)
    paths = sorted(paths, reverse=True)
    detected = [path.with_name(path.name.replace("h36m_", "cpn_ft_h36m_dbb_")) for path in paths]
    detected = [path.with_suffix(".npy") for path in detected]
    there = [path for path in detected if path.is_file()]
    if there and there != detected:
        absent = next(path for path in detected if path not in there)
        raise FormatError(
            f"{absent}: is missing, but {there[0].name} is there: get both, or take it away to "
            "prepare a pack without cpn"
        )
    seen: set[Key] = set()
    for path, cpn in zip(paths, detected, strict=True):
        for key, rows in _runs(_blocks(path, cpn if there else None), path):
            if key in seen:
                raise FormatError(
                    f"{path}: rows of {'/'.join(key)} are not all together: sort them by imgname"
                )
            seen.add(key)
            if key[:2] not in LEFT_OUT:
                yield _sequence(key, rows, cameras, choices, path)
    reading.sources.extend(digest_file(path, folder) for path in sorted([*paths, *there]))


def _cameras(inside: Path, folder: Path, reading: Reading) -> Cameras:
    for path in (inside / "cameras.pkl", inside.parent / "cameras.pkl"):
        if path.is_file():
            reading.notes.append("cameras: cameras.pkl of the folder")
            reading.sources.append(digest_file(path, folder))
            return read_camera_pickle(path)
    reading.notes.append("cameras: the published calibration that comes with graphlift")
    return published_cameras()


def _sequence(
    key: Key, rows: Rows, cameras: Cameras, choices: Choices, path: Path
) -> CameraSequence:
    subject, clip, camera = key
    where = f"{path}: {'/'.join(key)}"
    lens = cameras[subject, camera]
    positions = rows["S"][..., :3].astype(np.float64)
    keypoints = {"gt": rows["part"][..., :2].astype(np.float64)}
    if "cpn" in rows:
        keypoints["cpn"] = rows["cpn"][..., :2].astype(np.float64)
    for name, array in {"S": positions, **keypoints}.items():
        if not np.isfinite(array).all() or np.abs(array).max() > 1e6:
            raise FormatError(f"{where}: {name} has numbers that are no m or px: make it again")
    check_projection(keypoints["gt"], project(positions, lens, where), where)
    keep = slice(None) if choices.joints == 17 else np.delete(np.arange(17), NECK)
    return CameraSequence(
        subject=subject,
        activity=clip.split(" ")[0],
        clip=clip,
        camera=camera,
        lens=lens,
        positions=positions[:, keep].astype(np.float32),
        keypoints={kind: array[:, keep].astype(np.float32) for kind, array in keypoints.items()},
        valid=np.ones(len(positions), dtype=bool),
        fps=FPS / _step(rows["number"], where),
        skeleton=H36M_17 if choices.joints == 17 else H36M_16,
    )


def _step(numbers: np.ndarray, where: str) -> int:
    """Frames from one row to the next: images are numbered as in the video."""
    steps = set(np.diff(numbers).tolist()) or {1}
    if len(steps) > 1 or min(steps) < 1:
        raise FormatError(
            f"{where}: image numbers do not rise evenly (steps of {sorted(steps)[:4]}): images "
            "are missing or out of order; make the file again"
        )
    return int(steps.pop())


def _runs(blocks: Iterator[Rows], path: Path) -> Iterator[tuple[Key, Rows]]:
    """Put rows of the same clip and camera together, also across blocks."""
    held: Key | None = None
    parts: list[Rows] = []
    for block in blocks:
        keys = [_key(str(name), path) for name in block["imgname"]]
        numbers = np.array([number for _, number in keys])
        columns = {"number": numbers, **{n: a for n, a in block.items() if n != "imgname"}}
        end = 0
        for key, run in groupby(key for key, _ in keys):
            start, end = end, end + len(list(run))
            part = {name: array[start:end] for name, array in columns.items()}
            if held is not None and key != held:
                yield held, _joined(parts)
                parts = []
            held = key
            parts.append(part)
    if held is not None:
        yield held, _joined(parts)


def _joined(parts: Sequence[Rows]) -> Rows:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _key(name: str, path: Path) -> tuple[Key, int]:
    match = _NAME.fullmatch(name.rpartition("/")[2])
    if not match or match[1] not in SUBJECTS or match[3] not in CAMERAS:
        raise FormatError(
            f"{path}: imgname {shown(name)} should end like S1_Directions_1.54138969_000001.jpg, "
            "with a subject and camera of Human3.6M"
        )
    _, clip = clip_name(match[2], f"{path}: imgname {shown(name)}")
    return (match[1], clip, match[3]), int(match[4])


def _blocks(path: Path, cpn: Path | None) -> Iterator[Rows]:
    """Read some rows of every column at a time."""
    members = list_members(path)
    rows = _check_members(path, members)
    detected = None if cpn is None else _map_detections(cpn, rows)
    with ExitStack() as stack:
        streams = {}
        with container(path, "an .npz"):
            for name in ("imgname", "part", "S"):
                archive = stack.enter_context(zipfile.ZipFile(path))
                streams[name] = stack.enter_context(archive.open(f"{name}.npy"))
                read_header(streams[name])
        for start in range(0, rows, _ROWS):
            count = min(_ROWS, rows - start)
            block = {}
            for name, stream in streams.items():
                dtype, shape = members[name].dtype, (count, *members[name].shape[1:])
                with container(f"{path}: {name}", "an array"):
                    raw = stream.read(math.prod(shape) * dtype.itemsize)
                    block[name] = np.frombuffer(raw, dtype).reshape(shape)
                check_text(block[name], f"{path}: {name}")
            if detected is not None:
                block["cpn"] = np.asarray(detected[start : start + count])
            yield block


def _check_members(path: Path, members: Mapping[str, Member]) -> int:
    shapes = {"imgname": (), "part": (17, 3), "S": (17, 4)}
    rows = {members[name].shape[:1] for name in shapes if name in members}
    for name, shape in shapes.items():
        member = members.get(name)
        kinds = "US" if name == "imgname" else "f"
        fits = member is not None and member.shape[1:] == shape and member.dtype.kind in kinds
        if member is None or not fits or member.fortran or len(rows) > 1 or not member.shape:
            told = "is missing" if member is None else f"is {member.dtype} {member.shape}"
            raise FormatError(
                f"{path}: {name} {told}, but should be (row, {', '.join(map(str, shape))}), and "
                "imgname, part and S have as many rows: it is no annotation of Human3.6M by mmpose"
            )
        if member.dtype.itemsize > 4096:
            raise FormatError(f"{path}: {name} has names of {member.dtype.itemsize} bytes")
    return members["S"].shape[0]


def _map_detections(path: Path, rows: int) -> np.ndarray:
    array = map_npy(path)
    wide = array.ndim == 3 and array.shape[1] == 17 and array.shape[2] in (2, 3)
    if not wide or len(array) != rows or array.dtype.kind != "f":
        raise FormatError(
            f"{path}: is {array.dtype} {array.shape}, but should be ({rows}, 17, 3), a row for "
            "each image: it belongs to another file"
        )
    return array
