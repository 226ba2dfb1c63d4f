"""The test set as it is published: ``TS1/annot_data.mat`` to ``TS6/annot_data.mat``.

Layout (MATLAB 7.3, which is HDF5; axes as h5py shows them): ``annot2`` (frame, 1, 17, 2) px;
``annot3`` and ``univ_annot3`` (frame, 1, 17, 3) mm, camera axes; ``valid_frame`` and
``activity_annotation`` (frame, 1), the latter 1 to 7; ``bb_crop``, a person's box as references,
which is not read. The camera is not in it: its lens is fitted to ``annot2`` and ``annot3``.

Source: measured on the TS5 and TS6 files that go with D3DP; the test set's read-me.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from graphlift.datasets.licensed.pack import CameraSequence
from graphlift.datasets.mpi_inf_3dhp.assembly import (
    Source,
    check_lengths,
    check_shape,
    check_valid,
    lens_of,
    paired,
)
from graphlift.datasets.mpi_inf_3dhp.facts import (
    ACTIVITIES,
    TEST_LENSES,
    TEST_SIZES,
    Annotation,
)
from graphlift.datasets.mpi_inf_3dhp.lens import fit_lens
from graphlift.errors import FormatError
from graphlift.formats.hdf5 import open_hdf5, read_dataset


def read_test_set(
    files: Mapping[str, Path], annotation: Annotation, *, max_bytes: int
) -> Iterator[CameraSequence]:
    """Read sequences one after the other.

    Args:
        files: ``annot_data.mat`` of each sequence by name.
        annotation: Which 3D.
        max_bytes: The most that one array may take.

    Raises:
        FormatError: If a file is damaged or not as above; the message names it.
        ModuleNotFoundError: If h5py is not installed (extra ``formats``).
    """
    for name, path in files.items():
        yield _read(name, path, annotation, max_bytes)


def read_activities(path: Path) -> Int[np.ndarray, " frame"]:
    """Read what the person does in each frame of a test sequence.

    Args:
        path: Its ``annot_data.mat``.

    Returns:
        Indices into ``ACTIVITIES``, from 0.

    Raises:
        FormatError: If there is no such array, or a frame has none of the seven.
    """
    with open_hdf5(path) as file:
        numbers = read_dataset(file, "activity_annotation", str(path))
    flat = numbers.reshape(-1)
    if flat.dtype.kind not in "iuf" or not np.isin(flat, range(1, len(ACTIVITIES) + 1)).all():
        raise FormatError(
            f"{path}: activity_annotation should hold 1 to {len(ACTIVITIES)} for each frame: get "
            "the file again"
        )
    return flat.astype(np.int64) - 1


def _read(name: str, path: Path, annotation: Annotation, max_bytes: int) -> CameraSequence:
    where = f"{path} ({name})"
    with open_hdf5(path) as file:
        keypoints = _joints(file, "annot2", 2, where, max_bytes)
        true = _joints(file, "annot3", 3, where, max_bytes) / 1000
        positions = true
        if annotation == "univ_annot3":
            positions = _joints(file, "univ_annot3", 3, where, max_bytes) / 1000
        valid = check_valid(
            read_dataset(file, "valid_frame", where, max_bytes), f"{where}: valid_frame"
        )
    check_lengths(where, annot2=keypoints, annot3=true, valid_frame=valid)
    size = TEST_SIZES[name]
    lens = lens_of(TEST_LENSES[name], size)
    if valid.any():
        lens, _ = fit_lens(keypoints[valid], true[valid], size, where=where)
    return paired(
        Source(where, name),
        keypoints.astype(np.float32),
        positions.astype(np.float32),
        valid,
        lens,
    )


def _joints(file: Any, name: str, numbers: int, where: str, max_bytes: int) -> np.ndarray:  # noqa: ANN401
    array = read_dataset(file, name, where, max_bytes)
    if array.ndim == 4 and array.shape[1] == 1:  # the axis of people
        array = array[:, 0]
    return check_shape(array, 17, numbers, f"{where}: {name}")
