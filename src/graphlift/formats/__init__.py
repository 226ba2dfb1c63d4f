"""Files of keypoints, in, and of poses, in and out: one module a family.

:mod:`graphlift.formats.read`, :mod:`graphlift.formats.motion_files` and
:mod:`graphlift.formats.write` tell them apart.
"""

from graphlift.formats.arrays import open_keypoints_npz as open_keypoints_npz
from graphlift.formats.arrays import write_keypoints as write_keypoints
from graphlift.formats.motion_files import read_poses as read_poses
from graphlift.formats.read import read_keypoints as read_keypoints
from graphlift.formats.write import write_poses as write_poses
