"""Pickles of NumPy's arrays and of plain values, as files of others hold them.

VideoPose3D's and its descendants' ``.npz`` keep dictionaries as pickled object arrays; PyTables
keeps column names as pickled attributes. :mod:`graphlift.formats.pickle_machine` follows them, and
the functions that it may call are those here, which stand for NumPy's own: no code of NumPy's
rebuilds an array from a state that the file made up. Not for files of our own: those hold no
objects at all.

Source: what NumPy writes as in its ``__reduce__`` methods, versions 1 and 2, and
``numpy.lib.format``.
"""

import io
import math
import re
import zipfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np

from graphlift.errors import FormatError
from graphlift.files import container
from graphlift.formats.npz_members import check_packing, check_text, read_header
from graphlift.formats.pickle_machine import PickleMachine
from graphlift.words import counted, plain, reason, shown

DEEPEST = 100
"""Containers within containers; VideoPose3D's files have four."""

_MOST_OBJECTS = 1_000_000
"""In all; what is shared counts each time that it is met, as whoever goes through it meets it."""


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array of a pickle that was put on disk, so that not all need be in memory at once.

    Args:
        file: Where it is kept; open as long as the array is needed.
        offset: Where in it.
        shape: Of the array.
        dtype: Of the array.
    """

    file: BinaryIO
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        """How many axes."""
        return len(self.shape)

    def read(self) -> np.ndarray:
        """Read it back."""
        self.file.seek(self.offset)
        raw = self.file.read(math.prod(self.shape) * self.dtype.itemsize)
        return _numbers(raw, self.shape, self.dtype, fortran=False)


def read_object_arrays(
    path: Path,
    names: Collection[str],
    *,
    max_bytes: int = 1 << 30,
    spill: BinaryIO | None = None,
) -> dict[str, Any]:
    """Read some arrays of a foreign ``.npz``, pickled ones included.

    Args:
        path: The file.
        names: Arrays to read; those that are absent are left out.
        max_bytes: The most that one array may take.
        spill: A file to put the arrays within object arrays into, instead of memory; each comes
            out as a :class:`StoredArray`.

    Returns:
        Arrays of numbers as they are; an object array without axes as the object in it, any other
        as a list, without its axes.

    Raises:
        FormatError: If the file is damaged or too large, or a pickle in it asks for anything but
            numbers, strings and containers; the message names the file, the array and the name.
    """
    found: dict[str, Any] = {}
    with container(path, "an .npz"), zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name in names:
                where = f"{path}: {name}"
                if info.file_size > max_bytes:
                    raise FormatError(
                        f"{where}: takes {info.file_size / 1e9:.1f} GB, more than the "
                        f"{max_bytes / 1e9:.1f} GB that are read at once: split the file, or "
                        "raise max_bytes"
                    )
                check_packing(info.file_size, info.compress_size, where)
                with archive.open(info) as member:
                    stream = io.BufferedReader(cast("io.RawIOBase", member))
                    found[name] = _read_member(stream, where, spill)
    return found


def unpickle_plain(data: bytes, where: str) -> Any:  # noqa: ANN401
    """Read a pickle that holds only numbers, strings, containers and arrays of numbers.

    Args:
        data: The pickle.
        where: Which file and what in it, for the message.

    Raises:
        FormatError: If it asks for anything else, is damaged, or is made to exhaust memory.
    """
    return _unpickle(io.BytesIO(data), where, None)


def _read_member(stream: IO[bytes], where: str, spill: BinaryIO | None) -> Any:  # noqa: ANN401
    with container(where, "an array"):
        shape, fortran, dtype = read_header(stream)
        if not dtype.hasobject:
            array = _numbers(stream.read(), shape, dtype, fortran)
            check_text(array, where)
            return array
    if dtype != np.dtype(object):
        raise _damaged(where, "objects inside a record")
    value = _unpickle(stream, where, spill)
    return value[0] if shape == () and isinstance(value, list) and len(value) == 1 else value


def _unpickle(stream: IO[bytes], where: str, spill: BinaryIO | None) -> Any:  # noqa: ANN401
    def refuse(name: str) -> FormatError:
        return FormatError(
            f"{where}: its pickled data asks for {plain(name)}, and only numbers, strings, lists "
            "and dictionaries are read: the file may be made to run code; if you made it "
            "yourself, save plain arrays"
        )

    try:
        machine = _NumpyMachine(_ADMITTED, refuse)
        machine.spill = spill
        return _plain(machine.run(stream), {}, 0)[0]
    except FormatError:
        raise
    except Exception as error:  # made-up bytes can raise anything
        raise _damaged(where, reason(error)) from error


def _damaged(where: str, what: str) -> FormatError:
    return FormatError(
        f"{where}: its pickled data is damaged or made up ({what}): get the file again from whom "
        "you trust, and do not open it with allow_pickle"
    )


def _numbers(raw: bytes, shape: tuple[int, ...], dtype: np.dtype, fortran: bool) -> np.ndarray:
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise ValueError(f"{counted(len(raw), 'byte')} for {shape} of {dtype}")
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C").copy()


# What a pickle of NumPy's may ask for


class _NumpyMachine(PickleMachine):
    """Follows pickles that hold arrays, and puts these into memory or into the file ``spill``."""

    spill: BinaryIO | None = None

    def keep(self, raw: bytes, shape: tuple[int, ...], dtype: np.dtype, fortran: bool) -> Any:  # noqa: ANN401
        """Make an array of bytes that are written out in the pickle, once for each array.

        Many arrays of the same bytes are one that is shared, in what NumPy writes; made anew each
        time they would fill memory.
        """
        self.written -= len(raw)
        if self.written < 0:
            raise ValueError("more arrays than it has bytes for")
        array = _numbers(raw, shape, dtype, fortran)
        check_text(array, "an array")
        if self.spill is None:
            return array
        offset = self.spill.seek(0, io.SEEK_END)
        self.spill.write(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
        return StoredArray(self.spill, offset, array.shape, array.dtype)


class _Array:
    """An array that is being rebuilt."""

    def __init__(self, _: _NumpyMachine, *__: object) -> None:
        self.value: Any = None

    def build(self, machine: _NumpyMachine, state: tuple[Any, ...]) -> None:
        """Take the array's content."""
        _, shape, dtype, fortran, raw = state
        if not isinstance(dtype, _Dtype) or self.value is not None:
            raise ValueError("an array without a type, or built twice")
        shape = _axes(shape)
        if dtype.objects:
            if not isinstance(raw, list) or math.prod(shape) != len(raw):
                raise ValueError("an object array of another length")
            self.value = raw
        else:
            self.value = machine.keep(_bytes(raw), shape, dtype.value, bool(fortran))


class _Dtype:
    """The type of an array: numbers, strings, or objects."""

    def __init__(self, _: _NumpyMachine, code: object, *__: object) -> None:
        code = code.decode("ascii") if isinstance(code, bytes) else code
        self.objects = isinstance(code, str) and code in ("O", "O8", "O4")
        if not self.objects:
            if not isinstance(code, str) or not re.fullmatch(r"[biufSU][0-9]{0,6}", code):
                raise ValueError(f"an array of {shown(code)}")
            self.value = np.dtype(code)

    def build(self, _: _NumpyMachine, state: object) -> None:
        """Take the order of its bytes."""
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else "="
        if not self.objects and order in (">", b">"):
            self.value = self.value.newbyteorder(">")


def _bytes(raw: Any) -> bytes:  # noqa: ANN401
    return raw.encode("latin1") if isinstance(raw, str) else bytes(memoryview(raw))  # Python 2's


def _axes(shape: object) -> tuple[int, ...]:
    """Check an array's shape: a made-up one could be of anything, and multiply without end."""
    axes = shape if isinstance(shape, tuple) else (shape,)
    if len(axes) > 32 or not all(isinstance(n, int) and 0 <= n < 1 << 48 for n in axes):
        raise ValueError("an array whose shape is none")
    return axes


def _scalar(_: _NumpyMachine, dtype: _Dtype, raw: bytes | str) -> Any:  # noqa: ANN401
    return _numbers(_bytes(raw), (), dtype.value, False).item()


def _frombuffer(
    machine: _NumpyMachine, raw: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str
) -> _Array:
    array = _Array(machine)
    array.build(machine, (1, shape, dtype, order == "F", raw))
    return array


def _encode(_: _NumpyMachine, text: str, encoding: str = "latin1") -> bytes:
    if encoding != "latin1":
        raise ValueError(f"text encoded as {encoding}")
    return text.encode("latin1")


def _nothing(*_: object) -> bytes:
    return b""


_ADMITTED: dict[str, Callable[..., Any]] = {
    "numpy ndarray": _nothing,  # only ever handed to _reconstruct
    "numpy dtype": _Dtype,
    "_codecs encode": _encode,
    "builtins bytes": _nothing,
    "__builtin__ bytes": _nothing,
    **{
        f"numpy.{core}.{name}": function
        for core in ("core", "_core")
        for name, function in (
            ("multiarray _reconstruct", _Array),
            ("multiarray scalar", _scalar),
            ("numeric _frombuffer", _frombuffer),
        )
    },
}

_LEAVES = (str, bytes, int, float, complex, np.ndarray, StoredArray, type(None))


def _plain(value: Any, known: dict[int, tuple[Any, int]], depth: int) -> tuple[Any, int]:  # noqa: ANN401
    """Replace arrays that were rebuilt by themselves, in containers within containers.

    Returns:
        The value, and how many objects it has, what is shared counted each time.
    """
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} containers within containers")
    if isinstance(value, _LEAVES):
        return value, 1
    if id(value) in known:
        return known[id(value)]
    if isinstance(value, _Array) and value.value is not None:
        made, count = _plain(value.value, known, depth + 1)
    elif isinstance(value, (list, tuple, dict)):
        inside = value.values() if isinstance(value, dict) else value
        parts, counts = [], 1
        for each in inside:
            part, size = _plain(each, known, depth + 1)
            parts.append(part)
            counts += size
        count = counts
        made = dict(zip(value, parts, strict=True)) if isinstance(value, dict) else parts
        made = tuple(parts) if isinstance(value, tuple) else made
    else:
        raise ValueError(f"a {type(value).__name__}")
    if count > _MOST_OBJECTS or len(known) > _MOST_OBJECTS:
        raise ValueError(f"more than {_MOST_OBJECTS:,} objects, shared ones each time")
    known[id(value)] = made, count
    return made, count
