"""Points of a face that stand for nose, eyes and ears where a detector of bodies missed them.

Layout: iBUG's 68 points, as 300-W annotates faces; 0 and the eye 36 to 41 are on the person's
right. COCO-WholeBody has them from point 23 of its 133 on, Halpe full body from point 26 of its
136 on. OpenPose's list of a face has 70: these 68, then two pupils.

Source: Sagonas et al., "300 Faces In-The-Wild Challenge", 2016 (the points); Jin et al.,
"Whole-Body Human Pose Estimation in the Wild", ECCV 2020; Fang et al., "AlphaPose", TPAMI 2022;
OpenPose's ``doc/02_output.md``.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from graphlift.sequences import joints_seen
from graphlift.skeletons import Skeleton
from graphlift.words import listed

POINTS = 68

FACE_JOINTS = {
    "Nose": (30,),
    "LEye": (42, 43, 44, 45, 46, 47),
    "REye": (36, 37, 38, 39, 40, 41),
    "LEar": (16,),
    "REar": (0,),
}
"""Joints of the body that points of the face stand for: the tip of the nose; the mean of the six
points around an eye; and, roughly, for an ear the end of the jaw's line in front of it."""

FIRST_POINT = {133: 23, 136: 26}
"""The first point of the face among so many points of a person."""


def joints_of_face(
    points: Float[np.ndarray, "*batch point 3"],
) -> Float[np.ndarray, "*batch 5 3"]:
    """Make the :data:`FACE_JOINTS` of a face: x, y, and the least confidence of their points.

    Args:
        points: x and y, px, and confidence; at least :data:`POINTS` of them, others are not used.

    Returns:
        In the order of :data:`FACE_JOINTS`; 0 where a point was not seen.
    """
    made = []
    for those in (points[..., part, :] for part in FACE_JOINTS.values()):
        seen = np.asarray(joints_seen(those[..., :2], those[..., 2]).all(axis=-1))[..., None]
        with np.errstate(over="ignore"):  # the mean of absurd px is infinite, and so is missing
            xy = np.where(seen[..., None], those[..., :2], 0).mean(axis=-2)
        least = those[..., 2:].min(axis=-2)
        made.append(np.where(seen, np.concatenate([xy, least], axis=-1), 0))
    return np.stack(made, axis=-2)


def named_points_of_face(names: Sequence[str]) -> list[int]:
    """Find the places of MMPose's ``face-0`` to ``face-67``; none if one of them is not there."""
    found = {name: place for place, name in enumerate(names)}
    wanted = [f"face-{number}" for number in range(POINTS)]
    return [found[name] for name in wanted] if found.keys() >= set(wanted) else []


def fill_from_face(
    joints: Float[np.ndarray, "*batch joint 3"],
    face: Float[np.ndarray, "*batch 5 3"],
    skeleton: Skeleton,
) -> tuple[Float[np.ndarray, "*batch joint 3"], tuple[str, ...]]:
    """Fill the joints of a skeleton that were not seen by those of a face.

    Args:
        joints: x and y, px, and confidence.
        face: From :func:`joints_of_face`; NaN or 0 where there is none.
        skeleton: Of ``joints``.

    Returns:
        A copy, and a sentence that names the joints that were filled; none if none were.
    """
    filled, names = joints.copy(), []
    missing = ~joints_seen(joints[..., :2], joints[..., 2])
    found = joints_seen(face[..., :2], face[..., 2])
    for number, name in enumerate(FACE_JOINTS):
        if name not in skeleton.joints:
            continue
        joint = skeleton.joints.index(name)
        made = missing[..., joint] & found[..., number]
        filled[made, joint] = face[made, number]
        if made.any():
            names.append(name)
    note = f"Where the body's own was not seen, points of the face stand for {listed(names)}."
    return filled, (note,) if names else ()
