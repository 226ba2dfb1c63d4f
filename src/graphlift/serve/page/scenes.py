"""A motion as the page draws it: places, sizes and colours as numbers, nothing left to decide.

A scene is a head, which is JSON, and arrays of little-endian float32: first the joints, (frame,
person, joint, 3), m, z up, floor at z = 0; then the keypoints, if there are any, (frame, person,
joint, 2), px. What is missing is NaN. :func:`pack` puts both into one answer.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from graphlift.sequences import Keypoints, Poses
from graphlift.skeletons import Skeleton
from graphlift.view.layout3d import FOV, Layout3D, box, lay_out, viewpoint
from graphlift.view.palette import LEFT, RGB, RIGHT, bone_colours, own_colour
from graphlift.view.shapes import radii

_ASPECTS = (0.6, 0.8, 1.0, 1.3, 1.8)
"""Widths over heights of the window that have a first view of their own."""
_FLOOR = 1.0
"""m of floor around the people."""


def scene_of(poses: Poses, *, name: str = "the motion") -> tuple[dict[str, Any], bytes]:
    """Describe a motion, and pack its numbers.

    Args:
        poses: In any axes, rooted or not.
        name: What to call it in an error.

    Returns:
        The head, and the arrays.

    Raises:
        ShapeError: If there is no frame, or no person in any of them.
    """
    layout = lay_out(poses, name=name)
    # The keypoints are drawn on the film, and the camera is where the film was taken from.
    layout = replace(layout, board=None, frustum=None)
    arrays = [layout.joints]
    keypoints = poses.keypoints
    if keypoints is not None:
        arrays.append(keypoints.positions)
    head = {
        "frames": len(layout),
        "fps": layout.fps,
        "people": list(layout.people),
        **_figure(layout.skeleton, len(layout.people)),
        "hues": [_hex(own_colour(person)) for person in range(len(layout.people))],
        "sides": {"left": _hex(LEFT), "right": _hex(RIGHT)},
        "floor": _floor(layout),
        "views": _views(layout),
        "fov": FOV,
        "notes": list(layout.notes),
        "keypoints": None if keypoints is None else _keypoints(keypoints),
    }
    return head, b"".join(np.ascontiguousarray(a, dtype="<f4").tobytes() for a in arrays)


def pack(head: Mapping[str, Any], arrays: bytes) -> bytes:
    """Join a scene: the length of its head as a little-endian uint32, the head, the arrays.

    Spaces after the head make its length a multiple of 4, so that arrays can be read in place.
    """
    text = json.dumps(head, allow_nan=False).encode("ascii")
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + arrays


def _figure(skeleton: Skeleton, people: int) -> dict[str, Any]:
    bones, joints = radii(skeleton)
    return {
        "joints": list(skeleton.joints),
        "bones": [list(bone) for bone in skeleton.bones],
        "colours": _colours(skeleton, people),
        "bone_radii": bones.tolist(),
        "joint_radii": joints.tolist(),
    }


def _keypoints(keypoints: Keypoints) -> dict[str, Any]:
    size = keypoints.image_size
    if size is None:  # as far as keypoints reach
        farthest = np.nanmax(keypoints.positions, axis=(0, 1, 2), initial=1)
        size = (int(farthest[0]) + 1, int(farthest[1]) + 1)
    skeleton = keypoints.skeleton
    return {
        "size": list(size),
        "joints": len(skeleton),
        "bones": [list(bone) for bone in skeleton.bones],
        "colours": _colours(skeleton, len(keypoints.people)),
    }


def _colours(skeleton: Skeleton, people: int) -> list[list[str]]:
    """List the colours of each person's bones."""
    return [
        [_hex(colour) for colour in bone_colours(skeleton, person)] for person in range(people)
    ]


def _floor(layout: Layout3D) -> dict[str, Any]:
    """Find the middle and half the side of the floor, whole metres."""
    corners = box(layout.joints)[:, :2]
    middle = np.rint(corners.mean(axis=0))
    return {
        "middle": middle.tolist(),
        "half": float(np.ceil(np.abs(corners - middle).max() + _FLOOR)),
    }


def _views(layout: Layout3D) -> list[dict[str, Any]]:
    """Say for windows of several shapes from where all of the motion is seen."""
    views = []
    for aspect in _ASPECTS:
        position, target = viewpoint(layout, aspect)
        views.append({"aspect": aspect, "position": position.tolist(), "target": target.tolist()})
    return views


def _hex(colour: RGB | np.ndarray) -> str:
    red, green, blue = (int(value) for value in colour)
    return f"#{red:02x}{green:02x}{blue:02x}"
