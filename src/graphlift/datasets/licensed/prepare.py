"""A licensed data set's folder -> one pack of 3D and 2D.

A data set is one line in :data:`READERS`: a function from a folder and choices to a
:class:`graphlift.datasets.licensed.reading.Reading`, imported when it is called.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from graphlift.datasets.licensed.pack import (
    CameraSequence,
    SequencePack,
    digest_file,
    write_sequences,
)
from graphlift.datasets.licensed.reading import Choices, Reading
from graphlift.errors import ConfigError, DatasetNotFoundError
from graphlift.words import shown


def _human36m(folder: Path, choices: Choices) -> Reading:
    from graphlift.datasets.human36m.read import read_h36m

    return read_h36m(folder, choices)


def _mpi_inf_3dhp(folder: Path, choices: Choices) -> Reading:
    from graphlift.datasets.mpi_inf_3dhp.facts import annotation_named
    from graphlift.datasets.mpi_inf_3dhp.parts import read_parts

    parts = read_parts(
        folder,
        layout=choices.layout,
        partial=choices.partial,
        annotation=annotation_named(choices.annotation),
    )
    sources = [digest_file(path, folder) for path in parts.sources]
    return Reading("3dhp", parts.sequences, dict(parts.options), sources, parts.notes)


READERS: Mapping[str, Callable[[Path, Choices], Reading]] = {
    "h36m": _human36m,
    "3dhp": _mpi_inf_3dhp,
}


def _unwatched(sequences: Iterator[CameraSequence], _: int | None) -> Iterator[CameraSequence]:
    return sequences


def prepare_licensed(
    dataset: str,
    folder: Path,
    out: Path,
    choices: Choices,
    *,
    watch: Callable[[Iterator[CameraSequence], int | None], Iterable[CameraSequence]] = _unwatched,
) -> SequencePack:
    """Read a data set and write it as one pack, whole or not at all, clip by clip.

    Args:
        dataset: A key of :data:`READERS`.
        folder: Where its files are.
        out: The pack to write, a folder.
        choices: How to read.
        watch: Wraps the sequences, of which there will be so many if known: a progress bar.

    Returns:
        What was written.

    Raises:
        ConfigError: If no data set is called so.
        DatasetNotFoundError: If there is no such folder, or no file of the data set in it.
        FormatError: If a file is refused, or something is missing and ``choices.partial`` is off.
    """
    if dataset not in READERS:
        raise ConfigError(f"no data set {shown(dataset)}: give one of {', '.join(READERS)}")
    if not folder.is_dir():
        raise DatasetNotFoundError(f"{folder}: there is no such folder: give that of {dataset}")
    reading = READERS[dataset](folder, choices)
    return write_sequences(
        out,
        watch(reading.sequences, reading.expected),
        name=reading.name,
        sources=reading.sources,
        options=reading.options,
        notes=reading.notes,
    )
