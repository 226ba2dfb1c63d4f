"""From the folder of a licensed data set to one pack of keypoints and poses.

A data set is one line in :data:`LICENSED_DATA_SETS`: the module and the name of its reader, a
:data:`graphlift.datasets.licensed.reading.Reader`, imported when it is needed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path

from graphlift.datasets.licensed.pack import SequencePack, digest_file, write_sequences
from graphlift.datasets.licensed.reading import CameraSequence, Reader, ReadOptions
from graphlift.errors import ConfigError, DatasetNotFoundError
from graphlift.words import shown

LICENSED_DATA_SETS: Mapping[str, tuple[str, str]] = {
    "h36m": ("graphlift.datasets.human36m.read", "read_h36m"),
    "3dhp": ("graphlift.datasets.mpi_inf_3dhp.read", "read_parts"),
}


def prepare_licensed(
    dataset: str,
    folder: Path,
    out: Path,
    options: ReadOptions,
    *,
    watch: Callable[[Iterator[CameraSequence], int | None], Iterable[CameraSequence]]
    | None = None,
) -> SequencePack:
    """Read a data set and write it as one pack, whole or not at all, clip by clip.

    Args:
        dataset: A key of :data:`LICENSED_DATA_SETS`.
        folder: The folder of its files.
        out: The pack to write, a folder.
        options: How to read.
        watch: Wraps the sequences and their number, if it is known: a progress bar.

    Returns:
        The pack that was written.

    Raises:
        ConfigError: If no data set has this name, or an option does not fit it.
        DatasetNotFoundError: If there is no such folder, or no file of the data set in it.
        FormatError: If a file is refused, or something is missing and ``options.partial`` is off.
    """
    if dataset not in LICENSED_DATA_SETS:
        raise ConfigError(
            f"no data set {shown(dataset)}: give one of {', '.join(LICENSED_DATA_SETS)}"
        )
    if not folder.is_dir():
        raise DatasetNotFoundError(f"{folder}: there is no such folder: give that of {dataset}")
    module, name = LICENSED_DATA_SETS[dataset]
    reader: Reader = getattr(import_module(module), name)
    reading = reader(folder, options)
    return write_sequences(
        out,
        watch(reading.sequences, reading.total) if watch else reading.sequences,
        name=reading.name,
        sources=(digest_file(path, folder) for path in reading.sources),
        options=reading.options,
        notes=reading.notes,
    )
