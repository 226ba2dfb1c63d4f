"""JSON files, read with limits; errors about numbers in them name the place."""

import json
import math
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.words import counted, reason

_RECOGNISED = 1_000
_NUMBERS = frozenset({int, float, type(None)})
_DEEPEST = 5
"""Axes that lists of numbers may have; poses have four: frame, person, joint, coordinate."""
_PLENTY, _SPARSE = 1_000_000, 50
"""Numbers that lists may always be filled up to, and else how many for each that they hold."""


def check_file_size(path: Path, max_bytes: int, way_out: str) -> None:
    """Refuse an empty file, and one too large to be read whole.

    Raises:
        FormatError: With ``way_out`` for what to do about one that is too large.
    """
    size = path.stat().st_size
    if size == 0:
        raise FormatError(f"{path}: is empty (0 bytes): write or copy it again")
    if size > max_bytes:
        raise FormatError(
            f"{path}: has {size / 1e9:.2f} GB, more than the {max_bytes / 1e9:.2f} GB that are "
            f"read whole: {way_out}, or raise max_bytes"
        )


def read_json(path: Path, max_bytes: int) -> Any:  # noqa: ANN401
    """Read a JSON file.

    Raises:
        FormatError: If it is empty, too large, cut short, no JSON, or nested without end.
    """
    check_file_size(path, max_bytes, "split it into clips, or save the keypoints as .npz")
    raw = path.read_bytes()
    try:
        data = json.loads(raw)
        if not raw.isascii() or b"\\u" in raw:
            json.dumps(data, ensure_ascii=False).encode()
    except RecursionError as error:
        raise FormatError(
            f"{path}: lists within lists without end: this is no keypoint file"
        ) from error
    except UnicodeEncodeError as error:
        raise FormatError(
            f"{path}: holds half of a character (a surrogate without its pair), which nothing "
            "can print: write it again as UTF-8"
        ) from error
    except ValueError as error:
        raise FormatError(
            f"{path}: cannot be read as JSON: {reason(error)}: it is cut short, damaged or of "
            "another kind; write or copy it again"
        ) from error
    return data


def first_filled(entries: Iterable[Any]) -> Iterator[Any]:
    """Go through the first entries that are not empty: by them a kind of file is recognised.

    Not through all: to ask each of millions what it is may take minutes.
    """
    return islice(filter(None, entries), _RECOGNISED)


def numbers(value: object, where: str) -> np.ndarray:
    """Make an array of what should be numbers; ``null`` is not a number (NaN).

    In place of a list, ``null`` stands for as many of them as the other lists have, such as for a
    joint, or for all of a person in a frame.

    Raises:
        FormatError: If it holds anything else, or lists of unequal length.
    """
    try:
        if isinstance(value, list) and _NUMBERS.issuperset(map(type, value)):
            return np.array(value, dtype=np.float64)  # a fourth of the time of what follows
        # As objects first: an array of text has room for the longest in each of its places.
        given = np.asarray(value, dtype=object)
        kinds = set(map(type, given.ravel()))
        if list in kinds and isinstance(value, list):
            given = _filled(value)
            kinds = set(map(type, given.ravel()))
        text = any(issubclass(kind, str) for kind in kinds)
        array = np.empty(0) if text else given.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError(
            f"{where} should be numbers, in lists of equal length, null for what is missing: "
            f"{reason(error)}"
        ) from error
    if text:
        raise FormatError(f"{where} should be numbers, but there is text among them")
    return array


def _filled(value: list[Any]) -> np.ndarray:
    """Make an array of lists in which some are ``null``, which is None throughout in it.

    Raises:
        ValueError: If lists differ in length or depth, or nearly all would be None.
    """
    shape, given = _extent(value, _DEEPEST)
    if math.prod(shape) > max(_PLENTY, _SPARSE * given):
        raise ValueError(f"only {given:,} of {math.prod(shape):,} would be there")
    array = np.full(shape, None, dtype=object)
    _fill(array, value)
    return array


def _extent(value: list[Any], deepest: int) -> tuple[tuple[int, ...], int]:
    """Measure lists: the length of the first on each of the most axes, and how much they hold."""
    if not deepest:
        raise ValueError(f"lists within lists, more than {_DEEPEST} of them")
    inner = [_extent(each, deepest - 1) for each in value if isinstance(each, list)]
    shape = max((shape for shape, _ in inner), key=len, default=())
    return (len(value), *shape), len(value) - len(inner) + sum(count for _, count in inner)


def _fill(array: np.ndarray, value: Any) -> None:  # noqa: ANN401
    """Put lists into an array; where one is None it stays as it is."""
    if not isinstance(value, list):
        raise ValueError("a number stands where others are lists")  # noqa: TRY004
    if len(value) != len(array):
        raise ValueError(f"one has {counted(len(value), 'entry', 'entries')}, one {len(array)}")
    if array.ndim == 1:
        array[:] = value
        return
    for part, each in zip(array, value, strict=True):
        if each is not None:
            _fill(part, each)


def triples(value: object, where: str) -> np.ndarray:
    """Make (joint, 3) of a flat list x, y, confidence, x, y, confidence, ...

    Raises:
        FormatError: If it is no such list.
    """
    flat = numbers(value, where)
    if flat.ndim != 1 or flat.size == 0 or flat.size % 3:
        raise FormatError(
            f"{where} should be x, y, confidence for each joint in one list, but has the shape "
            f"{flat.shape}"
        )
    return flat.reshape(-1, 3)


def entries(value: object, where: str) -> list[dict[str, Any]]:
    """Check that a value is a list of objects.

    Raises:
        FormatError: If it is not.
    """
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise FormatError(f"{where} should be a list of objects, {{...}}")
    return value
