"""Human3.6M's subjects, activities, cameras, joints, names of clips and published counts."""

import re
from collections.abc import Mapping

from graphlift.datasets.licensed.completeness import Published
from graphlift.errors import FormatError
from graphlift.words import shown

PARTS: Mapping[str, tuple[str, ...]] = {
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

POSES: Mapping[str, int] = {"training": 1_559_752, "test": 543_344}
"""Over all clips and cameras, without the clip that is left out.

Source: what VideoPose3D and its descendants train and test on; counted in Martinez' files and in
ContextAware-PoseFormer's by users of theirs (issues 5 of UnsupervisedGeometryAwareRepresentation-
Learning, 11 of ContextAware-PoseFormer).
"""

LEFT_OUT: Mapping[tuple[str, str], str] = {
    ("S11", "Directions"): "the video of camera 54138969 is damaged, and the published protocols "
    "leave the whole clip out"
}

PUBLISHED = Published(
    name="Human3.6M",
    unit="takes",
    counts={
        (subject, activity, camera): TAKES - ((subject, activity) in LEFT_OUT)
        for subject in SUBJECTS
        for activity in ACTIVITIES
        for camera in CAMERAS
    },
    parts={part: (PARTS[part], POSES[part]) for part in PARTS},
)

VIEWS = sum(PUBLISHED.counts.values())
"""Clips by cameras, of the whole data set."""

JOINTS_OF_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
"""The 17 of the files' 32 joints that move, in the order of ``H36M_17``."""

NECK = 9
"""Neck/Nose: the joint of the 17 that the 16 do not have."""

_OTHER_NAMES = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}
_CLIP = re.compile(r"([A-Za-z]+)(?:[ _]([0-9]+))?")


def clip_name(name: str, where: str) -> tuple[str, str]:
    """Name the activity and the clip of a file or key, as VideoPose3D does.

    Args:
        name: Such as ``Directions``, ``WalkingDog 1`` or ``Photo_2``.
        where: The file and the place in it, for messages.

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
    """Return the sort key of a clip: subjects and activities in the order above, then by name."""
    return SUBJECTS.index(subject), ACTIVITIES.index(clip.split(" ")[0]), clip
