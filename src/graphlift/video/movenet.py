"""MoveNet multipose: up to six people in an image at once, COCO's 17 joints each.

Source: Google's MoveNet multipose, version 1, and the description of its output: six rows of 56
numbers, 17 times (y, x, score), then a box (top, left, bottom, right) and the person's score; all
positions are parts of the picture's height and width.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from graphlift.detector_weights.get import get_weights
from graphlift.skeletons import COCO_17
from graphlift.video.blazepose import region_around
from graphlift.video.frames import Image
from graphlift.video.regions import Person, Region, crop, uncrop
from graphlift.video.sessions import open_session

MOST = 6
"""People it can see."""

LONG_SIDE = 384
"""px; what the image's longer side is scaled to. People from a sixth of the image to all of it are
found; at 256 the smaller ones are not, at 512 those who fill it are not."""

STEP = 32
"""px; the picture's sides are multiples of this."""

FOUND, SEEN = 0.25, 0.2
"""Least score of a person, and of a joint that says where the body is."""

AROUND, TRUNKS = 1.15, 1.9
"""How far the body reaches from its hips: over its farthest joint (top of the head and toes are
none of COCO's), and at least so many times hips to shoulders."""


def load_movenet(*, threads: int = 0) -> Any:  # noqa: ANN401  # untyped library
    """Load MoveNet multipose, fetching its weights if they are not in the cache.

    Raises:
        ModelError: If the weights cannot be fetched
            (:func:`graphlift.detector_weights.get.get_weights`).
    """
    (path,) = get_weights("movenet")
    return open_session(path, threads=threads)


def find_people(model: Any, image: Image, *, long_side: int = LONG_SIDE) -> list[Person]:  # noqa: ANN401
    """Find everybody in an image, the surest first.

    Args:
        model: From :func:`load_movenet`.
        image: RGB.
        long_side: What the image's longer side is scaled to, px; time grows with its square.
    """
    height, width = image.shape[:2]
    scale = long_side / max(width, height)
    size = tuple(STEP * int(np.ceil(side * scale / STEP)) for side in (width, height))
    # The image lies in the picture's top left corner, black beyond.
    wide, high = size[0] / scale, size[1] / scale
    picture = Region((wide / 2, high / 2), (wide, high))
    pixels = crop(image, picture, (size[0], size[1])).astype(np.int32)[None]
    (rows,) = model.run(["people"], {"image": pixels})
    return read_rows(rows[0].astype(float), picture)


def read_rows(rows: Float[np.ndarray, "person 56"], picture: Region) -> list[Person]:
    """Read MoveNet's output for a picture of an image's region.

    A person's region is the box around them.
    """
    people = []
    for row in rows[np.argsort(-rows[:, 55], kind="stable")]:
        if row[55] <= FOUND:
            break
        joints = row[:51].reshape(-1, 3)
        (left, top), (right, bottom) = uncrop(
            row[[52, 51, 54, 53]].reshape(2, 2), picture, (1, 1)
        ).tolist()
        box = Region(((left + right) / 2, (top + bottom) / 2), (right - left, bottom - top))
        positions = uncrop(joints[:, 1::-1], picture, (1, 1))
        keypoints = np.column_stack([positions, np.clip(joints[:, 2], 0, 1)])
        people.append(Person(keypoints, float(row[55]), box))
    return people


def body_region(person: Person) -> Region:
    """Put BlazePose's square around somebody of whom COCO's joints are known.

    It is centred on the hips and stands as the trunk does; on the box, upright, if hips or
    shoulders are not seen.
    """
    positions, seen = person.keypoints[:, :2], person.keypoints[:, 2] > SEEN
    hips, shoulders = COCO_17.index("LHip", "RHip"), COCO_17.index("LShoulder", "RShoulder")
    if not seen[[*hips, *shoulders]].all():
        (x, y), reach = person.region.centre, max(person.region.size) / 2
        return region_around(np.array([x, y]), np.array([x, y - reach]))
    centre = positions[hips].mean(axis=0)
    up = positions[shoulders].mean(axis=0) - centre
    trunk = max(float(np.hypot(*up)), 1e-6)
    farthest = np.linalg.norm(positions[seen] - centre, axis=1).max()
    reach = max(AROUND * farthest, TRUNKS * trunk)
    return region_around(centre, centre + up / trunk * reach)
