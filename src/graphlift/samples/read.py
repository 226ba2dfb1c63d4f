"""The data sets that can be trained on, by the source that ``--data`` names."""

from collections.abc import Callable

from graphlift.samples.licensed import read_packs
from graphlift.samples.open_data import read_open_data
from graphlift.samples.samples import TrainingData

READERS: tuple[Callable[[str], TrainingData | None], ...] = (read_packs, read_open_data)
"""A function for each data set; one gives None for a source that is not its own. They are tried in
turn, and the last takes what the others leave, or says why it cannot."""


def read_data(source: str) -> TrainingData:
    """Open what a run or a study is made on.

    Args:
        source: ``prior``; a folder of motion capture, with ``cmu.npz`` and ``splits.json``; or a
            pack of Human3.6M, or a folder with one called ``h36m`` and, for ``3dhp-14``, one of
            MPI-INF-3DHP's test set called ``3dhp``.

    Raises:
        DatasetNotFoundError: If nothing of that kind is there.
        FormatError: If a file is damaged.
    """
    return next(data for read in READERS if (data := read(source)) is not None)
