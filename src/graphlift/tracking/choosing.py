"""Which people of a clip are kept, and their keypoints put into one array."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from graphlift.errors import ConfigError
from graphlift.mapped import in_blocks
from graphlift.tracking.likeness import body_size
from graphlift.words import counted

ORDERS = ("largest", "first", "longest", "centre")
"""Ways of choosing one person besides their id."""

_MIN_SHARE = 0.1
"""A person who is seen for less than this share of the longest time is not chosen as the largest,
the first or the one in the middle."""

_MAX_NAMED = 6
"""People whom a note names."""


@dataclass(frozen=True)
class Appearance:
    """Where and how long a person of a clip is seen.

    Args:
        name: Who.
        frames: In how many frames.
        first: The first of them.
        size: Mean diagonal of the box around the joints, px.
        centre: Mean x and y of the joints, px.
    """

    name: Hashable
    frames: int
    first: int
    size: float
    centre: tuple[float, float]


def appearances(
    frames: Sequence[Float[np.ndarray, "person joint _"]], ids: Sequence[Sequence[Hashable]]
) -> list[Appearance]:
    """Find where and how long each person is seen, in order of first appearance.

    Args:
        frames: The people of each frame: x and y, px, NaN where missing.
        ids: Of these people; negative for none. No id comes twice in a frame.
    """
    seen: dict[Hashable, list[tuple[int, np.ndarray]]] = {}
    for frame, (people, whose) in enumerate(zip(frames, ids, strict=True)):
        for person, name in zip(people, whose, strict=True):
            if not (isinstance(name, int) and name < 0):
                seen.setdefault(name, []).append((frame, person))
    found = []
    for name, each in seen.items():
        numbers, joints = zip(*each, strict=True)
        found.append(appearance(name, np.stack(joints), numbers))
    return [each for each in found if each is not None]


def appearance(
    name: Hashable, joints: Float[np.ndarray, "frame joint _"], numbers: Sequence[int]
) -> Appearance | None:
    """Find where and how long a person is seen; None if never.

    Args:
        name: Who.
        joints: x and y, px, NaN where missing.
        numbers: Of the frames, ascending.
    """
    count, first, size, centre = 0, 0, 0.0, np.zeros(2)
    for part in in_blocks(joints):
        xy = joints[part, :, :2]
        present = np.isfinite(xy).all(axis=-1)
        frames = np.flatnonzero(present.any(axis=1))
        if not len(frames):
            continue
        first = first if count else int(numbers[part.start + frames[0]])
        xy, present = xy[frames], present[frames, :, None]
        middle = np.where(present, xy, 0).sum(axis=1) / present.sum(axis=1)
        centre += middle.sum(axis=0)
        size += float(body_size(np.where(present, xy, np.nan)).sum())
        count += len(frames)
    if not count:
        return None
    x, y = (centre / count).tolist()
    return Appearance(name, count, first, size / count, (x, y))


def choose(
    seen: Sequence[Appearance],
    *,
    people: int | None = None,
    person: str | None = None,
    image_size: tuple[int, int] | None = None,
    where: str = "the clip",
) -> tuple[Hashable, ...]:
    """Choose whom to keep; names in the order given.

    Args:
        seen: Everybody.
        people: How many to keep: those who are seen longest and largest (frames times mean size).
        person: Keep one of them: ``largest`` in the image, ``first`` seen, seen for the
            ``longest`` time, nearest to the ``centre`` of the image, or an id, of everybody.
        image_size: Width and height, px; for ``centre``.
        where: The file that they are seen in, for the error.

    Raises:
        ConfigError: If no person has that id, or the middle of the image is not known.
    """
    kept = list(seen)
    if people is not None and len(kept) > people:
        kept = sorted(kept, key=lambda each: -each.frames * each.size)[:people]
    if person is not None and kept:
        kept = [_one(kept if person in ORDERS else seen, person, image_size, where)]
    names = {each.name for each in kept}
    return tuple(each.name for each in seen if each.name in names)


def _one(
    seen: Sequence[Appearance], person: str, image_size: tuple[int, int] | None, where: str
) -> Appearance:
    if person not in ORDERS:
        for each in seen:
            if str(each.name) == person:
                return each
        raise ConfigError(
            f"{where}: no person is called {person!r}: the people are "
            f"{', '.join(str(each.name) for each in seen)}; give one of them, or "
            f"{', '.join(ORDERS)}"
        )
    if person == "centre" and image_size is None:
        raise ConfigError(
            f"{where}: person centre needs the size of the image, which is not known: give "
            "image_size=(width, height) (--image-size WIDTHxHEIGHT)"
        )
    longest = max(each.frames for each in seen)
    lasting = [each for each in seen if each.frames >= _MIN_SHARE * longest]
    middle = np.array(image_size or (0, 0)) / 2
    least = {
        "largest": lambda each: -each.size,
        "first": lambda each: each.first,
        "longest": lambda each: -each.frames,
        "centre": lambda each: float(np.hypot(*(middle - each.centre))),
    }
    return min(lasting, key=least[person])


def left_out(seen: Sequence[Appearance], kept: Iterable[Hashable], frames: int) -> str:
    """Describe who was left out and in how many frames they are; empty if no person was."""
    names = set(kept)
    others = [each for each in seen if each.name not in names]
    others.sort(key=lambda each: -each.frames)
    if not others:
        return ""
    named = [f"{each.name} (in {_per_cent(each.frames / frames)} of frames)" for each in others]
    more = [f"and {len(named) - _MAX_NAMED} more"] if len(named) > _MAX_NAMED else []
    who = counted(len(others), "other person was", "other people were")
    return f"{who} left out: {', '.join(named[:_MAX_NAMED] + more)}."


def _per_cent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"


def gather(
    frames: Sequence[Float[np.ndarray, "person joint 3"]],
    ids: Sequence[Sequence[Hashable]],
    names: Sequence[Hashable],
) -> Float[np.ndarray, "frame person joint 3"]:
    """Sort people of known ids into one array.

    Args:
        frames: The people of each frame, at least one frame; in each as many joints.
        ids: Of these people. No id comes twice in a frame.
        names: Whom to keep, in this order.

    Returns:
        Their keypoints, NaN in frames without them.
    """
    column = {name: number for number, name in enumerate(names)}
    together = np.full((len(frames), len(names), *frames[0].shape[1:]), np.nan)
    for frame, (people, whose) in enumerate(zip(frames, ids, strict=True)):
        for person, name in zip(people, whose, strict=True):
            if name in column:
                together[frame, column[name]] = person
    return together
