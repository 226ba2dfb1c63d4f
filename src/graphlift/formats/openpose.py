"""OpenPose's JSON: one file a frame, in a folder (:mod:`graphlift.formats.frame_files`) or alone.

Layout: ``write_json`` of OpenPose 1.0 to 1.7, ``{"version": 1.3, "people": [{"person_id": [-1],
"pose_keypoints_2d": [x, y, c, ...]}]}`` in files named ``NAME_000000000012_keypoints.json``
(``pose_keypoints`` before 1.2). Px, as ``--keypoint_scale 0`` writes them. A missing joint is
0, 0, 0. Ids are known only if ``person_id`` is not -1. Others write the same with joints of their
own: 17 are taken as COCO's (Pose2Sim's ``COCO_17``), 26 are Halpe's, 133 COCO-WholeBody's. A face
of 70 points (68 without pupils) in ``face_keypoints_2d`` stands for joints that were not seen.

Source: OpenPose's documentation of its output (``doc/02_output.md``); Pose2Sim's
``skeletons.py`` and ``poseEstimation.py``.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphlift.formats.assembly import Detection, alike, assemble, identity
from graphlift.formats.face import POINTS
from graphlift.formats.json_files import entries, triples
from graphlift.formats.keypoint_source import KeypointSource
from graphlift.sequences import Keypoints
from graphlift.skeletons import COCO_17, OPENPOSE_BODY_25, OPENPOSE_COCO_18

USUAL = (OPENPOSE_BODY_25, OPENPOSE_COCO_18, COCO_17)


def is_frame(data: Any) -> bool:  # noqa: ANN401
    """Say whether JSON is a frame of OpenPose's."""
    return isinstance(data, dict) and "people" in data and "frames" not in data


def from_frame(data: Any, source: KeypointSource) -> Keypoints:  # noqa: ANN401
    """Make keypoints of one file's content: a single frame."""
    source = source.of("OpenPose JSON", usual=USUAL)
    seen = alike(people_in(data, source.where, 0), source)
    return assemble(seen, assuming(source, seen), frames=range(1))


def assuming(source: KeypointSource, seen: Sequence[Detection]) -> KeypointSource:
    """Note which skeleton is assumed where OpenPose itself has none of so many joints."""
    if source.skeleton is None and seen and len(seen[0].joints) == len(COCO_17):
        return source.noting(f"{len(COCO_17)} joints taken as COCO's")
    return source


def people_in(data: Any, where: str, frame: int) -> Iterator[Detection]:  # noqa: ANN401
    """Go through the people of one frame.

    Raises:
        FormatError: If it is not as above.
    """
    for number, person in enumerate(entries(data["people"], f"{where}: people")):
        flat = person.get("pose_keypoints_2d", person.get("pose_keypoints"))
        if flat:  # a face or a hand alone has no body
            joints = triples(flat, f"{where}: pose_keypoints_2d of person {number}")
            yield Detection(frame, joints, identity(person.get("person_id")), _face(person, where))


def _face(person: dict[str, Any], where: str) -> np.ndarray | None:
    """Read the points of a person's face, if there are as many as OpenPose has."""
    flat = person.get("face_keypoints_2d", person.get("face_keypoints"))
    points = triples(flat, f"{where}: face_keypoints_2d") if flat else None
    return points if points is not None and len(points) in (POINTS, POINTS + 2) else None
