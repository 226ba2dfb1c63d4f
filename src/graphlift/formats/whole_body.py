"""Feet and face that COCO-WholeBody has beside a body's ``keypoints``, in keys of their own.

Layout, of annotations and of results: ``keypoints`` are COCO's 17; ``foot_kpts`` are big toe,
small toe and heel of the left foot, then of the right one; ``face_kpts`` are iBUG's 68 points;
``lefthand_kpts`` and ``righthand_kpts``, 21 each, are not used. Each is one list x, y, v, ..., all
of it 0 where annotators could not tell. v of feet is that of the body; that of a face is above 0
where a point can be relied on, and in some files a fraction.

Source: COCO-WholeBody's ``data_format.md`` and ``evaluation/example_gt.json``; Jin et al.,
"Whole-Body Human Pose Estimation in the Wild", ECCV 2020.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from graphlift.errors import FormatError
from graphlift.formats.face import POINTS
from graphlift.formats.json_files import triples
from graphlift.formats.keypoint_source import KeypointSource
from graphlift.skeletons import COCO_17, COCO_23
from graphlift.words import counted

FEET = COCO_23.joints[len(COCO_17) :]
"""The joints of ``foot_kpts``, in their order."""


def has_feet(people: list[dict[str, Any]], source: KeypointSource) -> bool:
    """Say whether feet are to be read: where anybody has them, unless the body alone is asked."""
    return source.skeleton != COCO_17 and any(each.get("foot_kpts") for each in people)


def body_of(entry: dict[str, Any], where: str, *, feet: bool) -> Float[np.ndarray, "joint 3"]:
    """Read the ``keypoints`` of a person and, behind COCO's 17, the feet.

    Args:
        entry: An annotation or a result.
        where: What to call it in messages.
        feet: Whether to read feet; a person without any has zeros for them.

    Returns:
        x and y, px, and v.

    Raises:
        FormatError: If the points are no list of x, y and v, or the feet not 6.
    """
    body = triples(entry.get("keypoints"), f"{where}: keypoints")
    if not feet or len(body) != len(COCO_17):
        return body
    return np.concatenate([body, _points(entry, "foot_kpts", len(FEET), where)])


def face_of(entry: dict[str, Any], where: str) -> Float[np.ndarray, "point 3"] | None:
    """Read the ``face_kpts`` of a person: px and confidence; None where there are none.

    Raises:
        FormatError: If the points are no list of x, y and v, or not 68.
    """
    if not entry.get("face_kpts"):
        return None
    points = _points(entry, "face_kpts", POINTS, where)
    points[:, 2] = np.minimum(points[:, 2], 1)
    return points


def _points(entry: dict[str, Any], key: str, count: int, where: str) -> np.ndarray:
    if not entry.get(key):
        return np.zeros((count, 3))
    points = triples(entry[key], f"{where}: {key}")
    if len(points) != count:
        raise FormatError(
            f"{where}: {key} has {counted(len(points), 'point')}, and COCO-WholeBody's are "
            f"{count}: write the file as its data_format.md says, or leave the key out"
        )
    return points
