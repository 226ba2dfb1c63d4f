"""2D of Human3.6M, by kind of detection.

* VideoPose3D's ``data_2d_h36m_KIND.npz``: ``positions_2d`` {subject: {clip: [(frame, 17 or 16, 2)
  of each camera]}}, px; ``gt`` (the projected 3D), ``cpn_ft_h36m_dbb`` (17 joints) and
  ``sh_ft_h36m`` (16). Subjects and clips without 3D may be in it.
* Martinez' ``S*/StackedHourglassFineTuned240/CLIP.CAMERA.h5``: ``poses`` (frame, 16, 2), px, in
  the order of Stacked Hourglass.

Source: VideoPose3D's ``DATASETS.md``, ``prepare_data_2d_h36m_sh.py`` (Pavllo et al., CVPR 2019).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float

from graphlift.datasets.human36m.facts import CAMERAS, NECK, SUBJECTS, clip_name
from graphlift.datasets.human36m.recordings import MAX_BYTES
from graphlift.errors import FormatError
from graphlift.formats.hdf5 import open_hdf5, read_dataset
from graphlift.formats.plain_pickle import StoredArray, read_object_arrays

KINDS: Mapping[str, str] = {"gt": "gt", "cpn_ft_h36m_dbb": "cpn", "sh_ft_h36m": "hg"}
"""Of the name of VideoPose3D's file; in the order of the pack."""

HOURGLASS = "StackedHourglassFineTuned240"

_FROM_HOURGLASS = (6, 2, 1, 0, 3, 4, 5, 7, 8, 9, 13, 14, 15, 12, 11, 10)
"""For each of ``H36M_16`` the joint of Stacked Hourglass.

Source: 3d-pose-baseline's ``data_utils.py``, names of joints (Martinez et al., ICCV 2017).
"""

Load = Callable[[], Float[np.ndarray, "frame joint 2"]]


@dataclass(frozen=True, eq=False)
class Detections:
    """Everything that one detector saw.

    Args:
        kind: Such as ``cpn``.
        joints: 17 or 16, the same everywhere.
        views: Reads the px of a (subject, clip, camera).
        where: The file or folder, for messages.
        paths: The files.
    """

    kind: str
    joints: int
    views: Mapping[tuple[str, str, str], Load]
    where: str
    paths: Sequence[Path]


def from_videopose3d(path: Path, kind: str, spill: BinaryIO) -> Detections:
    """Read one of VideoPose3D's files, its arrays put into ``spill``.

    Raises:
        FormatError: If it is not as above, holds pickled code, or joints differ between clips.
    """
    names = ["positions_2d", "metadata"]
    arrays = read_object_arrays(path, names, max_bytes=MAX_BYTES, spill=spill)
    views: dict[tuple[str, str, str], Load] = {}
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
                    joints.setdefault(_joints(array, f"{where}/{camera}"), f"{subject}/{name}")
                    views[subject, clip, camera] = partial(_load, array, f"{where}/{camera}")
    if not views:
        raise FormatError(
            f"{path}: positions_2d should be {{subject: {{clip: [array of a camera, ...]}}}}, but "
            "holds no array so: it is damaged or of another kind"
        )
    count = _same(joints, str(path), arrays.get("metadata"))
    return Detections(kind, count, views, str(path), [path])


def from_hourglass(paths: list[Path]) -> Detections:
    """List Martinez' files of Stacked Hourglass (extra ``formats``).

    Raises:
        FormatError: If a file is not called ``CLIP.CAMERA.h5``.
    """
    views: dict[tuple[str, str, str], Load] = {}
    for path in paths:
        name, _, camera = path.stem.rpartition(".")
        if camera not in CAMERAS:
            raise FormatError(
                f"{path}: should be called CLIP.CAMERA.h5 with one of {', '.join(CAMERAS)}"
            )
        subject, (_, clip) = path.parents[1].name, clip_name(name, str(path))
        views[subject, clip, camera] = partial(_read_hourglass, path)
    return Detections("hg", 16, views, str(paths[0].parents[2]), paths)


def to_joints(
    keypoints: Float[np.ndarray, "frame joint 2"], joints: int
) -> Float[np.ndarray, "frame joint 2"]:
    """Give keypoints 17 or 16 joints; a Neck/Nose that was not detected is NaN."""
    if keypoints.shape[1] == joints:
        return keypoints
    if joints == 16:
        return np.delete(keypoints, NECK, axis=1)
    return np.insert(keypoints, NECK, np.nan, axis=1)


def _joints(array: Any, where: str) -> int:  # noqa: ANN401
    fits = isinstance(array, StoredArray) and array.ndim == 3 and array.shape[2] == 2
    if not fits or array.shape[1] not in (16, 17) or array.dtype.kind not in "fiu":
        shape = getattr(array, "shape", type(array).__name__)
        raise FormatError(
            f"{where} is {shape}, but should be (frame, 17, 2) or (frame, 16, 2) numbers: the "
            "file is damaged or of another skeleton"
        )
    return int(array.shape[1])


def _same(joints: Mapping[int, str], where: str, metadata: Any) -> int:  # noqa: ANN401
    if len(joints) > 1:
        told = " and ".join(f"{count} joints ({clip})" for count, clip in joints.items())
        raise FormatError(f"{where}: has {told}: detections are of one skeleton throughout")
    (count,) = joints
    said = metadata.get("num_joints", count) if isinstance(metadata, dict) else count
    if said != count:
        raise FormatError(
            f"{where}: its metadata says {said} joints but its arrays have {count}: the file was "
            "put together of two; make it again"
        )
    return count


def _load(array: StoredArray, where: str) -> np.ndarray:
    return _finite(array.read().astype(np.float64), where)


def _read_hourglass(path: Path) -> np.ndarray:
    with open_hdf5(path) as file:
        poses = read_dataset(file, "poses", str(path), 1 << 28)
    if poses.ndim != 3 or poses.shape[1:] != (16, 2) or poses.dtype.kind not in "fiu":
        raise FormatError(
            f"{path}: poses is {poses.dtype} {poses.shape}, but should be (frame, 16, 2) px"
        )
    return _finite(poses[:, _FROM_HOURGLASS].astype(np.float64), str(path))


def _finite(keypoints: np.ndarray, where: str) -> np.ndarray:
    if not np.isfinite(keypoints).all() or np.abs(keypoints).max(initial=0) > 1e6:
        raise FormatError(f"{where}: has keypoints that are no px: get the file again")
    return keypoints
