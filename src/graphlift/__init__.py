"""Lift 2D human keypoints to 3D poses with graph networks."""

__version__ = "0.1.0"
