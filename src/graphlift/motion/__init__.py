"""From camera frame to a person on the floor: each step a plain function, each optional.

:func:`to_world` composes them in this order, and every step says in ``Poses.notes`` what it
assumed. NumPy and SciPy only.
"""

from graphlift.motion.bones import bone_lengths, hold_bones, scale_to_height, statures
from graphlift.motion.feet import find_contacts, plant_feet
from graphlift.motion.gaps import fill_keypoints, fill_poses
from graphlift.motion.left_right import mend_sides
from graphlift.motion.pipeline import to_world
from graphlift.motion.refinement import refine
from graphlift.motion.sizes import scale_to_floor, share_floor
from graphlift.motion.smoothing import OneEuro, one_euro, savgol, smooth
from graphlift.motion.supports import raise_sunk
from graphlift.motion.trajectory import locate
from graphlift.motion.upright import stand

__all__ = [
    "OneEuro",
    "bone_lengths",
    "fill_keypoints",
    "fill_poses",
    "find_contacts",
    "hold_bones",
    "locate",
    "mend_sides",
    "one_euro",
    "plant_feet",
    "raise_sunk",
    "refine",
    "savgol",
    "scale_to_floor",
    "scale_to_height",
    "share_floor",
    "smooth",
    "stand",
    "statures",
    "to_world",
]
