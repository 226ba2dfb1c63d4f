"""MATLAB's files up to version 7 (MAT 5): arrays of numbers, and cells of them. Nothing else.

SciPy reads them, in a child process with limits: its reader follows cells within cells without
end, and a file of 1 MB ends its interpreter. Version 7.3 is HDF5 (:mod:`graphlift.formats.hdf5`).

Source: MathWorks, "MAT-File Format", the Level 5 part.
"""

import math
import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.files import container
from graphlift.formats.child import read_in_child

_HEADER = 128
_SEPARATOR = "/"
"""Between the name of a variable and the number of a cell; no variable has it in its name."""

_KINDS = {"c": "complex numbers", "U": "text", "V": "a struct", "O": "a cell in a cell"}
"""By NumPy's letter of what SciPy makes of them."""

_SECONDS = 120.0
"""That a file may take: a sequence of MPI-INF-3DHP has some 100 MB."""

Variable = np.ndarray | list[np.ndarray]


def read_mat5(path: Path, names: Collection[str], *, max_bytes: int) -> dict[str, Variable]:
    """Read some variables; those that are absent are left out.

    Args:
        path: The file.
        names: Variables to read. The others are not unpacked.
        max_bytes: The most that one variable may take.

    Returns:
        An array of numbers as it is stored; a cell array as the list of its arrays, the first
        axis running fastest.

    Raises:
        FormatError: If the file is of another version, cut short or damaged, a variable is larger
            than allowed, or it holds anything but numbers.
    """
    with path.open("rb") as file:
        start = file.read(_HEADER)
    if start[:8] == b"\x89HDF\r\n\x1a\n" or b"MATLAB 7.3" in start[:20]:
        raise FormatError(
            f"{path}: is a MATLAB file of version 7.3, and one of version 5 to 7 is expected "
            "here: save it with -v7"
        )
    if start[124:128] not in (b"\x00\x01IM", b"\x01\x00MI"):
        raise FormatError(
            f"{path}: is no MATLAB file of version 5 to 7: it is empty, damaged or of another kind"
        )
    with container(path, "a MATLAB file"):
        _check_end(path, "<" if start.endswith(b"IM") else ">")
        arrays = read_in_child(
            variables_in,
            path,
            max_bytes=max_bytes,
            seconds=_SECONDS,
            names=list(names),
            most=max_bytes,
        )
    found: dict[str, Variable] = {}
    for key, array in arrays.items():
        name, separator, _ = key.partition(_SEPARATOR)
        if separator:
            cells = found.setdefault(name, [])
            assert isinstance(cells, list)
            cells.append(array)
        else:
            found[name] = array
    return found


def _check_end(path: Path, order: str) -> None:
    """Refuse a file that is cut within a variable, which SciPy does not miss if it is not read."""
    at, end = _HEADER, path.stat().st_size
    with path.open("rb") as file:
        while at < end:
            file.seek(at)
            at += 8 + struct.unpack(f"{order}II", file.read(8))[1]
    if at > end:
        raise ValueError(f"its last variable lacks {at - end} bytes")


def variables_in(path: Path, names: list[str], most: int) -> dict[str, np.ndarray]:
    """Read variables with SciPy: in a child process."""
    from scipy.io import loadmat, whosmat

    for name, shape, _ in whosmat(path):
        size = math.prod(shape) * 8
        if name in names and size > most:
            raise FormatError(
                f"{path}: {name}: takes {size / 1e9:.1f} GB, more than the "
                f"{most / 1e9:.1f} GB that are read at once: split the file, or raise "
                "max_bytes"
            )
    read = loadmat(path, variable_names=names)
    return {
        key: array
        for name in names
        if name in read
        for key, array in _arrays(name, read[name], f"{path}: {name}")
    }


def _arrays(name: str, value: Any, where: str) -> Iterator[tuple[str, np.ndarray]]:  # noqa: ANN401
    """Take a variable apart: the array that it is, or those of its cells, by name and number."""
    is_cells = isinstance(value, np.ndarray) and value.dtype.kind == "O"
    for number, array in enumerate(value.ravel("F") if is_cells else [value]):
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
            letter = array.dtype.kind if isinstance(array, np.ndarray) else ""
            raise FormatError(
                f"{where}: holds {_KINDS.get(letter, type(array).__name__)}, and only numbers are "
                "read: get the file again from whom you trust"
            )
        yield (f"{name}{_SEPARATOR}{number}" if is_cells else name), array
