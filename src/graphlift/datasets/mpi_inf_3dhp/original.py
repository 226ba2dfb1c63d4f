"""MPI-INF-3DHP as it is published.

Test set: ``TS1/annot_data.mat`` to ``TS6`` (MATLAB 7.3, which is HDF5; axes as h5py shows them):
``annot2`` (frame, 1, 17, 2) px; ``annot3`` and ``univ_annot3`` (frame, 1, 17, 3) mm, camera axes;
``valid_frame`` (frame, 1); ``activity_annotation`` (frame, 1), 1 to 7, and ``bb_crop``, a person's
box as references, are not read. The camera is not in it: its lens is fitted to ``annot2`` and
``annot3``.

Training set: ``S1/Seq1/annot.mat`` and ``camera.calibration`` to ``S8/Seq2`` (MATLAB 5): cells
``annot2``, ``annot3`` and ``univ_annot3`` of fourteen cameras, each (frame, 28·2) px or
(frame, 28·3) mm in that camera's axes, a frame's joints one after the other; ``cameras``, which
camera each cell is of, 0 to 13; ``frames``.

Source: the test set measured on the TS5 and TS6 files that go with D3DP; the data set's read-mes;
published converters of the training set (mmpose, P-STMO, SPIN).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.datasets.licensed.checks import check_flags, check_lengths, check_shape
from graphlift.datasets.licensed.reading import CameraSequence
from graphlift.datasets.mpi_inf_3dhp.cameras import fit_lens, read_calibration
from graphlift.datasets.mpi_inf_3dhp.facts import (
    JOINTS_28,
    RELEVANT_17,
    TEST_LENSES,
    TEST_SIZES,
    TRAIN,
    Annotation,
)
from graphlift.datasets.mpi_inf_3dhp.sequence import (
    Selection,
    check_joints,
    lens_alone,
    make_sequence,
)
from graphlift.errors import FormatError
from graphlift.formats.hdf5 import open_hdf5, read_dataset
from graphlift.formats.mat5 import Variable, read_mat5
from graphlift.words import counted


def read_test_set(
    files: Mapping[str, Path], annotation: Annotation, max_bytes: int
) -> Iterator[CameraSequence]:
    """Read test sequences one after the other.

    Args:
        files: ``annot_data.mat`` of each sequence by name.
        annotation: Which 3D.
        max_bytes: The most that one array may take.

    Raises:
        FormatError: If a file is damaged or not as above; the message names it.
        ModuleNotFoundError: If h5py is not installed (extra ``formats``).
    """
    for name, path in files.items():
        where = f"{path} ({name})"
        with open_hdf5(path) as file:
            keypoints = _test_joints(file, "annot2", 2, where, max_bytes)
            true = positions = _test_joints(file, "annot3", 3, where, max_bytes) / 1000
            if annotation == "univ_annot3":
                positions = _test_joints(file, annotation, 3, where, max_bytes) / 1000
            flags = read_dataset(file, "valid_frame", where, max_bytes)
        valid = check_flags(flags, f"{where}: valid_frame")
        check_lengths(where, annot2=keypoints, annot3=true, valid_frame=valid)
        size = TEST_SIZES[name]
        lens = lens_alone(TEST_LENSES[name], size)
        if valid.any():
            lens, _ = fit_lens(keypoints[valid], true[valid], size, where=where)
        yield make_sequence(name, 0, keypoints, positions, valid, lens, where=where)


def read_train_set(
    files: Mapping[str, Path], annotation: Annotation, selection: Selection
) -> Iterator[CameraSequence]:
    """Read training sequences one after the other, and of each the cameras in turn.

    Args:
        files: ``annot.mat`` of each sequence by name.
        annotation: Which 3D.
        selection: Which cameras, 0 to 13; how many bytes one variable may take, with all of them.

    Yields:
        Frames for which there is a picture (``TRAIN``); all of them are valid.

    Raises:
        DatasetNotFoundError: If a sequence has no ``camera.calibration``.
        FormatError: If a file is damaged or not as above, or lacks a camera that was asked for.
    """
    for name, path in files.items():
        lenses = read_calibration(path.with_name("camera.calibration"))
        names = ("annot2", annotation, "cameras")
        variables = read_mat5(path, names, max_bytes=selection.max_bytes)
        cells = {name: _cells(variables, name, path) for name in ("annot2", annotation)}
        cell_of = _cell_of_cameras(variables, len(cells["annot2"]), path)
        for camera in selection.cameras:
            where = f"{path} ({name}, camera {camera})"
            if camera not in cell_of or camera not in lenses:
                lacking = "camera.calibration" if camera in cell_of else "annot.mat"
                raise FormatError(
                    f"{where}: {lacking} has no camera {camera}: choose from "
                    f"{', '.join(map(str, sorted(set(cell_of) & set(lenses))))}"
                )
            at = cell_of[camera]
            xy = _train_joints(cells["annot2"][at], 2, f"{where}: annot2")
            xyz = _train_joints(cells[annotation][at], 3, f"{where}: {annotation}") / 1000
            check_lengths(where, **{"annot2": xy, annotation: xyz})
            frames = TRAIN[name][0]
            lens = lenses[camera]
            yield make_sequence(name, camera, xy[:frames], xyz[:frames], None, lens, where=where)


def _test_joints(file: Any, name: str, axes: int, where: str, max_bytes: int) -> np.ndarray:  # noqa: ANN401
    array = read_dataset(file, name, where, max_bytes)
    if array.ndim == 4 and array.shape[1] == 1:  # the axis of people
        array = array[:, 0]
    return check_joints(array, 17, axes, f"{where}: {name}")


def _cells(variables: Mapping[str, Variable], name: str, path: Path) -> list[np.ndarray]:
    cells = variables.get(name)
    if not isinstance(cells, list):
        raise FormatError(
            f"{path}: should hold {name}, a cell for each camera, and has "
            f"{'none' if cells is None else 'an array'}: it is no annot.mat of the training set"
        )
    return cells


def _cell_of_cameras(variables: Mapping[str, Variable], count: int, path: Path) -> dict[int, int]:
    """Find the cell of each camera; without ``cameras`` they are taken to be in order."""
    numbers = variables.get("cameras", np.arange(count))
    cameras = [int(each) for each in np.ravel(numbers)] if isinstance(numbers, np.ndarray) else []
    if len(cameras) != count or len(set(cameras)) != count:
        raise FormatError(
            f"{path}: cameras names {counted(len(cameras), 'camera')}, and annot2 has "
            f"{counted(count, 'cell')}: get the file again"
        )
    return {camera: cell for cell, camera in enumerate(cameras)}


def _train_joints(cell: np.ndarray, axes: int, where: str) -> np.ndarray:
    joints = len(JOINTS_28)
    check_shape(cell, (None, joints * axes), where)
    array = cell.reshape(len(cell), joints, axes)[:, RELEVANT_17]
    return check_joints(array, len(RELEVANT_17), axes, where)
