"""Files of Human3.6M whose 3D is in world axes, clip by clip, and of the 2D beside them.

3D, in three layouts:

* *videopose3d*: ``data_3d_h36m.npz``, ``positions_3d`` {subject: {clip: (frame, 32, 3)}}, m.
* *martinez*: ``S*/MyPoses/3D_positions/CLIP.h5``, ``3D_positions`` (96, frame), mm.
* *cdf*: ``S*/MyPoseFeatures/D3_Positions/CLIP.cdf``, variable ``Pose`` (1, frame, 96), mm.

2D, by kind:

* VideoPose3D's ``data_2d_h36m_KIND.npz``: ``positions_2d`` {subject: {clip: [(frame, 17 or 16, 2)
  of each camera]}}, px; ``gt`` (the projected 3D), ``cpn_ft_h36m_dbb`` (17 joints) and
  ``sh_ft_h36m`` (16). It may have subjects and clips without 3D.
* Martinez' ``S*/StackedHourglassFineTuned240/CLIP.CAMERA.h5``: ``poses`` (frame, 16, 2), px, in
  the order of Stacked Hourglass.

mmpose's layout keeps camera axes and has a module of its own.

Source: VideoPose3D's ``DATASETS.md``, ``data/prepare_data_h36m.py`` and
``prepare_data_2d_h36m_sh.py`` (Pavllo et al., CVPR 2019), 3d-pose-baseline's ``data_utils.py``
(Martinez et al., ICCV 2017), Human3.6M's own archives ``Poses_D3_Positions``.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float

from graphlift.datasets.human36m.facts import CAMERAS, SUBJECTS, clip_name
from graphlift.datasets.licensed.checks import check_numbers, check_shape, check_size
from graphlift.errors import FormatError
from graphlift.files import container
from graphlift.formats.child import read_in_child
from graphlift.formats.hdf5 import open_hdf5, read_dataset
from graphlift.formats.plain_pickle import StoredArray, read_object_arrays
from graphlift.words import counted, shown

_LARGEST_ARRAY = 1 << 32
"""Bytes of one array of VideoPose3D's files: Human3.6M's largest takes 0.3 GB."""

_LARGEST_HDF5 = 1 << 28
"""Bytes of one array of Martinez' files."""

_LARGEST_CDF = 1 << 24
"""Bytes of a CDF file of poses; the longest clip takes 5 MB."""

_MOST_FRAMES = 100_000
"""Of a clip; the longest of Human3.6M has 6,349."""

KINDS: Mapping[str, str] = {"gt": "gt", "cpn_ft_h36m_dbb": "cpn", "sh_ft_h36m": "hg"}
"""From the names of VideoPose3D's files to kinds of keypoints, in the order of the pack."""

HOURGLASS = "StackedHourglassFineTuned240"

_FROM_HOURGLASS = (6, 2, 1, 0, 3, 4, 5, 7, 8, 9, 13, 14, 15, 12, 11, 10)
"""For each of ``H36M_16`` the joint of Stacked Hourglass.

Source: 3d-pose-baseline's ``data_utils.py``, names of joints (Martinez et al., ICCV 2017).
"""

_Load = Callable[[], np.ndarray]


@dataclass(frozen=True, eq=False)
class ClipFile:
    """The 3D of one clip.

    Args:
        subject: Who moves.
        clip: Activity and number of the take.
        load: Reads (frame, 32 or 17, 3), m, world axes.
        where: The file and the place in it, for messages.
        path: The file.
    """

    subject: str
    clip: str
    load: Callable[[], Float[np.ndarray, "frame joint 3"]]
    where: str
    path: Path


@dataclass(frozen=True, eq=False)
class KeypointFiles:
    """Keypoints of one kind.

    Args:
        kind: Such as ``cpn``.
        joints: 17 or 16, the same everywhere.
        views: Reads the px of a (subject, clip, camera).
        where: The file or folder, for messages.
        paths: The files.
    """

    kind: str
    joints: int
    views: Mapping[tuple[str, str, str], Callable[[], Float[np.ndarray, "frame joint 2"]]]
    where: str
    paths: Sequence[Path]


def poses_of_videopose3d(path: Path, spill: BinaryIO) -> list[ClipFile]:
    """List the clips of ``data_3d_h36m.npz``; their arrays are put into ``spill``.

    Raises:
        FormatError: If the file is not as above, or holds pickled code.
    """
    arrays = read_object_arrays(path, ["positions_3d"], max_bytes=_LARGEST_ARRAY, spill=spill)
    subjects = arrays.get("positions_3d")
    clips = []
    for subject, of_subject in subjects.items() if isinstance(subjects, dict) else ():
        if subject not in SUBJECTS or not isinstance(of_subject, dict):
            raise FormatError(
                f"{path}: {shown(subject)} is none of {', '.join(SUBJECTS)}, who alone have 3D: "
                "it is another data set's file"
            )
        for name, array in of_subject.items():
            where = f"{path}: {subject}/{name}"
            if not isinstance(array, StoredArray):
                raise FormatError(f"{where} is no array: the file is damaged or of another kind")
            load = partial(_load_poses, array.read, where)
            clips.append(ClipFile(subject, clip_name(str(name), where)[1], load, where, path))
    if not clips:
        raise FormatError(
            f"{path}: positions_3d should be {{subject: {{clip: array}}}}, but holds no such "
            "array: it is damaged or of another kind"
        )
    return clips


def poses_of_martinez(paths: list[Path]) -> list[ClipFile]:
    """List the clips of Martinez' HDF5 files (extra ``formats``)."""
    return [_clip_file(path, _read_h5) for path in paths]


def poses_of_cdf(paths: list[Path]) -> list[ClipFile]:
    """List the clips of Human3.6M's own files (extra ``h36m``)."""
    return [_clip_file(path, _read_cdf) for path in paths]


def keypoints_of_videopose3d(path: Path, kind: str, spill: BinaryIO) -> KeypointFiles:
    """Read one of VideoPose3D's files of keypoints; its arrays are put into ``spill``.

    Raises:
        FormatError: If it is not as above, holds pickled code, or joints differ between clips.
    """
    names = ["positions_2d", "metadata"]
    arrays = read_object_arrays(path, names, max_bytes=_LARGEST_ARRAY, spill=spill)
    views: dict[tuple[str, str, str], _Load] = {}
    joints: dict[int, str] = {}
    subjects = arrays.get("positions_2d")
    for subject, clips in subjects.items() if isinstance(subjects, dict) else ():
        if subject not in SUBJECTS:
            continue  # S2, S3 and S4 have no 3D
        for name, cameras in clips.items() if isinstance(clips, dict) else ():
            where = f"{path}: {subject}/{name}"
            if not isinstance(cameras, (list, tuple)) or len(cameras) != len(CAMERAS):
                raise FormatError(f"{where} should be a list of {len(CAMERAS)} cameras' arrays")
            _, clip = clip_name(str(name), where)
            for camera, array in zip(CAMERAS, cameras, strict=True):
                if array is not None:
                    at = f"{where}/{camera}"
                    stored = array if isinstance(array, StoredArray) else None
                    count = check_shape(stored, (None, (17, 16), 2), at).shape[1]
                    joints.setdefault(count, f"{subject}/{name}")
                    views[subject, clip, camera] = partial(_load_keypoints, array.read, at)
    if not views:
        raise FormatError(
            f"{path}: positions_2d should be {{subject: {{clip: [array of a camera, ...]}}}}, but "
            "holds no such array: it is damaged or of another kind"
        )
    count = _check_joints(joints, str(path), arrays.get("metadata"))
    return KeypointFiles(kind, count, views, str(path), [path])


def keypoints_of_hourglass(paths: list[Path]) -> KeypointFiles:
    """List Martinez' files of Stacked Hourglass (extra ``formats``).

    Raises:
        FormatError: If a file is not called ``CLIP.CAMERA.h5``.
    """
    views: dict[tuple[str, str, str], _Load] = {}
    for path in paths:
        name, _, camera = path.stem.rpartition(".")
        if camera not in CAMERAS:
            raise FormatError(
                f"{path}: should be called CLIP.CAMERA.h5 with one of {', '.join(CAMERAS)}"
            )
        subject, (_, clip) = path.parents[1].name, clip_name(name, str(path))
        read = partial(_read_hourglass, path)
        views[subject, clip, camera] = partial(_load_keypoints, read, str(path))
    return KeypointFiles("hg", 16, views, str(paths[0].parents[2]), paths)


def _clip_file(path: Path, read: Callable[[Path], np.ndarray]) -> ClipFile:
    load = partial(_load_poses, partial(read, path), str(path))
    clip = clip_name(path.stem, str(path))[1]
    return ClipFile(path.parents[2].name, clip, load, str(path), path)


def _load_poses(read: _Load, where: str) -> np.ndarray:
    joints = check_shape(read(), (None, (32, 17), 3), where, kinds="f")
    if len(joints) > _MOST_FRAMES:
        raise FormatError(f"{where}: has {len(joints):,} frames, more than {_MOST_FRAMES:,}")
    return check_numbers(joints, where).astype(np.float64)


def _load_keypoints(read: _Load, where: str) -> np.ndarray:
    return check_numbers(read().astype(np.float64), f"{where}: px")


def _read_h5(path: Path) -> np.ndarray:
    with open_hdf5(path) as file:
        values = read_dataset(file, "3D_positions", str(path), _LARGEST_HDF5)
    check_shape(values, (96, None), f"{path}: 3D_positions", kinds="f")
    with np.errstate(invalid="ignore"):  # a signalling NaN
        return np.asarray(values.reshape(32, 3, -1).transpose(2, 0, 1) / 1000)


def _read_hourglass(path: Path) -> np.ndarray:
    with open_hdf5(path) as file:
        poses = read_dataset(file, "poses", str(path), _LARGEST_HDF5)
    return np.asarray(check_shape(poses, (None, 16, 2), f"{path}: poses")[:, _FROM_HOURGLASS])


def _read_cdf(path: Path) -> np.ndarray:
    import cdflib  # noqa: F401  # if it is missing, say so here and not in the child process

    _check_cdf(path)
    with container(path, "a CDF file with a variable Pose"):
        values = read_in_child(pose_variable, path, max_bytes=4 * _LARGEST_CDF)["Pose"]
    frames = values[0] if values.ndim == 3 and len(values) == 1 else values
    check_shape(frames, (None, 96), f"{path}: Pose", kinds="f")
    with np.errstate(invalid="ignore"):
        return np.asarray(frames.reshape(-1, 32, 3) / 1000)


def pose_variable(path: Path) -> dict[str, np.ndarray]:
    """Read the variable with cdflib, which trusts the file's own offsets: in a child process."""
    import cdflib

    return {"Pose": np.asarray(cdflib.CDF(path.absolute()).varget("Pose"))}


def _check_cdf(path: Path) -> None:
    """Refuse a file that is too large, or a part of which expands to more than real files do."""
    check_size(path, _LARGEST_CDF, "clip's file of poses")
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


def _check_joints(joints: Mapping[int, str], where: str, metadata: Any) -> int:  # noqa: ANN401
    if len(joints) > 1:
        counts = " and ".join(
            f"{counted(count, 'joint')} ({clip})" for count, clip in joints.items()
        )
        raise FormatError(f"{where}: has {counts}: a file should have one skeleton throughout")
    (count,) = joints
    stated = metadata.get("num_joints", count) if isinstance(metadata, dict) else count
    if stated != count:
        raise FormatError(
            f"{where}: its metadata states {stated} joints but its arrays have {count}: the file "
            "was put together of two; make it again"
        )
    return count
