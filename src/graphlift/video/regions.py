"""Regions of an image in which somebody is, and people followed from frame to frame by them.

A detector that reads joints looks at one person at a time, in a rectangle cut out around them.
Where that rectangle is in the next frame follows from the joints of this one; only who is not yet
followed has to be looked for in the whole image. Somebody who is found is not thought to be
somebody who was lost: who is who is decided afterwards, over the whole clip
(:mod:`graphlift.tracking`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from graphlift.video.frames import Image

SEARCH_EVERY = 5
"""Frames between two searches while fewer are followed than asked for, or somebody was lost."""

LOOK_EVERY = 30
"""Frames between two searches for others who may turn out to be seen longer or larger."""

MISSED = 60
"""Frames for which somebody lost is looked for at every search."""

SPARE = 2
"""People who are followed besides those asked for, so that it can be chosen among them."""

RIVAL = 0.5
"""Of the largest region's side: whoever is smaller is not followed besides those asked for."""

NEAR = 0.1
"""Of a region's side: regions, or joints in the mean, that are nearer belong to one person."""


@dataclass(frozen=True)
class Region:
    """A rectangle that may be turned.

    Args:
        centre: px.
        size: Width and height, px, along its own axes.
        angle: Of its x axis from the image's, radians; positive turns it clockwise on the screen.
    """

    centre: tuple[float, float]
    size: tuple[float, float]
    angle: float = 0.0


@dataclass(frozen=True, eq=False)
class Person:
    """What a detector read of one person in one frame.

    Args:
        keypoints: x, y, px from the image's top left corner, and confidence from 0 to 1.
        score: That there is a person at all, from 0 to 1.
        region: Where to look for the same person in the next frame.
        world: BlazePose's own guess of the pose, m: x right, y down, z away from the camera, the
            middle of the hips at the origin. None from other detectors.
    """

    keypoints: Float[np.ndarray, "joint 3"]
    score: float
    region: Region
    world: Float[np.ndarray, "joint 3"] | None = None


Find = Callable[[Image], Sequence[Region]]
"""Finds people in a whole image, the surest first."""

Read = Callable[[Image, Sequence[Region]], Sequence[Person]]
"""Reads the joints of those who really are in the regions."""


def crop_matrix(region: Region, size: tuple[int, int]) -> Float[np.ndarray, "2 3"]:
    """Map image px to px of a picture of the region, ``size`` wide and high.

    Points are columns (x, y, 1). The region's centre becomes the picture's centre.
    """
    cos, sin = np.cos(region.angle), np.sin(region.angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    linear = turn * (np.array(size) / region.size)[:, None]
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
    cos, sin = np.cos(region.angle), np.sin(region.angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    away = (points - np.array(size) / 2) * (np.array(region.size) / size)
    return np.asarray(away @ turn + region.centre)


def turn_back(
    positions: Float[np.ndarray, "*batch 3"], region: Region
) -> Float[np.ndarray, "*batch 3"]:
    """Turn 3D positions given in a region's x and y axes into the image's; z is the same."""
    cos, sin = np.cos(region.angle), np.sin(region.angle)
    x, y, z = np.moveaxis(positions, -1, 0)
    return np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=-1)


def follow(
    images: Iterable[Image], read: Read, find: Find, *, people: int = 1
) -> Iterator[tuple[Image, list[Person]]]:
    """Read people's joints in every frame, each image with who is in it.

    The whole image is searched if nobody is followed, at once when somebody was lost, every
    :data:`SEARCH_EVERY` frames while fewer are followed than asked for or somebody was lost not
    long ago, and every :data:`LOOK_EVERY` frames for others. Up to :data:`SPARE` more than asked
    for are followed if they are about as large.

    Args:
        images: Frames in order of time.
        read: Reads joints in regions.
        find: Finds people in an image.
        people: How many are wanted.
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
            missed = MISSED
            if not search:
                search = True
                fresh = _newcomers(find(image), [person.region for person in present], people)
                present = _distinct([*present, *(read(image, fresh) if fresh else [])])
        waited = 0 if search else waited
        followed = [person.region for person in present]
        yield image, present


def _is_time(waited: int, missed: int, followed: int, people: int) -> bool:
    """Say whether to search the whole image."""
    if followed >= people + SPARE:
        return False
    wanting = followed < people or missed > 0
    return not followed or waited >= (SEARCH_EVERY if wanting else LOOK_EVERY)


def _newcomers(found: Sequence[Region], known: Sequence[Region], people: int) -> list[Region]:
    """Leave out who is followed already, and who would be one too many."""

    def apart(one: Region, other: Region) -> bool:
        distance = np.hypot(*np.subtract(one.centre, other.centre))
        return bool(distance > NEAR * min(*one.size, *other.size))

    fresh = [region for region in found if all(apart(region, other) for other in known)]
    wanted = fresh[: max(people - len(known), 0)]
    largest = max((max(region.size) for region in (*known, *fresh)), default=0.0)
    spare = [each for each in fresh[len(wanted) :] if max(each.size) >= RIVAL * largest]
    return wanted + spare[: max(people + SPARE - len(known) - len(wanted), 0)]


def _distinct(people: Iterable[Person]) -> list[Person]:
    """Leave out who was read twice, from two regions: whoever comes first stays."""
    kept: list[Person] = []
    for person in people:
        if all(_apart(person, other) for other in kept):
            kept.append(person)
    return kept


def _apart(one: Person, other: Person) -> bool:
    distance = np.linalg.norm(one.keypoints[:, :2] - other.keypoints[:, :2], axis=-1).mean()
    return bool(distance > NEAR * min(*one.region.size, *other.region.size))
