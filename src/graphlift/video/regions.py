"""Regions of an image around people, by which people are followed from frame to frame.

A detector of joints reads one person at a time, in a rectangle that is cut out around them. The
rectangle for the next frame follows from the joints of this one; only people who are not followed
yet have to be found in the whole image. No person who is found is identified with one who was
lost: identities are decided afterwards, over the whole clip (:mod:`graphlift.tracking`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from graphlift.video.frames import Image

SEARCH_EVERY = 5
"""Frames between two searches while people are missing: never found, or lost."""

LOOK_EVERY = 30
"""Frames between two searches for others, who may turn out to be seen longer or larger."""

LOST_FRAMES = 60
"""Frames for which a person who was lost is searched for."""

SPARE_PEOPLE = 2
"""People who are followed besides those asked for, so that there is a choice."""

SPARE_SIZE = 0.5
"""Share of the largest region's side that people need to be followed besides those asked for."""

SAME_DISTANCE = 0.1
"""Share of a region's side: regions, or joints on average, that are nearer are one person's."""


@dataclass(frozen=True)
class Region:
    """A rectangle that may be turned.

    Args:
        centre: px.
        size: Width and height, px, along its own axes.
        angle: From the image's x axis to its own, radians; positive is clockwise on the screen.
    """

    centre: tuple[float, float]
    size: tuple[float, float]
    angle: float = 0.0


@dataclass(frozen=True, eq=False)
class DetectedPerson:
    """One person in one frame, as a detector sees them.

    Args:
        keypoints: x, y, px from the image's top left corner, and confidence from 0 to 1.
        score: That there is a person at all, from 0 to 1.
        region: Where to read the same person in the next frame.
        world: BlazePose's own estimate of the pose, m: x right, y down, z away from the camera,
            the middle of the hips at the origin. None from other detectors.
    """

    keypoints: Float[np.ndarray, "joint 3"]
    score: float
    region: Region
    world: Float[np.ndarray, "joint 3"] | None = None


Find = Callable[[Image], Sequence[Region]]
"""Finds people in a whole image, those with the highest scores first."""

Read = Callable[[Image, Sequence[Region]], Sequence[DetectedPerson]]
"""Reads the joints of the people in regions; a region without a person is left out."""


def _axes(region: Region) -> Float[np.ndarray, "2 2"]:
    """Return the unit vectors of a region's x and y axes, as rows."""
    cos, sin = np.cos(region.angle), np.sin(region.angle)
    return np.array([[cos, sin], [-sin, cos]])


def crop_matrix(region: Region, size: tuple[int, int]) -> Float[np.ndarray, "2 3"]:
    """Map image px to px of a picture of the region, ``size`` wide and high.

    Points are columns (x, y, 1). The region's centre becomes the picture's centre.
    """
    linear = _axes(region) * (np.array(size) / region.size)[:, None]
    shift = np.array(size) / 2 - linear @ region.centre
    return np.column_stack([linear, shift])


def crop(image: Image, region: Region, size: tuple[int, int]) -> Image:
    """Cut a region out, ``size`` px wide and high; black where it leaves the image."""
    import cv2

    return np.asarray(cv2.warpAffine(image, crop_matrix(region, size), size))


def uncrop(
    points: Float[np.ndarray, "*batch 2"], region: Region, size: tuple[int, int]
) -> Float[np.ndarray, "*batch 2"]:
    """Map px of a region's picture back to px of the image."""
    away = (points - np.array(size) / 2) * (np.array(region.size) / size)
    return np.asarray(away @ _axes(region) + region.centre)


def turn_back(
    positions: Float[np.ndarray, "*batch 3"], region: Region
) -> Float[np.ndarray, "*batch 3"]:
    """Turn 3D positions given in a region's x and y axes into the image's; z is the same."""
    return np.concatenate([positions[..., :2] @ _axes(region), positions[..., 2:]], axis=-1)


def follow(
    images: Iterable[Image], read: Read, find: Find, *, people: int = 1
) -> Iterator[tuple[Image, list[DetectedPerson]]]:
    """Read people's joints in every frame; yield each image with the people in it.

    The whole image is searched if no person is followed, at once when a person is lost, every
    :data:`SEARCH_EVERY` frames while fewer are followed than asked for or a person was lost not
    long ago, and every :data:`LOOK_EVERY` frames for others. Up to :data:`SPARE_PEOPLE` more than
    asked for are followed if they are about as large.

    Args:
        images: Frames in order of time.
        read: Reads joints in regions.
        find: Finds people in an image.
        people: How many are asked for.
    """
    followed: list[Region] = []
    waited, missed = 0, 0
    for image in images:
        waited, missed = waited + 1, missed - 1
        search = _is_time(waited, missed, len(followed), people)
        if search:
            followed += _newcomers(find(image), followed, people)
        present = _distinct(read(image, followed)) if followed else []
        if len(present) < len(followed):
            missed = LOST_FRAMES
            if not search:
                search = True
                fresh = _newcomers(find(image), [person.region for person in present], people)
                present = _distinct([*present, *(read(image, fresh) if fresh else [])])
        waited = 0 if search else waited
        followed = [person.region for person in present]
        yield image, present


def _is_time(waited: int, missed: int, followed: int, people: int) -> bool:
    """Decide whether to search the whole image."""
    if followed >= people + SPARE_PEOPLE:
        return False
    missing = followed < people or missed > 0
    return not followed or waited >= (SEARCH_EVERY if missing else LOOK_EVERY)


def _newcomers(found: Sequence[Region], known: Sequence[Region], people: int) -> list[Region]:
    """Leave out people who are followed already, and more than may be followed."""

    def apart(one: Region, other: Region) -> bool:
        distance = np.hypot(*np.subtract(one.centre, other.centre))
        return bool(distance > SAME_DISTANCE * min(*one.size, *other.size))

    fresh = [region for region in found if all(apart(region, other) for other in known)]
    asked = fresh[: max(people - len(known), 0)]
    largest = max((max(region.size) for region in (*known, *fresh)), default=0.0)
    spare = [each for each in fresh[len(asked) :] if max(each.size) >= SPARE_SIZE * largest]
    return asked + spare[: max(people + SPARE_PEOPLE - len(known) - len(asked), 0)]


def _distinct(people: Iterable[DetectedPerson]) -> list[DetectedPerson]:
    """Leave out people who were read twice, from two regions: the first one stays."""
    kept: list[DetectedPerson] = []
    for person in people:
        if all(_apart(person, other) for other in kept):
            kept.append(person)
    return kept


def _apart(one: DetectedPerson, other: DetectedPerson) -> bool:
    distance = np.linalg.norm(one.keypoints[:, :2] - other.keypoints[:, :2], axis=-1).mean()
    return bool(distance > SAME_DISTANCE * min(*one.region.size, *other.region.size))
