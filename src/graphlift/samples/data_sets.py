"""The data sets that can be trained on, by the source that ``--data`` names."""

from collections.abc import Callable

from graphlift.samples.licensed import read_packs
from graphlift.samples.open_data import read_open_data
from graphlift.samples.samples import TrainingData

TRAINING_DATA_READERS: tuple[Callable[[str], TrainingData | None], ...] = (
    read_packs,
    read_open_data,
)
"""A function for each data set, which returns None for a source of another kind. They are tried in
turn; the last takes every other source, or raises an error."""


def read_data(source: str) -> TrainingData:
    """Open the data that a run or a study is made with.

    Args:
        source: ``prior``; a folder of motion capture, with ``cmu.npz`` and ``splits.json``; or a
            pack of Human3.6M, or a folder with one called ``h36m`` and, for ``3dhp-14``, one of
            MPI-INF-3DHP's test set called ``3dhp``.

    Raises:
        DatasetNotFoundError: If no such data exist.
        FormatError: If a file is damaged.
    """
    return next(data for read in TRAINING_DATA_READERS if (data := read(source)) is not None)
