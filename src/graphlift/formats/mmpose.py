"""MMPose's JSON: people of each frame as ``instances``.

Layouts: the inferencer's (1.0 to 1.3), for a video ``[{"frame_id": 0, "instances": [{"keypoints":
[[x, y], ...], "keypoint_scores": [...]}]}]``, for an image its instances alone (images give a
folder of such files: :mod:`graphlift.formats.frame_files`); and the demo scripts',
``{"meta_info": {...}, "instance_info": [...]}``, whose frames count from 1. Seventeen joints are
COCO's unless ``meta_info`` names others.

Source: MMPose's ``base_mmpose_inferencer.py``, ``structures/utils.py`` and
``demo/topdown_demo_with_mmdet.py``.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.assembly import Detection, assemble, identity
from graphlift.formats.frame_numbers import first_frame, span_of
from graphlift.formats.joint_names import order_by_name
from graphlift.formats.json_files import entries, numbers
from graphlift.formats.keypoint_source import KeypointSource
from graphlift.numerals import is_whole
from graphlift.sequences import Keypoints
from graphlift.skeletons import COCO_17, HALPE_26, MPII_16

USUAL = (COCO_17, HALPE_26, MPII_16)
_LONGEST_PLACE = 10
"""Digits; Python reads no more than 4,300."""


def is_image(data: Any) -> bool:  # noqa: ANN401
    """Say whether JSON is the instances of one image, as the inferencer writes them."""
    first = data[0] if isinstance(data, list) and data else None
    return isinstance(first, dict) and {"keypoints", "keypoint_scores"} <= set(first)


def from_predictions(data: Any, source: KeypointSource) -> Keypoints:  # noqa: ANN401
    """Make keypoints of a file's content.

    Raises:
        FormatError: If it is not as above.
    """
    source = source.of("MMPose JSON", usual=USUAL)
    where = source.where
    meta = data.get("meta_info", {}) if isinstance(data, dict) else {}
    frames = entries(data["instance_info"] if isinstance(data, dict) else data, f"{where}: frames")
    if frames and "keypoints" in frames[0]:
        frames = [{"frame_id": 0, "instances": frames}]  # an image, or a demo's single one
    counted = [each.get("frame_id", place) for place, each in enumerate(frames)]
    if not all(isinstance(each, int) for each in counted) or len(set(counted)) < len(counted):
        raise FormatError(f"{where}: frame_id should be a number, each once: split it by clip")
    span = span_of(counted, source)
    seen: Iterable[Detection] = (
        person
        for frame, each in zip(counted, frames, strict=True)
        for person in people_in_image(each.get("instances"), where, frame)
    )
    if names := _names(meta):
        seen, source = order_by_name(seen, names, source)
    return assemble(seen, source.noting(first_frame(span)), frames=span)


def people_in_image(instances: object, where: str, frame: int) -> Iterator[Detection]:
    """Go through the instances of one image.

    Raises:
        FormatError: If they are not as above.
    """
    where = f"{where}: instances of frame {frame}"
    for number, person in enumerate(entries(instances, where)):
        xy = numbers(person.get("keypoints"), f"{where}: keypoints of person {number}")
        if xy.ndim == 3 and len(xy) == 1:
            xy = xy[0]
        scores = person.get("keypoint_scores")
        c = np.ones(xy.shape[:1]) if scores is None else numbers(scores, f"{where}: scores")
        c = c.reshape(-1)
        if xy.ndim != 2 or xy.shape[1] != 2 or len(c) != len(xy):
            raise FormatError(
                f"{where}: keypoints of person {number} should be [[x, y], ...] with one score "
                f"each, but are {xy.shape} and {c.shape}"
            )
        yield Detection(frame, np.column_stack([xy, c]), identity(person.get("track_id")))


def _names(meta: object) -> list[str]:
    """Find what the joints are called, in their order."""
    names = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if not isinstance(names, dict):
        return []
    if not all(is_whole(str(key)) and len(str(key)) < _LONGEST_PLACE for key in names):
        return []
    return [str(name) for _, name in sorted(names.items(), key=lambda each: int(each[0]))]
