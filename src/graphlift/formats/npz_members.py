"""The one gate for NumPy's files: ``.npz`` and ``.npy``, looked at before anything is read.

Names, shapes and types come first; then only the arrays that are asked for are unpacked, if they
are not too large. An array that is stored without compression lies in the file as in memory, so it
can be mapped: its pages are read when they are used, and forgotten when memory is short.

Source: the ZIP format's local file header (30 bytes, then name and extra field), and
``numpy.lib.format``.
"""

import math
import struct
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from graphlift.errors import FormatError
from graphlift.files import container
from graphlift.words import counted, plain

MOST_MEMBERS = 10_000
"""Arrays in a file."""

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_MOST_AXES = 32
_PLENTY = 1 << 27
"""Bytes that an array may take however well it was compressed: 128 MiB."""
_PACKED = 100
"""Beyond that: bytes it may take for one in the file. Numbers that were measured hardly shrink;
zeros shrink a thousandfold."""
_CHARACTERS = 0x110000
_SURROGATES = 0xD800, 0xDFFF


@dataclass(frozen=True)
class Member:
    """An array in a file.

    Args:
        shape: As in its header.
        dtype: As in its header; may hold objects.
        fortran: Whether the first axis is the fastest.
        offset: Where its numbers begin in the file; None if they are compressed.
        packed: Bytes it takes in the file.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    offset: int | None
    packed: int

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


def list_members(path: Path) -> dict[str, Member]:
    """List the arrays of an ``.npz`` without reading them.

    Raises:
        FormatError: If the file is no such archive, is cut short, or a header does not fit what
            it heads.
    """
    with container(path, "an .npz"), path.open("rb") as file, zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise ValueError(f"{len(members):,} arrays in it")
        if any(info.comment for info in members):  # whose changed length hides what follows
            raise ValueError("a comment where NumPy writes none")
        return {
            info.filename.removesuffix(".npy"): _member(file, archive, info) for info in members
        }


def read_members(
    path: Path, members: Mapping[str, Member], names: Collection[str], max_bytes: int
) -> dict[str, np.ndarray]:
    """Read some arrays whole; those that are absent are left out.

    Raises:
        FormatError: If an array holds objects, records or text that is none, is larger than
            ``max_bytes`` or than so few bytes can hold, or is damaged.
    """
    arrays: dict[str, np.ndarray] = {}
    for name in names:
        if name in members:
            where = f"{path}: {plain(name)}"
            _check_member(members[name], where, max_bytes)
            with (
                container(where, "an array"),
                zipfile.ZipFile(path) as archive,
                archive.open(f"{name}.npy") as stream,
            ):
                arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
            check_text(arrays[name], where)
    return arrays


def read_arrays(
    path: Path, names: Collection[str] | None = None, *, max_bytes: int
) -> dict[str, np.ndarray]:
    """Read some arrays of an ``.npz``, or all: :func:`list_members`, then :func:`read_members`."""
    members = list_members(path)
    return read_members(path, members, members if names is None else names, max_bytes)


def map_member(path: Path, member: Member) -> np.ndarray | None:
    """Map an array into memory, to read only; None if it is compressed or holds no numbers.

    Raises:
        FormatError: If it does not lie within the file.
    """
    if member.offset is None or member.dtype.kind not in "bfiu" or member.size == 0:
        return None
    offset, shape = member.offset, member.shape
    order = "F" if member.fortran else "C"
    with container(path, "an .npz"):
        return np.memmap(path, member.dtype, "r", offset, shape, order)  # type: ignore[call-overload, no-any-return]


def read_npy(path: Path, max_bytes: int) -> np.ndarray:
    """Read an ``.npy`` whole.

    Raises:
        FormatError: As :func:`read_members`.
    """
    with container(path, "an array of numbers"), path.open("rb") as file:
        member = _bare(path, file)
        _check_member(member, str(path), max_bytes)
        file.seek(0)
        array = np.lib.format.read_array(file, allow_pickle=False)
    check_text(array, str(path))
    return array


def map_npy(path: Path) -> np.ndarray:
    """Map an ``.npy`` of numbers into memory, to read only; an empty one is read.

    Raises:
        FormatError: If it holds anything but numbers, or they do not fill the file.
    """
    with container(path, "an array of numbers"), path.open("rb") as file:
        member = _bare(path, file)
    if member.dtype.kind not in "bfiu":
        raise FormatError(f"{path}: holds {member.dtype}, not numbers: make it again")
    if member.size == 0:
        return np.empty(member.shape, member.dtype)
    order = "F" if member.fortran else "C"
    with container(path, "an array of numbers"):
        return np.memmap(path, member.dtype, "r", member.offset or 0, member.shape, order)  # type: ignore[call-overload, no-any-return]


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read NumPy's header: shape, whether the first axis is the fastest, type.

    Raises:
        Exception: Of any kind if it is damaged: to be called within :func:`container`.
    """
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the npy format")
    read = getattr(np.lib.format, f"read_array_header_{version[0]}_{version[1]}")
    shape, fortran, dtype = read(stream)
    count = math.prod(max(1, n) for n in shape)
    if len(shape) > _MOST_AXES or min(shape, default=0) < 0 or count > 1 << 60:
        raise ValueError(f"an array of {plain(shape)}")
    if count > 1_000_000 and (0 in shape or not dtype.itemsize):  # long, though it holds nothing
        raise ValueError(f"an array of {plain(shape)} without content")
    return shape, bool(fortran), dtype


def _member(file: IO[bytes], archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    with archive.open(info) as stream:
        shape, fortran, dtype = read_header(stream)
        header = stream.tell()
    name = plain(info.filename)
    size = math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and size != info.file_size - header:
        raise ValueError(f"{name} is {plain(shape)}, which does not fit its size")
    stored = info.compress_type == zipfile.ZIP_STORED and not dtype.hasobject
    offset = _data_offset(file, info) + header if stored else None
    return Member(shape, dtype, fortran, offset, info.compress_size)


def _data_offset(file: IO[bytes], info: zipfile.ZipInfo) -> int:
    """Find where a stored member's bytes begin: its local header may differ from the directory."""
    file.seek(info.header_offset)
    fields = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    return info.header_offset + _LOCAL_HEADER.size + int(fields[-2]) + int(fields[-1])


def _bare(path: Path, file: IO[bytes]) -> Member:
    """Look at an array that is a file of its own."""
    shape, fortran, dtype = read_header(file)
    member = Member(shape, dtype, fortran, file.tell(), path.stat().st_size - file.tell())
    if not dtype.hasobject and member.size != member.packed:
        raise ValueError(
            f"{plain(shape)} of {dtype} take {counted(member.size, 'byte')}, and it has "
            f"{member.packed:,}"
        )
    return member


def _check_member(member: Member, where: str, max_bytes: int) -> None:
    if member.dtype.hasobject:
        raise FormatError(
            f"{where} holds Python objects, which are not read because they may be made to run "
            "code: save plain arrays"
        )
    if member.dtype.kind == "V":
        raise FormatError(f"{where} holds records, which are not read: save plain arrays")
    if member.size > max_bytes:
        raise FormatError(
            f"{where} {member.shape} takes {member.size / 1e9:.2f} GB, more than the "
            f"{max_bytes / 1e9:.2f} GB that are read whole: save it without compression "
            "(numpy.savez) so that it can stay in the file, or raise max_bytes"
        )
    check_packing(member.size, member.packed, where)


def check_packing(size: int, packed: int, where: str) -> None:
    """Refuse what grows a hundredfold when it is unpacked, and is large then.

    Raises:
        FormatError: Saying by how much.
    """
    if size > max(_PLENTY, _PACKED * packed):
        raise FormatError(
            f"{where} takes {packed / 1e6:.1f} MB and unpacks to {size / 1e9:.2f} GB, which is "
            "made up, or holds nothing: save it without compression (numpy.savez)"
        )


def check_text(array: np.ndarray, where: str) -> None:
    """Refuse text of numbers that are no characters: Python breaks off, or cannot print it."""
    if array.dtype.kind != "U" or not array.size:
        return
    codes = np.frombuffer(array.tobytes(), f"{array.dtype.str[0]}u4")
    half = (codes >= _SURROGATES[0]) & (codes <= _SURROGATES[1])
    if int(codes.max(initial=0)) >= _CHARACTERS or half.any():
        raise FormatError(f"{where} holds text that is none (not Unicode): make the file again")
