"""AlphaPose's JSON with one entry an image: its formats ``cmu`` and ``open``, and PoseFlow's.

Layouts: ``{"0.jpg": FRAME, "1.jpg": FRAME, ...}``, where a frame is ``{"version", "bodies":
[{"joints": [x, y, c, ...]}]}`` (``cmu``), ``{"version", "people": [{"pose_keypoints_2d": [x, y, c,
...]}]}`` (``open``), or ``[{"keypoints": [x, y, c, ...], "scores", "idx"?}]`` (PoseFlow, whose
``idx`` is who it is). The first two have OpenPose's 18 joints, whose neck is the middle of the
shoulders; of a model with more joints than COCO's AlphaPose takes another joint for it. They may
also lie in a folder, one file an image (``sep-json``). AlphaPose's own list of results is read by
:mod:`graphlift.formats.coco`.

Source: AlphaPose's ``alphapose/utils/pPose_nms.py`` (``write_json``, 0.3 to 0.6) and
``PoseFlow/tracker-general.py``.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats import coco, openpose
from graphlift.formats.assembly import Detection, assemble, identity
from graphlift.formats.frame_numbers import number_in
from graphlift.formats.json_files import entries, triples
from graphlift.formats.keypoint_source import KeypointSource
from graphlift.sequences import Keypoints
from graphlift.skeletons import COCO_17, HALPE_26, OPENPOSE_COCO_18

USUAL = (OPENPOSE_COCO_18, COCO_17, HALPE_26)
_NECK, *_SHOULDERS = OPENPOSE_COCO_18.index("Neck", "LShoulder", "RShoulder").tolist()


def is_frame(data: Any) -> bool:  # noqa: ANN401
    """Say whether JSON is a frame of the format ``cmu``."""
    return isinstance(data, dict) and "bodies" in data


def is_by_image(data: Any) -> bool:  # noqa: ANN401
    """Say whether JSON is frames by the names of their images."""
    if not isinstance(data, dict) or not any(number_in(name) is not None for name in data):
        return False
    return all(
        is_frame(frame) or openpose.is_frame(frame) or isinstance(frame, list)
        for frame in data.values()
    ) and any(_has_people(frame) for frame in data.values())


def _has_people(frame: Any) -> bool:  # noqa: ANN401
    if not isinstance(frame, list):
        return True
    return any(isinstance(each, dict) and "keypoints" in each for each in frame)


def from_images(data: dict[str, Any], source: KeypointSource) -> Keypoints:
    """Make keypoints of frames by the names of their images.

    Raises:
        FormatError: If it is not as above, or a name has no frame number.
    """
    poseflow = isinstance(next(iter(data.values())), list)
    source = source.of("PoseFlow JSON" if poseflow else "AlphaPose JSON", usual=USUAL)
    frames, span = coco.frames_of_names(data, source)
    seen = (
        person
        for name, frame in data.items()
        for person in _people(frame, f"{source.where}: {name}", frames[name])
    )
    source = source.noting(f"frames {span.start} to {span.stop - 1}")
    return assemble(seen, source, frames=span)


def _people(frame: Any, where: str, number: int) -> Iterator[Detection]:  # noqa: ANN401
    if is_frame(frame):
        yield from people_in(frame, where, number)
    elif openpose.is_frame(frame):
        for person in openpose.people_in(frame, where, number):
            yield _with_neck(person)
    else:
        for at, entry in enumerate(entries(frame, where)):
            joints = triples(entry.get("keypoints"), f"{where}: keypoints of person {at}")
            yield Detection(number, joints, identity(entry.get("idx", entry.get("track_id"))))


def people_in(data: Any, where: str, frame: int) -> Iterator[Detection]:  # noqa: ANN401
    """Go through the people of one frame of the format ``cmu``.

    Raises:
        FormatError: If it is not as above.
    """
    for at, person in enumerate(entries(data["bodies"], f"{where}: bodies")):
        joints = triples(person.get("joints"), f"{where}: joints of person {at}")
        if len(joints) != len(OPENPOSE_COCO_18):
            raise FormatError(
                f"{where}: joints of person {at} are {len(joints)}, but AlphaPose's cmu has "
                f"{len(OPENPOSE_COCO_18)}: the file is damaged"
            )
        yield _with_neck(Detection(frame, joints))


def _with_neck(person: Detection) -> Detection:
    """Put the neck between the shoulders, where AlphaPose means it to be."""
    joints = person.joints
    if len(joints) != len(OPENPOSE_COCO_18):
        return person
    both = joints[_SHOULDERS]
    joints = joints.copy()
    joints[_NECK] = both.mean(axis=0) if (both[:, 2] > 0).all() else np.zeros(3)
    return replace(person, joints=joints)
