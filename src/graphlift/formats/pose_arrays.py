"""Files of 3D poses to be scored: an ``.npz`` of plain arrays, or a file that we write.

Arrays: ``poses`` (frame, joint, 3), m; optional ``activity`` (frame,), ``sequence`` (frame,) and
``valid``, (frame,) or (frame, joint). Of the files that we write
(:func:`graphlift.formats.motion_files`) one person is taken. Positions that are stored without
compression stay in the file.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.files import container
from graphlift.formats.motion_files import POSE_READERS, read_poses
from graphlift.formats.npz_members import Member, list_members, map_member, read_members
from graphlift.skeletons import Skeleton
from graphlift.words import reason

MAX_BYTES = 1 << 30
"""The most that a compressed array may take in memory. Human3.6M's test set takes a fifth."""
_MAX_LABELS = 1 << 28
"""Bytes of names or flags; a name is short."""
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class PoseArrays:
    """Poses of one person a frame, and what is known of each frame.

    Args:
        path: The file they are from.
        poses: m; may be an array that lies in the file.
        activity: What the person does, by name.
        sequence: Which clip by which camera a frame is from, by name.
        valid: Whether a frame, or a joint of it, counts.
        skeleton: Joint order, if the file states it.
        axes: ``camera`` or ``world``, if the file states them.
    """

    path: Path
    poses: Float[np.ndarray, "frame joint 3"]
    activity: np.ndarray | None = None
    sequence: np.ndarray | None = None
    valid: Bool[np.ndarray, " frame"] | Bool[np.ndarray, "frame joint"] | None = None
    skeleton: Skeleton | None = None
    axes: str | None = None


def read_pose_arrays(path: Path) -> PoseArrays:
    """Read poses to be scored.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If it is damaged or too large, holds objects, has no ``poses``, or an array
            is not of the shape or type that it should be.
    """
    if not path.is_file():
        raise DatasetNotFoundError(
            f"no poses at {path}: give an .npz with an array `poses` (frame, joint, 3) in metres"
        )
    if path.suffix.lower() != ".npz" and path.suffix.lower() in POSE_READERS:
        return _own(path)
    members = list_members(path)
    if {"about", "seen", "sigma"} <= set(members):
        return _own(path)
    if "poses" not in members:
        others = ", ".join(name[:40] for name in list(members)[:8]) or "nothing"
        raise FormatError(
            f"{path}: has no array `poses`, only {others}: save positions (frame, joint, 3) in "
            "metres under that name"
        )
    member = members["poses"]
    shape = _check_poses(member, path)
    stored = {
        name: _labels(path, members, name, shape) for name in ("activity", "sequence", "valid")
    }
    poses = map_member(path, member)
    if poses is None:
        poses = read_members(path, members, ("poses",), MAX_BYTES)["poses"]
    else:
        _check_sum(path)
    activity, sequence = (
        None if names is None else _names(names, f"{path}: {label}")
        for label, names in (("activity", stored["activity"]), ("sequence", stored["sequence"]))
    )
    valid = None if stored["valid"] is None else _flags(stored["valid"], path)
    return PoseArrays(path, poses.reshape(shape), activity, sequence, valid)


def _own(path: Path) -> PoseArrays:
    poses = read_poses(path)
    if len(poses.people) != 1:
        raise FormatError(
            f"{path}: poses {poses.positions.shape} are of {len(poses.people)} people, and one is "
            f"scored: keep one, as in graphlift convert {path} -o one.npz --person "
            f"{poses.people[0]}"
        )
    return PoseArrays(path, poses.positions[:, 0], skeleton=poses.skeleton, axes=poses.axes)


def _check_poses(member: Member, path: Path) -> tuple[int, int, int]:
    """Say what shape poses have once the axis of a single person is gone."""
    shape = member.shape
    if len(shape) == 4 and shape[1] != 1:
        raise FormatError(
            f"{path}: poses {shape} are of {shape[1]} people, and one is scored: keep one, such "
            "as poses[:, 0]"
        )
    if len(shape) == 4:
        shape = (shape[0], *shape[2:])
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or member.dtype.kind not in "fiu":
        raise FormatError(
            f"{path}: poses {member.shape} of {member.dtype} should be numbers, (frame, joint, 3) "
            "of a frame or more, in metres: save them so"
        )
    return shape[0], shape[1], shape[2]


def _labels(
    path: Path, members: dict[str, Member], name: str, shape: tuple[int, int, int]
) -> np.ndarray | None:
    """Read one value a frame, or for ``valid`` also one a joint."""
    if name not in members:
        return None
    frames, joints, _ = shape
    allowed = [(frames,), (frames, 1), *([(frames, joints)] if name == "valid" else [])]
    if members[name].shape not in allowed:
        also = f" or {(frames, joints)}" if name == "valid" else ""
        raise FormatError(
            f"{path}: {name} {members[name].shape} should be {(frames,)}{also}, as poses {shape} "
            "are: give one a frame, or leave it out"
        )
    array = read_members(path, members, (name,), _MAX_LABELS)[name]
    return array[:, 0] if array.shape == (frames, 1) else array


def _names(array: np.ndarray, where: str) -> np.ndarray:
    """Make text of names; numbers become their digits."""
    if array.dtype.kind == "S":
        try:
            return np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(
                f"{where} is not UTF-8 ({reason(error)}): save text as str"
            ) from error
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == array.round()).all():
        array = array.astype(np.int64)  # MATLAB's numbers
    if array.dtype.kind not in "Uiu":
        raise FormatError(f"{where} is of {array.dtype}, but should be text or whole numbers")
    return array if array.dtype.kind == "U" else array.astype("U20")


def _flags(array: np.ndarray, path: Path) -> np.ndarray:
    if array.dtype.kind not in "bfiu" or not np.isin(array, (0, 1)).all():
        raise FormatError(
            f"{path}: valid is of {array.dtype} and should be true or false, or 1 or 0: save it so"
        )
    return array.astype(bool)


def _check_sum(path: Path) -> None:
    """Compare mapped positions with the file's checksum, which mapping alone never looks at.

    Raises:
        FormatError: If they differ.
    """
    with (
        container(f"{path}: poses", "an array"),
        zipfile.ZipFile(path) as archive,
        archive.open("poses.npy") as stream,
    ):
        while stream.read(_BLOCK):
            pass
