"""MPI-INF-3DHP, in the layouts it is passed around in.

:func:`read_3dhp` recognises the layout of a folder and yields sequences with the official 17
joints. The data are licensed for research and are never downloaded: docs/mpi-inf-3dhp.md.

Source: Mehta et al., "Monocular 3D human pose estimation in the wild using improved CNN
supervision", 3DV 2017.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np

from graphlift.datasets.licensed.pack import CameraSequence
from graphlift.datasets.mpi_inf_3dhp.assembly import Choice
from graphlift.datasets.mpi_inf_3dhp.counts import expected_frames as expected_frames
from graphlift.datasets.mpi_inf_3dhp.counts import shortfall as shortfall
from graphlift.datasets.mpi_inf_3dhp.facts import (
    SKELETON,
    TEST,
    TO_H36M_17,
    TRAIN,
    TRAIN_LENSES,
    VNECT_CAMERAS,
    Annotation,
    Part,
)
from graphlift.datasets.mpi_inf_3dhp.layouts import Kind
from graphlift.datasets.mpi_inf_3dhp.layouts import Layout as Layout
from graphlift.datasets.mpi_inf_3dhp.layouts import find_layout as find_layout
from graphlift.datasets.mpi_inf_3dhp.mmpose import read_mmpose
from graphlift.datasets.mpi_inf_3dhp.pstmo import read_pstmo
from graphlift.datasets.mpi_inf_3dhp.test_set import read_activities as read_activities
from graphlift.datasets.mpi_inf_3dhp.test_set import read_test_set
from graphlift.datasets.mpi_inf_3dhp.train_set import read_train_set
from graphlift.errors import ConfigError, DatasetNotFoundError, ShapeError
from graphlift.skeletons import H36M_17
from graphlift.words import shown

MAX_BYTES = 2 << 30
"""The most that is read whole: P-STMO's training file is one pickle of some 0.8 GB, a training
sequence of the data set itself 0.2 GB."""


def read_3dhp(
    folder: Path,
    part: Part,
    *,
    annotation: Annotation | None = None,
    sequences: Collection[str] | None = None,
    cameras: Collection[int] = VNECT_CAMERAS,
    layout: Kind | None = None,
    partial: bool = False,
    max_bytes: int = MAX_BYTES,
) -> Iterator[CameraSequence]:
    """Read a part of MPI-INF-3DHP from a folder, whichever known layout it has.

    What can be checked before reading is checked at the call; the rest when its turn comes.

    Args:
        folder: Where the data lie.
        part: ``train`` (eight subjects) or ``test`` (TS1 to TS6).
        annotation: Which 3D: ``univ_annot3``, the default, is what the literature scores
            (:data:`graphlift.datasets.mpi_inf_3dhp.facts.Annotation`). mmpose's files hold
            ``annot3`` only, and then it is that; of P-STMO's it is the caller's word.
        sequences: Which, such as ``TS1`` or ``S1 Seq1``; all of the part when left out.
        cameras: Which cameras of the training set.
        layout: ``original``, ``p-stmo`` or ``mmpose``; found out when left out.
        partial: Whether to go on where sequences are missing (:func:`shortfall` names them).
        max_bytes: The most that one array or pickle may take.

    Returns:
        Sequences in the order of the data set, then of cameras: m, camera axes, ``gt`` keypoints
        in px, 17 joints in the official order.

    Raises:
        ConfigError: If there is no such part, sequence, camera or layout, or the layout does not
            hold the annotation.
        DatasetNotFoundError: If no layout is recognised, or a sequence is missing and
            ``partial`` is off.
        FormatError: If a file is damaged, made to run code, or not of its layout.
        ModuleNotFoundError: If h5py is needed and not there (extra ``formats``).
    """
    if part not in get_args(Part):
        raise ConfigError(f"no part {shown(part)} of MPI-INF-3DHP: give train or test")
    names = _chosen(sequences, part)
    if wrong := sorted(set(cameras) - set(range(len(TRAIN_LENSES)))):
        raise ConfigError(f"no camera {wrong[0]}: MPI-INF-3DHP's are 0 to {len(TRAIN_LENSES) - 1}")
    found = find_layout(folder, part, kind=layout)
    _check_annotation(found, annotation)
    files, choice = found.files, Choice(names, tuple(sorted(set(cameras))), partial, max_bytes)
    if found.kind == "p-stmo":
        return read_pstmo(files["data"], part, choice)
    if found.kind == "mmpose":
        return read_mmpose(files["data"], files["cameras"], part, choice)
    missing = [name for name in names if name not in files]
    if missing and (not partial or len(missing) == len(names)):
        raise DatasetNotFoundError(
            f"{folder}: {', '.join(missing)} missing from the {part} part: get them, name the "
            f"sequences to read ({', '.join(files)} are there), or go on without (--partial)"
        )
    chosen = {name: files[name] for name in names if name in files}
    kind = annotation or "univ_annot3"
    if part == "test":
        return read_test_set(chosen, kind, max_bytes=max_bytes)
    return read_train_set(chosen, kind, choice)


def to_h36m(sequence: CameraSequence) -> CameraSequence:
    """Give a sequence Human3.6M's 17 joints, by the selection that the literature uses.

    Neck/Nose is 3DHP's head and Head its top of the head; see
    :data:`graphlift.datasets.mpi_inf_3dhp.facts.TO_H36M_17`.

    Raises:
        ShapeError: If it has not the official 17 joints.
    """
    if sequence.skeleton != SKELETON:
        raise ShapeError(
            f"{sequence.subject} {sequence.clip} has the joints of {sequence.skeleton.name}, and "
            f"those of {SKELETON.name} are expected"
        )
    order = np.array(TO_H36M_17)
    return replace(
        sequence,
        positions=sequence.positions[:, order],
        keypoints={kind: xy[:, order] for kind, xy in sequence.keypoints.items()},
        skeleton=H36M_17,
    )


def _chosen(sequences: Collection[str] | None, part: Part) -> tuple[str, ...]:
    known = tuple(TEST if part == "test" else TRAIN)
    if sequences is None:
        return known
    if wrong := [name for name in sequences if name not in known]:
        raise ConfigError(
            f"no sequence {shown(wrong[0])} in the {part} part: choose from {', '.join(known)}"
        )
    return tuple(name for name in known if name in sequences)


def _check_annotation(layout: Layout, annotation: Annotation | None) -> None:
    if annotation not in (None, *get_args(Annotation)):
        raise ConfigError(f"no annotation {shown(annotation)}: give annot3 or univ_annot3")
    if layout.kind == "mmpose" and annotation == "univ_annot3":
        raise ConfigError(
            f"{layout.files['data']}: mmpose's file holds annot3 only: leave the annotation out, "
            "or read the original annot_data.mat"
        )
