"""Files of others that hold pickled data, read without running what is in them.

VideoPose3D's and its descendants' ``.npz`` keep dictionaries as pickled object arrays; PyTables
keeps column names as pickled attributes. A pickle is a program; unpickling runs it. Here only
dicts, lists, tuples, strings, bytes, numbers and NumPy arrays of numbers come out: every other
name a pickle asks for is refused by that name, and NumPy's own names stand for functions of this
module, so that no array is rebuilt by NumPy's C code from a state that the file made up.

Not for files of our own: those hold no objects at all.

Source: the opcodes as in Python's ``pickletools``; what NumPy writes as in its ``__reduce__``
methods, versions 1 and 2, and ``numpy.lib.format``.
"""

import io
import math
import pickle
import re
import zipfile
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn, cast

import numpy as np

from graphlift.errors import FormatError
from graphlift.files import container
from graphlift.formats.npz_members import check_packing, check_text, read_header
from graphlift.formats.pickle_opcodes import LONGEST_KEY, check_opcodes
from graphlift.words import plain, reason, shown

DEEPEST = 100
"""Containers within containers; VideoPose3D's files have four."""

_MOST_OBJECTS = 1_000_000
"""In all; what is shared counts each time that it is met, as whoever goes through it meets it."""


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array of a pickle that was put on disk, so that not all need be in memory at once.

    Args:
        file: Where it is kept; open as long as the array is wanted.
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
        names: Arrays to read; those that are not there are left out.
        max_bytes: The most that one array may take.
        spill: A file to put the arrays within object arrays into, instead of memory; each comes
            out as a :class:`StoredArray`. What is read at once is then the raw bytes of one
            member of the archive.

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
                _check_size(info.file_size, max_bytes, where)
                check_packing(info.file_size, info.compress_size, where)
                found[name] = _read_member(partial(archive.open, info), where, spill)
    return found


def unpickle_plain(data: bytes, where: str) -> Any:  # noqa: ANN401
    """Read a pickle that holds only numbers, strings, containers and arrays of numbers.

    Args:
        data: The pickle.
        where: Which file and what in it, for the message.

    Raises:
        FormatError: If it asks for anything else, is damaged, or is made to exhaust memory.
    """
    return _unpickle(lambda: io.BytesIO(data), where, None)


def _unpickle(opened: Callable[[], IO[bytes]], where: str, spill: BinaryIO | None) -> Any:  # noqa: ANN401
    """Read a pickle from a stream that can be opened twice: to look through it, and to read."""
    try:
        with opened() as stream:
            written = check_opcodes(stream)
        with opened() as stream:
            unpickler = _Unpickler(stream, encoding="latin1")
            unpickler.where, unpickler.store = where, _Store(spill, written)
            return _plain(unpickler.load(), where, {}, 0)[0]
    except FormatError:
        raise
    except RecursionError as error:
        raise _damaged(where, "containers within containers without end") from error
    except Exception as error:  # a pickle can make Python raise anything
        raise _damaged(where, reason(error)) from error


def _damaged(where: str, what: str) -> FormatError:
    return FormatError(
        f"{where}: its pickled data is damaged or made up ({what}): get the file again from whom "
        "you trust, and do not open it with allow_pickle"
    )


def _check_size(size: int, max_bytes: int, where: str) -> None:
    if size > max_bytes:
        raise FormatError(
            f"{where}: takes {size / 1e9:.1f} GB, more than the {max_bytes / 1e9:.1f} GB that are "
            "read at once: split the file into clips, or raise max_bytes"
        )


def _read_member(opened: Callable[[], IO[bytes]], where: str, spill: BinaryIO | None) -> Any:  # noqa: ANN401
    with opened() as stream:
        shape, fortran, dtype = read_header(stream)
        if not dtype.hasobject:
            array = _numbers(stream.read(), shape, dtype, fortran)
            check_text(array, where)
            return array
    if dtype != np.dtype(object):
        raise _damaged(where, "objects inside a record")

    def opened_after_header() -> IO[bytes]:
        stream = io.BufferedReader(cast("io.RawIOBase", opened()))
        read_header(stream)
        return stream

    value = _unpickle(opened_after_header, where, spill)
    return value[0] if shape == () and isinstance(value, list) and len(value) == 1 else value


def _numbers(raw: bytes, shape: tuple[int, ...], dtype: np.dtype, fortran: bool) -> np.ndarray:
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise ValueError(f"{len(raw)} bytes for {shape} of {dtype}")
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C").copy()


# What a pickle may ask for


class _Admitted:
    """A function that a pickle may call and do nothing else with."""

    __slots__ = ("_function",)
    _function: Callable[..., Any]

    def __init__(self, function: Callable[..., Any]) -> None:
        object.__setattr__(self, "_function", function)

    def __call__(self, *args: Any) -> Any:  # noqa: ANN401
        return self._function(*args)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise pickle.UnpicklingError(f"it sets {name} of a function")

    def __setstate__(self, state: object) -> NoReturn:
        raise pickle.UnpicklingError("it changes a function")


@dataclass
class _Store:
    """Where arrays go, and how many bytes of them a pickle may still make.

    Every array has its bytes written out in the pickle. Many arrays of the same bytes are one that
    is shared, in what NumPy writes; made anew each time they would fill memory.
    """

    spill: BinaryIO | None
    left: int

    def keep(self, raw: bytes, shape: tuple[int, ...], dtype: np.dtype, fortran: bool) -> Any:  # noqa: ANN401
        self.left -= len(raw)
        if self.left < 0:
            raise pickle.UnpicklingError("more arrays than it has bytes for")
        array = _numbers(raw, shape, dtype, fortran)
        check_text(array, "an array")
        return array if self.spill is None else _spilled(array, self.spill)


class _Array:
    """An array that is being rebuilt."""

    __slots__ = ("_store", "value")

    def __init__(self, store: _Store) -> None:
        self.value: Any = None
        self._store = store

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, raw = state
        if not isinstance(dtype, _Dtype) or self.value is not None:
            raise pickle.UnpicklingError("an array without a type, or built twice")
        shape = _axes(shape)
        if dtype.objects:
            if not isinstance(raw, list) or math.prod(shape) != len(raw):
                raise pickle.UnpicklingError("an object array of another length")
            self.value = raw
        else:
            raw = raw.encode("latin1") if isinstance(raw, str) else raw  # from Python 2
            self.value = self._store.keep(
                bytes(memoryview(raw)), shape, dtype.value, bool(fortran)
            )


def _axes(shape: object) -> tuple[int, ...]:
    """Check an array's shape: a made-up one could be of anything, and multiply without end."""
    axes = shape if isinstance(shape, tuple) else (shape,)
    if len(axes) > 32 or not all(isinstance(n, int) and 0 <= n < 1 << 48 for n in axes):
        raise pickle.UnpicklingError("an array whose shape is none")
    return axes


class _Dtype:
    """The type of an array: numbers, strings, or objects."""

    __slots__ = ("objects", "value")

    def __init__(self, code: object, *_: object) -> None:
        code = code.decode("ascii") if isinstance(code, bytes) else code
        self.objects = isinstance(code, str) and code in ("O", "O8", "O4")
        if not self.objects:
            if not isinstance(code, str) or not re.fullmatch(r"[biufSU][0-9]{0,6}", code):
                raise pickle.UnpicklingError(f"an array of {shown(code)}")
            self.value = np.dtype(code)

    def __setstate__(self, state: Any) -> None:  # noqa: ANN401
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else "="
        order = order.decode("ascii") if isinstance(order, bytes) else order
        if not self.objects and order == ">":
            self.value = self.value.newbyteorder(">")


def _spilled(array: np.ndarray, spill: BinaryIO) -> StoredArray:
    offset = spill.seek(0, io.SEEK_END)
    spill.write(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return StoredArray(spill, offset, array.shape, array.dtype)


def _reconstruct(store: _Store, *_: object) -> _Array:
    return _Array(store)


def _scalar(dtype: _Dtype, raw: bytes | str) -> int | float | bool | str | bytes:
    raw = raw.encode("latin1") if isinstance(raw, str) else raw
    value: int | float | bool | str | bytes = _numbers(raw, (), dtype.value, False).item()
    return value


def _frombuffer(
    store: _Store, raw: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str
) -> _Array:
    array = _Array(store)
    array.__setstate__((1, shape, dtype, order == "F", raw))
    return array


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"text encoded as {encoding}")
    return text.encode("latin1")


_ADMITTED = {
    ("numpy", "ndarray"): lambda *_: None,  # only ever handed to _reconstruct
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): lambda: b"",
    ("__builtin__", "bytes"): lambda: b"",
    **{
        (f"numpy.{core}.{module}", name): function
        for core in ("core", "_core")
        for module, name, function in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _frombuffer),
        )
    },
}


class _Unpickler(pickle.Unpickler):
    where = ""
    store = _Store(None, 0)

    def find_class(self, module: str, name: str) -> _Admitted:
        """Refuse every name but the few that stand for numbers."""
        if (module, name) not in _ADMITTED:
            asked = plain(f"{module}.{name}")
            raise FormatError(
                f"{self.where}: its pickled data asks for {asked}, and only numbers, "
                "strings, lists and dictionaries are read: the file may be made to run code; if "
                "you made it yourself, save plain arrays"
            )
        function: Callable[..., Any] = _ADMITTED[module, name]
        rebuilds = function in (_reconstruct, _frombuffer)
        return _Admitted(partial(function, self.store) if rebuilds else function)

    def persistent_load(self, pid: object) -> NoReturn:
        """Refuse what lies outside the file."""
        raise pickle.UnpicklingError(f"it refers to {shown(pid)} outside the file")


_LEAVES = (str, bytes, int, float, complex, np.ndarray, StoredArray)


def _is_key(key: object) -> bool:
    """Say whether a dictionary may be kept under it: a name, a number, or a tuple of these."""
    parts = key if isinstance(key, tuple) else (key,)
    return len(parts) <= LONGEST_KEY and all(isinstance(part, (str, bytes, int)) for part in parts)


def _plain(
    value: Any,  # noqa: ANN401
    where: str,
    known: dict[int, tuple[Any, int]],
    depth: int,
) -> tuple[Any, int]:
    """Replace arrays that were rebuilt by themselves, in containers within containers.

    Returns:
        The value, and how many objects it has, what is shared counted each time.
    """
    if depth > DEEPEST:
        raise _damaged(where, f"more than {DEEPEST} containers within containers")
    if isinstance(value, (*_LEAVES, type(None))):
        return value, 1
    if id(value) in known:
        return known[id(value)]
    made, count = value, 1
    if isinstance(value, _Array) and value.value is not None:
        made, count = _plain(value.value, where, known, depth + 1)
    elif isinstance(value, (list, tuple, dict)) and all(map(_is_key, _keys(value))):
        inside = [
            _plain(each, where, known, depth + 1)
            for each in (value.values() if isinstance(value, dict) else value)
        ]
        count += sum(size for _, size in inside)
        parts = [part for part, _ in inside]
        made = dict(zip(value, parts, strict=True)) if isinstance(value, dict) else parts
        made = tuple(parts) if isinstance(value, tuple) else made
    else:
        raise _damaged(where, f"a {type(value).__name__}")
    if count > _MOST_OBJECTS or len(known) > _MOST_OBJECTS:
        raise _damaged(where, f"more than {_MOST_OBJECTS:,} objects, shared ones each time")
    known[id(value)] = made, count
    return made, count


def _keys(value: list[Any] | tuple[Any, ...] | dict[Any, Any]) -> Iterable[Any]:
    return value if isinstance(value, dict) else ()
