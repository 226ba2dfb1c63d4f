"""3D of Human3.6M in its three layouts, clip by clip, in world axes.

* *videopose3d*: ``data_3d_h36m.npz``, ``positions_3d`` {subject: {clip: (frame, 32, 3)}}, m.
* *martinez*: ``S*/MyPoses/3D_positions/CLIP.h5``, ``3D_positions`` (96, frame), mm.
* *cdf*: ``S*/MyPoseFeatures/D3_Positions/CLIP.cdf``, variable ``Pose`` (1, frame, 96), mm.

mmpose's layout keeps camera axes and has a module of its own.

Source: VideoPose3D's ``data/prepare_data_h36m.py`` (Pavllo et al., CVPR 2019), 3d-pose-baseline's
``data_utils.py`` (Martinez et al., ICCV 2017), Human3.6M's own archives ``Poses_D3_Positions``.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float

from graphlift.datasets.human36m.facts import SUBJECTS, clip_name
from graphlift.errors import FormatError
from graphlift.files import container
from graphlift.formats.child import read_in_child
from graphlift.formats.hdf5 import open_hdf5, read_dataset
from graphlift.formats.plain_pickle import StoredArray, read_object_arrays
from graphlift.words import shown

MAX_BYTES = 1 << 32
"""Of one array of VideoPose3D's files: Human3.6M's largest has 0.3 GB."""

_MOST_FRAMES = 100_000
"""Of a clip; the longest of Human3.6M has 6,349."""

_LARGEST_CDF = 1 << 24
"""Bytes of a CDF file of poses; the longest clip takes 5 MB."""


@dataclass(frozen=True, eq=False)
class Recording:
    """The 3D of one clip.

    Args:
        subject: Who.
        activity: What they do.
        clip: With the number of the take.
        load: Reads (frame, 32 or 17, 3), m, world.
        where: The file and the place in it, for messages.
        path: The file.
    """

    subject: str
    activity: str
    clip: str
    load: Callable[[], Float[np.ndarray, "frame joint 3"]]
    where: str
    path: Path


def from_videopose3d(path: Path, spill: BinaryIO) -> list[Recording]:
    """List the clips of ``data_3d_h36m.npz``, their arrays put into ``spill``.

    Raises:
        FormatError: If the file is not as above, or holds pickled code.
    """
    arrays = read_object_arrays(path, ["positions_3d"], max_bytes=MAX_BYTES, spill=spill)
    subjects = arrays.get("positions_3d")
    recordings = []
    for subject, clips in subjects.items() if isinstance(subjects, dict) else ():
        if subject not in SUBJECTS or not isinstance(clips, dict):
            raise FormatError(
                f"{path}: {shown(subject)} is none of {', '.join(SUBJECTS)}, who alone have 3D: "
                "it is of another data set"
            )
        for name, array in clips.items():
            where = f"{path}: {subject}/{name}"
            if not isinstance(array, StoredArray):
                raise FormatError(f"{where} is no array: the file is damaged or of another kind")
            load = partial(_checked, array.read, where)
            recordings.append(Recording(subject, *clip_name(str(name), where), load, where, path))
    if not recordings:
        raise FormatError(
            f"{path}: positions_3d should be {{subject: {{clip: array}}}}, but holds no array so: "
            "it is damaged or of another kind"
        )
    return recordings


def from_martinez(paths: list[Path]) -> list[Recording]:
    """List the clips of Martinez' HDF5 files (extra ``formats``)."""
    return [_of_file(path, _read_h5) for path in paths]


def from_cdf(paths: list[Path]) -> list[Recording]:
    """List the clips of Human3.6M's own files (extra ``h36m``)."""
    return [_of_file(path, _read_cdf) for path in paths]


def _of_file(path: Path, read: Callable[[Path], np.ndarray]) -> Recording:
    subject = path.parents[2].name
    load = partial(_checked, partial(read, path), str(path))
    return Recording(subject, *clip_name(path.stem, str(path)), load, str(path), path)


def _checked(read: Callable[[], np.ndarray], where: str) -> np.ndarray:
    joints = read()
    shaped = joints.ndim == 3 and joints.shape[1] in (17, 32) and joints.shape[2] == 3
    if not shaped or not 1 <= len(joints) <= _MOST_FRAMES or joints.dtype.kind != "f":
        raise FormatError(
            f"{where}: is {joints.dtype} {joints.shape}, but should be (frame, 32, 3) or (frame, "
            f"17, 3) numbers, {_MOST_FRAMES:,} frames at most: the file is damaged or of another "
            "skeleton"
        )
    if not np.isfinite(joints).all():
        frame = int(np.argwhere(~np.isfinite(joints))[0, 0])
        raise FormatError(f"{where}: frame {frame} is not finite: get the file again")
    return joints.astype(np.float64)


def _read_h5(path: Path) -> np.ndarray:
    with open_hdf5(path) as file:
        values = read_dataset(file, "3D_positions", str(path), 1 << 28)
    if values.ndim != 2 or values.shape[0] != 96 or values.dtype.kind != "f":
        raise FormatError(
            f"{path}: 3D_positions is {values.dtype} {values.shape}, but should be (96, frame), "
            "32 joints of x, y, z in mm: the file is of another kind or skeleton"
        )
    with np.errstate(invalid="ignore"):  # a NaN of a kind that the processor complains of
        return np.asarray(values.reshape(32, 3, -1).transpose(2, 0, 1) / 1000)


def _read_cdf(path: Path) -> np.ndarray:
    import cdflib  # noqa: F401  # that it is missing is said here, not by the child

    _check_cdf(path)
    with container(path, "a CDF file with a variable Pose"):
        values = read_in_child(pose_variable, path, max_bytes=4 * _LARGEST_CDF)["Pose"]
    if values.dtype.kind != "f" or values.ndim < 1 or values.shape[-1] != 96:
        raise FormatError(
            f"{path}: Pose is {values.dtype} {values.shape}, but should be (1, frame, 96), 32 "
            "joints of x, y, z in mm: take D3_Positions, not D2_Positions or D3_Angles"
        )
    with np.errstate(invalid="ignore"):
        return np.asarray(values.reshape(-1, 32, 3) / 1000)


def pose_variable(path: Path) -> dict[str, np.ndarray]:
    """Read the variable with cdflib, which trusts the file's own offsets: in a child process."""
    import cdflib

    return {"Pose": np.asarray(cdflib.CDF(path.absolute()).varget("Pose"))}


def _check_cdf(path: Path) -> None:
    """Refuse a file that is too large, or of which a part is made to grow when it is expanded."""
    if (size := path.stat().st_size) > _LARGEST_CDF:
        raise FormatError(
            f"{path}: takes {size / 1e6:.0f} MB, which no clip's poses do: it is of another kind"
        )
    data = path.read_bytes()
    start = data.find(b"\x1f\x8b\x08")
    while start >= 0:
        stream = zlib.decompressobj(wbits=31)
        try:
            expanded = len(stream.decompress(data[start:], 4 * _LARGEST_CDF))
        except zlib.error:  # these three bytes begin no compressed part
            expanded = 0
        if expanded >= 4 * _LARGEST_CDF:
            raise FormatError(
                f"{path}: a part of it expands to more than {4 * _LARGEST_CDF >> 20} MB, which no "
                "clip's poses do: it is made up or damaged"
            )
        start = data.find(b"\x1f\x8b\x08", start + 1)
