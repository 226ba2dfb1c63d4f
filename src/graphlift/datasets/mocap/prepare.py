"""A folder of BVH or Acclaim files -> one pack.

What a file needs beside itself is found by place: an AMC is read with the ASF of its folder, and
the subject is the ASF's stem, or the folder of a BVH. Nothing is left out silently: the first file
that cannot be used stops the work, or, if asked to keep going, is listed with its reason.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from graphlift.datasets.mocap.acclaim import FPS, Acclaim, read_amc, read_asf
from graphlift.datasets.mocap.clips import Clip, MotionCapture
from graphlift.datasets.mocap.pack import write_pack
from graphlift.datasets.mocap.person import check_not_mirrored, check_person, put_on_floor
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError, GraphliftError
from graphlift.formats.from_bvh import read_joints
from graphlift.formats.kinematics import Recipe
from graphlift.sequences import FRAME_RATES, is_frame_rate
from graphlift.skeletons import H36M_17
from graphlift.words import counted, listed, reason, shown

FURTHEST = 32.0
"""m from the origin: the range of int16 millimetres."""


@dataclass(frozen=True)
class PrepareOptions:
    """How to read and what to make of it.

    Args:
        fps: Frames per second of AMC files, which do not say.
        to_fps: Frames per second of the pack.
        nearest: Whether to take nearest frames where ``to_fps`` does not divide a file's rate.
        skip: Frames to leave out at the start of each clip, at the file's rate.
        scale: Metres per unit of the files; None believes an ASF and infers a BVH's.
        up: Axis that points up in BVH files.
        activities: Activity of each clip by name; None calls all ``unlabelled``.
        names: Which of a BVH's joints are the 17
            (:func:`graphlift.formats.rig_names.read_map`); None knows the usual names.

    Raises:
        ConfigError: If a rate or the scale is not positive and finite, or ``skip`` is negative.
    """

    fps: float = FPS
    to_fps: float = 30.0
    nearest: bool = False
    skip: int = 0
    scale: float | None = None
    up: Literal["y", "z"] = "y"
    activities: Mapping[str, str] | None = None
    names: tuple[str, Recipe] | None = None

    def __post_init__(self) -> None:
        for name, value in (("fps", self.fps), ("to_fps", self.to_fps)):
            if not is_frame_rate(value):
                least, most = FRAME_RATES
                raise ConfigError(
                    f"{name} is {value:g}: give frames per second from {least:g} to {most:,.0f}"
                )
        if self.scale is not None and not 0 < self.scale < float("inf"):
            raise ConfigError(f"scale is {self.scale:g}: give a positive, finite number")
        if self.skip < 0:
            raise ConfigError(f"skip is {self.skip}: give how many frames to leave out, 0 or more")


def prepare_mocap(
    folder: Path,
    out: Path,
    options: PrepareOptions,
    *,
    license: str = "",  # noqa: A002  (the word of MotionCapture)
    source: str = "",
    keep_going: bool = False,
    watch: Callable[[Sequence[tuple[str, Path]]], Iterable[tuple[str, Path]]] = iter,
) -> tuple[MotionCapture, dict[Path, str]]:
    """Read every recording under a folder and write them as one pack, whole or not at all.

    Args:
        folder: Looked through to any depth for ``.bvh`` and ``.amc``.
        out: The pack to write.
        options: How to read.
        license: Under which terms the data may be used.
        source: Where the data are from.
        keep_going: Whether to go on after a file that cannot be used.
        watch: Wraps the recordings, for a progress bar.

    Returns:
        What was written, and for each file that was refused the reason.

    Raises:
        DatasetNotFoundError: If there are no recordings.
        FormatError: If a file is refused and ``keep_going`` is off, or all are; if a person is
            mirrored; or ``out`` is no ``.npz``.
    """
    if out.suffix != ".npz":
        raise FormatError(f"{out}: a pack is an .npz: give a name that ends so")
    skeleton = cache(read_asf)
    clips: list[Clip] = []
    refused: dict[Path, str] = {}
    for name, path in watch(list(find_recordings(folder).items())):
        try:
            clips.append(read_recording(path, name, options, skeleton=skeleton))
        except GraphliftError as error:
            if not keep_going:
                raise
            refused[path] = str(error)
    if not clips:
        raise FormatError(
            f"{folder}: of {counted(len(refused), 'recording')} none can be used; the first: "
            f"{next(iter(refused.values()))}"
        )
    check_not_mirrored(clips, str(folder))
    capture = MotionCapture(out.stem, H36M_17, tuple(clips), license, source)
    write_pack(out, capture)
    return capture, refused


def find_recordings(folder: Path) -> dict[str, Path]:
    """Find ``.bvh`` and ``.amc`` files at any depth, in the order of their paths.

    Returns:
        The files by the name of their clip: the file's stem, or its path where stems repeat.

    Raises:
        DatasetNotFoundError: If the folder does not exist or holds none.
        FormatError: If two files differ in their suffix only, and so would be one clip.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".bvh", ".amc"})
    if not files:
        raise DatasetNotFoundError(
            f"no .bvh or .amc files under {folder}: give the folder that holds the recordings"
        )
    stems = Counter(path.stem for path in files)
    named: dict[str, Path] = {}
    for path in files:
        whole = path.relative_to(folder).with_suffix("").as_posix()
        name = path.stem if stems[path.stem] == 1 else whole
        if (other := named.setdefault(name, path)) != path:
            raise FormatError(f"{other} and {path} would both be clip {name}: keep one of them")
    return named


def read_recording(
    path: Path,
    name: str,
    options: PrepareOptions,
    *,
    skeleton: Callable[[Path], Acclaim] = read_asf,
) -> Clip:
    """Read a recording at the pack's frame rate, centred in x and y, float32.

    Args:
        path: A BVH, or an AMC with its ASF beside it.
        name: Of the clip.
        options: How to read.
        skeleton: Reads an ASF; for one that remembers.

    Raises:
        FormatError: If the file is refused, an AMC has no ASF, the frame rates do not fit,
            nothing is left after the skipped frames, the person goes further than a pack can
            hold, or the table of activities lacks the clip.
    """
    if path.suffix.lower() == ".amc":
        asf = skeleton(_find_asf(path))
        clip = read_amc(asf, path, fps=options.fps, scale=options.scale)
    else:
        scale: float | Literal["auto"] = "auto" if options.scale is None else options.scale
        clip = read_bvh_clip(path, scale=scale, up=options.up, names=options.names)
    if options.skip >= len(clip.positions):
        raise FormatError(
            f"{path}: has {counted(len(clip.positions), 'frame')}, of which {options.skip} are to "
            "be skipped: nothing is left"
        )
    clip = replace(clip, positions=clip.positions[options.skip :])
    clip = resample(clip, options.to_fps, nearest=options.nearest)
    positions = centre(clip.positions).astype(np.float32)
    if (reach := float(np.abs(positions).max())) > FURTHEST:
        raise FormatError(
            f"{path}: goes {reach:.4g} m from its middle, but a pack holds {FURTHEST:g} "
            "m: cut the clip, or check the unit of the root's positions"
        )
    activities = options.activities
    if activities is not None and name not in activities:
        raise FormatError(
            f"{path}: clip {name} is not in the table of activities: add a row for it"
        )
    activity = "unlabelled" if activities is None else activities[name]
    return replace(clip, name=name, activity=activity, positions=positions)


def read_bvh_clip(
    path: Path,
    *,
    scale: float | Literal["auto"] = "auto",
    up: Literal["y", "z"] = "y",
    names: tuple[str, Recipe] | None = None,
) -> Clip:
    """Read a BVH as a clip of a person, whose subject is the name of the file's folder.

    Arguments are those of :func:`graphlift.formats.from_bvh.read_joints`.

    Returns:
        A clip, floor at z = 0, x and y from the file's own origin.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: As ``read_joints``, or if what the file holds is no person.
    """
    positions, fps, family, metres = read_joints(path, scale=scale, up=up, names=names)
    check_person(positions, fps, scale=metres, where=str(path))
    return Clip(
        name=path.stem,
        subject=path.absolute().parent.name,
        activity="unlabelled",
        fps=fps,
        positions=put_on_floor(positions),
        provenance=f"{family}-bvh, {metres:.4g} m a unit",
    )


def resample(clip: Clip, fps: float, *, nearest: bool = False) -> Clip:
    """Take every n-th frame from the first.

    A rate counts as a multiple if it is one within half a per cent: 59.94 is halved to 29.97, and
    the clip states 29.97.

    Args:
        clip: At least as fast as ``fps``.
        fps: Frames per second of the result.
        nearest: If the rate is no multiple: frame i is the one nearest in time to i / fps (the
            later of two), which makes motion uneven by up to half a source frame.

    Raises:
        FormatError: If the clip is slower than ``fps``, or no multiple of it and ``nearest`` is
            off.
    """
    ratio = clip.fps / fps
    step = round(ratio)
    if step >= 1 and abs(ratio - step) <= 0.005 * step:
        return replace(clip, fps=clip.fps / step, positions=clip.positions[::step])
    if ratio < 1:
        raise FormatError(
            f"clip {clip.name}: has {clip.fps:g} frames per second, fewer than {fps:g}, and "
            f"frames are not made up: give --to-fps {clip.fps:g} or less"
        )
    if not nearest:
        raise FormatError(
            f"clip {clip.name}: {clip.fps:g} frames per second are no multiple of {fps:g}: give "
            f"--to-fps {clip.fps / step:g}, or --nearest to take the nearest frames"
        )
    at = np.floor(np.arange(int((len(clip.positions) - 1) / ratio) + 1) * ratio + 0.5).astype(int)
    return replace(clip, fps=fps, positions=clip.positions[at[at < len(clip.positions)]])


def centre(positions: np.ndarray) -> np.ndarray:
    """Shift a clip so that, in x and in y, the hip goes as far to one side of 0 as to the other.

    Args:
        positions: m, world, z up, (frame, 17, 3).
    """
    hip = positions[:, H36M_17.root, :2]
    middle = (hip.min(axis=0) + hip.max(axis=0)) / 2
    return np.asarray(positions - [*middle, 0.0])


def read_activity_table(path: Path) -> dict[str, str]:
    """Read a CSV whose header holds ``clip`` and ``activity``; other columns are left alone.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If it is no such table, or a clip has two activities in it.
    """
    if not path.is_file():
        raise DatasetNotFoundError(f"no table of activities at {path}: give the path of a CSV")
    table: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"clip", "activity"} <= set(rows.fieldnames or ()):
                raise FormatError(
                    f"{path}, line 1: the header is {listed(rows.fieldnames or ())}, but "
                    "should hold clip and activity"
                )
            for row in rows:
                clip, activity = row["clip"], row["activity"]
                if not clip or not activity or table.get(clip, activity) != activity:
                    raise FormatError(
                        f"{path}, line {rows.line_num}: clip {shown(clip)}, activity "
                        f"{shown(activity)}: both should be given, and each clip have one activity"
                    )
                table[clip] = activity
    except (csv.Error, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: is no CSV in UTF-8 ({reason(error)})") from error
    return table


def _find_asf(amc: Path) -> Path:
    """Find the skeleton in the folder of an AMC: the only one, or the one its name starts with."""
    found = sorted(path for path in amc.parent.iterdir() if path.suffix.lower() == ".asf")
    if len(found) > 1:
        found = [path for path in found if amc.stem.startswith(path.stem)]
        found = sorted(found, key=lambda path: len(path.stem))[-1:]
    if not found:
        raise FormatError(
            f"{amc}: no .asf in its folder whose name it starts with: put the skeleton beside it"
        )
    return found[0]
