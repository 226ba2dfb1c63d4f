"""Who, what, by which cameras, how many, and what Human3.6M's joints and clips are called."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
from jaxtyping import Float

from graphlift.errors import FormatError
from graphlift.words import shown

Part = Literal["training", "test"]

PARTS: Mapping[Part, tuple[str, ...]] = {
    "training": ("S1", "S5", "S6", "S7", "S8"),
    "test": ("S9", "S11"),
}
SUBJECTS = (*PARTS["training"], *PARTS["test"])

ACTIVITIES = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases"),
    *("Sitting", "SittingDown", "Smoking", "Waiting", "WalkDog", "Walking", "WalkTogether"),
)
"""In the order of the tables in the literature."""

CAMERAS = ("54138969", "55011271", "58860488", "60457274")

FPS = 50.0

TAKES = 2
"""Clips of each activity by each subject."""

POSES: Mapping[Part, int] = {"training": 1_559_752, "test": 543_344}
"""Over all clips and cameras, without the clip that is left out.

Source: what VideoPose3D and its descendants train and test on; counted in Martinez' files and in
ContextAware-PoseFormer's by users of theirs (issues 5 of UnsupervisedGeometryAwareRepresentation-
Learning, 11 of ContextAware-PoseFormer).
"""

LEFT_OUT: Mapping[tuple[str, str], str] = {
    ("S11", "Directions"): "the video of camera 54138969 is damaged, and the published protocols "
    "leave the whole clip out"
}

VIEWS = (len(SUBJECTS) * len(ACTIVITIES) * TAKES - len(LEFT_OUT)) * len(CAMERAS)
"""Clips by cameras, of the whole data set."""

JOINTS_OF_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
"""Of the 32 joints in the files the 17 that move, in the order of ``H36M_17``."""

NECK = 9
"""Neck/Nose, of the 17: the joint that the 16 do not have."""

_OTHER_NAMES = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}
_CLIP = re.compile(r"([A-Za-z]+)(?:[ _]([0-9]+))?")


def clip_name(name: str, where: str) -> tuple[str, str]:
    """Say which activity and clip a file or key is, by the names of VideoPose3D.

    Args:
        name: Such as ``Directions``, ``WalkingDog 1`` or ``Photo_2``.
        where: What to call the place in an error.

    Returns:
        The activity, such as ``WalkDog``, and the clip, such as ``WalkDog 1``.

    Raises:
        FormatError: If it is no activity of Human3.6M.
    """
    match = _CLIP.fullmatch(name)
    activity = _OTHER_NAMES.get(match[1], match[1]) if match else ""
    if not match or activity not in ACTIVITIES:
        raise FormatError(
            f"{where}: {shown(name)} is none of Human3.6M's activities: it should be one of "
            f"{', '.join(ACTIVITIES)}, with or without the number of the take; rename or move it"
        )
    return activity, f"{activity} {int(match[2])}" if match[2] else activity


def order(subject: str, clip: str) -> tuple[int, int, str]:
    """Sort key of a clip: subjects and activities in the order above, then by name."""
    return SUBJECTS.index(subject), ACTIVITIES.index(clip.split(" ")[0]), clip


def missing_clips(clips: Iterable[tuple[str, str]]) -> list[str]:
    """Say what is not there, subject by subject.

    Args:
        clips: (subject, clip), without those that are left out.

    Returns:
        A phrase for each subject of which something is missing, such as
        ``S5: 1 of 2 takes of Photo, all of Walking``.
    """
    there = set(clips)
    lines = []
    for subject in SUBJECTS:
        phrases = []
        for activity in ACTIVITIES:
            found = sum(s == subject and c.split(" ")[0] == activity for s, c in there)
            wanted = TAKES - sum(s == subject and c == activity for s, c in LEFT_OUT)
            if found < wanted:
                phrases.append(
                    f"{wanted - found} of {wanted} takes of {activity}"
                    if found
                    else f"all of {activity}"
                )
        if len(phrases) == len(ACTIVITIES) and all(p.startswith("all of") for p in phrases):
            lines.append(f"{subject}: everything")
        elif phrases:
            lines.append(f"{subject}: {', '.join(phrases)}")
    return lines


def wrong_counts(poses: Mapping[str, int]) -> list[str]:
    """Compare poses of each subject, over all cameras, with the published counts."""
    lines = []
    for part, subjects in PARTS.items():
        count = sum(poses.get(subject, 0) for subject in subjects)
        if count != POSES[part]:
            lines.append(
                f"{count:,} poses of {', '.join(subjects)}, where the published {part} set has "
                f"{POSES[part]:,}"
            )
    return lines


def seventeen(joints: Float[np.ndarray, "frame joint 3"]) -> Float[np.ndarray, "frame joint 3"]:
    """Take the 17 joints of 32; 17 are taken as they are."""
    return joints[:, JOINTS_OF_32] if joints.shape[1] == 32 else joints
