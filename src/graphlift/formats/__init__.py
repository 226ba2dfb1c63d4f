"""Files of keypoints and poses: one module a family; a dict from suffix to function dispatches."""

from graphlift.formats.write import read_poses, write_poses

__all__ = ["read_poses", "write_poses"]
