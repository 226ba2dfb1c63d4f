"""Files of keypoints, in. One module a family; :mod:`graphlift.formats.read` tells them apart."""

from graphlift.formats.arrays import open_keypoints_npz as open_keypoints_npz
from graphlift.formats.arrays import write_keypoints as write_keypoints
from graphlift.formats.read import read_keypoints as read_keypoints
