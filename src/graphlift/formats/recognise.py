"""Keypoints in: what kind of file or object it is, and which module reads it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats import (
    alphapose,
    arrays,
    coco,
    deeplabcut,
    frame_files,
    mediapipe,
    mmpose,
    objects,
    openpose,
    pose_file,
    sleap,
    tables,
    ultralytics,
    videopose3d,
)
from graphlift.formats.hdf5 import is_inside, open_hdf5
from graphlift.formats.json_files import check_file_size, first_filled, read_json
from graphlift.formats.keypoint_source import KeypointSource
from graphlift.formats.npz_members import list_members, read_npy
from graphlift.sequences import Keypoints
from graphlift.words import listed

KINDS = (
    "a folder of one file a frame (OpenPose, MMPose, AlphaPose, ultralytics), .json (plain, "
    "OpenPose, COCO, MMPose, AlphaPose, MediaPipe, ultralytics), .csv (plain, SLEAP, "
    "DeepLabCut), .h5 (DeepLabCut, SLEAP), .npz (plain, VideoPose3D, Detectron), .npy, .pose"
)


def recognise_and_read(given: object, source: KeypointSource) -> Keypoints:
    """Read keypoints of the kind that a path or an object turns out to be.

    Args:
        given: Path, array, or results of a detector.
        source: What the caller states of it.

    Raises:
        DatasetNotFoundError, FormatError, ModuleNotFoundError: As
            :func:`graphlift.formats.read_keypoints`.
    """
    if isinstance(given, (str, Path)):
        return _read_path(Path(given), replace(source, where=str(given)))
    if isinstance(given, np.ndarray):
        return arrays.from_array(given, replace(source, where="array"))
    return objects.from_objects(given, source)


def _read_path(path: Path, source: KeypointSource) -> Keypoints:
    if path.is_dir():
        return frame_files.read_folder(path, source)
    if not path.is_file():
        raise DatasetNotFoundError(f"no keypoints at {path}: give {KINDS}")
    suffix = path.suffix.lower()
    if suffix in _KEYPOINT_READERS:
        return _KEYPOINT_READERS[suffix](path, source)
    way_out = (
        "a pickle can run code: save plain arrays (numpy.savez)"
        if suffix in PICKLES
        else f"give {KINDS}"
    )
    raise FormatError(f"{path}: {path.suffix or 'a file without ending'} is not read: {way_out}")


def _read_json(path: Path, source: KeypointSource) -> Keypoints:
    data = read_json(path, source.max_bytes)
    first = data[0] if isinstance(data, list) and data else data
    keys = set(first) if isinstance(first, dict) else set()
    if arrays.is_plain(data):
        return arrays.from_plain(data, source)
    if isinstance(data, dict):
        if "people" in keys:
            return openpose.from_frame(data, source)
        if "annotations" in keys:
            return coco.from_annotations(data, source)
        if "instance_info" in keys:
            return mmpose.from_predictions(data, source)
        if alphapose.is_frame(data):
            return alphapose.from_images({"0": data}, source)
        if alphapose.is_by_image(data):
            return alphapose.from_images(data, source)
    elif ultralytics.is_frame(data) or ultralytics.is_video(data):
        return ultralytics.from_frames(data, source)
    elif "instances" in keys or {"keypoints", "keypoint_scores"} <= keys:
        return mmpose.from_predictions(data, source)
    elif {"image_id", "keypoints"} <= keys:
        return coco.from_results(data, source)
    if _holds_landmarks(data):
        return mediapipe.from_landmarks(data, source)
    raise FormatError(
        f"{path}: is JSON of no kind that is known: its first object has "
        f"{listed(sorted(map(str, keys)))}; known are OpenPose (people), COCO "
        "(annotations, or a list of image_id and keypoints), MMPose (instances), AlphaPose (as "
        "COCO, or frames by image), ultralytics (lists of x, y), MediaPipe (landmarks of x, y, "
        "visibility), plain arrays (keypoints, a list of frames)"
    )


def _holds_landmarks(data: Any) -> bool:  # noqa: ANN401
    frames = data.get("frames", [data]) if isinstance(data, dict) else data
    return isinstance(frames, list) and any(map(mediapipe.is_landmarks, first_filled(frames)))


def _read_csv(path: Path, source: KeypointSource) -> Keypoints:
    with path.open("rb") as file:
        start = file.read(20).removeprefix(b"\xef\xbb\xbf").lower()
    reader = deeplabcut.read_csv if start.startswith(b"scorer") else tables.read_csv
    return reader(path, source)


def _read_npz(path: Path, source: KeypointSource) -> Keypoints:
    members = list_members(path)
    if "positions_2d" in members:
        return videopose3d.read_clip(path, source)
    if "boxes" in members and "keypoints" in members and members["keypoints"].dtype.hasobject:
        return videopose3d.read_detectron(path, source)
    if {"poses", "about"} <= set(members):
        raise FormatError(
            f"{path}: holds poses, which are lifted already: look at them with graphlift view, or "
            "give the keypoints that they were lifted from"
        )
    return arrays.read_npz(path, source)


def _read_npy(path: Path, source: KeypointSource) -> Keypoints:
    check_file_size(path, source.max_bytes, "save it as .npz without compression")
    return arrays.from_array(read_npy(path, source.max_bytes), source)


def _read_hdf5(path: Path, source: KeypointSource) -> Keypoints:
    with open_hdf5(path) as file:
        if {"tracks", "node_names"} <= set(file):
            return sleap.from_hdf5(file, source)
        if sleap.is_project(set(file)):
            sleap.refuse_project(path, source)
        groups = [file[name] for name in file if is_inside(file, name)]
        tables = [g for g in groups if hasattr(g, "keys") and {"table", "block0_values"} & set(g)]
        if len(tables) > 1:
            raise FormatError(
                f"{path}: holds {len(tables)} tables, "
                f"{', '.join(table.name.strip('/') for table in tables[:6])}: save the one of the "
                "clip by itself"
            )
        if tables:
            return deeplabcut.from_hdf5(tables[0], source)
        raise FormatError(
            f"{path}: is HDF5 of no kind that is known (it has {listed(file)}): "
            "known are DeepLabCut's tables and SLEAP's analysis files"
        )


_KEYPOINT_READERS: Mapping[str, Callable[[Path, KeypointSource], Keypoints]] = {
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".pose": pose_file.read_pose,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    ".slp": sleap.refuse_project,
}
SUFFIXES = tuple(_KEYPOINT_READERS)
"""Of files that may hold keypoints; a folder may, too."""
READ = tuple(suffix for suffix in SUFFIXES if suffix != ".slp")
"""Those that are read; a project of SLEAP is recognised, and refused with the way to export it."""
PICKLES = (".pkl", ".pickle", ".p")
"""Of files that are refused, with a reason."""
