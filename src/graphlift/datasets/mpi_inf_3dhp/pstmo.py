"""P-STMO's ``data_train_3dhp.npz`` and ``data_test_3dhp.npz``, which most video papers use.

Layout: one pickled array ``data``. Training: {``S1 Seq1``: [{``0``: {``data_2d``: (frame, 17, 2)
px, ``data_3d``: (frame, 17, 3) mm, camera axes}, ...}, fps]}; test: {``TS1``: {``data_2d``,
``data_3d``, ``valid``: (frame,)}}. No cameras: lenses are the published ones, their places
unknown. The file does not say which 3D it holds: P-STMO's is ``univ_annot3``, D3DP's file of the
same name and layout ``annot3``.

Source: P-STMO (Shan et al., ECCV 2022), its loader and converters as its forks keep them; D3DP's
read-me.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.datasets.licensed.pack import CameraSequence
from graphlift.datasets.mpi_inf_3dhp.assembly import (
    Choice,
    Source,
    check_lengths,
    check_shape,
    check_valid,
    lens_of,
    paired,
)
from graphlift.datasets.mpi_inf_3dhp.facts import (
    TEST_LENSES,
    TEST_SIZES,
    TRAIN_LENSES,
    TRAIN_SIZE,
    Part,
)
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats.plain_pickle import read_object_arrays


def read_pstmo(path: Path, part: Part, choice: Choice) -> Iterator[CameraSequence]:
    """Read a file whole (a pickle cannot be read in parts), and yield its sequences.

    Args:
        path: The file.
        part: Which of the two it is.
        choice: Which sequences and cameras; how many bytes ``data`` may take.

    Raises:
        DatasetNotFoundError: If a sequence or camera is not in it.
        FormatError: If it is damaged, asks to run code, or is not as above.
    """
    data = read_object_arrays(path, ("data",), max_bytes=choice.max_bytes).get("data")
    if not isinstance(data, dict):
        raise FormatError(
            f"{path}: should hold a dictionary of sequences as `data`: it is damaged or of "
            "another kind"
        )
    missing = [name for name in choice.sequences if name not in data]
    if missing and (not choice.partial or len(missing) == len(choice.sequences)):
        raise DatasetNotFoundError(
            f"{path}: has no {', '.join(missing)}: get the file again, name the sequences to "
            "read, or go on without (--partial)"
        )
    for name in choice.sequences:
        if name in missing:
            continue
        if part == "test":
            yield _test(data[name], Source(f"{path}: {name}", name))
        else:
            yield from _train(data[name], name, path, choice.cameras)


def _test(entry: Any, source: Source) -> CameraSequence:  # noqa: ANN401
    keypoints, positions = _pair(entry, source.where)
    valid = check_valid(entry.get("valid"), f"{source.where}: valid")
    check_lengths(source.where, data_2d=keypoints, data_3d=positions, valid=valid)
    lens = lens_of(TEST_LENSES[source.name], TEST_SIZES[source.name])
    return paired(source, keypoints, positions, valid, lens)


def _train(
    entry: Any,  # noqa: ANN401
    name: str,
    path: Path,
    cameras: Collection[int],
) -> Iterator[CameraSequence]:
    of_camera = entry[0] if isinstance(entry, (list, tuple)) and entry else entry
    if not isinstance(of_camera, dict):
        raise FormatError(
            f"{path}: {name} should be [{{camera: arrays}}, fps]: the file is damaged or of "
            "another kind"
        )
    for camera in cameras:
        if str(camera) not in of_camera:
            raise DatasetNotFoundError(
                f"{path}: {name} has no camera {camera}: choose from {', '.join(of_camera)}"
            )
        source = Source(f"{path}: {name}, camera {camera}", name, camera)
        keypoints, positions = _pair(of_camera[str(camera)], source.where)
        valid = np.ones(len(keypoints), dtype=bool)
        check_lengths(source.where, data_2d=keypoints, data_3d=positions)
        lens = lens_of(TRAIN_LENSES[camera], TRAIN_SIZE)
        yield paired(source, keypoints, positions, valid, lens)


def _pair(entry: Any, where: str) -> tuple[np.ndarray, np.ndarray]:  # noqa: ANN401
    """Read 2D, px, and 3D, m."""
    if not isinstance(entry, dict):
        raise FormatError(f"{where} should be a dictionary of arrays: the file is damaged")
    keypoints = check_shape(entry.get("data_2d"), 17, 2, f"{where}: data_2d")
    positions = check_shape(entry.get("data_3d"), 17, 3, f"{where}: data_3d")
    return keypoints.astype(np.float32), (positions / 1000).astype(np.float32)
