"""SLEAP's analysis files (h5).

Layout: ``tracks`` (track, 2, node, frame), ``point_scores`` (track, node, frame), ``node_names``,
``track_names``; with an attribute ``dims`` (sleap-io) the axes may come in any order. A point
that is missing is NaN. No track names means one animal.

Source: SLEAP's ``write_tracking_h5.py`` (1.2 to 1.4) and sleap-io's ``analysis_h5.py``.
"""

from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.assembly import finish, select_people
from graphlift.formats.hdf5 import read_dataset, texts
from graphlift.formats.joint_names import recognise, unused
from graphlift.formats.keypoint_source import KeypointSource
from graphlift.plain_json import parse_json
from graphlift.sequences import Keypoints
from graphlift.words import shown

_DIMS = ("track", "xy", "node", "frame")
_OURS = ("frame", "track", "node", "xy")


def from_hdf5(file: Any, source: KeypointSource) -> Keypoints:  # noqa: ANN401
    """Make keypoints of an open analysis file.

    Raises:
        FormatError: If it is not as above.
    """
    source = source.of("SLEAP analysis")
    where, present = source.where, set(file)
    tracks = _read(file, "tracks", _OURS, source)
    nodes = texts(read_dataset(file, "node_names", where, source.max_bytes))
    if tracks.shape[2:] != (len(nodes), 2):
        raise _unlike(where, "tracks", tracks)
    scores = None
    if "point_scores" in present:
        scores = _read(file, "point_scores", _OURS[:3], source)
        if scores.shape != tracks.shape[:3]:
            raise _unlike(where, "point_scores", scores)
    names: list[str] = []
    if "track_names" in present:
        names = texts(read_dataset(file, "track_names", where, source.max_bytes))
    skeleton, joints, unknown = recognise(nodes, source)
    frames, people = tracks.shape[:2]
    source.check_room(frames, people, len(skeleton))
    shape = (frames, people, len(skeleton))
    positions, confidence = np.full((*shape, 2), np.nan), np.ones(shape)
    for joint, node in joints.items():
        positions[:, :, joint] = tracks[:, :, node]
        if scores is not None:
            # Instances that a person labelled have no scores.
            confidence[:, :, joint] = np.nan_to_num(scores[:, :, node], nan=1.0)
    keypoints = finish(
        positions,
        confidence,
        skeleton,
        source.noting(unused(unknown)),
        people=names if len(names) == people else [str(number) for number in range(people)],
    )
    return select_people(keypoints, source)


def refuse_project(path: Path, source: KeypointSource) -> NoReturn:  # noqa: ARG001
    """Say how to export what a project file (.slp) holds; it is a store of labels, not of tracks.

    Raises:
        FormatError: Always.
    """
    raise FormatError(
        f"{path}: is a project of SLEAP's, and what it exports is read: in SLEAP, File > Export "
        f"Analysis HDF5; or sleap-convert --format analysis -o {path.stem}.analysis.h5 "
        f"{path.name}"
    )


def is_project(names: set[str]) -> bool:
    """Say whether an HDF5 file is a project of SLEAP's, by the names in it."""
    return {"metadata", "frames", "instances", "points"} <= names


def _read(file: Any, name: str, axes: tuple[str, ...], source: KeypointSource) -> np.ndarray:  # noqa: ANN401
    """Read an array of numbers, and put its axes into our order."""
    array = read_dataset(file, name, source.where, source.max_bytes)
    stored = [axis for axis in _dims(file["tracks"], source.where) if axis in axes]
    if array.ndim != len(axes) or array.dtype.kind not in "iuf":
        raise _unlike(source.where, name, array)
    return array.transpose([stored.index(axis) for axis in axes])


def _dims(tracks: Any, where: str) -> tuple[str, ...]:  # noqa: ANN401
    """Read the order of the axes of ``tracks``; SLEAP's own files do not state it."""
    stated = tracks.attrs.get("dims")
    if stated is None:
        return _DIMS
    try:
        dims = tuple(parse_json(stated))
    except (ValueError, TypeError):
        dims = ()
    if sorted(map(str, dims)) != sorted(_DIMS):
        raise FormatError(
            f"{where}: dims of tracks are {shown(str(stated))}, but should be {', '.join(_DIMS)} "
            "in some order"
        )
    return dims


def _unlike(where: str, name: str, array: np.ndarray) -> FormatError:
    return FormatError(
        f"{where}: {name} is {array.shape} of {array.dtype}, which does not fit its node_names: "
        "this is no analysis file of SLEAP's, or a damaged one"
    )
