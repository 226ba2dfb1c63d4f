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
import pickletools
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from graphlift.errors import FormatError
from graphlift.files import DAMAGE

_DEEPEST = 100
"""Containers within containers; VideoPose3D's files have four."""

_MOST_OPCODES = 10_000_000
"""Steps of a pickle. One byte can make an object of sixty-four; arrays take a dozen steps each."""


def read_object_arrays(
    path: Path, names: Collection[str], *, max_bytes: int = 1 << 30
) -> dict[str, Any]:
    """Read some arrays of a foreign ``.npz``, pickled ones included.

    Args:
        path: The file.
        names: Arrays to read; those that are not there are left out.
        max_bytes: The most that one array may take.

    Returns:
        Arrays of numbers as they are; an object array without axes as the object in it, any other
        as a list, without its axes.

    Raises:
        FormatError: If the file is damaged or too large, or a pickle in it asks for anything but
            numbers, strings and containers; the message names the file, the array and the name.
    """
    found: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                if name in names:
                    _check_size(info.file_size, max_bytes, f"{path}: {name}")
                    with archive.open(info) as member:
                        found[name] = _read_member(member.read(), f"{path}: {name}")
    except FormatError:
        raise
    except DAMAGE as error:
        raise FormatError(
            f"{path}: cannot be read as an .npz: it is cut short or damaged ({error}): copy or "
            "make it again"
        ) from error
    return found


def unpickle_plain(data: bytes, where: str) -> Any:  # noqa: ANN401
    """Read a pickle that holds only numbers, strings, containers and arrays of numbers.

    Args:
        data: The pickle.
        where: Which file and what in it, for the message.

    Raises:
        FormatError: If it asks for anything else, is damaged, or is made to exhaust memory.
    """
    try:
        _check_opcodes(data, where)
        unpickler = _Unpickler(io.BytesIO(data), encoding="latin1")
        unpickler.where = where
        return _plain(unpickler.load(), where, {}, 0)
    except FormatError:
        raise
    except RecursionError as error:
        raise _damaged(where, "containers within containers without end") from error
    except Exception as error:  # a pickle can make Python raise anything
        raise _damaged(where, str(error)) from error


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


def _read_member(data: bytes, where: str) -> Any:  # noqa: ANN401
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise _damaged(where, f"version {version} of the npy format")
    if dtype.hasobject:
        if dtype != np.dtype(object):
            raise _damaged(where, "objects inside a record")
        value = unpickle_plain(data[stream.tell() :], where)
        return value[0] if shape == () and isinstance(value, list) and len(value) == 1 else value
    return _numbers(data[stream.tell() :], shape, dtype, fortran)


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


class _Array:
    """An array that is being rebuilt."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Any = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, raw = state
        if not isinstance(dtype, _Dtype) or self.value is not None:
            raise pickle.UnpicklingError("an array without a type, or built twice")
        if dtype.objects:
            if not isinstance(raw, list) or math.prod(shape) != len(raw):
                raise pickle.UnpicklingError("an object array of another length")
            self.value = raw
        else:
            raw = raw.encode("latin1") if isinstance(raw, str) else raw  # from Python 2
            self.value = _numbers(bytes(raw), tuple(map(int, shape)), dtype.value, bool(fortran))


class _Dtype:
    """The type of an array: numbers, strings, or objects."""

    __slots__ = ("objects", "value")

    def __init__(self, code: object, *_: object) -> None:
        code = code.decode("ascii") if isinstance(code, bytes) else code
        self.objects = isinstance(code, str) and code in ("O", "O8", "O4")
        if not self.objects:
            if not isinstance(code, str) or code[:1] not in tuple("biufSU"):
                raise pickle.UnpicklingError(f"an array of {code!r}")
            self.value = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else "="
        order = order.decode("ascii") if isinstance(order, bytes) else order
        if not self.objects and order == ">":
            self.value = self.value.newbyteorder(">")


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _scalar(dtype: _Dtype, raw: bytes | str) -> int | float | bool | str | bytes:
    raw = raw.encode("latin1") if isinstance(raw, str) else raw
    value: int | float | bool | str | bytes = _numbers(raw, (), dtype.value, False).item()
    return value


def _frombuffer(raw: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array()
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

    def find_class(self, module: str, name: str) -> _Admitted:
        """Refuse every name but the few that stand for numbers."""
        if (module, name) not in _ADMITTED:
            raise FormatError(
                f"{self.where}: its pickled data asks for {module}.{name}, and only numbers, "
                "strings, lists and dictionaries are read: the file may be made to run code; if "
                "you made it yourself, save plain arrays"
            )
        return _Admitted(_ADMITTED[module, name])

    def persistent_load(self, pid: object) -> NoReturn:
        """Refuse what lies outside the file."""
        raise pickle.UnpicklingError(f"it refers to {pid!r} outside the file")


def _check_opcodes(data: bytes, where: str) -> None:
    """Refuse a pickle that is cut, too long, or with a memo larger than what it has made."""
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if count > _MOST_OPCODES:
            raise _damaged(where, f"more than {_MOST_OPCODES:,} steps")
        if "PUT" in opcode.name and isinstance(argument, int) and argument > count:
            raise _damaged(where, f"number {argument} in a memo of {count}")


def _plain(value: Any, where: str, known: dict[int, Any], depth: int) -> Any:  # noqa: ANN401
    """Replace arrays that were rebuilt by themselves, in containers within containers."""
    if depth > _DEEPEST:
        raise _damaged(where, f"more than {_DEEPEST} containers within containers")
    if id(value) in known:
        return known[id(value)]
    plain = value
    if isinstance(value, _Array) and value.value is not None:
        plain = _plain(value.value, where, known, depth + 1)
    elif isinstance(value, dict) and all(isinstance(key, (str, bytes, int)) for key in value):
        plain = {key: _plain(each, where, known, depth + 1) for key, each in value.items()}
    elif isinstance(value, (list, tuple)):
        plain = type(value)(_plain(each, where, known, depth + 1) for each in value)
    elif not isinstance(value, (str, bytes, int, float, complex, np.ndarray, type(None))):
        raise _damaged(where, f"a {type(value).__name__}")
    known[id(value)] = plain
    return plain
