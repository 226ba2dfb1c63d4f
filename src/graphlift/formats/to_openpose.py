"""Write a folder in OpenPose's JSON: one file a frame, ``pose_keypoints_3d`` in BODY_25 order.

m, in the poses' own axes. A joint that BODY_25 has and the poses lack is 0, 0, 0 with confidence
0, as OpenPose writes it. A frame without people has an empty list: no frame is left out.

Source: "OpenPose Doc - Output" (JSON output format, BODY_25) in OpenPose's documentation.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from graphlift.errors import FormatError
from graphlift.files import replacing_folder
from graphlift.mapped import in_blocks
from graphlift.sequences import Poses
from graphlift.words import counted

BODY_25 = (
    "Nose",
    "Neck=Thorax=LShoulder+RShoulder",
    *("RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist"),
    "MidHip=Hip=LHip+RHip",
    *("RHip", "RKnee", "RAnkle=RFoot", "LHip", "LKnee", "LAnkle=LFoot"),
    *("REye", "LEye", "REar", "LEar"),
    *("LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel"),
)
"""BODY_25's joints in order, each with what it is made of where a skeleton lacks the name."""

INFERRED = 0.5
"""Confidence of a 3D joint that was not seen; of one that was seen it is 1."""


def write_openpose(folder: Path, poses: Poses) -> tuple[str, ...]:
    """Write ``NAME_000000000000_keypoints.json`` and so on into a new or empty folder.

    ``pose_keypoints_2d`` are the keypoints that the poses were lifted from, if known. A person's
    id is their place in ``poses.people``.

    Raises:
        FormatError: If the folder holds something already, or is none.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FormatError(
            f"{folder}: exists and is not empty, and its files would mix with the new ones: give "
            "a new folder, or empty it first"
        )
    with replacing_folder(folder) as beside:
        for part in in_blocks(poses.positions):
            for frame, people in enumerate(_people(poses, part), start=part.start):
                content = {"version": 1.3, "people": people}
                file = beside / f"{folder.stem}_{frame:012d}_keypoints.json"
                file.write_text(json.dumps(content, separators=(",", ":")), encoding="ascii")
    _, lacking = _body_25(poses.positions[:0], poses.sigma[:0], poses.skeleton.joints)
    empty = ", ".join(name.partition("=")[0] for name in lacking)
    files = counted(len(poses), "file")
    note = f"BODY_25 in m, {poses.axes} axes, {files}; people's ids are their places."
    return (note, f"Not in {poses.skeleton.name}, so 0, 0, 0, 0: {empty}.") if empty else (note,)


def _people(poses: Poses, part: slice) -> Iterator[list[dict[str, object]]]:
    """List who is there in each of some frames."""
    trust = np.where(poses.seen[part], 1.0, INFERRED)
    places, _ = _body_25(poses.positions[part], trust, poses.skeleton.joints)
    flat = None
    if seen := poses.keypoints:
        flat, _ = _body_25(seen.positions[part], seen.confidence[part], seen.skeleton.joints)
    for frame, bodies in enumerate(places):
        yield [
            _person(i, body, None if flat is None else flat[frame, i])
            for i, body in enumerate(bodies)
            if (body[:, -1] > 0).any()
        ]


def _body_25(
    positions: np.ndarray, confidence: np.ndarray, joints: tuple[str, ...]
) -> tuple[np.ndarray, list[str]]:
    """Reorder joints, with their confidence behind the coordinates; zeros where missing."""
    found = np.zeros((*positions.shape[:2], len(BODY_25), positions.shape[-1] + 1))
    lacking = []
    for place, names in enumerate(BODY_25):
        ways = [way.split("+") for way in names.split("=")]
        way = next((way for way in ways if set(way) <= set(joints)), None)
        if way is None:
            lacking.append(names)
        else:
            at = [joints.index(name) for name in way]
            found[:, :, place, :-1] = positions[:, :, at].mean(axis=2)
            found[:, :, place, -1] = confidence[:, :, at].mean(axis=2)
    found[~np.isfinite(found).all(axis=-1)] = 0
    return found, lacking


def _person(number: int, places: np.ndarray, flat: np.ndarray | None) -> dict[str, object]:
    lists = ("face_keypoints_{}", "hand_left_keypoints_{}", "hand_right_keypoints_{}")
    return {
        "person_id": [number],
        "pose_keypoints_2d": [] if flat is None else np.round(flat, 3).ravel().tolist(),
        **{name.format("2d"): [] for name in lists},
        "pose_keypoints_3d": np.round(places, 6).ravel().tolist(),
        **{name.format("3d"): [] for name in lists},
    }
