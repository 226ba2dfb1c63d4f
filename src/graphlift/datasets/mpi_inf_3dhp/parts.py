"""Both parts of MPI-INF-3DHP from one folder, as one pack wants them: whole, or said what is not.

A folder may hold the test part only: that is all that a model of Human3.6M is scored on.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from graphlift.datasets.licensed.pack import CameraSequence
from graphlift.datasets.mpi_inf_3dhp import MAX_BYTES, read_3dhp
from graphlift.datasets.mpi_inf_3dhp.counts import Key, shortfall
from graphlift.datasets.mpi_inf_3dhp.facts import TEST_FPS, VNECT_CAMERAS, Annotation, Part
from graphlift.datasets.mpi_inf_3dhp.layouts import Kind, Layout, find_layout
from graphlift.datasets.mpi_inf_3dhp.mmpose import note_sizes
from graphlift.errors import DatasetNotFoundError, FormatError

_PARTS: tuple[Part, ...] = ("train", "test")


@dataclass(frozen=True, eq=False)
class Parts:
    """MPI-INF-3DHP while it is being read.

    Args:
        sequences: The training part, then the test part; one at a time. It raises at the end of a
            part if something of it is missing.
        options: What was asked for, and what was found out.
        sources: Every file that is read.
        notes: What was done and left out, one sentence each; whole after the last sequence.
    """

    sequences: Iterator[CameraSequence]
    options: Mapping[str, str | int | float | bool]
    sources: tuple[Path, ...]
    notes: list[str]


def read_parts(
    folder: Path,
    *,
    layout: str | None = None,
    partial: bool = False,
    annotation: Annotation | None = None,
    cameras: Collection[int] = VNECT_CAMERAS,
    max_bytes: int = MAX_BYTES,
) -> Parts:
    """Read what a folder has of MPI-INF-3DHP: the training part, the test part or both.

    Args:
        folder: Where the data lie.
        layout: As in :func:`graphlift.datasets.mpi_inf_3dhp.read_3dhp`, found out for each part.
        partial: Whether to go on where sequences or frames are missing; notes then name them.
        annotation: Which 3D, the same for both parts; see ``read_3dhp``.
        cameras: Which cameras of the training set.
        max_bytes: The most that one array or pickle may take.

    Returns:
        Sequences as of ``read_3dhp``: m, camera axes, px, the official 17 joints. Each part that
        is there has all its sequences, and of each as many frames that count as are published
        (2,929 of the test set), unless ``partial`` is on.

    Raises:
        ConfigError: As of ``read_3dhp``.
        DatasetNotFoundError: If neither part is there, or a sequence is missing.
        FormatError: If a file is refused, the parts hold different 3D, or frames are missing.
    """
    layouts = _find(folder, cast("Kind | None", layout))  # another is refused there
    kinds = {part: found.kind for part, found in layouts.items()}
    if annotation is None and len({kind == "mmpose" for kind in kinds.values()}) > 1:
        raise FormatError(
            f"{folder}: holds {' and '.join(f'{k} ({v})' for k, v in kinds.items())}, and "
            "mmpose's has annot3 but the other univ_annot3, people of another size: give the "
            "layout of one of them, or annotation annot3"
        )
    reads = {
        part: read_3dhp(
            folder,
            part,
            annotation=annotation,
            cameras=cameras,
            layout=kind,
            partial=partial,
            max_bytes=max_bytes,
        )
        for part, kind in kinds.items()
    }
    taken = annotation or ("annot3" if "mmpose" in kinds.values() else "univ_annot3")
    options: dict[str, str | int | float | bool] = {
        **{f"layout of {part}": kind for part, kind in kinds.items()},
        "annotation": taken,
        "cameras": " ".join(map(str, sorted(set(cameras)))),
        "partial": partial,
    }
    sources = tuple(path for found in layouts.values() for path in found.sources)
    notes = [*_known(kinds, taken), *_sizes(layouts)]
    return Parts(_checked(folder, reads, cameras, partial, notes), options, sources, notes)


def _find(folder: Path, layout: Kind | None) -> dict[Part, Layout]:
    found: dict[Part, Layout] = {}
    reasons = []
    for part in _PARTS:
        try:
            found[part] = find_layout(folder, part, kind=layout)
        except DatasetNotFoundError as error:
            reasons.append(str(error))
    if not found:
        raise DatasetNotFoundError("; ".join(dict.fromkeys(reasons)))
    return found


def _known(kinds: Mapping[Part, Kind], annotation: Annotation) -> Iterator[str]:
    """Say what is so before anything is read."""
    for part in _PARTS:
        if part not in kinds:
            yield f"the {part} part is not in the folder"
    if "p-stmo" in kinds.values():
        yield (
            f"p-stmo: the file does not say which 3D it holds; taken to be {annotation}. Its "
            "lenses are the published ones"
        )
    if "test" in kinds:
        yield f"test: no rate is published; taken to be {TEST_FPS:g} frames a second"


def _sizes(layouts: Mapping[Part, Layout]) -> Iterator[str]:
    """Say where mmpose's cameras have another image size than the data set."""
    for found in layouts.values():
        if found.kind == "mmpose" and (note := note_sizes(found.files["cameras"])):
            yield note


def _checked(
    folder: Path,
    reads: Mapping[Part, Iterator[CameraSequence]],
    cameras: Collection[int],
    partial: bool,
    notes: list[str],
) -> Iterator[CameraSequence]:
    """Count while reading, and compare each part with what is published."""
    for part, read in reads.items():
        counts: dict[Key, int] = {}
        for sequence in read:
            key = (sequence.subject, sequence.clip, sequence.camera)
            counts[key] = int(sequence.valid.sum())
            yield sequence
        wanting = shortfall(part, counts, cameras=set(cameras))
        if wanting and not partial:
            raise FormatError(
                f"{folder}: the {part} part of MPI-INF-3DHP is not complete. {' '.join(wanting)} "
                "Add what is missing, or give --partial for a pack of what is there, whose scores "
                "compare with no published ones"
            )
        notes.extend(f"missing: {line}" for line in wanting)
        notes.append(f"{part}: {sum(counts.values()):,} frames count, in {len(counts)} sequences")
