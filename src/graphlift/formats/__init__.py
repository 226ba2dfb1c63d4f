"""Files of keypoints and of poses: one module for each family of formats.

:mod:`graphlift.formats.read` (keypoints), :mod:`graphlift.formats.motion_files` (poses) and
:mod:`graphlift.formats.write` choose among them by suffix and content.
"""

from graphlift.formats.arrays import open_keypoints_npz, write_keypoints
from graphlift.formats.motion_files import read_poses
from graphlift.formats.read import read_keypoints
from graphlift.formats.write import write_poses

__all__ = [
    "open_keypoints_npz",
    "read_keypoints",
    "read_poses",
    "write_keypoints",
    "write_poses",
]
