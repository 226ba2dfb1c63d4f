"""What is in an ``.npz`` before it is read: names, shapes and types; and arrays left in the file.

An array that is stored without compression lies in the file as in memory, so it can be mapped:
its pages are read when they are used, and forgotten when memory is short.

Source: the ZIP format's local file header (30 bytes, then name and extra field), and
``numpy.lib.format``.
"""

import math
import struct
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graphlift.errors import FormatError
from graphlift.files import DAMAGE

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")


@dataclass(frozen=True)
class Member:
    """An array in an ``.npz``.

    Args:
        shape: As its header says.
        dtype: As its header says; may hold objects.
        fortran: Whether the first axis is the fastest.
        offset: Where its numbers begin in the file; None if they are compressed.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    offset: int | None

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
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return {
                info.filename.removesuffix(".npy"): _member(file, archive, info)
                for info in archive.infolist()
            }
    except (*DAMAGE, struct.error) as error:
        raise FormatError(
            f"{path}: cannot be read as an .npz: it is empty, cut short or damaged ({error}): "
            "copy or make it again"
        ) from error


def read_members(
    path: Path, members: Mapping[str, Member], names: Collection[str], max_bytes: int
) -> dict[str, np.ndarray]:
    """Read some arrays whole; those that are not there are left out.

    Raises:
        FormatError: If an array holds objects, is larger than ``max_bytes``, or is damaged.
    """
    arrays: dict[str, np.ndarray] = {}
    for name in names:
        if name not in members:
            continue
        member = members[name]
        if member.dtype.hasobject:
            raise FormatError(
                f"{path}: {name} holds Python objects, which are not read because they may be "
                "made to run code: save plain arrays"
            )
        if member.size > max_bytes:
            raise FormatError(
                f"{path}: {name} {member.shape} takes {member.size / 1e9:.2f} GB, more than the "
                f"{max_bytes / 1e9:.2f} GB that are read whole: save it without compression "
                "(numpy.savez) so that it can stay in the file, or raise max_bytes"
            )
        try:
            with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
                arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
        except DAMAGE as error:
            raise FormatError(
                f"{path}: {name} is damaged ({error}): copy or make the file again"
            ) from error
    return arrays


def map_member(path: Path, member: Member) -> np.ndarray | None:
    """Map an array into memory, to read only; None if it is compressed or holds no numbers."""
    if member.offset is None or member.dtype.kind not in "fiu" or member.size == 0:
        return None
    offset, shape = member.offset, member.shape
    return np.memmap(
        path, member.dtype, "r", offset=offset, shape=shape, order="F" if member.fortran else "C"
    )


def _member(file: object, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{info.filename} is version {version} of the npy format")
        read = getattr(np.lib.format, f"read_array_header_{version[0]}_{version[1]}")
        shape, fortran, dtype = read(stream)
        header = stream.tell()
    size = math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and (min(shape, default=0) < 0 or size != info.file_size - header):
        raise ValueError(f"{info.filename} is {shape}, which does not fit its size")
    if info.compress_type != zipfile.ZIP_STORED or dtype.hasobject:
        return Member(shape, dtype, fortran, None)
    return Member(shape, dtype, fortran, _data_offset(file, info) + header)


def _data_offset(file: object, info: zipfile.ZipInfo) -> int:
    """Find where a stored member's bytes begin: its local header may differ from the directory."""
    file.seek(info.header_offset)  # type: ignore[attr-defined]
    fields = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))  # type: ignore[attr-defined]
    return info.header_offset + _LOCAL_HEADER.size + int(fields[-2]) + int(fields[-1])
