"""Data sets: motion capture, Human3.6M, MPI-INF-3DHP, and packs of keypoints and poses."""

from graphlift.datasets.mocap.clips import Clip, MotionCapture
from graphlift.datasets.mocap.pack import read_pack, write_pack
from graphlift.datasets.mocap.prior import sample_prior

__all__ = ["Clip", "MotionCapture", "read_pack", "sample_prior", "write_pack"]
