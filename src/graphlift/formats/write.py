"""Write poses to a file of any known kind, by its suffix.

A file is written whole or not at all, and writers return notes on what they changed or left out.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from graphlift.errors import FormatError
from graphlift.formats.archive import write_npz
from graphlift.formats.to_bvh import write_bvh
from graphlift.formats.to_c3d import write_c3d
from graphlift.formats.to_glb import write_glb
from graphlift.formats.to_json import write_json
from graphlift.formats.to_openpose import write_openpose
from graphlift.formats.to_tables import write_csv, write_parquet
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
    if poses.hypotheses is not None and suffix not in (".npz", ".json"):
        left_out += ("Hypotheses are only in .npz and .json.",)
    return (*left_out, *WRITERS[suffix](path, present))


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
