"""Tables of named columns: whose joint, which of its numbers, one row a frame."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from graphlift.errors import FormatError
from graphlift.formats.assembly import (
    Origin,
    check_room,
    finish,
    first_frame,
    select_people,
    span_of,
)
from graphlift.formats.joint_names import recognise, unused
from graphlift.formats.request import Request
from graphlift.sequences import Keypoints
from graphlift.words import plain

Number = Literal["x", "y", "c"]

NUMBERS: Mapping[str, Number] = {
    "x": "x",
    "y": "y",
    **dict.fromkeys(
        ("c", "conf", "confidence", "score", "likelihood", "visibility", "v", "p"), "c"
    ),
}
"""How tables call a joint's position and its confidence."""


class Column(NamedTuple):
    """What a column holds."""

    person: str
    joint: str
    number: Number


def from_columns(
    columns: Sequence[Column],
    values: Float[np.ndarray, "row column"],
    frames: Sequence[int],
    origin: Origin,
    request: Request,
) -> Keypoints:
    """Make keypoints of a table. Frames between the first and the last without a row are empty.

    Raises:
        FormatError: If names are not recognised, a column comes twice, or a frame does.
    """
    twice, times = Counter(columns).most_common(1)[0] if columns else (None, 1)
    if twice is not None and times > 1:
        raise FormatError(
            f"{origin.where}: two columns are {twice.number} of {plain(twice.joint)} of "
            f"{plain(twice.person)}: keep one of them"
        )
    names = list(dict.fromkeys(each.joint for each in columns))
    skeleton, joints, unknown = recognise(names, origin.where, request)
    target = {names[place]: joint for joint, place in joints.items()}
    people = list(dict.fromkeys(each.person for each in columns if each.joint in target))
    rows, span = _rows(frames, origin.where, request)
    count = len(span)
    given = len(frames) * len(people)
    check_room(count, len(people), len(skeleton), origin.where, request, given=given)
    places = {person: place for place, person in enumerate(people)}
    shape = (count, len(people), len(skeleton))
    positions, confidence = np.full((*shape, 2), np.nan), np.ones(shape)
    for column, (person, joint, number) in enumerate(columns):
        if joint in target:
            place = (rows, places[person], target[joint])
            if number == "c":
                confidence[place] = values[:, column]
            else:
                positions[(*place, "xy".index(number))] = values[:, column]
    origin = origin.noting(first_frame(span), unused(unknown))
    keypoints = finish(positions, confidence, skeleton, origin, request, people=people)
    return select_people(keypoints, request)


def _rows(frames: Sequence[int], where: str, request: Request) -> tuple[np.ndarray, range]:
    """Say in which frame of the result each row goes, and which frames there are."""
    numbers = np.asarray(frames, dtype=np.int64)
    if not len(numbers):
        raise FormatError(f"{where}: has a header but no row: there is nothing to lift")
    if len(np.unique(numbers)) < len(numbers):
        sorted_numbers = np.sort(numbers)
        twice = sorted_numbers[:-1][np.diff(sorted_numbers) == 0][0]
        raise FormatError(f"{where}: two rows are frame {twice}: keep one of them")
    return numbers - numbers.min(), span_of(numbers.tolist(), where, request)
