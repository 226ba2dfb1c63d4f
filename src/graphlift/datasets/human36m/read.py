"""Human3.6M from a folder: which layout, its clips through four cameras, what is missing."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from graphlift.cameras import world_to_camera
from graphlift.datasets.human36m import detections, mmpose, recordings
from graphlift.datasets.human36m.calibration import published_cameras
from graphlift.datasets.human36m.camera_files import Cameras, read_metadata_xml
from graphlift.datasets.human36m.detections import Detections, to_joints
from graphlift.datasets.human36m.facts import (
    CAMERAS,
    FPS,
    LEFT_OUT,
    NECK,
    VIEWS,
    missing_clips,
    order,
    seventeen,
    wrong_counts,
)
from graphlift.datasets.human36m.projection import check_projection, project
from graphlift.datasets.human36m.recordings import Recording
from graphlift.datasets.licensed.pack import CameraSequence, digest_file
from graphlift.datasets.licensed.reading import Choices, Reading
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.formats.kinematics import leg_length
from graphlift.skeletons import H36M_16, H36M_17
from graphlift.words import shown

_PATTERNS = {
    "videopose3d": ("data_3d_h36m.npz", "data/data_3d_h36m.npz"),
    "martinez": ("S*/MyPoses/3D_positions/*.h5", "*/S*/MyPoses/3D_positions/*.h5"),
    "cdf": ("S*/MyPoseFeatures/D3_Positions/*.cdf", "*/S*/MyPoseFeatures/D3_Positions/*.cdf"),
    "mmpose": mmpose.PATTERNS,
}
LAYOUTS = tuple(_PATTERNS)

_LEG = (0.6, 1.2)
"""m, hip to knee to ankle; of Human3.6M's people 0.85 to 0.95."""


def read_h36m(folder: Path, choices: Choices) -> Reading:
    """Read Human3.6M as VideoPose3D, Martinez, its owners or mmpose lay it out.

    Args:
        folder: With 3D in one layout, and any 2D beside it.
        choices: ``layout`` is one of :data:`LAYOUTS`.

    Returns:
        Clips in the order of subjects, activities, takes, cameras; camera axes, m, and px by
        ``gt`` (projected with distortion where no file gives it), ``cpn`` and ``hg`` where there
        are files. The sequences raise as :func:`graphlift.datasets.licensed.prepare` says.

    Raises:
        ConfigError: If there is no such layout.
        DatasetNotFoundError: If the folder has none of them, or not the one that was asked for.
        FormatError: If it has several, and none was asked for.
    """
    layout, paths = _find_layout(folder, choices.layout)
    options: dict[str, Any] = {"layout": layout, "joints": choices.joints}
    reading = Reading(f"h36m-{choices.joints}", iter(()), options | {"partial": choices.partial})
    if layout == "mmpose":
        read = mmpose.read_sequences(folder, paths, choices, reading)
    else:
        read = _read_world(folder, layout, paths, choices, reading)
    return replace(
        reading,
        sequences=_completed(read, choices, reading),
        expected=None if choices.partial else VIEWS,
    )


def _find_layout(folder: Path, wanted: str | None) -> tuple[str, list[Path]]:
    if wanted is not None and wanted not in LAYOUTS:
        raise ConfigError(
            f"no layout {shown(wanted)} of Human3.6M: give one of {', '.join(LAYOUTS)}"
        )
    found = {name: find(folder, patterns) for name, patterns in _PATTERNS.items()}
    there = [name for name, paths in found.items() if paths and wanted in (None, name)]
    if not there:
        looked = ", ".join(p for n in LAYOUTS if wanted in (None, n) for p in _PATTERNS[n])
        raise DatasetNotFoundError(
            f"no 3D poses of Human3.6M in {folder}: looked for {looked}: give the folder that "
            "holds them (docs/human36m.md)"
        )
    if len(there) > 1:
        raise FormatError(
            f"{folder}: has 3D poses in {len(there)} layouts, {', '.join(there)}: say which with "
            f"--layout {there[0]} or another"
        )
    return there[0], found[there[0]]


def find(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """List the files of the first pattern that fits any, sorted."""
    for pattern in patterns:
        if paths := sorted(path for path in folder.glob(pattern) if path.is_file()):
            return paths
    return []


def _completed(
    sequences: Iterator[CameraSequence], choices: Choices, reading: Reading
) -> Iterator[CameraSequence]:
    """Leave out what the protocols leave out; at the end say what is missing."""
    clips: set[tuple[str, str]] = set()
    poses: dict[str, int] = {}
    cameras: dict[tuple[str, str], set[str]] = {}
    for sequence in sequences:
        name = (sequence.subject, sequence.clip)
        clips.add(name)
        poses[sequence.subject] = poses.get(sequence.subject, 0) + len(sequence.positions)
        cameras.setdefault(name, set()).add(sequence.camera)
        yield sequence
    for (subject, clip), why in LEFT_OUT.items():
        reading.notes.append(f"{subject} {clip} is left out: {why}")
    wanting = missing_clips(clips)
    wanting += [
        f"{subject}: {clip} by camera {' and '.join(sorted(set(CAMERAS) - seen))}"
        for (subject, clip), seen in cameras.items()
        if set(CAMERAS) - seen
    ]
    wanting = wanting or wrong_counts(poses)
    if wanting and not choices.partial:
        raise FormatError(
            f"Human3.6M is not complete; missing or different: {'; '.join(wanting)}: add what is "
            "missing, or give --partial for a pack of what is there, whose scores compare with no "
            "published ones"
        )
    reading.notes.extend(f"missing: {line}" for line in wanting)


@dataclass(eq=False)
class _Context:
    """What is the same for every clip, and what is tallied over them."""

    cameras: Cameras
    detected: list[Detections]
    joints: int
    cut: dict[str, tuple[int, int]] = field(default_factory=dict)


def _read_world(
    folder: Path, layout: str, paths: list[Path], choices: Choices, reading: Reading
) -> Iterator[CameraSequence]:
    with ExitStack() as stack:
        spill = cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile(dir=choices.scratch)))
        clips = _list_clips(layout, paths, spill)
        context = _Context(_cameras(folder, reading), _detected(folder, spill), choices.joints)
        _note_detections(context, reading)
        shapes: dict[int, str] = {}
        for clip in clips:
            raw = clip.load()
            shapes.setdefault(raw.shape[1], clip.where)
            if len(shapes) > 1:
                told = ", ".join(f"{count} in {where}" for count, where in shapes.items())
                raise FormatError(f"joints differ between clips: {told}: use files of one origin")
            world = seventeen(raw)
            _check_unit(world, clip.where)
            for camera in CAMERAS:
                yield _through(clip, world, camera, context)
        for kind, (frames, views) in context.cut.items():
            reading.notes.append(
                f"{kind}: {frames:,} frames of 2D beyond the end of the 3D were cut, in {views:,} "
                "views, as the protocols do"
            )
        read = {clip.path for clip in clips} | {p for d in context.detected for p in d.paths}
        reading.sources.extend(digest_file(path, folder) for path in sorted(read))


def _list_clips(layout: str, paths: list[Path], spill: BinaryIO) -> list[Recording]:
    if layout == "videopose3d":
        clips = recordings.from_videopose3d(paths[0], spill)
    elif layout == "martinez":
        clips = recordings.from_martinez(paths)
    else:
        clips = recordings.from_cdf(paths)
    seen: dict[tuple[str, str], str] = {}
    for clip in clips:
        if other := seen.get((clip.subject, clip.clip)):
            raise FormatError(
                f"{clip.where} and {other} are both {clip.subject} {clip.clip}: keep one of them"
            )
        seen[clip.subject, clip.clip] = clip.where
    kept = [clip for clip in clips if (clip.subject, clip.clip) not in LEFT_OUT]
    return sorted(kept, key=lambda clip: order(clip.subject, clip.clip))


def _cameras(folder: Path, reading: Reading) -> Cameras:
    if not (paths := find(folder, ("metadata.xml", "h36m/metadata.xml", "*/metadata.xml"))):
        reading.notes.append("cameras: the published calibration that comes with graphlift")
        return published_cameras()
    reading.notes.append(f"cameras: {paths[0].name} of the folder")
    reading.sources.append(digest_file(paths[0], folder))
    return read_metadata_xml(paths[0])


def _detected(folder: Path, spill: BinaryIO) -> list[Detections]:
    """Find 2D beside the 3D, in the order of :data:`detections.KINDS`."""
    found: dict[str, Detections] = {}
    for suffix, kind in detections.KINDS.items():
        name = f"data_2d_h36m_{suffix}.npz"
        if paths := find(folder, (name, f"data/{name}")):
            found[kind] = detections.from_videopose3d(paths[0], kind, spill)
    pattern = f"S*/{detections.HOURGLASS}/*.h5"
    if paths := find(folder, (pattern, f"*/{pattern}")):
        if "hg" in found:
            raise FormatError(
                f"{folder}: has Stacked Hourglass' 2D twice, {found['hg'].where} and "
                f"{paths[0].parent}: take one of them away"
            )
        found["hg"] = detections.from_hourglass(paths)
    return list(found.values())


def _note_detections(context: _Context, reading: Reading) -> None:
    if "gt" not in {each.kind for each in context.detected}:
        reading.notes.append("gt: the 3D projected with the cameras' distortion; no file gave it")
    for each in context.detected:
        if each.joints < context.joints:
            reading.notes.append(f"{each.kind}: has no Neck/Nose, which is NaN in the 17 joints")


def _check_unit(world: np.ndarray, where: str) -> None:
    leg = leg_length(world[:: max(1, len(world) // 50)])
    if not _LEG[0] <= leg <= _LEG[1]:
        raise FormatError(
            f"{where}: legs measure {leg:.4g} m, hip to knee to ankle, but should measure "
            f"{_LEG[0]} to {_LEG[1]}: the file is in another unit, or its joints in another order"
        )


def _through(clip: Recording, world: np.ndarray, camera: str, context: _Context) -> CameraSequence:
    """See a clip by one camera."""
    where = f"{clip.subject}/{clip.clip}/{camera}"
    lens = context.cameras[clip.subject, camera]
    positions = world_to_camera(world, lens)
    projected = project(positions, lens, where)
    keypoints: dict[str, np.ndarray] = {"gt": projected}
    for each in context.detected:
        view = each.views.get((clip.subject, clip.clip, camera))
        if view is None:
            raise FormatError(
                f"{each.where}: has no 2D of {where}, of which there is 3D: get the whole file, "
                f"or take it away to prepare a pack without {each.kind}"
            )
        keypoints[each.kind] = _fit(view(), len(world), each, where, context)
    check_projection(keypoints["gt"], projected, where)
    keep = slice(None) if context.joints == 17 else np.delete(np.arange(17), NECK)
    return CameraSequence(
        subject=clip.subject,
        activity=clip.activity,
        clip=clip.clip,
        camera=camera,
        lens=lens,
        positions=positions[:, keep].astype(np.float32),
        keypoints={
            kind: to_joints(array, context.joints).astype(np.float32)
            for kind, array in keypoints.items()
        },
        valid=np.ones(len(world), dtype=bool),
        fps=FPS,
        skeleton=H36M_17 if context.joints == 17 else H36M_16,
    )


def _fit(
    keypoints: np.ndarray, frames: int, each: Detections, where: str, context: _Context
) -> np.ndarray:
    """Cut 2D that goes on after the 3D; refuse 2D that ends before it."""
    if len(keypoints) < frames:
        raise FormatError(
            f"{each.where}: {where} has {len(keypoints):,} frames of 2D but {frames:,} of 3D: 2D "
            "may be longer, never shorter; get the file again"
        )
    if beyond := len(keypoints) - frames:
        cut, views = context.cut.get(each.kind, (0, 0))
        context.cut[each.kind] = cut + beyond, views + 1
    return keypoints[:frames]
