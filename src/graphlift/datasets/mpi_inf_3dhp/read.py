"""MPI-INF-3DHP from a folder: which layout each part has, its sequences, what is missing."""

from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import cast, get_args

from graphlift.datasets.licensed.completeness import Published, check_complete, present
from graphlift.datasets.licensed.reading import CameraSequence, Reading, ReadOptions
from graphlift.datasets.mpi_inf_3dhp.facts import (
    TEST,
    TEST_FPS,
    TRAIN,
    TRAIN_LENSES,
    VNECT_CAMERAS,
    Annotation,
    Part,
)
from graphlift.datasets.mpi_inf_3dhp.layouts import PartFiles, find_layout
from graphlift.datasets.mpi_inf_3dhp.mmpose import read_mmpose_3dhp
from graphlift.datasets.mpi_inf_3dhp.original import read_test_set, read_train_set
from graphlift.datasets.mpi_inf_3dhp.pstmo import read_pstmo
from graphlift.datasets.mpi_inf_3dhp.sequence import Selection
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
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
    layout: str | None = None,
    partial: bool = False,
    max_bytes: int = MAX_BYTES,
    notes: list[str] | None = None,
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
        partial: Whether to go on where sequences are missing.
        max_bytes: The most that one array or pickle may take.
        notes: Gets a sentence on each thing that was corrected while reading.

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
    known = TEST if part == "test" else TRAIN
    if wrong := [name for name in sequences or () if name not in known]:
        raise ConfigError(
            f"no sequence {shown(wrong[0])} in the {part} part: choose from {', '.join(known)}"
        )
    last = len(TRAIN_LENSES) - 1
    if outside := sorted(set(cameras) - set(range(last + 1))):
        raise ConfigError(f"no camera {outside[0]}: MPI-INF-3DHP's are 0 to {last}")
    names = tuple(name for name in known if sequences is None or name in sequences)
    selection = Selection(names, tuple(sorted(set(cameras))), partial, max_bytes)
    found = find_layout(folder, part, layout=layout)
    _check_annotation(annotation, found)
    files = found.files
    if found.layout == "p-stmo":
        return read_pstmo(files["data"], part, selection)
    if found.layout == "mmpose":
        corrected = [] if notes is None else notes
        return read_mmpose_3dhp(files["data"], files["cameras"], part, selection, corrected)
    chosen = {
        name: files[name]
        for name in present(names, files, f"{folder}: the {part} part", partial=partial)
    }
    kind = annotation or "univ_annot3"
    if part == "test":
        return read_test_set(chosen, kind, max_bytes)
    return read_train_set(chosen, kind, selection)


def read_parts(
    folder: Path, options: ReadOptions, *, cameras: Collection[int] = VNECT_CAMERAS
) -> Reading:
    """Read what a folder has of MPI-INF-3DHP: the training part, the test part or both.

    A folder may hold the test part only: a model of Human3.6M is scored on no more.

    Args:
        folder: Where the data lie.
        options: ``layout`` as of :func:`read_3dhp`, found out for each part; ``annotation`` is
            the same for both parts.
        cameras: Which cameras of the training set.

    Returns:
        Sequences as of :func:`read_3dhp`, the training part first.

    Raises:
        ConfigError: As :func:`read_3dhp`.
        DatasetNotFoundError: If neither part is found, or a sequence is missing.
        FormatError: If the parts hold different 3D; while reading, if a file is refused or the
            number of valid frames is not the published one (2,929 of the test set).
    """
    annotation = cast("Annotation | None", options.annotation)
    _check_annotation(annotation)
    parts = _find_parts(folder, options.layout)
    layouts = {part: found.layout for part, found in parts.items()}
    taken = annotation or _usual_annotation(folder, layouts)
    notes = list(_notes(parts, taken))
    reads = [
        read_3dhp(
            folder,
            part,
            annotation=annotation,
            cameras=cameras,
            layout=name,
            partial=options.partial,
            notes=notes,
        )
        for part, name in layouts.items()
    ]
    return Reading(
        name="3dhp",
        sequences=check_complete(
            chain.from_iterable(reads),
            published(parts, cameras),
            notes,
            where=str(folder),
            partial=options.partial,
        ),
        options={
            **{f"layout of {part}": name for part, name in layouts.items()},
            "annotation": taken,
            "cameras": " ".join(map(str, sorted(set(cameras)))),
            "partial": options.partial,
        },
        sources=[path for found in parts.values() for path in found.sources],
        notes=notes,
    )


def _usual_annotation(folder: Path, layouts: Mapping[Part, str]) -> Annotation:
    if len({name == "mmpose" for name in layouts.values()}) > 1:
        raise FormatError(
            f"{folder}: holds {' and '.join(f'{k} ({v})' for k, v in layouts.items())}, and "
            "mmpose's has annot3 but the other univ_annot3, people of another size: give the "
            "layout of one of them, or annotation annot3"
        )
    return "annot3" if "mmpose" in layouts.values() else "univ_annot3"


def published(parts: Collection[Part], cameras: Collection[int] = VNECT_CAMERAS) -> Published:
    """List the sequences of some parts with their published numbers of valid frames."""
    counts: dict[str, dict[tuple[str, str, str], int]] = {
        "train": {
            (*cast("tuple[str, str]", tuple(name.split())), str(camera)): frames
            for name, (frames, _) in TRAIN.items()
            for camera in sorted(set(cameras))
        },
        "test": {(name, name, "0"): frames for name, frames in TEST.items()},
    }
    return Published(
        name="MPI-INF-3DHP",
        unit="frames",
        counts={key: frames for part in parts for key, frames in counts[part].items()},
        parts={
            part: ({subject for subject, _, _ in counts[part]}, sum(counts[part].values()))
            for part in parts
        },
    )


def _find_parts(folder: Path, layout: str | None) -> dict[Part, PartFiles]:
    found: dict[Part, PartFiles] = {}
    reasons = []
    for part in get_args(Part):
        try:
            found[part] = find_layout(folder, part, layout=layout)
        except DatasetNotFoundError as error:
            reasons.append(str(error))
    if not found:
        raise DatasetNotFoundError("; ".join(dict.fromkeys(reasons)))
    return found


def _check_annotation(annotation: str | None, found: PartFiles | None = None) -> None:
    if annotation not in (None, *get_args(Annotation)):
        raise ConfigError(f"no annotation {shown(annotation)}: give annot3 or univ_annot3")
    if found and found.layout == "mmpose" and annotation == "univ_annot3":
        raise ConfigError(
            f"{found.files['data']}: mmpose's file holds annot3 only: leave the annotation out, "
            "or read the original annot_data.mat"
        )


def _notes(parts: dict[Part, PartFiles], annotation: Annotation) -> Iterator[str]:
    """State what is known before anything is read."""
    for part in get_args(Part):
        if part not in parts:
            yield f"the {part} part is not in the folder"
    if any(found.layout == "p-stmo" for found in parts.values()):
        yield (
            f"p-stmo: the file does not state which 3D it holds; taken to be {annotation}. Its "
            "lenses are the published ones"
        )
    if "test" in parts:
        yield f"test: no rate is published; taken to be {TEST_FPS:g} frames a second"
