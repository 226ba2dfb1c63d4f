"""What is published of MPI-INF-3DHP: sequences, frames, scenes, joints, cameras.

Source, if no other is stated: the data set's own ``README.txt`` and ``util/`` of the training set
(``mpii_get_sequence_info``, ``mpii_get_joint_set``, ``mpii_get_camera_set``) and the read-me and
``test_util/`` of the test set (Mehta et al., "Monocular 3D human pose estimation in the wild using
improved CNN supervision", 3DV 2017).
"""

from collections.abc import Mapping
from typing import Literal

from graphlift.skeletons import MPI_INF_3DHP_17

Part = Literal["train", "test"]
Annotation = Literal["annot3", "univ_annot3"]
"""``annot3`` is where the joints were, and projects onto the 2D; ``univ_annot3`` is the same
scaled to the height of Human3.6M's universal skeleton, and does not.

The literature scores ``univ_annot3``: the test set's own ``mpii_test_predictions.m`` does, and
with it P-STMO and its descendants, SPIN's and HMR's converters and EvoSkeleton (its issue 75).
D3DP scores ``annot3`` and says so in its read-me. Figures of the two must not be compared.
"""


TEST: Mapping[str, int] = {
    "TS1": 603,
    "TS2": 540,
    "TS3": 505,
    "TS4": 553,
    "TS5": 276,
    "TS6": 452,
}
"""Valid frames of each test sequence, 2,929 in all."""

SCENES: Mapping[str, str] = {
    "TS1": "GS",
    "TS2": "GS",
    "TS3": "noGS",
    "TS4": "noGS",
    "TS5": "Outdoor",
    "TS6": "Outdoor",
}
"""Green screen, the same studio without one, outdoors.

Source: the test set's read-me, which weights the sequences of a scene by their valid frames.
"""

TRAIN: Mapping[str, tuple[int, float]] = {
    "S1 Seq1": (6416, 25.0),
    "S1 Seq2": (12430, 50.0),
    "S2 Seq1": (6502, 25.0),
    "S2 Seq2": (6081, 25.0),
    "S3 Seq1": (12488, 50.0),
    "S3 Seq2": (12283, 50.0),
    "S4 Seq1": (6171, 25.0),
    "S4 Seq2": (6675, 25.0),
    "S5 Seq1": (12820, 50.0),
    "S5 Seq2": (12312, 50.0),
    "S6 Seq1": (6188, 25.0),
    "S6 Seq2": (6145, 25.0),
    "S7 Seq1": (6239, 25.0),
    "S7 Seq2": (6320, 25.0),
    "S8 Seq1": (6468, 25.0),
    "S8 Seq2": (6054, 25.0),
}
"""Frames of video and frames per second. A file may hold annotations of a few frames more, for
which there is no picture: the data set's read-me says to leave them out."""

TEST_FPS = 25.0
"""Not published; the rate of most training sequences. Only velocities depend on it."""

VNECT_CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
"""At chest and knee height and two looking down: the cameras that P-STMO, mmpose and most others
train on. All are 0 to 13; 11 to 13 look down from the ceiling."""

TRAIN_SIZE = (2048, 2048)
TEST_SIZES: Mapping[str, tuple[int, int]] = {
    name: (1920, 1080) if scene == "Outdoor" else (2048, 2048) for name, scene in SCENES.items()
}
"""px, width and height."""

JOINTS_28 = (
    *("spine3", "spine4", "spine2", "spine", "pelvis", "neck", "head", "head_top"),
    *("left_clavicle", "left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_clavicle", "right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_hip", "left_knee", "left_ankle", "left_foot", "left_toe"),
    *("right_hip", "right_knee", "right_ankle", "right_foot", "right_toe"),
)
"""The training set's joints."""

RELEVANT_17 = (7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6)
"""Which of the 28 the test set has, in its order (``MPI_INF_3DHP_17``)."""

SKELETON = MPI_INF_3DHP_17

TO_H36M_17 = (14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4)
"""Which of the 17 stands for each of Human3.6M's 17, as cross-data-set papers take them.

Neck/Nose is 3DHP's head and Head its top of the head. :func:`graphlift.skeletons.joint_map` goes
by where the points are instead: Neck/Nose is the middle of neck and head, Head the head. The other
fifteen are the same.

Source: EvoSkeleton's author, its issue 75 (Li et al., CVPR 2020).
"""

Intrinsics = tuple[tuple[float, float], tuple[float, float]]
"""Focal lengths and principal point, px."""

TRAIN_LENSES: tuple[Intrinsics, ...] = (
    ((1497.693, 1497.103), (1024.704, 1051.394)),
    ((1495.217, 1495.52), (1030.519, 1052.626)),
    ((1495.587, 1497.828), (983.8873, 987.5902)),
    ((1495.886, 1496.033), (1029.06, 1041.409)),
    ((1490.952, 1491.108), (987.6075, 1019.069)),
    ((1500.414, 1499.971), (1012.331, 998.5009)),
    ((1498.471, 1498.8), (999.7319, 1010.251)),
    ((1498.831, 1499.674), (987.2716, 976.8773)),
    ((1500.172, 1500.837), (1017.387, 1043.032)),
    ((1501.554, 1501.9), (1010.423, 1037.096)),
    ((1498.423, 1498.585), (1041.614, 997.0433)),
    ((1495.779, 1493.703), (1009.802, 999.9984)),
    ((1501.326, 1501.491), (1000.56, 1014.975)),
    ((1496.961, 1497.378), (1005.702, 1004.214)),
)
"""Cameras 0 to 13 as calibrated for S1 Seq1; for files that come without a calibration. That the
other sequences have the same could not be confirmed; differences are of a few px.

Source: S1 Seq1's ``camera.calibration``, as published converters repeat it; camera 8 is confirmed
against the data set's own file.
"""

TEST_LENSES: Mapping[str, Intrinsics] = {
    name: ((1683.983, 1672.594), (939.858, 560.141)) if scene == "Outdoor" else TRAIN_LENSES[8]
    for name, scene in SCENES.items()
}
"""For files without ``annot3``, to which the lens is fitted. TS1 to TS4 are of training camera
8. TS5 and TS6's lens also has a distortion (k1 −0.277), which is left out: no published evaluation
undoes it, and whether the 2D has it could not be confirmed.

Source: the focal lengths and offsets of the test calibration as given in MeTRAbs' data code
(Sárándi et al., 2021): TS1-TS4 7.32506 of 10 units across 2048 px, TS5-TS6 8.770747 across 1920.
"""
