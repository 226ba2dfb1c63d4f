"""Facts of a recording: which frame rates and image sizes are possible, and what is assumed."""

import numpy as np

from graphlift.errors import ShapeError
from graphlift.words import shown

FRAME_RATES = (0.001, 10_000.0)
"""Frames per second, the least and the most; a number outside counts time in another unit."""

LARGEST_SIDE = 1_000_000
"""px; no image is wider or higher."""

ASSUMED_FPS = 30.0
"""Frames per second where they are not known: what most cameras and webcams deliver."""


def is_frame_rate(fps: float) -> bool:
    """Whether a number of frames per second is possible (:data:`FRAME_RATES`); NaN is not."""
    return FRAME_RATES[0] <= fps <= FRAME_RATES[1]


def is_image_size(size: object) -> bool:
    """Whether these are a width and a height: two whole numbers of px, at least 1."""
    try:
        width, height = (float(number) for number in size)  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        return False
    return all(1 <= side <= LARGEST_SIDE and side.is_integer() for side in (width, height))


def check_frame_rate(fps: object) -> float:
    """Return frames per second that are possible.

    Raises:
        ShapeError: If they are outside :data:`FRAME_RATES`.
    """
    if not (isinstance(fps, (int, float, np.number)) and is_frame_rate(float(fps))):
        least, most = FRAME_RATES
        raise ShapeError(
            f"fps is {shown(fps)}: frames per second are a number from {least:g} to {most:,.0f}, "
            f"such as 25; give None if they are unknown ({ASSUMED_FPS:g} are assumed then)"
        )
    return float(fps)
