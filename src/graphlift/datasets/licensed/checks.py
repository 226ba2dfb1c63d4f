"""Checks of arrays, numbers and files that all readers of licensed data share."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from graphlift.errors import FormatError

LARGEST_NUMBER = 1e6
"""m, mm or px; nothing that cameras record is larger."""


def check_size(path: Path, largest: int, what: str) -> None:
    """Refuse a file that is larger than any real file of its kind, before it is read.

    Raises:
        FormatError: With its size.
    """
    if (size := path.stat().st_size) > largest:
        raise FormatError(
            f"{path}: takes {size / 1e6:.0f} MB, which no {what} does: it is of another kind"
        )


def check_shape(
    array: Any,  # noqa: ANN401  # whatever a file holds
    shape: tuple[int | tuple[int, ...] | None, ...],
    where: str,
    *,
    kinds: str = "iuf",
) -> Any:  # noqa: ANN401
    """Refuse what is no array of numbers of a shape; give it back otherwise.

    Args:
        array: Has ``shape`` and ``dtype`` if it is an array, in memory or not.
        shape: For each axis its length, or several that are allowed; None allows any but 0.
        where: The file and the place in it, for the message.
        kinds: Letters of NumPy's kinds of types that are allowed.

    Raises:
        FormatError: With the shape and type that was found.
    """
    found = getattr(array, "shape", None)
    allowed = [None if n is None else n if isinstance(n, tuple) else (n,) for n in shape]
    if (
        found is None
        or len(found) != len(allowed)
        or array.dtype.kind not in kinds
        or not all(each in n if n else each for each, n in zip(found, allowed, strict=True))
    ):
        expected = ["any" if n is None else " or ".join(map(str, n)) for n in allowed]
        found = "no array" if found is None else f"{array.dtype} {tuple(found)}"
        raise FormatError(
            f"{where} is {found}, but should be numbers of shape ({', '.join(expected)}): the "
            "file is damaged, of another kind or of other joints; get it again"
        )
    return array


def check_numbers(array: np.ndarray, where: str, *, largest: float = LARGEST_NUMBER) -> np.ndarray:
    """Refuse an array in which a number is not finite or absurdly large; give it back otherwise.

    Raises:
        FormatError: With the frame.
    """
    with np.errstate(invalid="ignore"):  # a signalling NaN
        wrong = ~(np.abs(array) < largest)
    if wrong.any():
        raise FormatError(
            f"{where}: frame {int(np.argwhere(wrong)[0, 0])} has a number that is not finite or "
            "absurdly large: get the file again"
        )
    return array


def check_lengths(where: str, **arrays: np.ndarray) -> None:
    """Refuse arrays of different length, by their names.

    Raises:
        FormatError: With the length of each.
    """
    if len({len(array) for array in arrays.values()}) > 1:
        counts = ", ".join(f"{name} {len(array):,}" for name, array in arrays.items())
        raise FormatError(
            f"{where}: arrays of different length ({counts} frames): which frames belong together "
            "is never guessed; get the file again"
        )


def check_legs(
    positions: Float[np.ndarray, "frame joint 3"],
    legs: Collection[tuple[int, int, int]],
    bounds: tuple[float, float],
    where: str,
) -> None:
    """Refuse people whose legs are too short or too long, in the median over frames.

    Args:
        positions: m.
        legs: Hip, knee and ankle of each leg.
        bounds: Least and greatest length from hip to knee to ankle, m.
        where: For the message.

    Raises:
        FormatError: With the length: the unit or the order of the joints is another.
    """
    bones = [np.diff(positions[:, list(leg)], axis=1) for leg in legs]
    leg = float(np.median(sum(np.linalg.norm(bone, axis=-1).sum(axis=1) for bone in bones)))
    leg /= len(bones)
    if not bounds[0] <= leg <= bounds[1]:
        raise FormatError(
            f"{where}: a leg is {leg:.4g} m long, hip to knee to ankle, but should measure "
            f"{bounds[0]} to {bounds[1]} m: the file is in another unit, or its joints are in "
            "another order"
        )


def check_flags(array: object, where: str) -> Bool[np.ndarray, " frame"]:
    """Read which frames are valid.

    Raises:
        FormatError: If it is not a 0 or 1 for each frame.
    """
    flags = np.asarray(array).reshape(-1) if isinstance(array, np.ndarray) else np.zeros(0)
    if not flags.size or flags.dtype.kind not in "biuf" or not np.isin(flags, (0, 1)).all():
        raise FormatError(
            f"{where} should hold 0 or 1 for each frame, whether it is valid: without it the data "
            "cannot be scored; get the file again"
        )
    return np.asarray(flags == 1)


def check_rotation(R: Float[np.ndarray, "3 3"], where: str, *, tolerance: float) -> None:  # noqa: N803
    """Refuse a matrix that is no rotation.

    Raises:
        FormatError: If it is not orthonormal, or mirrors.
    """
    small = np.abs(R).max() <= 2  # so that no product overflows
    if not small or not np.allclose(R @ R.T, np.eye(3), atol=tolerance) or np.linalg.det(R) < 0:
        raise FormatError(f"{where}: R is no rotation: the file is damaged; make it again")
