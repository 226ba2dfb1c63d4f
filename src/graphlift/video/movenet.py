"""MoveNet multipose: up to six people in an image at once, COCO's 17 joints each.

Source: Google's MoveNet multipose, version 1, and the description of its output: six rows of 56
numbers, 17 times (y, x, score), then a box (top, left, bottom, right) and the person's score; all
positions are shares of the picture's height and width.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from graphlift.detector_weights.get import get_weights
from graphlift.onnx_session import open_session
from graphlift.skeletons import COCO_17
from graphlift.video.blazepose import region_around
from graphlift.video.frames import Image
from graphlift.video.regions import DetectedPerson, Region, crop, uncrop

MOST_PEOPLE = 6
"""People that it finds in one image."""

LONG_SIDE = 384
"""px; the length to which the image's longer side is scaled. People between a sixth of the image
and all of it are found; at 256 the smaller ones are missed, at 512 those who fill the image."""

SIDE_MULTIPLE = 32
"""px; the sides of the network's input are multiples of this."""

PERSON_SCORE, JOINT_SCORE = 0.25, 0.2
"""Least score of a person, and of a joint that the region of the body is computed from."""

BEYOND_FARTHEST, TRUNKS_REACHED = 1.15, 1.9
"""How far the body reaches from its hips: relative to its farthest joint (COCO has none at the top
of the head and at the toes), and at least so many times the distance from hips to shoulders."""


def load_movenet(*, threads: int = 0) -> Any:  # noqa: ANN401  # untyped library
    """Load MoveNet multipose, fetching its weights if they are not in the cache.

    Raises:
        ModelError: If the weights cannot be fetched
            (:func:`graphlift.detector_weights.get.get_weights`).
    """
    (path,) = get_weights("movenet")
    return open_session(path.read_bytes(), path, threads=threads)


def find_people(model: Any, image: Image, *, long_side: int = LONG_SIDE) -> list[DetectedPerson]:  # noqa: ANN401
    """Find all people in an image, those with the highest scores first.

    Args:
        model: From :func:`load_movenet`.
        image: RGB.
        long_side: Length to which the image's longer side is scaled, px; time grows with its
            square.
    """
    height, width = image.shape[:2]
    scale = long_side / max(width, height)
    size = tuple(
        SIDE_MULTIPLE * int(np.ceil(side * scale / SIDE_MULTIPLE)) for side in (width, height)
    )
    # The image lies in the picture's top left corner, black beyond.
    wide, high = size[0] / scale, size[1] / scale
    picture = Region((wide / 2, high / 2), (wide, high))
    pixels = crop(image, picture, (size[0], size[1])).astype(np.int32)[None]
    (rows,) = model.run(["people"], {"image": pixels})
    return read_rows(rows[0].astype(float), picture)


def read_rows(rows: Float[np.ndarray, "person 56"], picture: Region) -> list[DetectedPerson]:
    """Read MoveNet's output for a picture of an image's region.

    A person's region is the box around them.
    """
    people = []
    for row in rows[np.argsort(-rows[:, 55], kind="stable")]:
        if row[55] <= PERSON_SCORE:
            break
        joints = row[:51].reshape(-1, 3)
        (left, top), (right, bottom) = uncrop(
            row[[52, 51, 54, 53]].reshape(2, 2), picture, (1, 1)
        ).tolist()
        box = Region(((left + right) / 2, (top + bottom) / 2), (right - left, bottom - top))
        positions = uncrop(joints[:, 1::-1], picture, (1, 1))
        keypoints = np.column_stack([positions, np.clip(joints[:, 2], 0, 1)])
        people.append(DetectedPerson(keypoints, float(row[55]), box))
    return people


def body_region(person: DetectedPerson) -> Region:
    """Compute BlazePose's square around a person from COCO's joints.

    It is centred on the hips and turned as the trunk is; if hips or shoulders are not seen, it is
    upright and centred on the box.
    """
    positions, seen = person.keypoints[:, :2], person.keypoints[:, 2] > JOINT_SCORE
    hips, shoulders = COCO_17.index("LHip", "RHip"), COCO_17.index("LShoulder", "RShoulder")
    if not seen[[*hips, *shoulders]].all():
        (x, y), reach = person.region.centre, max(person.region.size) / 2
        return region_around(np.array([x, y]), np.array([x, y - reach]))
    centre = positions[hips].mean(axis=0)
    up = positions[shoulders].mean(axis=0) - centre
    trunk = max(float(np.hypot(*up)), 1e-6)
    farthest = np.linalg.norm(positions[seen] - centre, axis=1).max()
    reach = max(BEYOND_FARTHEST * farthest, TRUNKS_REACHED * trunk)
    return region_around(centre, centre + up / trunk * reach)
