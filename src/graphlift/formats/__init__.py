"""Files of keypoints and of poses: one module for each family of formats.

:mod:`graphlift.formats.recognise` (keypoints), :mod:`graphlift.formats.motion_files` (poses) and
:mod:`graphlift.formats.write` choose among them by suffix and content.
"""

from graphlift.formats.arrays import write_keypoints
from graphlift.formats.loaders import (
    open_keypoints_npz,
    read_alphapose,
    read_coco,
    read_deeplabcut,
    read_detectron2,
    read_keypoints,
    read_mediapipe,
    read_mmpose,
    read_openpose,
    read_pose_format,
    read_sleap,
    read_table,
    read_ultralytics,
    read_videopose3d,
)
from graphlift.formats.motion_files import read_poses
from graphlift.formats.write import write_parts, write_poses

__all__ = [
    "open_keypoints_npz",
    "read_alphapose",
    "read_coco",
    "read_deeplabcut",
    "read_detectron2",
    "read_keypoints",
    "read_mediapipe",
    "read_mmpose",
    "read_openpose",
    "read_pose_format",
    "read_poses",
    "read_sleap",
    "read_table",
    "read_ultralytics",
    "read_videopose3d",
    "write_keypoints",
    "write_parts",
    "write_poses",
]
