"""MATLAB's files up to version 7 (MAT 5): arrays of numbers, and cells of them. Nothing else.

SciPy's reader follows cells within cells without end, and a file of 1 MB ends the interpreter.
Here a cell holds arrays of numbers or the file is refused; only the variables that are asked for
are unpacked, and no more than is allowed. Version 7.3 is HDF5 (:mod:`graphlift.formats.hdf5`).

Source: MathWorks, "MAT-File Format", the Level 5 part (tags, sub-elements, array classes).
"""

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graphlift.errors import FormatError
from graphlift.files import container

_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8"}
_TYPES |= {13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _NUMBERS = 1, range(6, 16)
_COMPLEX = 0x0800
_CLASSES = {1: "cell in a cell", 2: "struct", 3: "object", 4: "text", 5: "sparse array"}
_CLASSES |= {16: "function", 17: "object"}
_HEADER = 128
_PEEK = 512
"""Bytes that hold flags, axes and name of any variable (names have 63 letters at most)."""

_MOST_CELLS = 10_000

Variable = np.ndarray | list[np.ndarray]


def read_mat5(path: Path, names: Collection[str], *, max_bytes: int) -> dict[str, Variable]:
    """Read some variables; those that are not there are left out.

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
    with container(path, "a MATLAB file"):
        return _read(path, names, max_bytes)


def _read(path: Path, names: Collection[str], max_bytes: int) -> dict[str, Variable]:
    found: dict[str, Variable] = {}
    end = path.stat().st_size
    with path.open("rb") as file:
        order = _order(file.read(_HEADER), path)
        while tag := file.read(8):
            kind, size = struct.unpack(f"{order}II", tag)
            start, unpacked = file.tell(), size
            packed = kind == _COMPRESSED
            raw = file.read(min(size, _PEEK))
            if packed:
                raw = zlib.decompressobj().decompress(raw, _PEEK)
                kind, unpacked = struct.unpack_from(f"{order}II", raw)
                raw = raw[8:]
            name = _peek_name(raw, order) if kind == _MATRIX else ""
            if name in names:
                where = f"{path}: {name}"
                _check_size(max(size, unpacked), max_bytes, where)
                file.seek(start)
                raw = file.read(size)
                if packed:
                    raw = zlib.decompressobj().decompress(raw, unpacked + 8)[8:]
                if len(raw) < unpacked:
                    raise ValueError(f"{name} ends after {len(raw)} bytes")
                found[name] = _variable(_Block(raw, order, where))
            if start + size > end:
                raise ValueError(f"the last variable takes {size} bytes")
            file.seek(start + size)
    return found


def _order(header: bytes, path: Path) -> str:
    if header[:8] == b"\x89HDF\r\n\x1a\n" or b"MATLAB 7.3" in header[:20]:
        raise FormatError(
            f"{path}: is a MATLAB file of version 7.3, and one of version 5 to 7 is expected "
            "here: save it with -v7"
        )
    order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
    if order is None or struct.unpack_from(f"{order}H", header, 124)[0] != 0x0100:
        raise FormatError(
            f"{path}: is no MATLAB file of version 5 to 7: it is empty, damaged or of another kind"
        )
    return order


def _check_size(size: int, max_bytes: int, where: str) -> None:
    if size > max_bytes:
        raise FormatError(
            f"{where}: takes {size / 1e9:.1f} GB, more than the {max_bytes / 1e9:.1f} GB that are "
            "read at once: split the file, or raise max_bytes"
        )


@dataclass(frozen=True)
class _Block:
    """The bytes of a matrix, without its own tag."""

    raw: bytes | memoryview
    order: str
    where: str

    def elements(self) -> Iterator[tuple[int, memoryview]]:
        """Go through its sub-elements: type and bytes of each."""
        view, at = memoryview(self.raw), 0
        while at < len(view):
            kind, size = struct.unpack_from(f"{self.order}II", view, at)
            if kind >> 16:  # a small element: size, type and data in eight bytes
                kind, size, start, step = kind & 0xFFFF, kind >> 16, at + 4, 8
            else:
                start, step = at + 8, 8 + size + -size % 8
            if start + size > len(view) or (start == at + 4 and size > 4):
                raise ValueError(f"an element of {size} bytes ends after {len(view) - start}")
            yield kind, view[start : start + size]
            at += step


def _peek_name(start: bytes, order: str) -> str:
    try:
        elements = _Block(start, order, "").elements()
        _, _, (_, name) = (next(elements) for _ in range(3))
    except (ValueError, struct.error, RuntimeError, StopIteration):
        return ""  # no variable that anybody could ask for
    return bytes(name).decode("latin1")


def _variable(block: _Block) -> Variable:
    bits, shape, elements = _head(block)
    if bits & 0xFF != _CELL:
        return _array(block)
    if math.prod(shape) > _MOST_CELLS:
        raise ValueError(f"{block.where} has {shape} cells")
    cells: list[np.ndarray] = []
    for number, (kind, raw) in enumerate(elements):
        if kind != _MATRIX:
            raise ValueError(f"cell {number} of {block.where} is of type {kind}")
        inner = _Block(raw, block.order, f"{block.where}, cell {number}")
        cells.append(_array(inner) if len(raw) else np.zeros((0, 0)))
    if len(cells) != math.prod(shape):
        raise ValueError(f"{block.where} has {len(cells)} cells, not {shape}")
    return cells


def _head(block: _Block) -> tuple[int, tuple[int, ...], Iterator[tuple[int, memoryview]]]:
    """Read class and axes; what remains are the numbers, or the cells."""
    elements = block.elements()
    nothing = (0, memoryview(b""))
    (_, flags), (_, axes), _ = (next(elements, nothing) for _ in range(3))
    (bits,) = struct.unpack_from(f"{block.order}I", flags)
    shape = struct.unpack(f"{block.order}{len(axes) // 4}i", axes)
    if min(shape, default=-1) < 0:
        raise ValueError(f"{block.where} has the axes {shape}")
    return bits, shape, elements


def _array(block: _Block) -> np.ndarray:
    bits, shape, elements = _head(block)
    if bits & 0xFF not in _NUMBERS or bits & _COMPLEX:
        thing = "complex number" if bits & _COMPLEX else _CLASSES.get(bits & 0xFF, "thing")
        raise FormatError(
            f"{block.where}: holds a {thing}, and only numbers are read: get the file again from "
            "whom you trust"
        )
    kind, raw = next(elements, (0, memoryview(b"")))
    if kind not in _TYPES:
        raise ValueError(f"{block.where} holds numbers of type {kind}")
    dtype = np.dtype(f"{block.order}{_TYPES[kind]}")
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise ValueError(f"{block.where} is {shape}, but holds {len(raw)} bytes")
    return np.frombuffer(raw, dtype).reshape(shape, order="F")
