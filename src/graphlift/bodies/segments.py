"""The fifteen segments of a body, and what each of them carries.

A segment is turned by the rotation that carries a T-pose to the frame, in the world's axes. In the
T-pose a person faces -y, z is up, left is +x, palms face down and feet are level. The front of a
segment is its T-pose's -y.
"""

import numpy as np

from graphlift.skeletons import H36M_17

SEGMENTS = (
    *("Pelvis", "Chest", "Head"),
    *("LUpperArm", "LForearm", "LHand", "RUpperArm", "RForearm", "RHand"),
    *("LThigh", "LShin", "LFoot", "RThigh", "RShin", "RFoot"),
)

_CARRIER = {
    "RHip": "Pelvis", "RKnee": "RThigh", "RFoot": "RShin", "LHip": "Pelvis", "LKnee": "LThigh",
    "LFoot": "LShin", "Spine": "Pelvis", "Thorax": "Chest", "Neck/Nose": "Chest", "Head": "Head",
    "LShoulder": "Chest", "LElbow": "LUpperArm", "LWrist": "LForearm", "RShoulder": "Chest",
    "RElbow": "RUpperArm", "RWrist": "RForearm",
}  # fmt: skip
CARRIERS = np.array([SEGMENTS.index(_CARRIER.get(joint, "Pelvis")) for joint in H36M_17.joints])
"""For each of Human3.6M's 17 joints the segment in whose axes the bone that ends in it is given;
the pelvis for the root."""

_ALONG = {
    "RHip": (-1, 0, 0), "LHip": (1, 0, 0), "RKnee": (0, 0, -1), "LKnee": (0, 0, -1),
    "RFoot": (0, 0, -1), "LFoot": (0, 0, -1), "LElbow": (1, 0, 0), "LWrist": (1, 0, 0),
    "RElbow": (-1, 0, 0), "RWrist": (-1, 0, 0),
}  # fmt: skip
FIXED = np.array([joint in _ALONG for joint in H36M_17.joints])
"""Whether the bone that ends in the joint points in a fixed direction of its segment."""
ALONG = np.array([_ALONG.get(joint, (0, 0, 0)) for joint in H36M_17.joints], dtype=float)
"""That direction in the T-pose; 0 for the trunk's bones, whose direction differs from frame to
frame, because a spine and a shoulder girdle bend inside what are single segments here."""

SIDED_POINTS = (
    *("Eye", "Ear", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle"),
    *("BigToe", "SmallToe", "Heel"),
)
POINTS = ("Nose", *(f"{side}{name}" for name in SIDED_POINTS for side in "LR"))
"""What a detector of keypoints finds, by COCO's definitions: points of the surface."""

_ON = {
    "Nose": ("Neck/Nose", "Head"), "Eye": ("Neck/Nose", "Head"), "Ear": ("Neck/Nose", "Head"),
    "Shoulder": ("Shoulder", "Chest"), "Elbow": ("Elbow", "UpperArm"),
    "Wrist": ("Wrist", "Forearm"), "Hip": ("Hip", "Pelvis"), "Knee": ("Knee", "Thigh"),
    "Ankle": ("Foot", "Shin"), "BigToe": ("Foot", "Foot"), "SmallToe": ("Foot", "Foot"),
    "Heel": ("Foot", "Foot"),
}  # fmt: skip


def _sided(name: str, side: str, known: tuple[str, ...]) -> str:
    return name if name in known else f"{side}{name}"


def _on(point: str) -> tuple[int, int]:
    side, name = ("", point) if point in _ON else (point[0], point[1:])
    joint, segment = _ON[name]
    return (
        H36M_17.joints.index(_sided(joint, side, ("Neck/Nose",))),
        SEGMENTS.index(_sided(segment, side, ("Head", "Chest", "Pelvis"))),
    )


POINT_JOINTS, POINT_SEGMENTS = np.array([_on(point) for point in POINTS]).T
"""For each point the joint that it is measured from, and the segment in whose axes."""
