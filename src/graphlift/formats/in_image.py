"""Check that keypoints are px, and lie within the image of the stated size.

A detector finds a person who is in the image, and of that person a joint or two may be guessed
beyond its border. So where people lie outside by more than half of their joints, the size is that
of another image; where they would fit if the sides were swapped, it is the size of the same video
before or after it was turned.
"""

from dataclasses import dataclass, replace

import numpy as np

from graphlift.errors import FormatError
from graphlift.geometry import every
from graphlift.mapped import in_blocks
from graphlift.sequences import Keypoints
from graphlift.words import counted

FARTHEST = 1e6
"""px; no image is so large."""

_FRACTIONS = 2.0
"""Positions that all lie nearer to the corner than this are fractions of the image, not px."""
_SURE = 0.5
"""Confidence of the joints that count; a guess beyond the border is less sure."""
_NOTED = 0.1
"""Share of joints outside from which a note is made."""
_SWAPPED = 0.05
"""Share of people outside from which swapped sides are tried."""
_REFUSED = 0.9
"""Share of people outside from which the size is refused."""
_NO_FRACTIONS = 0.5
"""Share of people outside from which fractions are of another origin, such as from -1 to 1."""


def check_image(keypoints: Keypoints, where: str) -> tuple[Keypoints, tuple[str, ...]]:
    """Check that positions are px of the image of the stated size.

    Returns:
        The keypoints, multiplied by the image's size if they were fractions of it; and notes.

    Raises:
        FormatError: If no person is seen, positions cannot be px, or people lie outside the image;
            the message names both sizes and how to give another.
    """
    size = keypoints.image_size
    notes: tuple[str, ...] = ()
    extent = _measure(keypoints, size)
    if extent.farthest < 0:
        raise no_person(where, len(keypoints))
    if extent.farthest > FARTHEST:
        raise _too_far_of(keypoints, where)
    if extent.farthest <= _FRACTIONS:
        if size is None:
            raise _fractions(extent, where, "or give image_size=(width, height) in px")
        keypoints = replace(keypoints, positions=keypoints.positions * np.asarray(size))
        notes = (f"fractions taken as px of an image of {size[0]}x{size[1]}",)
        if _measure(keypoints, size).people_outside > _NO_FRACTIONS:
            raise _fractions(extent, where, "counted from its top left corner")
        return keypoints, notes
    if size is not None:
        notes = _check_size(keypoints, extent, size, where)
    return keypoints, notes


def no_person(where: str, frames: int) -> FormatError:
    """Make the error that no person is seen in any frame."""
    return FormatError(
        f"{where}: no person is seen in any frame ({counted(frames, 'frame')}): there is nothing "
        "to lift; check the detector's video and threshold"
    )


def too_far(where: str, joint: str, largest: float) -> FormatError:
    """Make the error that a joint lies farther away than any image reaches."""
    return FormatError(
        f"{where}: {joint} lies {largest:.3g} px away: these are no px; where a joint is missing "
        "give NaN, or null, or confidence 0"
    )


def _too_far_of(keypoints: Keypoints, where: str) -> FormatError:
    """Name the first frame, and in it the joint that is farthest."""
    for part in in_blocks(keypoints.positions):
        away = np.abs(np.asarray(keypoints.positions[part], dtype=float))
        away[~np.isfinite(away).all(axis=-1)] = 0
        far = np.flatnonzero((away > FARTHEST).any(axis=(1, 2, 3)))
        if len(far):
            one = away[far[0]]
            joint = keypoints.skeleton.joints[np.argmax(one.max(axis=(0, 2)))]
            return too_far(f"{where}, frame {part.start + far[0]}", joint, one.max())
    raise AssertionError  # called where there is one


@dataclass
class _Extent:
    """Where keypoints lie: the largest coordinate, their bounds, and shares outside an image."""

    farthest: float
    low: np.ndarray
    high: np.ndarray
    joints_outside: float
    people_outside: float


def _measure(keypoints: Keypoints, size: tuple[int, int] | None) -> _Extent:
    """Measure block by block: a mapped file must not come in whole."""
    border = np.asarray(size or (np.inf, np.inf), dtype=float)
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    joints, outside, people, people_out = 0, 0, 0, 0
    for part in in_blocks(keypoints.positions, keypoints.confidence):
        xy = np.asarray(keypoints.positions[part], dtype=float)
        confidence = keypoints.confidence[part]
        seen = every(np.isfinite(xy))
        if not seen.any():
            continue
        low = np.minimum(low, xy[seen].min(axis=0))
        high = np.maximum(high, xy[seen].max(axis=0))
        sure = seen & (confidence >= _SURE)
        sure |= seen & ~sure.any(axis=-1, keepdims=True)  # a person without sure joints
        out = sure & ~every((xy >= 0) & (xy <= border))
        joints, outside = joints + int(sure.sum()), outside + int(out.sum())
        people += int(sure.any(axis=-1).sum())
        people_out += int((2 * out.sum(axis=-1) > sure.sum(axis=-1)).sum())
    farthest = max(-1.0, float(np.abs([*low, *high]).max())) if people else -1.0
    return _Extent(farthest, low, high, outside / max(joints, 1), people_out / max(people, 1))


def _check_size(
    keypoints: Keypoints, extent: _Extent, size: tuple[int, int], where: str
) -> tuple[str, ...]:
    if extent.joints_outside < _NOTED and extent.people_outside < _SWAPPED:
        return ()
    found = (
        f"{where}: the image is stated to be {size[0]}x{size[1]} px, but the keypoints reach from "
        f"{_point(extent.low)} to {_point(extent.high)}, and {extent.joints_outside:.0%} of them "
        "lie outside"
    )
    swapped = _measure(keypoints, size[::-1])
    if extent.people_outside > _SWAPPED and swapped.people_outside < extent.people_outside / 10:
        raise FormatError(
            f"{found}; in {size[1]}x{size[0]} they fit: width and height are swapped: give "
            f"image_size=({size[1]}, {size[0]}) (--image-size {size[1]}x{size[0]})"
        )
    if extent.people_outside > _REFUSED:
        raise FormatError(
            f"{found}: give the size of the video that they were found in, "
            "image_size=(width, height) (--image-size WIDTHxHEIGHT)"
        )
    if extent.joints_outside < _NOTED:
        return ()
    return (f"{extent.joints_outside:.0%} of joints outside the image of {size[0]}x{size[1]}",)


def _fractions(extent: _Extent, where: str, way_out: str) -> FormatError:
    return FormatError(
        f"{where}: all joints lie within {extent.farthest:.2g} px of the corner: these are "
        f"fractions of the image; multiply x by its width and y by its height, {way_out}"
    )


def _point(xy: np.ndarray) -> str:
    return f"({xy[0]:.0f}, {xy[1]:.0f})"
