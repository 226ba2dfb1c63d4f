"""Keypoints in: what kind of file or object it is, and which module reads it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.files import DAMAGE
from graphlift.formats import (
    alphapose,
    arrays,
    coco,
    deeplabcut,
    detectron,
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
from graphlift.formats.json_files import check_file_size, read_json
from graphlift.formats.npz_members import list_members
from graphlift.formats.request import MAX_BYTES, Request, skeleton_named
from graphlift.sequences import Keypoints

KINDS = (
    "a folder of one file a frame (OpenPose, MMPose, AlphaPose, ultralytics), .json (OpenPose, "
    "COCO, MMPose, AlphaPose, MediaPipe, ultralytics), .csv (plain, SLEAP, DeepLabCut), .h5 "
    "(DeepLabCut, SLEAP), .npz (plain, VideoPose3D, Detectron), .npy, .pose"
)


def read_keypoints(
    source: Path | str | object,
    *,
    skeleton: str | None = None,
    image_size: tuple[int, int] | None = None,
    fps: float | None = None,
    people: int | None = None,
    clip: str | None = None,
    max_bytes: int = MAX_BYTES,
    person: str | None = None,
) -> Keypoints:
    """Read keypoints of any kind that is known; the kind is recognised by what is in it.

    What the file says of itself (names, image size, fps, ids) is used, what the caller says stands
    above it. ``source`` of the result says in a line what was read and what was assumed.

    Args:
        source: Path of a file or folder, an array, or results of a detector, alone or in an
            iterable with one a frame; see ``docs/formats.md``.
        skeleton: Joint order by name, where the file does not say it.
        image_size: Width and height, px.
        fps: Frames per second.
        people: Keep the so many people who are seen longest and largest (frames times size);
            everybody when left out.
        clip: Which clip, of a file that holds several.
        max_bytes: The most that is read whole.
        person: Keep one person: ``largest`` in the image, ``first`` seen, seen for the
            ``longest`` time, nearest to the ``centre`` of the image, or an id.

    Raises:
        DatasetNotFoundError: If there is no such file, or a folder has no keypoints.
        FormatError: If it is of no kind that is known, damaged, too large, shows nobody, or does
            not say something that must be known; the message says how to give it.
        ConfigError: If what the caller says cannot be.
        ModuleNotFoundError: If h5py is not installed, for .h5 (extra ``formats``).
    """
    request = Request(
        None if skeleton is None else skeleton_named(skeleton),
        image_size,
        fps,
        people,
        clip,
        max_bytes,
        person,
    )
    if isinstance(source, (str, Path)):
        return _read_path(Path(source), request)
    if isinstance(source, np.ndarray):
        return arrays.from_array(source, "array", request)
    return objects.from_objects(source, request)


def _read_path(path: Path, request: Request) -> Keypoints:
    if path.is_dir():
        _check_clip(path, "", request)
        return frame_files.read_folder(path, request)
    if not path.is_file():
        raise DatasetNotFoundError(f"no keypoints at {path}: give {KINDS}")
    suffix = path.suffix.lower()
    if suffix in _READERS:
        _check_clip(path, suffix, request)
        return _READERS[suffix](path, request)
    way_out = (
        "a pickle can run code: save plain arrays (numpy.savez)"
        if suffix in PICKLES
        else f"give {KINDS}"
    )
    raise FormatError(f"{path}: {path.suffix or 'a file without ending'} is not read: {way_out}")


def _check_clip(path: Path, suffix: str, request: Request) -> None:
    """Refuse to look for a clip where there is only one."""
    if request.clip is None or (suffix == ".npz" and "positions_2d" in list_members(path)):
        return
    raise FormatError(
        f"{path}: has no clip {request.clip!r}: only VideoPose3D's npz holds several, by name; "
        "leave clip (--clip) out"
    )


def _read_json(path: Path, request: Request) -> Keypoints:
    data = read_json(path, request.max_bytes)
    first = data[0] if isinstance(data, list) and data else data
    keys = set(first) if isinstance(first, dict) else set()
    if isinstance(data, dict):
        if "people" in keys:
            return openpose.from_frame(data, path, request)
        if "annotations" in keys:
            return coco.from_annotations(data, path, request)
        if "instance_info" in keys:
            return mmpose.from_predictions(data, path, request)
        if alphapose.is_frame(data):
            return alphapose.from_images({"0": data}, path, request)
        if alphapose.is_by_image(data):
            return alphapose.from_images(data, path, request)
    elif ultralytics.is_frame(data) or ultralytics.is_video(data):
        return ultralytics.from_frames(data, path, request)
    elif "instances" in keys or {"keypoints", "keypoint_scores"} <= keys:
        return mmpose.from_predictions(data, path, request)
    elif {"image_id", "keypoints"} <= keys:
        return coco.from_results(data, path, request)
    if _holds_landmarks(data):
        return mediapipe.from_landmarks(data, str(path), request)
    raise FormatError(
        f"{path}: is JSON of no kind that is known: its first object has "
        f"{', '.join(sorted(map(str, keys))[:8]) or 'no keys'}; known are OpenPose (people), COCO "
        "(annotations, or a list of image_id and keypoints), MMPose (instances), AlphaPose (as "
        "COCO, or frames by image), ultralytics (lists of x, y), MediaPipe (landmarks of x, y, "
        "visibility)"
    )


def _holds_landmarks(data: Any) -> bool:  # noqa: ANN401
    frames = data.get("frames", [data]) if isinstance(data, dict) else data
    if not isinstance(frames, list):
        return False
    return any(mediapipe.is_landmarks(frame) for frame in frames)


def _read_csv(path: Path, request: Request) -> Keypoints:
    with path.open("rb") as file:
        start = file.read(20).removeprefix(b"\xef\xbb\xbf").lower()
    reader = deeplabcut.read_csv if start.startswith(b"scorer") else tables.read_csv
    return reader(path, request)


def _read_npz(path: Path, request: Request) -> Keypoints:
    members = list_members(path)
    if "positions_2d" in members:
        return videopose3d.read_npz(path, request)
    if "boxes" in members and "keypoints" in members and members["keypoints"].dtype.hasobject:
        return detectron.read_npz(path, request)
    if {"poses", "about"} <= set(members):
        raise FormatError(
            f"{path}: holds poses, which are lifted already: look at them with graphlift view, or "
            "give the keypoints that they were lifted from"
        )
    return arrays.open_keypoints_npz(path, request)


def _read_npy(path: Path, request: Request) -> Keypoints:
    check_file_size(path, request.max_bytes, "save it as .npz without compression")
    try:
        with path.open("rb") as file:
            array = np.load(file, allow_pickle=False)
    except DAMAGE as error:
        raise FormatError(
            f"{path}: cannot be read as an array of numbers: {error}: it is cut short, damaged or "
            "holds objects"
        ) from error
    return arrays.from_array(array, str(path), request)


def _read_hdf5(path: Path, request: Request) -> Keypoints:
    with open_hdf5(path) as file:
        if {"tracks", "node_names"} <= set(file):
            return sleap.from_hdf5(file, path, request)
        if sleap.is_project(set(file)):
            sleap.refuse_project(path, request)
        groups = [file[name] for name in file if is_inside(file, name)]
        tables = [g for g in groups if hasattr(g, "keys") and {"table", "block0_values"} & set(g)]
        if len(tables) > 1:
            raise FormatError(
                f"{path}: holds {len(tables)} tables, "
                f"{', '.join(table.name.strip('/') for table in tables[:6])}: save the one of the "
                "clip by itself"
            )
        if tables:
            return deeplabcut.from_hdf5(tables[0], path, request)
        raise FormatError(
            f"{path}: is HDF5 of no kind that is known (it has {', '.join(list(file)[:8])}): "
            "known are DeepLabCut's tables and SLEAP's analysis files"
        )


_READERS: Mapping[str, Callable[[Path, Request], Keypoints]] = {
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
SUFFIXES = tuple(_READERS)
"""Of files that may hold keypoints; a folder may, too."""
PICKLES = (".pkl", ".pickle", ".p")
"""Of files that are refused, with a reason."""
