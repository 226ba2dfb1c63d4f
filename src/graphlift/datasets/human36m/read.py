"""Human3.6M from a folder: its layout, its clips through four cameras, what is missing."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from graphlift.cameras import world_to_camera
from graphlift.datasets.human36m import files, mmpose
from graphlift.datasets.human36m.calibration import published_cameras
from graphlift.datasets.human36m.camera_files import Cameras, read_metadata_xml
from graphlift.datasets.human36m.facts import (
    CAMERAS,
    FPS,
    JOINTS_OF_32,
    LEFT_OUT,
    PUBLISHED,
    VIEWS,
    order,
)
from graphlift.datasets.human36m.files import ClipFile, KeypointFiles
from graphlift.datasets.human36m.sequence import make_sequence
from graphlift.datasets.licensed.checks import check_legs
from graphlift.datasets.licensed.completeness import check_complete
from graphlift.datasets.licensed.reading import CameraSequence, Reading, ReadOptions
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.skeletons import H36M_17
from graphlift.words import counted, shown

_PATTERNS = {
    "videopose3d": ("data_3d_h36m.npz", "data/data_3d_h36m.npz"),
    "martinez": ("S*/MyPoses/3D_positions/*.h5", "*/S*/MyPoses/3D_positions/*.h5"),
    "cdf": ("S*/MyPoseFeatures/D3_Positions/*.cdf", "*/S*/MyPoseFeatures/D3_Positions/*.cdf"),
    "mmpose": mmpose.PATTERNS,
}
LAYOUTS = tuple(_PATTERNS)

_LEG = (0.6, 1.2)
"""m, hip to knee to ankle; of Human3.6M's people 0.85 to 0.95."""

_LEGS = [tuple(H36M_17.index(f"{side}Hip", f"{side}Knee", f"{side}Foot")) for side in "LR"]


def read_h36m(folder: Path, options: ReadOptions) -> Reading:
    """Read Human3.6M as VideoPose3D, Martinez, its owners or mmpose lay it out.

    Args:
        folder: With 3D in one layout, and any 2D beside it.
        options: ``layout`` is one of :data:`LAYOUTS`.

    Returns:
        Clips in the order of subjects, activities, takes, cameras; camera axes, m, and px by
        ``gt`` (projected with distortion where no file gives it), ``cpn`` and ``hg`` where there
        are files.

    Raises:
        ConfigError: If there is no such layout, or an annotation is asked for.
        DatasetNotFoundError: If the folder has none of them, or not the one that was asked for.
        FormatError: If it has several and none was asked for; while reading, if a file is refused
            or something is missing.
    """
    layout, paths = _find_layout(folder, options.layout)
    reading = Reading(
        name=f"h36m-{options.joints}",
        sequences=iter(()),
        options={"layout": layout, "joints": options.joints, "partial": options.partial},
        notes=[
            f"{subject} {clip} is left out: {why}" for (subject, clip), why in LEFT_OUT.items()
        ],
        total=None if options.partial else VIEWS,
    )
    if layout == "mmpose":
        read = mmpose.read_mmpose_h36m(paths, options.joints, reading)
    else:
        read = _read_world(folder, layout, paths, options, reading)
    checked = check_complete(
        read, PUBLISHED, reading.notes, where=str(folder), partial=options.partial
    )
    return replace(reading, sequences=checked)


def _find_layout(folder: Path, expected: str | None) -> tuple[str, list[Path]]:
    if expected is not None and expected not in LAYOUTS:
        raise ConfigError(
            f"no layout {shown(expected)} of Human3.6M: give one of {', '.join(LAYOUTS)}"
        )
    layouts = LAYOUTS if expected is None else (expected,)
    found = {name: paths for name in layouts if (paths := _find(folder, _PATTERNS[name]))}
    if not found:
        looked = ", ".join(pattern for name in layouts for pattern in _PATTERNS[name])
        raise DatasetNotFoundError(
            f"no 3D poses of Human3.6M in {folder}: looked for {looked}: give the folder that "
            "holds them (docs/human36m.md)"
        )
    if len(found) > 1:
        raise FormatError(
            f"{folder}: has 3D poses in {len(found)} layouts, {', '.join(found)}: say which with "
            f"--layout {next(iter(found))} or another"
        )
    return next(iter(found.items()))


def _find(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """List the files of the first pattern that fits any, sorted."""
    for pattern in patterns:
        if paths := sorted(path for path in folder.glob(pattern) if path.is_file()):
            return paths
    return []


def _read_world(
    folder: Path, layout: str, paths: list[Path], options: ReadOptions, reading: Reading
) -> Iterator[CameraSequence]:
    with ExitStack() as stack:
        spill = cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile(dir=options.scratch)))
        clips = _list_clips(layout, paths, spill)
        cameras = _read_cameras(folder, reading)
        kinds = _find_keypoints(folder, spill)
        _note_keypoints(kinds, options.joints, reading)
        cut: Counter[str] = Counter()
        cut_views: Counter[str] = Counter()
        joints: dict[int, str] = {}
        for clip in clips:
            world = _load_world(clip, joints)
            for camera in CAMERAS:
                view = (clip.subject, clip.clip, camera)
                keypoints = {each.kind: _read_view(each, view, len(world)) for each in kinds}
                cut.update({kind: len(array) - len(world) for kind, array in keypoints.items()})
                cut_views.update(kind for kind in keypoints if len(keypoints[kind]) > len(world))
                lens = cameras[clip.subject, camera]
                yield make_sequence(
                    *view,
                    lens=lens,
                    positions=world_to_camera(world, lens),
                    keypoints={kind: array[: len(world)] for kind, array in keypoints.items()},
                    joints=options.joints,
                    fps=FPS,
                    where="/".join(view),
                )
        for kind in filter(cut.get, cut):
            reading.notes.append(
                f"{kind}: {counted(cut[kind], 'frame')} of 2D beyond the end of the 3D left out, "
                f"in {counted(cut_views[kind], 'view')}, as the protocols do"
            )
        read = {clip.path for clip in clips} | {path for each in kinds for path in each.paths}
        reading.sources.extend(sorted(read))


def _load_world(clip: ClipFile, joints: dict[int, str]) -> np.ndarray:
    """Read the 17 joints of a clip, m; ``joints`` remembers which numbers of joints were met."""
    raw = clip.load()
    joints.setdefault(raw.shape[1], clip.where)
    if len(joints) > 1:
        counts = ", ".join(f"{count} in {where}" for count, where in joints.items())
        raise FormatError(f"joints differ between clips: {counts}: use files of one origin")
    world = raw[:, JOINTS_OF_32] if raw.shape[1] == 32 else raw
    check_legs(world[:: max(1, len(world) // 50)], _LEGS, _LEG, clip.where)
    return world


def _list_clips(layout: str, paths: list[Path], spill: BinaryIO) -> list[ClipFile]:
    if layout == "videopose3d":
        clips = files.poses_of_videopose3d(paths[0], spill)
    else:
        clips = (files.poses_of_martinez if layout == "martinez" else files.poses_of_cdf)(paths)
    known: dict[tuple[str, str], str] = {}
    for clip in clips:
        if other := known.get((clip.subject, clip.clip)):
            raise FormatError(
                f"{clip.where} and {other} are both {clip.subject} {clip.clip}: keep one of them"
            )
        known[clip.subject, clip.clip] = clip.where
    kept = [clip for clip in clips if (clip.subject, clip.clip) not in LEFT_OUT]
    return sorted(kept, key=lambda clip: order(clip.subject, clip.clip))


def _read_cameras(folder: Path, reading: Reading) -> Cameras:
    if not (paths := _find(folder, ("metadata.xml", "h36m/metadata.xml", "*/metadata.xml"))):
        reading.notes.append("cameras: the published calibration that comes with graphlift")
        return published_cameras()
    reading.notes.append(f"cameras: {paths[0].name} of the folder")
    reading.sources.append(paths[0])
    return read_metadata_xml(paths[0])


def _find_keypoints(folder: Path, spill: BinaryIO) -> list[KeypointFiles]:
    """Find 2D beside the 3D, in the order of :data:`files.KINDS`."""
    found: dict[str, KeypointFiles] = {}
    for suffix, kind in files.KINDS.items():
        name = f"data_2d_h36m_{suffix}.npz"
        if paths := _find(folder, (name, f"data/{name}")):
            found[kind] = files.keypoints_of_videopose3d(paths[0], kind, spill)
    pattern = f"S*/{files.HOURGLASS}/*.h5"
    if paths := _find(folder, (pattern, f"*/{pattern}")):
        if "hg" in found:
            raise FormatError(
                f"{folder}: has Stacked Hourglass' 2D twice, {found['hg'].where} and "
                f"{paths[0].parent}: take one of them away"
            )
        found["hg"] = files.keypoints_of_hourglass(paths)
    return list(found.values())


def _note_keypoints(kinds: list[KeypointFiles], joints: int, reading: Reading) -> None:
    if "gt" not in {each.kind for each in kinds}:
        reading.notes.append("gt: the 3D projected with the cameras' distortion; no file gave it")
    for each in kinds:
        if each.joints < joints:
            reading.notes.append(f"{each.kind}: has no Neck/Nose, which is NaN in the 17 joints")


def _read_view(each: KeypointFiles, view: tuple[str, str, str], frames: int) -> np.ndarray:
    """Read the 2D of one view, which may go on after the 3D."""
    if (load := each.views.get(view)) is None:
        raise FormatError(
            f"{each.where}: has no 2D of {'/'.join(view)}, which has 3D: get the whole "
            f"file, or take it away to prepare a pack without {each.kind}"
        )
    if len(keypoints := load()) < frames:
        raise FormatError(
            f"{each.where}: {'/'.join(view)} has {counted(len(keypoints), 'frame')} of 2D but "
            f"{frames:,} of 3D: 2D may be longer, never shorter; get the file again"
        )
    return keypoints
