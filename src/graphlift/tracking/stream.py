"""Tracking frame by frame, from past frames alone.

Detectors list the people of a frame in any order. People who were seen in the frame before are
paired first, each with the detection that resembles them most (joints near to where they are
expected), by the best pairing for all together. Of the detections that are left, those that
repeat a person who is paired already are duplicates. Only then may a person who has not been seen
for a while take one, so that a person who is seen never loses to one who is not; the rest are new.

Source: the pairing is the assignment problem (Kuhn, "The Hungarian method", 1955); that those seen
last come first is the matching cascade of Wojke et al., "Simple online and realtime tracking with
a deep association metric" (ICIP 2017).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from graphlift.tracking.likeness import DUPLICATE, body_size, clean, likeness, same_person

PATIENCE = 30
"""Frames for which a person who is not seen keeps the id."""

_MIN_SIMILARITY = 0.1
"""Similarity, from 0 to 1, below which two detections are two people."""

_SURE = 0.4
"""Similarity from which a person seen in the frame before is the same person."""

_WIDTH = 0.15
"""How far a joint strays from one frame to the next, in sizes of the person. A runner at 25 frames
per second moves 0.11 of a body's height a frame, and is expected to."""

_AHEAD = 3
"""Frames for which a person who is not seen is expected to move on as before."""

_RIVAL = 0.7
"""A pairing is doubtful if another lost person resembles the detection by at least this share of
the paired person's likeness."""


@dataclass(eq=False)
class _Track:
    """A person who has been seen: where, and how many frames ago."""

    id: int
    joints: Float[np.ndarray, "joint 3"]
    velocity: Float[np.ndarray, "2"]
    size: float
    gap: int = 0


class Tracker:
    """Gives people ids, frame by frame, from past frames alone.

    Memory is bounded: a person who is not seen for more than ``patience`` frames is forgotten,
    and is a new person when they return. The same frames give the same ids.

    Args:
        patience: Frames for which a person who is not seen keeps the id.
        doubt: Give a new id where a person was lost who might as well be the one who is seen;
            :mod:`graphlift.tracking.clip` then decides, from later frames, too.
    """

    def __init__(self, *, patience: int = PATIENCE, doubt: bool = False) -> None:
        self.patience = patience
        self.doubt = doubt
        self.duplicates = 0
        self._tracks: list[_Track] = []
        self._next = 0

    def update(self, people: Float[np.ndarray, "person joint 3"]) -> tuple[int, ...]:
        """Give the next frame's people their ids.

        Args:
            people: x and y, px, and confidence; missing joints as in
                :func:`graphlift.sequences.keypoints_from`. May be empty.

        Returns:
            An id for each person, from 0 in order of first appearance; -1 for a person of whom no
            joint is seen, or who repeats another of the frame.

        Raises:
            ShapeError: If the array has other axes.
        """
        people = clean(people)
        present = np.flatnonzero(np.isfinite(people[..., 0]).any(axis=1))
        ids = np.full(len(people), -1)
        for track in self._tracks:
            track.gap += 1
        self._pair(present, people, ids, sure=True)
        new = self._without_duplicates(present, people, ids)
        if not self.doubt:
            self._pair(new, people, ids, sure=False)
        for person in new[ids[new] < 0]:
            ids[person] = self._next
            size = float(body_size(people[person]))
            self._tracks.append(_Track(self._next, people[person], np.zeros(2), size))
            self._next += 1
        self._tracks = [track for track in self._tracks if track.gap <= self.patience]
        return tuple(map(int, ids))

    def _pair(
        self, present: np.ndarray, people: np.ndarray, ids: np.ndarray, *, sure: bool
    ) -> None:
        """Pair people with those tracks that have no person in this frame yet."""
        waiting = [track for track in self._tracks if track.gap]
        if not waiting or not len(present):
            return
        alike = _similarity(waiting, people[present])
        gap = np.array([track.gap for track in waiting])[:, None]
        if sure:
            chance = np.where((gap == 1) & (alike >= _SURE), alike, 0)
        else:  # a density in the plane: it falls with the square of its width
            chance = np.where(alike >= _MIN_SIMILARITY, alike / gap, 0)
        rows, columns = assign(chance)
        others = np.setdiff1d(np.arange(len(waiting)), rows)
        ended: list[_Track] = []
        for row, column in zip(rows, columns, strict=True):
            rivals = others[alike[others, column] > _RIVAL * alike[row, column]]
            if self.doubt and len(rivals):
                ended += [waiting[each] for each in (row, *rivals)]
            else:
                _update(waiting[row], people[present[column]])
                ids[present[column]] = waiting[row].id
        self._tracks = [track for track in self._tracks if track not in ended]

    def _without_duplicates(
        self, present: np.ndarray, people: np.ndarray, ids: np.ndarray
    ) -> np.ndarray:
        """List people without an id who repeat neither one with an id nor a surer one without."""
        new = np.asarray(present[ids[present] < 0])
        if not len(new) or len(present) == 1:
            return new
        surest_first = new[np.argsort(-np.nansum(people[new, :, 2], axis=1), kind="stable")]
        alike = same_person(people, people)
        kept = present[ids[present] >= 0].tolist()
        known = len(kept)
        for person in surest_first:
            if alike[person, kept].max(initial=0) >= DUPLICATE:
                self.duplicates += 1
            else:
                kept.append(int(person))
        return np.array(sorted(kept[known:]), dtype=int)


def assign(gain: Float[np.ndarray, "row column"]) -> tuple[np.ndarray, np.ndarray]:
    """Pair rows with columns so that the sum of gains is greatest; leave out pairs of no gain."""
    if min(gain.shape) == 1:
        best = np.unravel_index(gain.argmax(), gain.shape)
        rows, columns = np.array([best[0]]), np.array([best[1]])
    else:
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(gain, maximize=True)
    kept = gain[rows, columns] > 0
    return rows[kept], columns[kept]


def _update(track: _Track, joints: Float[np.ndarray, "joint 3"]) -> None:
    both = np.isfinite(track.joints[:, 0]) & np.isfinite(joints[:, 0])
    moved = (joints[both, :2] - track.joints[both, :2]).mean(axis=0)
    track.velocity = (track.velocity + moved / track.gap) / 2
    # A joint that is hidden now is thought to have moved along, with half the confidence.
    along = (track.joints + np.array([*moved, 0])) * np.array([1, 1, 0.5])
    track.joints = np.where(np.isfinite(joints), joints, along)
    # Half a person is as large as before.
    track.size = max(float(body_size(joints)), 0.98 * track.size)
    track.gap = 0


def _similarity(
    tracks: list[_Track], people: Float[np.ndarray, "person joint 3"]
) -> Float[np.ndarray, "track person"]:
    """How like the tracks each person is; the width grows with the root of the frames unseen."""
    gap = np.array([track.gap for track in tracks])
    expected = np.stack([track.joints for track in tracks])
    velocity = np.stack([track.velocity for track in tracks])
    expected[..., :2] += (velocity * np.minimum(gap, _AHEAD)[:, None])[:, None]
    size = np.maximum(np.array([track.size for track in tracks])[:, None], body_size(people))
    return likeness(expected, people, _WIDTH * size * np.sqrt(gap)[:, None])
