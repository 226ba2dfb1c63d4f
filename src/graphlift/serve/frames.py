"""Messages of a stream: frames of keypoints that come, frames of poses that go.

As JSON, a frame is ``{"keypoints": ...}`` or the keypoints alone, (joint, 2), (joint, 3),
(person, joint, 2) or (person, joint, 3), px and confidence, with ``null`` for a missing number,
joint or person; the answer is that frame of a JSON file of poses.

As float32, a frame is little-endian numbers of 4 bytes, (person, joint, 3): x and y, px, and the
confidence; NaN for what is missing; no bytes for nobody. The answer begins with the number of the
frame, modulo 2**32, and the number of people, as little-endian unsigned integers of 4 bytes. Then
come float32 numbers person by person: the columns that JSON has, one after the other, each in its
own order of axes, ``seen`` as 0 or 1, and NaN for what JSON has null for.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic_core import from_json, to_json

from graphlift.errors import ShapeError
from graphlift.formats.in_image import FARTHEST
from graphlift.formats.json_files import numbers
from graphlift.formats.to_json import list_people
from graphlift.lifting import Lifter
from graphlift.sequences import FRONTS
from graphlift.skeletons import BODY_28, Skeleton
from graphlift.words import counted, plain, shown

Encoding = Literal["json", "float32"]
_COLUMNS = ("positions", "sigma", "fronts", "front_sigma")
"""Arrays that a person has, in the order of JSON, where ``seen`` comes after the first."""
_FLOAT, _COUNT = np.dtype("<f4"), np.dtype("<u4")


def read_frame(
    message: str | bytes, skeleton: Skeleton, where: str
) -> Float[np.ndarray, "person joint 3"]:
    """Read a frame: text is JSON, bytes are float32.

    Raises:
        GraphliftError, ValueError: If it is none; the message says why.
    """
    if isinstance(message, str):
        people = _from_json(message, skeleton, where)
    else:
        people = _from_floats(message, skeleton, where)
    away = np.abs(people[..., :2])
    if (away > FARTHEST).any():
        person, joint, _ = np.unravel_index(np.nanargmax(away), away.shape)
        raise ShapeError(
            f"{where}: {skeleton.joints[joint]} of person {person} lies {np.nanmax(away):.3g} px "
            "away: these are no px; send null for a missing joint, NaN in float32"
        )
    return people


def _from_json(text: str, skeleton: Skeleton, where: str) -> Float[np.ndarray, "person joint 3"]:
    try:
        data = from_json(text)
    except ValueError as error:
        raise ShapeError(f"{where}: is no JSON ({plain(error)}): send keypoints") from error
    if isinstance(data, dict):
        if set(data) != {"keypoints"}:
            raise ShapeError(
                f"{where}: has {shown(sorted(data))}, but should have keypoints and nothing else"
            )
        data = data["keypoints"]
    if not isinstance(data, list):
        raise ShapeError(f"{where}: is {shown(data)}: send a list of x, y of every joint")
    if not data:
        return np.empty((0, len(skeleton), 3))
    people = numbers(data, f"{where}: keypoints")
    joints = len(skeleton)
    if people.shape[1:] in ((), (joints,)) and np.isnan(people).all():  # null of everything
        alone = people.shape == (joints,)
        return np.full((1 if alone else len(people), joints, 3), np.nan)
    if people.ndim not in (2, 3) or people.shape[-2] != joints or people.shape[-1] not in (2, 3):
        raise ShapeError(
            f"{where}: keypoints {people.shape} should be ({joints}, 2) or ({joints}, 3), or a "
            f"list of these, for {skeleton.name}"
        )
    people = people.reshape(-1, *people.shape[-2:])
    if people.shape[-1] == 3:
        return people
    return np.concatenate([people, np.ones((*people.shape[:2], 1))], axis=-1)


def _from_floats(
    data: bytes, skeleton: Skeleton, where: str
) -> Float[np.ndarray, "person joint 3"]:
    joints = len(skeleton)
    person = 3 * joints * _FLOAT.itemsize
    if len(data) % person:
        raise ShapeError(
            f"{where}: {counted(len(data), 'byte')} should be {person} for each person: float32 "
            f"x, y and confidence of the {joints} joints of {skeleton.name}"
        )
    return np.frombuffer(data, _FLOAT).reshape(-1, joints, 3).astype(np.float64)


def columns(lifter: Lifter) -> dict[str, list[int]]:
    """Say which numbers a person has in float32, in their order, and the axes of each column."""
    joints, segments = len(lifter.skeleton), len(FRONTS)
    own = {"positions": [joints, 3], "seen": [joints], "sigma": [joints]}
    if lifter.skeleton == BODY_28:
        own |= {"fronts": [segments, 3], "front_sigma": [segments]}
    return own


def as_json(number: int, people: list[dict[str, Any]]) -> str:
    """Write the answer to a frame as JSON.

    Args:
        number: Of the frame.
        people: As :func:`list_answers` lists them.
    """
    return to_json({"frame": number, "people": people}).decode()


def list_answers(
    arrays: Mapping[str, np.ndarray], seen: Bool[np.ndarray, "person joint"]
) -> list[dict[str, Any]]:
    """List what JSON says of each person; of several frames at once, it costs the least.

    Args:
        arrays: Of :class:`graphlift.lifted.Lifted`, by name, people first.
        seen: Which joints were.
    """
    own: Any = {name: arrays[name][None] for name in _COLUMNS if name in arrays}
    (people,) = list_people(seen=seen[None], **own)
    return people


def as_floats(
    number: int, arrays: Mapping[str, np.ndarray], seen: Bool[np.ndarray, "person joint"]
) -> bytes:
    """Write the answer to a frame as float32.

    Args:
        number: Of the frame.
        arrays: Of :class:`graphlift.lifted.Lifted`, by name, people first.
        seen: Which joints were.
    """
    people = len(seen)
    head = np.array([number % 2**32, people], _COUNT).tobytes()
    if not people:
        return head
    parts = [arrays[name] for name in _COLUMNS if name in arrays]
    parts.insert(1, seen)
    flat = np.concatenate([part.reshape(people, -1) for part in parts], axis=1, dtype=_FLOAT)
    return head + flat.tobytes()
