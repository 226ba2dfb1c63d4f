"""Files of keypoints, in, and of poses, in and out: one module a family.

:mod:`graphlift.formats.read`, :mod:`graphlift.formats.motion_files` and
:mod:`graphlift.formats.write` tell them apart.
"""

from graphlift.formats.arrays import write_keypoints as write_keypoints
from graphlift.formats.loaders import open_keypoints_npz as open_keypoints_npz
from graphlift.formats.loaders import read_alphapose as read_alphapose
from graphlift.formats.loaders import read_coco as read_coco
from graphlift.formats.loaders import read_deeplabcut as read_deeplabcut
from graphlift.formats.loaders import read_detectron2 as read_detectron2
from graphlift.formats.loaders import read_keypoints as read_keypoints
from graphlift.formats.loaders import read_mediapipe as read_mediapipe
from graphlift.formats.loaders import read_mmpose as read_mmpose
from graphlift.formats.loaders import read_openpose as read_openpose
from graphlift.formats.loaders import read_pose_format as read_pose_format
from graphlift.formats.loaders import read_sleap as read_sleap
from graphlift.formats.loaders import read_table as read_table
from graphlift.formats.loaders import read_ultralytics as read_ultralytics
from graphlift.formats.loaders import read_videopose3d as read_videopose3d
from graphlift.formats.motion_files import read_poses as read_poses
from graphlift.formats.write import write_poses as write_poses
