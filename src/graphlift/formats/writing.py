"""What writers of motion share: turning axes, filling gaps, and notes on what was done.

The turns are proper rotations (determinant +1): left stays left. Swapping two axes, as some tools
do, would mirror the person.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from graphlift.errors import FormatError
from graphlift.files import replacing
from graphlift.sequences import Axes, Poses
from graphlift.words import counted

SEPARATE_GAPS = 3
"""So many gaps are listed by frame number before only their count is given."""


def y_up(positions: Float[np.ndarray, "*batch 3"], axes: Axes) -> Float[np.ndarray, "*batch 3"]:
    """Turn poses to y up, x to the right of a viewer who looks along -z; m stay m.

    Camera axes by half a turn about x, (x, y, z) to (x, -y, -z): a person who
    faces the camera faces +z.
    World axes by a quarter turn about x, (x, y, z) to (x, z, -y).
    """
    x, y, z = positions[..., 0], positions[..., 1], positions[..., 2]
    turned = (x, -y, -z) if axes == "camera" else (x, z, -y)
    return np.stack(turned, axis=-1)


def z_up(positions: Float[np.ndarray, "*batch 3"], axes: Axes) -> Float[np.ndarray, "*batch 3"]:
    """Turn poses to z up; m stay m.

    Camera axes by a quarter turn about x, (x, y, z) to (x, z, -y): y points away from the camera.
    World axes are z up already.
    """
    if axes == "world":
        return np.array(positions)
    x, y, z = positions[..., 0], positions[..., 1], positions[..., 2]
    return np.stack([x, z, -y], axis=-1)


def axes_remark(poses: Poses, up: str, unit: str) -> str:
    """Note which way is up in the file, and why."""
    note = f"{up} is up, in {unit}"
    if poses.axes == "camera":
        note += ", as upright as the camera was (poses with camera axes)"
    if poses.rooted:
        note += "; poses are relative to the root, so each person stays at the origin"
    return f"{note}."


def usual_rate(fps: float, *, within: float = 1e-5) -> float:
    """Undo the rounding of times: the whole number or NTSC's, such as 29.97, if it is near.

    Args:
        fps: As it follows from rounded times.
        within: How near, as a part of the rate.
    """
    for rate in (float(round(fps)), round(fps * 1.001) / 1.001):
        if abs(fps - rate) <= within * fps:
            return rate
    return fps


def plain_names(people: Sequence[str]) -> list[str]:
    """Make names that any file name or label can hold, and that still differ."""
    plain = [re.sub(r"[^A-Za-z0-9_-]", "_", name)[:40] for name in people]
    if len({name.lower() for name in plain}) < len(plain) or not all(plain):
        plain = [f"{i}_{name}" for i, name in enumerate(plain)]
    return plain


def write_each(
    path: Path, people: Sequence[str], write: Callable[[Path, str, int], None]
) -> tuple[str, ...]:
    """Write a file for each person, all of them or none: ``x.bvh``, or ``x.NAME.bvh`` of several.

    Args:
        path: As the caller gives it.
        people: Their names.
        write: Takes the path to write to, the name that the file will have, and who it is of.

    Returns:
        A note that names the files, if they are several.
    """
    names = [path.name]
    if len(people) != 1:
        names = [f"{path.stem}.{name}{path.suffix}" for name in plain_names(people)]
    with ExitStack() as files:
        besides = [files.enter_context(replacing(path.with_name(name))) for name in names]
        for number, (beside, name) in enumerate(zip(besides, names, strict=True)):
            write(beside, name, number)
    return (f"One file a person: {', '.join(names)}.",) if len(names) > 1 else ()


def check_people(path: Path, poses: Poses) -> None:
    """Refuse to write motion without people.

    Raises:
        FormatError: If no joint of any person has a position in any frame.
    """
    if not np.isfinite(poses.positions).any():
        raise FormatError(
            f"{path}: no person is in any frame ({counted(len(poses), 'frame')}), so there is no "
            "motion to write: check the keypoints, or write .npz, which keeps empty frames"
        )


def gaps(present: Bool[np.ndarray, " frame"]) -> str:
    """Name the frames that are absent: ``3 of 10 frames (0-1, 7)``."""
    absent = np.flatnonzero(~present)
    runs = np.split(absent, np.flatnonzero(np.diff(absent) > 1) + 1)
    names = [f"{r[0]}" if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs[:SEPARATE_GAPS]]
    more = ["..."] if len(runs) > SEPARATE_GAPS else []
    return f"{len(absent)} of {counted(len(present), 'frame')} ({', '.join(names + more)})"


def interpolate(values: Float[np.ndarray, "*frame_first"]) -> Float[np.ndarray, "*frame_first"]:
    """Fill NaN over time: linearly between the neighbours, and with the nearest at the ends.

    What is NaN in every frame stays so.
    """
    columns = np.array(values, dtype=np.float64).reshape(len(values), -1)
    frames = np.arange(len(values))
    for column in columns.T:
        known = np.isfinite(column)
        if known.any() and not known.all():
            column[~known] = np.interp(frames[~known], frames[known], column[known])
    return columns.reshape(values.shape)
