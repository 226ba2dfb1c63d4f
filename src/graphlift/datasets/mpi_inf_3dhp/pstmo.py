"""P-STMO's ``data_train_3dhp.npz`` and ``data_test_3dhp.npz``, which most video papers use.

Layout: one pickled array ``data``. Training: {``S1 Seq1``: [{``0``: {``data_2d``: (frame, 17, 2)
px, ``data_3d``: (frame, 17, 3) mm, camera axes}, ...}, fps]}; test: {``TS1``: {``data_2d``,
``data_3d``, ``valid``: (frame,)}}. No cameras: lenses are the published ones, their places
unknown. The file does not say which 3D it holds: P-STMO's is ``univ_annot3``, D3DP's file of the
same name and layout ``annot3``.

Source: P-STMO (Shan et al., ECCV 2022), its loader and converters as its forks keep them; D3DP's
read-me.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.datasets.licensed.checks import check_flags
from graphlift.datasets.licensed.completeness import present
from graphlift.datasets.licensed.reading import CameraSequence
from graphlift.datasets.mpi_inf_3dhp.facts import (
    TEST_LENSES,
    TEST_SIZES,
    TRAIN_LENSES,
    TRAIN_SIZE,
    Part,
)
from graphlift.datasets.mpi_inf_3dhp.sequence import (
    Selection,
    check_joints,
    lens_alone,
    make_sequence,
)
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats.plain_pickle import read_object_arrays


def read_pstmo(path: Path, part: Part, selection: Selection) -> Iterator[CameraSequence]:
    """Read a file whole (a pickle cannot be read in parts), and yield its sequences.

    Args:
        path: The file.
        part: Which of the two it is.
        selection: Which sequences and cameras; how many bytes ``data`` may take.

    Raises:
        DatasetNotFoundError: If a sequence or camera is not in it.
        FormatError: If it is damaged, asks to run code, or is not as above.
    """
    data = read_object_arrays(path, ("data",), max_bytes=selection.max_bytes).get("data")
    if not isinstance(data, dict):
        raise FormatError(
            f"{path}: should hold a dictionary of sequences as `data`: it is damaged or of "
            "another kind"
        )
    for name in present(selection.sequences, data, str(path), partial=selection.partial):
        where, entry = f"{path}: {name}", data[name]
        if part == "test":
            keypoints, positions = _read_joints(entry, where)
            valid = check_flags(entry.get("valid"), f"{where}: valid")
            lens = lens_alone(TEST_LENSES[name], TEST_SIZES[name])
            yield make_sequence(name, 0, keypoints, positions, valid, lens, where=where)
            continue
        cameras = entry[0] if isinstance(entry, (list, tuple)) and entry else entry
        if not isinstance(cameras, dict):
            raise FormatError(
                f"{where} should be [{{camera: arrays}}, fps]: the file is damaged or of another "
                "kind"
            )
        for camera in selection.cameras:
            if str(camera) not in cameras:
                raise DatasetNotFoundError(
                    f"{where} has no camera {camera}: choose from {', '.join(cameras)}"
                )
            at = f"{where}, camera {camera}"
            keypoints, positions = _read_joints(cameras[str(camera)], at)
            lens = lens_alone(TRAIN_LENSES[camera], TRAIN_SIZE)
            yield make_sequence(name, camera, keypoints, positions, None, lens, where=at)


def _read_joints(entry: Any, where: str) -> tuple[np.ndarray, np.ndarray]:  # noqa: ANN401
    """Read 2D, px, and 3D, m."""
    if not isinstance(entry, dict):
        raise FormatError(f"{where} should be a dictionary of arrays: the file is damaged")
    keypoints = check_joints(entry.get("data_2d"), 17, 2, f"{where}: data_2d")
    positions = check_joints(entry.get("data_3d"), 17, 3, f"{where}: data_3d")
    return keypoints, positions / 1000
