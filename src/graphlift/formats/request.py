"""What a caller says of keypoints, and how it is settled with what a file says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphlift.errors import ConfigError, FormatError
from graphlift.sequences import FRAME_RATES, is_frame_rate
from graphlift.skeletons import (
    COCO_17,
    H36M_16,
    H36M_17,
    HALPE_26,
    MPI_INF_3DHP_17,
    MPII_16,
    SKELETONS,
    Skeleton,
)

MAX_BYTES = 1 << 30
"""The most that is read whole, of a file and of the arrays made of it: 1 GiB. JSON takes some
ten times as much memory while it is read, tables six times."""

_COMMON = (COCO_17, H36M_17, MPI_INF_3DHP_17, MPII_16, H36M_16)
"""Skeletons that share their number of joints with another, in the order in which 2D keypoints
come in them: what detectors find before what data sets of 3D poses have."""

_WHOLE_BODY = {133: COCO_17, 136: HALPE_26}
"""COCO-WholeBody and Halpe full body: their first joints are these bodies, then come face, hands
and feet."""


@dataclass(frozen=True)
class Request:
    """What the caller says; it stands above what a file says of itself.

    Args:
        skeleton: Joint order.
        image_size: Width and height, px.
        fps: Frames per second.
        people: Keep the so many people who are seen longest and largest.
        clip: Which clip, of a file that holds several.
        max_bytes: The most that is read whole.
        person: Keep one of them: see :func:`graphlift.tracking.choose`.
    """

    skeleton: Skeleton | None = None
    image_size: tuple[int, int] | None = None
    fps: float | None = None
    people: int | None = None
    clip: str | None = None
    max_bytes: int = MAX_BYTES
    person: str | None = None

    def __post_init__(self) -> None:
        if self.fps is not None:
            try:
                check_fps(self.fps, "fps")
            except FormatError as error:
                raise ConfigError(str(error)) from error
        if self.image_size is not None:
            try:
                check_image_size(self.image_size, "image_size")
            except FormatError as error:
                raise ConfigError(str(error)) from error
        if self.people is not None and self.people < 1:
            raise ConfigError(f"people is {self.people}: keep at least 1, or leave it out for all")


def skeleton_named(name: str) -> Skeleton:
    """Find a skeleton by name.

    Raises:
        ConfigError: If there is none of this name.
    """
    if name not in SKELETONS:
        raise ConfigError(f"no skeleton {name!r}: give one of {', '.join(SKELETONS)}")
    return SKELETONS[name]


def skeleton_of(
    count: int, where: str, request: Request, *, usual: Sequence[Skeleton] = ()
) -> Skeleton:
    """Say which skeleton so many joints are.

    Args:
        count: Joints in the file; those beyond the skeleton's are face, hands and feet.
        where: The file, for the message.
        request: The caller's skeleton is taken if it has so many joints.
        usual: What files of this kind hold if nothing else is said.

    Raises:
        FormatError: If the caller's has another number of joints, none has so many, or several.
    """
    if request.skeleton is not None:
        if count != len(request.skeleton) and _WHOLE_BODY.get(count) != request.skeleton:
            raise FormatError(
                f"{where}: has {count} joints, but {request.skeleton.name} has "
                f"{len(request.skeleton)}: leave the skeleton out, or give the one it was made "
                "with"
            )
        return request.skeleton
    if count in _WHOLE_BODY:
        return _WHOLE_BODY[count]
    fitting = [skeleton for skeleton in usual if len(skeleton) == count]
    fitting = fitting or [
        each for each in dict.fromkeys((*_COMMON, *SKELETONS.values())) if len(each) == count
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = [skeleton.name for skeleton in fitting]
        raise FormatError(
            f"{where}: {count} joints may be {', '.join(names[:-1])} or {names[-1]}, and the file "
            f"does not say: give skeleton={names[0]!r} (--skeleton {names[0]}) or another of them"
        )
    known = ", ".join(f"{skeleton.name} ({len(skeleton)})" for skeleton in SKELETONS.values())
    raise FormatError(f"{where}: no skeleton of {count} joints is known: known are {known}")


def check_fps(fps: object, where: str) -> float:
    """Check frames per second.

    Raises:
        FormatError: If it is no number, or outside :data:`graphlift.sequences.FRAME_RATES`.
    """
    try:
        value = float(fps)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = np.nan
    if not is_frame_rate(value):
        least, most = FRAME_RATES
        raise FormatError(
            f"{where} is {fps!r}: frames per second are a number above 0, from {least:g} to "
            f"{most:,.0f}, such as 25; leave it out if it is unknown"
        )
    return value


def check_image_size(size: object, where: str) -> tuple[int, int]:
    """Check an image's width and height.

    Raises:
        FormatError: If they are not two whole numbers from 1 to a million.
    """
    try:
        width, height = (float(number) for number in size)  # type: ignore[attr-defined]
        fits = all(1 <= number <= 1e6 and number == int(number) for number in (width, height))
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise FormatError(
            f"{where} is {size!r}: width and height are two whole numbers of px, such as "
            "(1920, 1080)"
        )
    return int(width), int(height)
