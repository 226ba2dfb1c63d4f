"""The pack: a motion-capture data set in one ``.npz``, positions as int16 millimetres.

Arrays: ``xyz_mm`` int16 (frame, 17, 3), world, z up, floor at 0; ``clip_start`` int (clip + 1,),
where the frames of clip c are ``clip_start[c]:clip_start[c + 1]``; per clip ``clip_id``,
``subject``, ``fps``, ``activity`` and optionally ``text``, ``provenance``, ``own_skel``; scalars
``joint_names``, ``parents``, ``units``, ``up``, ``license``, ``source``.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from graphlift.datasets.mocap.clips import Clip, MotionCapture
from graphlift.datasets.mocap.person import check_not_mirrored, check_person
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.files import replacing
from graphlift.formats.kinematics import leg_length
from graphlift.formats.npz_members import read_arrays
from graphlift.sequences import FRAME_RATES, is_frame_rate
from graphlift.skeletons import H36M_17
from graphlift.words import listed, shown

_LEGS = (0.5, 1.2)
"""m; where the median over clips must lie. One clip may be a child's; a data set of half size, or
in feet, may not be."""

_NEEDED = ("xyz_mm", "clip_start", "clip_id", "subject", "fps", "activity")
_OPTIONAL = (
    *("text", "provenance", "own_skel", "joint_names", "parents", "units", "up", "license"),
    "source",
)

MAX_BYTES = 1 << 32
"""Of one array: 40 million poses."""


def read_pack(path: Path) -> MotionCapture:
    """Read a pack.

    Args:
        path: An ``.npz`` that :func:`write_pack` wrote.

    Returns:
        The clips, positions in metres, Human3.6M's 17 joints.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If the file is cut short, holds pickled objects, lacks an array, or an array
            is not of the layout above; the message names file and array.
    """
    if not path.is_file():
        raise DatasetNotFoundError(
            f"no motion-capture pack at {path}: give the path of a .npz that "
            "`graphlift data prepare mocap` wrote, or leave it out to use the embedded prior"
        )
    arrays = read_arrays(path, (*_NEEDED, *_OPTIONAL), max_bytes=MAX_BYTES)
    _check(path, arrays)
    metres = arrays["xyz_mm"].astype(np.float32) / 1000
    starts = arrays["clip_start"].astype(np.int64)
    count = len(starts) - 1
    optional = {
        "text": np.full(count, ""),
        "provenance": np.full(count, ""),
        "own_skel": np.ones(count, dtype=bool),
    }
    column = {**optional, **arrays}
    clips = tuple(
        Clip(
            name=str(column["clip_id"][c]),
            subject=str(column["subject"][c]),
            activity=str(column["activity"][c]),
            fps=float(column["fps"][c]),
            positions=metres[starts[c] : starts[c + 1]],
            text=str(column["text"][c]),
            provenance=str(column["provenance"][c]),
            own_skeleton=bool(column["own_skel"][c]),
        )
        for c in range(count)
    )
    _check_people(path, clips)
    return MotionCapture(
        path.stem, H36M_17, clips, str(arrays.get("license", "")), str(arrays.get("source", ""))
    )


def write_pack(path: Path, capture: MotionCapture) -> None:
    """Write a pack, whole or not at all; positions are rounded to millimetres.

    Args:
        path: Ends in ``.npz``.
        capture: What to write.

    Raises:
        FormatError: If ``path`` does not end in .npz, there is no clip, or a position is not
            finite or lies more than 32 m from the origin.
    """
    if path.suffix != ".npz":
        raise FormatError(f"{path}: a pack is an .npz file: give it that ending")
    if not capture.clips:
        raise FormatError(f"{path}: nothing to write: no clip was read")
    for clip in capture.clips:
        if not np.isfinite(clip.positions).all() or np.abs(clip.positions).max(initial=0) > 32:
            raise FormatError(
                f"clip {clip.name}: positions must be finite and within 32 m of the origin, in "
                "metres: check the unit of the source file"
            )
    lengths = [len(clip.positions) for clip in capture.clips]
    millimetres = np.concatenate([clip.positions for clip in capture.clips]) * 1000
    with replacing(path) as beside:
        np.savez_compressed(
            beside,
            xyz_mm=np.rint(millimetres).astype(np.int16),
            clip_start=np.cumsum([0, *lengths]).astype(np.int32),
            clip_id=np.array([clip.name for clip in capture.clips]),
            subject=np.array([clip.subject for clip in capture.clips]),
            activity=np.array([clip.activity for clip in capture.clips]),
            fps=np.array([clip.fps for clip in capture.clips], dtype=np.float32),
            text=np.array([clip.text for clip in capture.clips]),
            provenance=np.array([clip.provenance for clip in capture.clips]),
            own_skel=np.array([clip.own_skeleton for clip in capture.clips]),
            joint_names=np.array(capture.skeleton.joints),
            parents=np.array(capture.skeleton.parents, dtype=np.int8),
            units=np.array("xyz_mm: int16 millimetres"),
            up=np.array("z"),
            license=np.array(capture.license),
            source=np.array(capture.source),
        )


def _check(path: Path, arrays: dict[str, np.ndarray]) -> None:
    def refuse(name: str, found: object, expected: str) -> FormatError:
        return FormatError(f"{path}: {name} is {found} but should be {expected}")

    for name in _NEEDED:
        if name not in arrays:
            raise FormatError(
                f"{path}: has no array {shown(name)}: this is not a motion-capture pack"
            )
    xyz, starts = arrays["xyz_mm"], arrays["clip_start"]
    if xyz.ndim != 3 or xyz.shape[1:] != (len(H36M_17), 3):
        raise refuse("xyz_mm", xyz.shape, f"(frame, {len(H36M_17)}, 3)")
    if not (np.issubdtype(xyz.dtype, np.integer) or np.issubdtype(xyz.dtype, np.floating)):
        raise refuse("xyz_mm", xyz.dtype, "int16 or float millimetres")
    if not np.isfinite(xyz).all():
        frame = int(np.argwhere(~np.isfinite(xyz))[0, 0])
        raise refuse("xyz_mm", f"not finite in frame {frame}", "finite millimetres")
    if xyz.size and not 100 < np.ptp(xyz[..., 2].astype(float)) < 20_000:
        raise refuse("xyz_mm", f"{np.ptp(xyz[..., 2])} high", "a person's height in millimetres")
    whole = np.issubdtype(starts.dtype, np.integer)
    starts = starts.astype(np.int64) if whole else starts  # unsigned ones would not fall
    if not whole or starts.ndim != 1 or starts.size < 2 or (np.diff(starts) < 1).any():
        raise refuse("clip_start", f"{starts.dtype} {starts.shape}", "rising whole frame numbers")
    if starts[0] != 0 or starts[-1] != len(xyz):
        raise refuse("clip_start", f"from {starts[0]} to {starts[-1]}", f"from 0 to {len(xyz)}")
    for name in (*_NEEDED[2:], "text", "provenance", "own_skel"):
        if name in arrays and arrays[name].shape != (len(starts) - 1,):
            raise refuse(name, arrays[name].shape, f"one a clip, ({len(starts) - 1},)")
    fps = arrays["fps"]
    if fps.dtype.kind not in "fiu" or not all(map(is_frame_rate, fps)):
        least, most = FRAME_RATES
        allowed = f"frames per second from {least:g} to {most:,.0f}"
        raise refuse("fps", "no frame rate everywhere", allowed)
    if empty := [c for c, name in enumerate(arrays["subject"]) if not str(name).strip()]:
        raise refuse("subject", f"empty in clip {empty[0]}", "who moves, in each clip")
    names = tuple(map(str, arrays.get("joint_names", np.array(H36M_17.joints)).ravel()))
    if names != H36M_17.joints:
        raise refuse("joint_names", listed(names, 17), f"Human3.6M's: {', '.join(H36M_17.joints)}")
    _check_frame(arrays, refuse)


def _check_frame(
    arrays: dict[str, np.ndarray], refuse: Callable[[str, object, str], FormatError]
) -> None:
    """Refuse another hierarchy, another unit or another axis that points up."""
    parents = arrays.get("parents", np.array(H36M_17.parents))
    if not np.array_equal(parents, H36M_17.parents):
        raise refuse("parents", shown(parents.tolist()), f"Human3.6M's: {list(H36M_17.parents)}")
    units = str(arrays.get("units", "mm"))
    if not re.search(r"\bmm\b|millimet(er|re)", units):
        raise refuse("units", shown(units), "millimetres")
    if str(arrays.get("up", "z")) != "z":
        raise refuse("up", shown(str(arrays["up"])), "'z'")


def _check_people(path: Path, clips: tuple[Clip, ...]) -> None:
    """Refuse clips in another unit than the others, and people that are all too small or large."""
    for clip in clips:
        check_person(clip.positions, clip.fps, scale=0.001, where=f"{path}: clip {clip.name}")
    usual = float(np.median([leg_length(clip.positions) for clip in clips]))
    if not _LEGS[0] <= usual <= _LEGS[1]:
        raise FormatError(
            f"{path}: the people's legs, hip to knee to ankle, measure {usual:.3g} m (the median "
            f"of all clips) but should measure {_LEGS[0]} to {_LEGS[1]}: xyz_mm is not in "
            "millimetres; prepare it again with the right scale"
        )
    check_not_mirrored(clips, str(path))
