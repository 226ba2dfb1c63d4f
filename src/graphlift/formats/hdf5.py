"""HDF5 files, read with limits: no links to other files, no objects."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.files import container
from graphlift.formats.keypoint_source import MAX_BYTES
from graphlift.formats.npz_members import check_packing
from graphlift.words import shown


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """Open a file to read from; errors inside the block name the file.

    Raises:
        FormatError: If it is no HDF5, cut short or damaged.
        ModuleNotFoundError: If h5py is not installed (extra ``formats``).
    """
    import h5py

    with container(path, "HDF5"), h5py.File(path, "r") as file:
        yield file


def read_dataset(
    group: Any,  # noqa: ANN401
    name: str,
    where: str,
    max_bytes: int = MAX_BYTES,
) -> np.ndarray:
    """Read an array of numbers, strings or records.

    Raises:
        FormatError: If it is missing, is kept outside the file, or is too large.
    """
    import h5py

    if name not in set(group):
        raise FormatError(
            f"{where}: has no array {shown(name)}: the file is damaged or of another kind"
        )
    dataset = group[name] if is_inside(group, name) else None
    if dataset is None or getattr(dataset, "external", None) or getattr(dataset, "is_virtual", 0):
        raise FormatError(
            f"{where}: {name} is kept in another file, which is not opened: copy it into this one"
        )
    if not isinstance(dataset, h5py.Dataset):
        raise FormatError(f"{where}: {name} is no array: the file is damaged or of another kind")
    text = h5py.check_string_dtype(dataset.dtype) is not None
    if dataset.dtype.hasobject and not text:
        raise FormatError(f"{where}: {name} holds objects ({dataset.dtype}), which are not read")
    size = math.prod(dataset.shape or ()) * dataset.dtype.itemsize
    if size > max_bytes:
        raise FormatError(
            f"{where}: {name} {dataset.shape} takes {size / 1e9:.1f} GB, more than the "
            f"{max_bytes / 1e9:.1f} GB that are read at once: split it into clips, or "
            "raise max_bytes"
        )
    check_packing(size, dataset.id.get_storage_size(), f"{where}: {shown(name)}")
    return np.asarray(dataset[()])


def texts(values: np.ndarray) -> list[str]:
    """Make text of an array of names, whichever way they are kept."""
    return [
        each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each)
        for each in values.ravel()
    ]


def is_inside(group: Any, name: str) -> bool:  # noqa: ANN401
    """Say whether something of this name is kept in the group itself, and no link to elsewhere."""
    import h5py

    kind = group.id.links.get_info(os.fsencode(name)).type  # bytes already, if not UTF-8
    return bool(kind == h5py.h5l.TYPE_HARD)
