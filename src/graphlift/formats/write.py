"""Write poses to a file of any known kind, by its suffix.

A file is written whole or not at all, and writers return notes on what they changed or left out.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from graphlift.errors import FormatError
from graphlift.formats.archive import arrays_of, describe, npz_parts, write_npz
from graphlift.formats.to_bvh import write_bvh
from graphlift.formats.to_c3d import write_c3d
from graphlift.formats.to_glb import write_glb
from graphlift.formats.to_json import write_json
from graphlift.formats.to_openpose import write_openpose
from graphlift.formats.to_tables import csv_parts, parquet_parts, write_csv, write_parquet
from graphlift.formats.to_trc import write_trc
from graphlift.sequences import Poses
from graphlift.words import shown

WRITERS: Mapping[str, Callable[[Path, Poses], tuple[str, ...]]] = {
    ".bvh": write_bvh,
    ".glb": write_glb,
    ".c3d": write_c3d,
    ".trc": write_trc,
    ".npz": write_npz,
    ".json": write_json,
    ".csv": write_csv,
    ".parquet": write_parquet,
    ".openpose": write_openpose,
}
"""The writer of each suffix; ``.openpose`` is a folder, and so is a path that ends in ``/``."""

PART_WRITERS: Mapping[
    str, Callable[[Path], AbstractContextManager[Callable[[Poses], tuple[str, ...]]]]
] = {".npz": npz_parts, ".csv": csv_parts, ".parquet": parquet_parts}
"""Of suffixes whose files are written part by part, too."""


def write_poses(path: str | Path, poses: Poses, *, person: str | None = None) -> tuple[str, ...]:
    """Write poses to a file of the kind that its suffix names.

    Args:
        path: Ends in one of :data:`WRITERS`; a folder that exists and is empty, or a path that
            ends in ``/``, becomes a folder of OpenPose JSON.
        poses: What to write.
        person: Write only the person of this name.

    Returns:
        What was done to the poses so that the format could hold them, one sentence each.

    Raises:
        FormatError: If the suffix is unknown, no person has that name, or the format cannot hold
            these poses; nothing is written then.
        OSError: If the disk is full or the folder cannot be written to; what was at ``path``
            before stays.
    """
    folder = str(path).endswith(("/", os.sep)) or Path(path).is_dir()
    path = Path(path)
    suffix = ".openpose" if folder else path.suffix.lower()
    if suffix not in WRITERS:
        raise FormatError(
            f"{path}: {suffix or 'a name without suffix'} is no kind of file that poses can be "
            f"written to: give one of {', '.join(WRITERS)}, or a folder/ for OpenPose JSON"
        )
    if person is not None:
        poses = only_person(path, poses, person)
    present = poses.without_absent()
    left_out = present.notes[len(poses.notes) :]
    return (*left_out, *_left_out(poses, suffix), *WRITERS[suffix](path, present))


@contextmanager
def write_parts(path: str | Path) -> Iterator[Callable[[Poses], tuple[str, ...]]]:
    """Write a long clip part by part: enter it, and call what it gives with one after the other.

    The file appears once the block ends without an error, and holds what :func:`write_poses`
    writes of the whole clip; notes are those of the last part. The memory does not grow with the
    clip. People who have no pose in any part stay.

    Args:
        path: Ends in one of :data:`PART_WRITERS`.

    Yields:
        A function that writes poses and returns what :func:`write_poses` does.

    Raises:
        FormatError: If the suffix is another, a part does not go on where the first began, or
            there was none; nothing is written then.
        OSError: If the disk is full or the folder cannot be written to; what was at ``path``
            before stays.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in PART_WRITERS:
        raise FormatError(
            f"{path}: is not written part by part: give one of {', '.join(PART_WRITERS)}, or "
            "write the whole clip (write_poses)"
        )
    first: dict[str, object] = {}
    with PART_WRITERS[suffix](path) as write:

        def checked(part: Poses) -> tuple[str, ...]:
            here = _kept(part)
            if not first:
                first.update(here)
            for name in first | here:
                if first.get(name) != here.get(name):
                    raise FormatError(
                        f"{path}: parts differ in {name}: give the parts of one clip, as they "
                        "were lifted"
                    )
            return (*_left_out(part, suffix), *write(part))

        yield checked
        if not first:
            raise FormatError(f"{path}: no part was given: give at least one, maybe empty")


def _kept(poses: Poses) -> dict[str, object]:
    """Name what all parts of a clip share."""
    about = describe(poses)
    about.pop("notes")
    arrays = arrays_of(poses)
    arrays.pop("about")
    kinds = {name: (each.dtype, each.shape[1:]) for name, each in arrays.items()}
    return about | {f"the array {name}": kind for name, kind in kinds.items()}


def _left_out(poses: Poses, suffix: str) -> tuple[str, ...]:
    if poses.hypotheses is None or suffix in (".npz", ".json"):
        return ()
    return ("Hypotheses are only in .npz and .json.",)


def only_person(path: Path, poses: Poses, person: str) -> Poses:
    """Keep the person of this name.

    Raises:
        FormatError: If no person has it.
    """
    if person not in poses.people:
        raise FormatError(
            f"{path}: there is no person {shown(person)} to write: the people are "
            f"{', '.join(poses.people)}"
        )
    return poses.of_people([poses.people.index(person)])
