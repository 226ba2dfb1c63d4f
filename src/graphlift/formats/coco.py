"""COCO's keypoint JSON, as annotations and as results, and AlphaPose's, which follows it.

Layouts. *Annotations*: ``{"images": [{"id", "file_name", "width", "height", "frame_id"?}],
"annotations": [{"image_id", "keypoints": [x, y, v, ...], "track_id"?}], "categories":
[{"keypoints": [names]}]}``; frames are the images by ``frame_id``, or as they are listed; v is 0
for a joint that is missing, 1 for one that is hidden (confidence 0.5) and 2 for one that is seen;
annotations with ``iscrowd`` are no person. *Results*: ``[{"image_id", "keypoints": [x, y, c, ...],
"score"}]``, where ``image_id`` counts frames. *AlphaPose*: results whose ``image_id`` is a file's
name with the frame's number in it, and ``idx`` who it is. Feet and face may stand beside the
keypoints (:mod:`graphlift.formats.whole_body`).

Source: COCO's data and results formats (cocodataset.org, Format); AlphaPose's ``docs/output.md``
and ``pPose_nms.py`` (0.5 and 0.6).
"""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from graphlift.errors import FormatError
from graphlift.formats.assembly import Detection, assemble, identity
from graphlift.formats.frame_numbers import first_frame, number_in, span_of
from graphlift.formats.joint_names import order_by_name
from graphlift.formats.json_files import entries
from graphlift.formats.keypoint_source import KeypointSource, check_image_size
from graphlift.formats.whole_body import FEET, body_of, face_of, has_feet
from graphlift.sequences import Keypoints
from graphlift.skeletons import COCO_17, HALPE_26
from graphlift.words import listed, shown

USUAL = (COCO_17, HALPE_26)


def from_annotations(data: dict[str, Any], source: KeypointSource) -> Keypoints:
    """Make keypoints of a file of annotations.

    Raises:
        FormatError: If it is not as above, or its images are of several sizes.
    """
    where = source.where
    images = entries(data.get("images", []), f"{where}: images")
    frames = _frames_of_images(images, where)
    people = entries(data["annotations"], f"{where}: annotations")
    people = [each for each in people if each.get("keypoints") and not each.get("iscrowd")]
    if not images:
        frames = {name: _frame(name, where) for name in (_image(each, where) for each in people)}
    source = source.of("COCO annotations", usual=USUAL, image_size=_size(images, where))
    span = span_of(frames.values(), source)
    feet = has_feet(people, source)
    seen: Iterable[Detection] = _annotated(people, frames, where, feet=feet)
    if names := _category_names(data):
        names += FEET if feet and len(names) == len(COCO_17) else ()
        seen, source = order_by_name(seen, names, source)
    return assemble(seen, source.noting(first_frame(span)), frames=span)


def from_results(data: list[dict[str, Any]], source: KeypointSource) -> Keypoints:
    """Make keypoints of a file of results, COCO's or AlphaPose's.

    Raises:
        FormatError: If it is not as above.
    """
    where = source.where
    entries(data, f"{where}: results")
    alphapose = isinstance(data[0].get("image_id"), str)
    source = source.of("AlphaPose JSON" if alphapose else "COCO results", usual=USUAL)
    frames, span = frames_of_names({_image(each, where) for each in data}, source)
    feet = has_feet(data, source)
    seen = (
        Detection(
            frames[each["image_id"]],
            body_of(each, f"{where}: entry {number}", feet=feet),
            identity(each.get("idx", each.get("track_id"))),
            face_of(each, f"{where}: entry {number}"),
        )
        for number, each in enumerate(data)
    )
    source = source.noting(f"frames {span.start} to {span.stop - 1}")
    return assemble(seen, source, frames=span)


def frames_of_names(
    names: Collection[int | str], source: KeypointSource
) -> tuple[dict[int | str, int], range]:
    """Find the frame of each image, and the frames from the first to the last.

    Raises:
        FormatError: If a name has no number, or two have the same.
    """
    frames = {name: _frame(name, source.where) for name in names}
    if len(set(frames.values())) < len(frames):
        raise FormatError(
            f"{source.where}: images of two names have one number, among "
            f"{listed(sorted(map(str, frames)), 4)}: split it by clip"
        )
    # AlphaPose names a video's frames 0.jpg, 1.jpg, ... and leaves out those without people.
    video = all(re.fullmatch(r"[0-9]+\.\w+", str(name)) for name in frames)
    return frames, span_of([*frames.values(), *([0] if video else [])], source)


def _frame(name: object, where: str) -> int:
    """Read a frame's number from an ``image_id``: a number, or a file's name that ends in one."""
    if isinstance(name, int) and name >= 0:
        return name
    number = number_in(name) if isinstance(name, str) else None
    if number is None:
        raise FormatError(
            f"{where}: image_id {shown(name)} has no frame number: number the images, as in "
            "000012.jpg"
        )
    return number


def _image(entry: dict[str, Any], where: str, key: str = "image_id") -> int | str:
    """Read which image an entry is of."""
    value = entry.get(key)
    if not isinstance(value, (int, str)):
        raise FormatError(f"{where}: {key} {shown(value)} should be a number or a name")
    return value


def _frames_of_images(images: list[dict[str, Any]], where: str) -> dict[int | str, int]:
    numbered = bool(images) and all(isinstance(each.get("frame_id"), int) for each in images)
    frames = {
        _image(each, where, "id"): each["frame_id"] if numbered else place
        for place, each in enumerate(images)
    }
    if len(frames) < len(images) or len(set(frames.values())) < len(images):
        raise FormatError(
            f"{where}: two images have one id or one frame_id: split it by clip (vid_id)"
        )
    return frames


def _size(images: list[dict[str, Any]], where: str) -> tuple[int, int] | None:
    sizes = {
        check_image_size((each["width"], each.get("height")), f"{where}: size of an image")
        for each in images
        if each.get("width") is not None
    }
    if len(sizes) > 1:
        raise FormatError(
            f"{where}: its images are of {len(sizes)} sizes, and keypoints are of one camera: "
            "split it by camera"
        )
    return next(iter(sizes), None)


def _annotated(
    people: list[dict[str, Any]], frames: dict[int | str, int], where: str, *, feet: bool
) -> Iterator[Detection]:
    bodies = [each for each in people if isinstance(each["keypoints"], list)]
    lists = [each["keypoints"] for each in bodies]
    if feet:  # which are read behind a body of COCO's 17 alone
        short = 3 * len(COCO_17)
        lists += [each.get("foot_kpts") for each in bodies if len(each["keypoints"]) == short]
    flags = any(2 in given[2::3] for given in lists if isinstance(given, list))
    for number, each in enumerate(people):
        at = f"{where}: annotation {number}"
        joints = body_of(each, at, feet=feet)
        if _image(each, where) not in frames:
            raise FormatError(
                f"{where}: an annotation is of image {shown(each.get('image_id'))}, which is none "
                "of its images: the file is damaged"
            )
        if flags:
            joints[:, 2] /= 2
        yield Detection(
            frames[each["image_id"]],
            joints,
            identity(each.get("idx", each.get("track_id"))),
            face_of(each, at),
        )


def _category_names(data: dict[str, Any]) -> list[str]:
    """Find what the joints are called, if the file has one list of it."""
    categories = data.get("categories")
    categories = categories if isinstance(categories, list) else []
    lists = [each.get("keypoints") for each in categories if isinstance(each, dict)]
    named = [each for each in lists if isinstance(each, list)]
    return [str(name) for name in named[0]] if len(named) == 1 else []
