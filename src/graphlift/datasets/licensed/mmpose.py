"""What mmpose's converters write for both data sets: rows of images, and cameras.

The ``.npz``: ``imgname``, the file of each image; ``part`` (row, 17, 3) px and visibility; ``S``
(row, 17, 4) m in camera axes and visibility; ``center`` and ``scale`` are not read. The pickle:
a table with the parameters of each camera.

Source: mmpose's ``preprocess_h36m.py`` and ``preprocess_mpi_inf_3dhp.py`` (OpenMMLab).
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Int

from graphlift.datasets.licensed.checks import (
    LARGEST_NUMBER,
    check_lengths,
    check_shape,
    check_size,
)
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats.npz_members import list_members, map_member, read_members
from graphlift.formats.plain_pickle import unpickle_plain
from graphlift.words import counted, shown

_LARGEST_CAMERAS = 1 << 24
"""Bytes of a file of cameras; real ones take some hundred thousand at most."""

Name = TypeVar("Name", bound=Hashable)


def read_annotations(
    path: Path, parse: Callable[[str], tuple[Name, int] | None], example: str, *, max_bytes: int
) -> tuple[
    dict[Name, Int[np.ndarray, "2 frame"]],
    Float[np.ndarray, "row 17 3"],
    Float[np.ndarray, "row 17 4"],
]:
    """Read an ``.npz`` of annotations; arrays that are not compressed stay in the file.

    Args:
        path: The file.
        parse: From the name of an image to its sequence and the number of its frame; None if the
            name is of another data set.
        example: Of a name, for the message.
        max_bytes: The most that one array may take in memory.

    Returns:
        The numbers of each sequence's frames, ascending, and the row of each; ``part``; ``S``.

    Raises:
        FormatError: If the file is damaged or not as above, a name is of another data set, or a
            frame is there twice.
    """
    members = list_members(path)
    arrays = read_members(path, members, ("imgname",), max_bytes)
    for name in ("part", "S"):
        mapped = map_member(path, members[name]) if name in members else None
        one = {} if mapped is None else {name: mapped}
        arrays |= one or read_members(path, members, (name,), max_bytes)
    for name, shape in {"imgname": (None,), "part": (None, 17, 3), "S": (None, 17, 4)}.items():
        kinds = "U" if name == "imgname" else "iuf"
        check_shape(arrays.get(name), shape, f"{path}: {name}", kinds=kinds)
    check_lengths(str(path), **arrays)
    rows: dict[Name, dict[int, int]] = defaultdict(dict)
    for row, image in enumerate(arrays["imgname"]):
        if (parsed := parse(str(image))) is None:
            raise FormatError(
                f"{path}: imgname {shown(str(image))} in row {row} should be like {example}: it "
                "is another data set's file"
            )
        sequence, frame = parsed
        if rows[sequence].setdefault(frame, row) != row:
            raise FormatError(f"{path}: has image {shown(str(image))} twice: make the file again")
    ordered = {name: np.array(sorted(each.items())).T for name, each in rows.items()}
    return ordered, arrays["part"], arrays["S"]


def read_camera_pickle(path: Path) -> dict[Any, Any]:
    """Read mmpose's pickled table of cameras, without running what is in the file.

    Returns:
        The parameters of each camera, not yet checked: see :func:`camera_numbers`.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If it is too large, asks to run code, or holds no table.
    """
    if not path.is_file():
        raise DatasetNotFoundError(
            f"no cameras at {path}: mmpose's converter writes them with the annotations"
        )
    check_size(path, _LARGEST_CAMERAS, "file of cameras")
    table = unpickle_plain(path.read_bytes(), str(path))
    if not isinstance(table, dict) or not table:
        raise FormatError(f"{path}: should be a dictionary of cameras: it is of another kind")
    return table


def camera_numbers(
    parameters: object, counts: Mapping[str, int], where: str
) -> dict[str, list[float]]:
    """Read parameters of a camera: m and px.

    Args:
        parameters: What a table holds of the camera.
        counts: How many numbers each parameter that is needed has.
        where: The file and the camera, for the message.

    Raises:
        FormatError: If one is missing, or is not so many finite numbers.
    """
    read = {}
    for name, count in counts.items():
        value = parameters.get(name) if isinstance(parameters, dict) else None
        array = np.asarray(value) if isinstance(value, (int, float, np.ndarray)) else np.zeros(0)
        fits = array.dtype.kind in "iuf" and array.size == count
        if not fits or not (np.abs(array) < LARGEST_NUMBER).all():
            raise FormatError(
                f"{where}: {name} should be {counted(count, 'number')}: a parameter of the camera "
                "is missing or damaged; make the file again"
            )
        read[name] = [float(number) for number in array.reshape(-1)]
    return read
