"""People with heads and feet: body-28, whose segments are turned as we say.

World axes, z up, m. At rest it is a T-pose that faces -y, left at +x, palms down.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from graphlift.sequences import FRONTS
from graphlift.skeletons import BODY_28

ANKLE = 0.1
"""m; higher above the floor than a skeleton without heel and toes would have it."""

_OFFSETS = {
    # joint: the segment that carries it, and its place from its parent at rest, left side
    "Hip": ("Pelvis", (0, 0, ANKLE + 0.85)),
    "LHip": ("Pelvis", (0.1, 0, 0)),
    "LKnee": ("LThigh", (0, 0, -0.43)),
    "LFoot": ("LShin", (0, 0, -0.42)),
    "Spine": ("Pelvis", (0, 0, 0.22)),
    "Thorax": ("Chest", (0, 0, 0.25)),
    "Neck/Nose": ("Chest", (0, 0, 0.1)),
    "Head": ("Head", (0, 0.01, 0.1)),
    "LShoulder": ("Chest", (0.18, 0, 0)),
    "LElbow": ("LUpperArm", (0.28, 0, 0)),
    "LWrist": ("LForearm", (0.25, 0, 0)),
    "Nose": ("Head", (0, -0.12, -0.02)),
    "LEye": ("Head", (0.03, 0.025, 0.05)),
    "LEar": ("Head", (0.075, 0, 0)),
    "LBigToe": ("LFoot", (-0.03, -0.17, 0.02 - ANKLE)),
    "LSmallToe": ("LFoot", (0.045, -0.13, 0.02 - ANKLE)),
    "LHeel": ("LFoot", (0, 0.05, 0.04 - ANKLE)),
}
_PARENTS = {
    "Chest": "Pelvis",
    "Head": "Chest",
    "LUpperArm": "Chest",
    "LForearm": "LUpperArm",
    "LThigh": "Pelvis",
    "LShin": "LThigh",
    "LFoot": "LShin",
}
TURNS = ("Pelvis", "Chest", "Head", *(f"{s}{p}" for s in "LR" for p in
         ("UpperArm", "Forearm", "Thigh", "Shin", "Foot")))  # fmt: skip
"""Segments that can be turned."""


def _mirrored(name, offset):
    return offset if name[0] == "L" else (-offset[0], *offset[1:])


def world_turns(frames, turns):
    """Each segment's turn in the world, of turns against the parent's: rotation vectors."""
    found = {}
    for name in TURNS:
        own = np.zeros((frames, 3)) + turns.get(name, 0.0)
        local = Rotation.from_rotvec(own)
        left = f"L{name[1:]}"
        above = _PARENTS.get(name, _PARENTS.get(left))
        if above and above[0] == "L":
            above = name[0] + above[1:]
        found[name] = found[above] * local if above else local
    return found


def whole_body(frames=1, path=(0.0, 0.0, 0.0), **turns):
    """Move a body.

    Args:
        frames: How many.
        path: Of the hip, beside its height, m.
        turns: By segment, a rotation vector, rad, or one a frame, against the parent.

    Returns:
        Positions of body-28 (frame, 28, 3), fronts (frame, segment, 3), and the turn of each
        segment in the world.
    """
    world = world_turns(frames, turns)
    places = {}
    for joint in BODY_28.order:
        name = BODY_28.joints[joint]
        left = f"L{name[1:]}" if f"L{name[1:]}" in _OFFSETS else name
        segment, offset = _OFFSETS[left]
        if segment[0] == "L" and segment[1:] in ("Thigh", "Shin", "Foot", "UpperArm", "Forearm"):
            segment = name[0] + segment[1:]
        offset = _mirrored(name, offset) if left != name else offset
        above = BODY_28.parents[joint]
        if above < 0:
            places[name] = np.broadcast_to(np.array(offset) + path, (frames, 3))
        else:
            places[name] = places[BODY_28.joints[above]] + world[segment].apply(offset)
    fronts = np.stack([world[name].apply([0.0, -1.0, 0.0]) for name in FRONTS], axis=1)
    return np.stack([places[name] for name in BODY_28.joints], axis=1), fronts, world
