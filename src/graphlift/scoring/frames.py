"""Labels of frames: activity, sequence, and whether the truth counts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from graphlift.errors import ShapeError
from graphlift.protocols.named import Protocol
from graphlift.words import shown

_TAKE_NUMBER = re.compile(r"[ _]\d+$")
_CAMERA = re.compile(r"\d{3,}|cam\w*", re.IGNORECASE)
_SEPARATORS = re.compile(r"[ ._/]+")
_MAX_ACTIVITIES = 1000
"""Most activities: each takes a row of the table, and a column of sums for each joint."""
_MAX_LETTERS = 200
"""Most letters of a name."""
_OFFICIAL_NAMES: Mapping[str, str] = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}
"""Human3.6M's own names, where the literature writes others."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Labels of frames.

    Args:
        activities: Names, in the order of tables; one without a name if none were given.
        groups: Names of the protocol's groups of sequences.
        cell: Index into activities times (groups + 1), plus the group, 0 for none.
        follows: Whether a frame is the next of the same sequence.
        excluded: Whether the protocol leaves its sequence out.
        valid: Joints whose truth may count; None for all.
        ungrouped: Sequences of no group, where the protocol has groups.
    """

    activities: tuple[str, ...]
    groups: tuple[str, ...]
    cell: Int[np.ndarray, " frame"]
    follows: Bool[np.ndarray, " frame"]
    excluded: Bool[np.ndarray, " frame"]
    valid: np.ndarray | None
    ungrouped: tuple[str, ...]

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.activities) * (len(self.groups) + 1)

    def counting(self, rows: slice, joints: int) -> Bool[np.ndarray, "frame joint"]:
        """Return which joints of some frames may count."""
        excluded = self.excluded[rows]
        valid = np.ones((len(excluded), joints), dtype=bool)
        if self.valid is not None:
            given = self.valid[rows]
            valid &= given if given.ndim == 2 else given[:, None]
        return np.asarray(valid & ~excluded[:, None])


def label_frames(
    protocol: Protocol,
    shape: tuple[int, ...],
    *,
    activity: Sequence[str] | np.ndarray | None,
    sequence: Sequence[str] | np.ndarray | None,
    valid: np.ndarray | None,
) -> Frames:
    """Look up which activity, group and sequence each frame belongs to.

    Raises:
        ShapeError: If there is not one label a frame, or validity is of another shape.
    """
    count = shape[0]
    names, activities = _activities(activity, protocol, count)
    clips, clip, follows = _runs(sequence, "sequence", count)
    excluded = np.array([_without_camera(name) in protocol.excluded for name in clips])
    group_of = {name: g for g, (_, members) in enumerate(protocol.groups, 1) for name in members}
    group = np.array([group_of.get(_SEPARATORS.split(name)[0], 0) for name in clips])
    if valid is not None and (valid.shape not in (shape[:1], shape[:2]) or valid.dtype != bool):
        raise ShapeError(
            f"valid {valid.shape} of {valid.dtype} should be bool, {shape[:1]} or {shape[:2]}: "
            "one for each frame, or each joint of it"
        )
    given = sequence is not None
    return Frames(
        activities=names,
        groups=tuple(name for name, _ in protocol.groups),
        cell=activities * (len(protocol.groups) + 1) + group[clip],
        follows=follows & given,
        excluded=excluded[clip],
        valid=valid,
        ungrouped=tuple(
            n for n, g in zip(clips, group, strict=True) if given and protocol.groups and not g
        ),
    )


def _runs(
    given: Sequence[str] | np.ndarray | None, what: str, count: int
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Find the different labels, which one each frame has, and whether the frame before has it.

    Sorts one label for each run of equal labels, not one for each frame.
    """
    if given is None:
        return ("",), np.zeros(count, dtype=int), np.ones(count, dtype=bool)
    labels = np.asarray(given)
    if labels.shape != (count,):
        raise ShapeError(f"{what} {labels.shape} should be {(count,)}: one for each frame")
    follows = np.concatenate([[False], labels[1:] == labels[:-1]])
    starts = np.flatnonzero(~follows)
    names, index = np.unique(labels[starts].astype(str), return_inverse=True)
    for name in names:  # names are printed
        if not str(name).isprintable() or len(name) > _MAX_LETTERS:
            raise ShapeError(
                f"{what} {shown(str(name))} is no name: give printable text of at most "
                f"{_MAX_LETTERS} letters"
            )
    lengths = np.diff([*starts, count])
    return tuple(map(str, names)), np.repeat(index.ravel(), lengths), follows


def _activities(
    given: Sequence[str] | np.ndarray | None, protocol: Protocol, count: int
) -> tuple[tuple[str, ...], np.ndarray]:
    found, index, _ = _runs(given, "activity", count)
    if len(found) > _MAX_ACTIVITIES:
        raise ShapeError(
            f"activity has {len(found):,} different names, the first {shown(found[0])}, and "
            f"{_MAX_ACTIVITIES:,} are scored at most: give what the person does, and the clip as "
            "`sequence`"
        )
    order = protocol.activities
    folded = [_fold(name) if order else name for name in found]
    names = (*(name for name in order if name in folded), *sorted({*folded} - {*order}))
    number = np.array([names.index(name) for name in folded])
    return names, number[index]


def _fold(name: str) -> str:
    """Name an activity of Human3.6M as tables do, without the number of the take."""
    name = _TAKE_NUMBER.sub("", name)
    return _OFFICIAL_NAMES.get(name, name)


def _without_camera(name: str) -> str:
    words = _SEPARATORS.split(name)
    return " ".join(word for word in words if not _CAMERA.fullmatch(word))
