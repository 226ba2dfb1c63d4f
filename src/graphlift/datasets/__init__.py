"""Data sets: motion capture, Human3.6M, MPI-INF-3DHP, and packs of keypoints and poses."""

from graphlift.datasets.mocap.clips import Clip as Clip
from graphlift.datasets.mocap.clips import MotionCapture as MotionCapture
