"""Lift 2D human keypoints to 3D poses with graph networks.

What most people need, none of it with torch; each name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names for type checkers; a test compares both lists
    from graphlift import metrics as metrics
    from graphlift.cameras import Camera as Camera
    from graphlift.cameras import assumed_camera as assumed_camera
    from graphlift.formats import read_alphapose as read_alphapose
    from graphlift.formats import read_coco as read_coco
    from graphlift.formats import read_deeplabcut as read_deeplabcut
    from graphlift.formats import read_detectron2 as read_detectron2
    from graphlift.formats import read_keypoints as read_keypoints
    from graphlift.formats import read_mediapipe as read_mediapipe
    from graphlift.formats import read_mmpose as read_mmpose
    from graphlift.formats import read_openpose as read_openpose
    from graphlift.formats import read_pose_format as read_pose_format
    from graphlift.formats import read_poses as read_poses
    from graphlift.formats import read_sleap as read_sleap
    from graphlift.formats import read_table as read_table
    from graphlift.formats import read_ultralytics as read_ultralytics
    from graphlift.formats import read_videopose3d as read_videopose3d
    from graphlift.formats import write_keypoints as write_keypoints
    from graphlift.formats import write_poses as write_poses
    from graphlift.formats.example import example_keypoints_path as example_keypoints_path
    from graphlift.formats.to_xarray import to_xarray as to_xarray
    from graphlift.lifting import Lifter as Lifter
    from graphlift.motion import to_world as to_world
    from graphlift.sequences import Keypoints as Keypoints
    from graphlift.sequences import Poses as Poses
    from graphlift.sequences import keypoints_from as keypoints_from
    from graphlift.skeletons import SKELETONS as SKELETONS
    from graphlift.skeletons import Skeleton as Skeleton

__version__ = "0.1.0"

_MODULES = {
    "Camera": "cameras",
    "assumed_camera": "cameras",
    "example_keypoints_path": "formats.example",
    "read_keypoints": "formats",
    "read_poses": "formats",
    "write_keypoints": "formats",
    "write_poses": "formats",
    "to_xarray": "formats.to_xarray",
    "Lifter": "lifting",
    "to_world": "motion",
    "Keypoints": "sequences",
    "Poses": "sequences",
    "keypoints_from": "sequences",
    "SKELETONS": "skeletons",
    "Skeleton": "skeletons",
    "metrics": "metrics",
    **dict.fromkeys(
        (
            "read_alphapose",
            "read_coco",
            "read_deeplabcut",
            "read_detectron2",
            "read_mediapipe",
            "read_mmpose",
            "read_openpose",
            "read_pose_format",
            "read_sleap",
            "read_table",
            "read_ultralytics",
            "read_videopose3d",
        ),
        "formats",
    ),
}
__all__ = [*sorted(_MODULES), "__version__"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _MODULES:
        raise AttributeError(f"module 'graphlift' has no attribute {name!r}")
    module = import_module(f"graphlift.{_MODULES[name]}")
    return module if name == _MODULES[name] else getattr(module, name)


def __dir__() -> list[str]:
    return list(__all__)
