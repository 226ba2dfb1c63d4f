"""The training set as it is published: ``S1/Seq1/annot.mat`` and ``camera.calibration`` to ``S8``.

Layout of ``annot.mat`` (MATLAB 5): cells ``annot2``, ``annot3`` and ``univ_annot3`` of fourteen
cameras, each (frame, 28·2) px or (frame, 28·3) mm in that camera's axes, a frame's joints one
after the other; ``cameras``, which camera each cell is of, 0 to 13; ``frames``. The text file
beside it: :mod:`graphlift.datasets.mpi_inf_3dhp.calibration`.

Source: the data set's read-me; published converters (mmpose, P-STMO, SPIN).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from graphlift.datasets.licensed.pack import CameraSequence
from graphlift.datasets.mpi_inf_3dhp.assembly import (
    Choice,
    Source,
    check_lengths,
    check_shape,
    paired,
)
from graphlift.datasets.mpi_inf_3dhp.calibration import read_calibration
from graphlift.datasets.mpi_inf_3dhp.facts import JOINTS_28, RELEVANT_17, TRAIN, Annotation
from graphlift.errors import FormatError
from graphlift.formats.mat5 import Variable, read_mat5


def read_train_set(
    files: Mapping[str, Path], annotation: Annotation, choice: Choice
) -> Iterator[CameraSequence]:
    """Read sequences one after the other, and of each the cameras in turn.

    Args:
        files: ``annot.mat`` of each sequence by name.
        annotation: Which 3D.
        choice: Which cameras, 0 to 13; how many bytes one variable may take, with all of them.

    Yields:
        Frames for which there is a picture (``TRAIN``); all of them count.

    Raises:
        DatasetNotFoundError: If a sequence has no ``camera.calibration``.
        FormatError: If a file is damaged or not as above, or lacks a camera that was asked for.
    """
    for name, path in files.items():
        lenses = read_calibration(path.with_name("camera.calibration"))
        variables = read_mat5(path, ("annot2", annotation, "cameras"), max_bytes=choice.max_bytes)
        keypoints = _cells(variables, "annot2", path)
        positions = _cells(variables, annotation, path)
        places = _places(variables, len(keypoints), path)
        for camera in choice.cameras:
            source = Source(f"{path} ({name}, camera {camera})", name, camera)
            if camera not in places or camera not in lenses:
                where = "annot.mat" if camera not in places else "camera.calibration"
                raise FormatError(
                    f"{source.where}: {where} has no camera {camera}: choose from "
                    f"{', '.join(map(str, sorted(set(places) & set(lenses))))}"
                )
            at = places[camera]
            xy = _joints(keypoints[at], 2, f"{source.where}: annot2")
            xyz = _joints(positions[at], 3, f"{source.where}: {annotation}") / 1000
            check_lengths(source.where, **{"annot2": xy, annotation: xyz})
            frames = TRAIN[name][0]
            xy, xyz = xy[:frames].astype(np.float32), xyz[:frames].astype(np.float32)
            yield paired(source, xy, xyz, np.ones(len(xy), dtype=bool), lenses[camera])


def _cells(variables: Mapping[str, Variable], name: str, path: Path) -> list[np.ndarray]:
    cells = variables.get(name)
    if not isinstance(cells, list):
        raise FormatError(
            f"{path}: should hold {name}, a cell for each camera, and has "
            f"{'none' if cells is None else 'an array'}: it is no annot.mat of the training set"
        )
    return cells


def _places(variables: Mapping[str, Variable], count: int, path: Path) -> dict[int, int]:
    """Say in which cell each camera is; without ``cameras`` they are taken to be in order."""
    numbers = variables.get("cameras", np.arange(count))
    listed = [int(each) for each in np.ravel(numbers)] if isinstance(numbers, np.ndarray) else []
    if len(listed) != count or len(set(listed)) != count:
        raise FormatError(
            f"{path}: cameras names {len(listed)} cameras, and annot2 has {count} cells: get the "
            "file again"
        )
    return {camera: place for place, camera in enumerate(listed)}


def _joints(cell: np.ndarray, numbers: int, where: str) -> np.ndarray:
    joints = len(JOINTS_28)
    if cell.ndim != 2 or cell.shape[1] != joints * numbers:
        raise FormatError(
            f"{where} is {cell.shape}, but should be (frame, {joints * numbers}), {joints} joints "
            "in a row: the file is damaged, or of another joint set"
        )
    array = cell.reshape(len(cell), joints, numbers)[:, RELEVANT_17]
    return check_shape(array, len(RELEVANT_17), numbers, where)
