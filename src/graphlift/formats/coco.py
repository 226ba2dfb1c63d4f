"""COCO's keypoint JSON, as annotations and as results, and AlphaPose's, which follows it.

Layouts. *Annotations*: ``{"images": [{"id", "file_name", "width", "height", "frame_id"?}],
"annotations": [{"image_id", "keypoints": [x, y, v, ...], "track_id"?}], "categories":
[{"keypoints": [names]}]}``; frames are the images by ``frame_id``, or as they are listed; v is 0
for a joint that is missing, 1 for one that is hidden (confidence 0.5) and 2 for one that is seen;
annotations with ``iscrowd`` are no person. *Results*: ``[{"image_id", "keypoints": [x, y, c, ...],
"score"}]``, where ``image_id`` counts frames. *AlphaPose*: results whose ``image_id`` is a file's
name with the frame's number in it, and ``idx`` who it is.

Source: COCO's data and results formats (cocodataset.org, Format); AlphaPose's ``docs/output.md``
and ``pPose_nms.py`` (0.5 and 0.6).
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.assembly import (
    Detection,
    Origin,
    assemble,
    first_frame,
    identity,
    number_in,
    span_of,
)
from graphlift.formats.joint_names import order_by_name
from graphlift.formats.json_files import entries, triples
from graphlift.formats.request import Request, check_image_size
from graphlift.sequences import Keypoints
from graphlift.skeletons import COCO_17, HALPE_26
from graphlift.words import listed, shown


def from_annotations(data: dict[str, Any], path: Path, request: Request) -> Keypoints:
    """Make keypoints of a file of annotations.

    Raises:
        FormatError: If it is not as above, or its images are of several sizes.
    """
    images = entries(data.get("images", []), f"{path}: images")
    frames = _frames_of_images(images, path)
    people = entries(data["annotations"], f"{path}: annotations")
    people = [each for each in people if each.get("keypoints") and not each.get("iscrowd")]
    if not images:
        frames = {name: _frame(name, path) for name in (_image(each, path) for each in people)}
    origin = Origin(
        "COCO annotations", str(path), usual=(COCO_17, HALPE_26), image_size=_size(images, path)
    )
    span = span_of(frames.values(), str(path), request)
    seen = list(_annotated(people, frames, path))
    if names := _category_names(data):
        seen, origin, request = order_by_name(seen, names, origin, request)
    return assemble(seen, origin.noting(first_frame(span)), request, frames=span)


def from_results(data: list[dict[str, Any]], path: Path, request: Request) -> Keypoints:
    """Make keypoints of a file of results, COCO's or AlphaPose's.

    Raises:
        FormatError: If it is not as above.
    """
    entries(data, f"{path}: results")
    alphapose = isinstance(data[0].get("image_id"), str)
    kind = "AlphaPose JSON" if alphapose else "COCO results"
    frames, span = frames_of_names({_image(each, path) for each in data}, path, request)
    seen = [
        Detection(
            frames[each["image_id"]],
            triples(each.get("keypoints"), f"{path}: keypoints of entry {number}"),
            identity(each.get("idx", each.get("track_id"))),
        )
        for number, each in enumerate(data)
    ]
    origin = Origin(kind, str(path), usual=(COCO_17, HALPE_26))
    return assemble(
        seen, origin.noting(f"frames {span.start} to {span.stop - 1}"), request, frames=span
    )


def frames_of_names(
    names: Collection[int | str], path: Path, request: Request
) -> tuple[dict[int | str, int], range]:
    """Say which frame each image is, and which frames there are.

    Raises:
        FormatError: If a name has no number, or two have the same.
    """
    frames = {name: _frame(name, path) for name in names}
    if len(set(frames.values())) < len(frames):
        raise FormatError(
            f"{path}: images of two names have one number, among "
            f"{listed(sorted(map(str, frames)), 4)}: split it by clip"
        )
    # AlphaPose names a video's frames 0.jpg, 1.jpg, ... and leaves out those with nobody.
    video = all(re.fullmatch(r"[0-9]+\.\w+", str(name)) for name in frames)
    return frames, span_of([*frames.values(), *([0] if video else [])], str(path), request)


def _frame(name: object, path: Path) -> int:
    """Read a frame's number from an ``image_id``: a number, or a file's name that ends in one."""
    if isinstance(name, int) and name >= 0:
        return name
    number = number_in(name) if isinstance(name, str) else None
    if number is None:
        raise FormatError(
            f"{path}: image_id {shown(name)} has no frame number: number the images, as in "
            "000012.jpg"
        )
    return number


def _image(entry: dict[str, Any], path: Path, key: str = "image_id") -> int | str:
    """Read which image an entry is of."""
    value = entry.get(key)
    if not isinstance(value, (int, str)):
        raise FormatError(f"{path}: {key} {shown(value)} should be a number or a name")
    return value


def _frames_of_images(images: list[dict[str, Any]], path: Path) -> dict[int | str, int]:
    numbered = bool(images) and all(isinstance(each.get("frame_id"), int) for each in images)
    frames = {
        _image(each, path, "id"): each["frame_id"] if numbered else place
        for place, each in enumerate(images)
    }
    if len(frames) < len(images) or len(set(frames.values())) < len(images):
        raise FormatError(
            f"{path}: two images have one id or one frame_id: split it by clip (vid_id)"
        )
    return frames


def _size(images: list[dict[str, Any]], path: Path) -> tuple[int, int] | None:
    sizes = {
        check_image_size((each["width"], each.get("height")), f"{path}: size of an image")
        for each in images
        if each.get("width") is not None
    }
    if len(sizes) > 1:
        raise FormatError(
            f"{path}: its images are of {len(sizes)} sizes, and keypoints are of one camera: "
            "split it by camera"
        )
    return next(iter(sizes), None)


def _annotated(
    people: list[dict[str, Any]], frames: dict[int | str, int], path: Path
) -> Iterator[Detection]:
    joints = [
        triples(each["keypoints"], f"{path}: keypoints of annotation {number}")
        for number, each in enumerate(people)
    ]
    flags = any((each[:, 2] == 2).any() for each in joints)
    for each, triple in zip(people, joints, strict=True):
        if _image(each, path) not in frames:
            raise FormatError(
                f"{path}: an annotation is of image {shown(each.get('image_id'))}, which is none "
                "of its images: the file is damaged"
            )
        scaled = np.where(flags, triple[:, 2] / 2, triple[:, 2])
        yield Detection(
            frames[each["image_id"]],
            np.column_stack([triple[:, :2], scaled]),
            identity(each.get("idx", each.get("track_id"))),
        )


def _category_names(data: dict[str, Any]) -> list[str]:
    """Find what the joints are called, if the file has one list of it."""
    categories = data.get("categories")
    categories = categories if isinstance(categories, list) else []
    lists = [each.get("keypoints") for each in categories if isinstance(each, dict)]
    named = [each for each in lists if isinstance(each, list)]
    return [str(name) for name in named[0]] if len(named) == 1 else []
