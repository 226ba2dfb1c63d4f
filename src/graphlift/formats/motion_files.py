"""Read poses from any file that we write them to, by its suffix; OpenPose's JSON excepted.

What a format does not hold is unknown afterwards: BVH, GLB, C3D and TRC have no keypoints, no
sigma and no name of a model, and their axes are the world's. ``docs/formats-out.md`` has a table.
"""

import glob
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from graphlift.errors import DatasetNotFoundError, FormatError, GraphliftError
from graphlift.formats.archive import FORMAT, read_npz
from graphlift.formats.from_bvh import read_joints
from graphlift.formats.from_c3d import read_c3d
from graphlift.formats.from_glb import read_glb
from graphlift.formats.from_json import read_json_poses
from graphlift.formats.from_tables import parquet_in_parts, read_csv, read_parquet
from graphlift.formats.from_trc import read_trc
from graphlift.formats.json_files import check_file_size
from graphlift.formats.keypoint_source import MAX_BYTES
from graphlift.formats.labels import is_rooted
from graphlift.formats.to_tables import COLUMNS
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17
from graphlift.words import reason

ALWAYS_POSES: Mapping[str, str] = {
    ".bvh": "BVH",
    ".glb": "GLB",
    ".c3d": "C3D",
    ".trc": "TRC",
    ".parquet": "Parquet",
}
"""Suffixes of files that always hold motion in 3D, never keypoints, with the format's name."""

_FAULTS = (
    *(KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, struct.error),
)
"""What readers meet in files that are damaged or were changed."""

LONG = 1 << 24
"""Bytes of a Parquet; a longer one is converted part by part."""
_ONE_PERSON = (".bvh", ".trc")
"""Of several people, one file each: ``x.NAME.bvh``."""


def read_poses(path: str | Path) -> Poses:
    """Read poses from a file of any of :data:`POSE_READERS`.

    Of ``.npz`` every field is as it was; ``notes`` state what was assumed of other files. Several
    people whom :func:`graphlift.formats.write_poses` wrote to one file each (``x.NAME.bvh``) are
    read together by the name it was given, ``x.bvh``. Where people have no name in the file, one
    is called by the middle of the file's name, ``NAME`` in ``x.NAME.bvh``, else ``0``.

    Args:
        path: Ends in one of the suffixes.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If it is none of these, damaged, of another kind than ours, or of no person.
        ModuleNotFoundError: If pyarrow is not installed, for .parquet (extra ``formats``).
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in POSE_READERS:
        raise FormatError(
            f"{path}: {suffix or 'a name without suffix'} is no kind of file that poses are read "
            f"from: give one of {', '.join(POSE_READERS)}"
        )
    if path.is_file():
        return _read(path)
    each = sorted(path.parent.glob(f"{glob.escape(path.stem)}.*{path.suffix}"))
    if suffix in _ONE_PERSON and each:
        return _together(path, [_read(one) for one in each])
    raise DatasetNotFoundError(
        f"no poses at {path}: give a file with {', '.join(POSE_READERS)}, as graphlift writes them"
    )


def holds_poses(path: Path) -> bool:
    """Tell poses from keypoints where the suffix does not: by how a JSON or CSV begins."""
    suffix = path.suffix.lower()
    if suffix in ALWAYS_POSES:
        return True
    if suffix not in (".json", ".csv"):
        return False
    with path.open("rb") as file:
        start = file.read(400).decode("utf-8", "replace").removeprefix("\ufeff")
    return f'"{FORMAT}"' in start if suffix == ".json" else start.startswith(",".join(COLUMNS))


def _read(path: Path) -> Poses:
    suffix = path.suffix.lower()
    if suffix != ".npz":  # which has a bound of its own
        check_file_size(path, MAX_BYTES, "cut it into clips, or convert it to .npz")
    with _naming(path):
        return POSE_READERS[suffix](path)


def is_long_table(path: Path) -> bool:
    """Say whether a file is for :func:`read_poses_in_parts`: a Parquet of more than 16 MiB."""
    return path.suffix.lower() == ".parquet" and path.is_file() and path.stat().st_size > LONG


def read_poses_in_parts(path: Path) -> Iterator[Poses]:
    """Read poses from a Parquet of ours part by part, whatever its length.

    Args:
        path: Ends in .parquet; its frames are in their order.

    Raises:
        FormatError: As :func:`read_poses`, and if rows are in another order.
    """
    with _naming(path):
        yield from parquet_in_parts(path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name a file that exists in the errors of its reader."""
    suffix = path.suffix.lower()
    try:
        yield
    except FormatError as error:
        if str(error).startswith(str(path)):
            raise
        raise FormatError(f"{path}: {error}") from error
    except (GraphliftError, *_FAULTS) as error:
        raise FormatError(
            f"{path}: is no {suffix} of poses, is cut short or was changed "
            f"({type(error).__name__}: {reason(error)}): write it again"
        ) from error


def _read_bvh(path: Path) -> Poses:
    positions, fps, family, metres = read_joints(path)
    return Poses(
        positions[:, None],
        H36M_17,
        axes="world",
        rooted=is_rooted(positions[:, None, H36M_17.root]),
        fps=fps,
        people=(_name(path),),
        notes=(f"Read from a BVH: y is up, {metres:.4g} m a unit, joint names of {family}.",),
    )


def _read_trc(path: Path) -> Poses:
    return read_trc(path, _name(path))


def _name(path: Path) -> str:
    """Find what a person is called in ``x.NAME.bvh``."""
    return path.stem.rpartition(".")[2] if "." in path.stem.strip(".") else "0"


def _together(path: Path, people: list[Poses]) -> Poses:
    first = people[0]
    for other in people[1:]:
        same = (len(other), other.fps, other.skeleton) == (len(first), first.fps, first.skeleton)
        if not same or other.people == first.people:
            raise FormatError(
                f"{path}: there is no such file, and those of {first.people[0]} and "
                f"{other.people[0]} beside it are not of one clip: give one of them"
            )
    return Poses(
        np.concatenate([each.positions for each in people], axis=1),
        first.skeleton,
        axes="world",
        rooted=all(each.rooted for each in people),
        fps=first.fps,
        people=tuple(each.people[0] for each in people),
        notes=tuple(dict.fromkeys(note for each in people for note in each.notes)),
    )


POSE_READERS: Mapping[str, Callable[[Path], Poses]] = {
    ".npz": read_npz,
    ".json": read_json_poses,
    ".csv": read_csv,
    ".parquet": read_parquet,
    ".bvh": _read_bvh,
    ".glb": read_glb,
    ".c3d": read_c3d,
    ".trc": _read_trc,
}
"""The reader of each suffix."""
