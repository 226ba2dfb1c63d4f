"""mmpose's annotations of Human3.6M: one row an image, in camera axes.

``h36m_train.npz`` and ``h36m_test.npz`` (:mod:`graphlift.datasets.licensed.mmpose`) name images
``S1/S1_Directions_1.54138969/S1_Directions_1.54138969_000001.jpg``. ``cameras.pkl`` lies in the
same folder or the one above. ``cpn_ft_h36m_dbb_train.npy`` and ``..._test.npy`` (row, 17, 3), if
they are present, are CPN's detections of the same rows.

Source: mmpose's ``tools/dataset_converters/preprocess_h36m.py`` (OpenMMLab).
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from graphlift.datasets.human36m.calibration import published_cameras
from graphlift.datasets.human36m.camera_files import Cameras, read_h36m_pickle
from graphlift.datasets.human36m.facts import CAMERAS, FPS, LEFT_OUT, SUBJECTS, clip_name
from graphlift.datasets.human36m.sequence import make_sequence
from graphlift.datasets.licensed.checks import check_numbers, check_shape
from graphlift.datasets.licensed.mmpose import read_annotations
from graphlift.datasets.licensed.reading import CameraSequence, Reading
from graphlift.errors import FormatError
from graphlift.formats.npz_members import map_npy

PATTERNS = ("h36m_t[er]*.npz", "fps50/h36m_t[er]*.npz", "annotation_body3d/fps50/h36m_t[er]*.npz")

_NAME = re.compile(r"(S[0-9]+)_([A-Za-z]+(?:_[0-9]+)?)\.([0-9]{8})_([0-9]{1,9})\.[a-z]{3,4}")

_LARGEST_ARRAY = 1 << 32
"""Bytes of an array that is compressed, and so read whole."""


def read_mmpose_h36m(paths: list[Path], joints: int, reading: Reading) -> Iterator[CameraSequence]:
    """Read the rows as sequences, in their order, training set first.

    Raises:
        FormatError: If an array is not as above, images are missing, or 2D is not the image of 3D.
    """
    cameras = _read_cameras(paths[0].parent, reading)
    paths = sorted(paths, reverse=True)
    detections = [
        path.with_name(f"{path.stem.replace('h36m_', 'cpn_ft_h36m_dbb_')}.npy") for path in paths
    ]
    found = [path for path in detections if path.is_file()]
    if found and found != detections:
        lacking = next(path for path in detections if path not in found)
        raise FormatError(
            f"{lacking}: is missing, but {found[0].name} is present: get both, or take it away to "
            "prepare a pack without cpn"
        )
    for path, cpn in zip(paths, detections, strict=True):
        yield from _read_file(path, cpn if found else None, cameras, joints)
    reading.sources.extend(sorted([*paths, *found]))


def _read_file(
    path: Path, cpn_path: Path | None, cameras: Cameras, joints: int
) -> Iterator[CameraSequence]:
    sequences, px, metres = read_annotations(
        path,
        partial(_parse, path),
        "S1_Directions_1.54138969_000001.jpg",
        max_bytes=_LARGEST_ARRAY,
    )
    arrays = {"S": metres, "gt": px}
    if cpn_path is not None:
        cpn = map_npy(cpn_path)
        arrays["cpn"] = check_shape(cpn, (len(px), 17, (2, 3)), str(cpn_path), kinds="f")
    for (subject, clip, camera), (frames, rows) in sequences.items():
        if (subject, clip) in LEFT_OUT:
            continue
        where = f"{path}: {subject}/{clip}/{camera}"
        columns = {
            name: check_numbers(
                array[rows][..., : 3 if name == "S" else 2].astype(np.float64), f"{where}: {name}"
            )
            for name, array in arrays.items()
        }
        yield make_sequence(
            subject,
            clip,
            camera,
            lens=cameras[subject, camera],
            positions=columns.pop("S"),
            keypoints=columns,
            joints=joints,
            fps=FPS / _step(frames, where),
            where=where,
        )


def _read_cameras(folder: Path, reading: Reading) -> Cameras:
    for path in (folder / "cameras.pkl", folder.parent / "cameras.pkl"):
        if path.is_file():
            reading.notes.append("cameras: cameras.pkl of the folder")
            reading.sources.append(path)
            return read_h36m_pickle(path)
    reading.notes.append("cameras: the published calibration that comes with graphlift")
    return published_cameras()


def _step(frames: np.ndarray, where: str) -> int:
    """Find how many frames of the video lie between two images: they are numbered as in it."""
    steps = set(np.diff(frames).tolist()) or {1}
    if len(steps) > 1:
        raise FormatError(
            f"{where}: image numbers do not rise evenly (steps of {sorted(steps)[:4]}): images "
            "are missing; make the file again"
        )
    return int(steps.pop())


def _parse(path: Path, image: str) -> tuple[tuple[str, str, str], int] | None:
    match = _NAME.fullmatch(image.rpartition("/")[2])
    if not match or match[1] not in SUBJECTS or match[3] not in CAMERAS:
        return None
    _, clip = clip_name(match[2], f"{path}: imgname")
    return (match[1], clip, match[3]), int(match[4])
