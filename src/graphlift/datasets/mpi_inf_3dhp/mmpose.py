"""mmpose's annotation files of MPI-INF-3DHP.

The ``.npz`` (:mod:`graphlift.datasets.licensed.mmpose`) names images ``S4_Seq2_Cam0_001033.jpg``
and ``TS1_002001.jpg``: sequence, camera, frame from 1. The 3D is ``annot3``.
:mod:`graphlift.datasets.mpi_inf_3dhp.cameras` reads the pickle. In test files rows are the valid
frames, and those between are missing: they are single frames and not a film.

Source: mmpose's ``preprocess_mpi_inf_3dhp.py`` and the layout of its test data.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from graphlift.datasets.licensed.completeness import present
from graphlift.datasets.licensed.mmpose import read_annotations
from graphlift.datasets.licensed.reading import CameraSequence
from graphlift.datasets.mpi_inf_3dhp.cameras import read_3dhp_pickle
from graphlift.datasets.mpi_inf_3dhp.facts import Part
from graphlift.datasets.mpi_inf_3dhp.sequence import Selection, check_joints, make_sequence
from graphlift.errors import DatasetNotFoundError

_IMAGE = re.compile(r"(?:.*/)?(TS\d+|S\d+_Seq\d+_Cam\d+)_(\d+)\.\w+", re.ASCII)


def read_mmpose_3dhp(
    path: Path, cameras_path: Path, part: Part, selection: Selection, notes: list[str]
) -> Iterator[CameraSequence]:
    """Yield the sequences of a file; arrays that are not compressed stay in it until needed.

    Args:
        path: The ``.npz``.
        cameras_path: The pickle.
        part: Which part they are of.
        selection: Which sequences and cameras; how many bytes one compressed array may take.
        notes: Gets a sentence if an image size of the pickle is not the data set's.

    Raises:
        DatasetNotFoundError: If a sequence or camera is in one of the files and not the other.
        FormatError: If a file is damaged, asks to run code, or is not as above.
    """
    lenses = read_3dhp_pickle(cameras_path, notes)
    example = "TS1_002001.jpg or S4_Seq2_Cam0_001033.jpg"
    rows, px, metres = read_annotations(path, _parse, example, max_bytes=selection.max_bytes)
    expected = {
        f"{name.replace(' ', '_')}_Cam{camera}" if part == "train" else name: (name, camera)
        for name in selection.sequences
        for camera in (selection.cameras if part == "train" else (0,))
    }
    for key in present(list(expected), rows, str(path), partial=selection.partial):
        if key not in lenses:
            raise DatasetNotFoundError(
                f"{cameras_path}: has no camera {key}: use the pickle that was made with {path}"
            )
        where = f"{path}: {key}"
        _, at = rows[key]
        keypoints = check_joints(px[at][..., :2], 17, 2, f"{where}: part")
        positions = check_joints(metres[at][..., :3], 17, 3, f"{where}: S")
        yield make_sequence(*expected[key], keypoints, positions, None, lenses[key], where=where)


def _parse(image: str) -> tuple[str, int] | None:
    match = _IMAGE.fullmatch(image)
    return (match[1], int(match[2])) if match else None
