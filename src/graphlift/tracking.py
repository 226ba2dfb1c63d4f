"""Who is who over frames: people are told apart by how alike their keypoints are.

Detectors list the people of a frame in any order. A person keeps the id of whoever they resemble
most in the frames before: joints near to where they were expected, measured in the person's own
size, as COCO's object keypoint similarity does; the pairing is the best one for all people
together. Nothing but keypoints is known, so two people who swap places while both are hidden are
swapped.

Source: the similarity is after COCO's keypoint evaluation (OKS), with one width for all joints;
the pairing is the assignment problem (Kuhn, "The Hungarian method", 1955).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from graphlift.errors import ShapeError
from graphlift.sequences import joints_seen

PATIENCE = 30
"""Frames for which somebody who is not seen keeps the id."""

LEAST = 0.1
"""Similarity below which two detections are two people."""

_WIDTH = 0.15
"""How far a joint strays from one frame to the next, in sizes of the person. A runner at 25 frames
per second moves 0.11 of a body's height a frame, and is expected to."""

_FEW = 3
"""Joints that two detections must share to be compared in full; fewer count in proportion."""

_AHEAD = 3
"""Frames for which somebody unseen is expected to move on as before."""


@dataclass
class _Track:
    """Somebody who has been seen, how, and how many frames ago."""

    id: int
    joints: Float[np.ndarray, "joint 3"]
    velocity: Float[np.ndarray, "2"]
    size: float
    gap: int = 0


class Tracker:
    """Gives people ids, frame by frame, from what came before alone.

    Memory is bounded: whoever is unseen for more than ``patience`` frames is forgotten, and is a
    new person when they return. The same frames give the same ids.

    Args:
        patience: Frames for which somebody who is not seen keeps the id.
        least: Similarity, from 0 to 1, below which two detections are two people.
    """

    def __init__(self, *, patience: int = PATIENCE, least: float = LEAST) -> None:
        self.patience = patience
        self.least = least
        self._tracks: list[_Track] = []
        self._next = 0

    def update(self, people: Float[np.ndarray, "person joint 3"]) -> tuple[int, ...]:
        """Give the next frame's people their ids.

        Args:
            people: x and y, px, and confidence; missing joints as in
                :func:`graphlift.sequences.keypoints_from`. May be nobody.

        Returns:
            An id for each person, from 0 in order of first appearance; -1 for one of whom no
            joint is seen.

        Raises:
            ShapeError: If the array has other axes.
        """
        people = _clean(people)
        there = np.flatnonzero(np.isfinite(people[..., 0]).any(axis=1))
        ids = np.full(len(people), -1)
        for track, person in self._pair(people[there]):
            self._see(track, people[there[person]])
            ids[there[person]] = track.id
        for person in there[ids[there] < 0]:
            ids[person] = self._next
            self._tracks.append(
                _Track(self._next, people[person], np.zeros(2), _size(people[person]))
            )
            self._next += 1
        for track in self._tracks:
            track.gap += 1
        self._tracks = [track for track in self._tracks if track.gap <= self.patience + 1]
        return tuple(map(int, ids))

    def _pair(self, people: Float[np.ndarray, "person joint 3"]) -> list[tuple[_Track, int]]:
        if not self._tracks or not len(people):
            return []
        alike = np.array([_similarity(track, people) for track in self._tracks])
        alike[alike < self.least] = 0  # so that a poor pair never outweighs a good one
        if min(alike.shape) == 1:
            best = np.unravel_index(alike.argmax(), alike.shape)
            pairs = [(int(best[0]), int(best[1]))]
        else:
            from scipy.optimize import linear_sum_assignment

            rows, columns = linear_sum_assignment(alike, maximize=True)
            pairs = list(zip(rows.tolist(), columns.tolist(), strict=True))
        return [(self._tracks[row], column) for row, column in pairs if alike[row, column] > 0]

    @staticmethod
    def _see(track: _Track, joints: Float[np.ndarray, "joint 3"]) -> None:
        both = np.isfinite(track.joints[:, 0]) & np.isfinite(joints[:, 0])
        moved = (joints[both, :2] - track.joints[both, :2]).mean(axis=0)
        track.velocity = (track.velocity + moved / track.gap) / 2
        # A joint that is hidden now is thought to have moved along, with half the confidence.
        along = (track.joints + np.array([*moved, 0])) * np.array([1, 1, 0.5])
        track.joints = np.where(np.isfinite(joints), joints, along)
        track.size = max(_size(joints), 0.98 * track.size)  # half a person is as large as before
        track.gap = 0


def track(
    frames: Sequence[Float[np.ndarray, "person joint 3"]], *, patience: int = PATIENCE
) -> list[tuple[int, ...]]:
    """Give everybody in every frame an id: :class:`Tracker` over all frames."""
    tracker = Tracker(patience=patience)
    return [tracker.update(people) for people in frames]


def gather(
    frames: Sequence[Float[np.ndarray, "person joint 3"]],
    ids: Sequence[Sequence[Hashable]],
    *,
    most: int | None = None,
) -> tuple[Float[np.ndarray, "frame person joint 3"], tuple[Hashable, ...]]:
    """Sort people of known ids into one array.

    Args:
        frames: The people of each frame, at least one frame; in each as many joints.
        ids: Whose they are; negative for nobody's. None twice in a frame.
        most: Keep the so many people who are in the most frames.

    Returns:
        Their keypoints, NaN in frames without them, and their ids in order of first appearance.
    """
    names = chosen(ids, most)
    column = {name: place for place, name in enumerate(names)}
    together = np.full((len(frames), len(names), *frames[0].shape[1:]), np.nan)
    for frame, (people, whose) in enumerate(zip(frames, ids, strict=True)):
        for person, name in zip(people, whose, strict=True):
            if name in column:
                together[frame, column[name]] = person
    return together, names


def chosen(ids: Sequence[Sequence[Hashable]], most: int | None = None) -> tuple[Hashable, ...]:
    """List the people of all frames, or those in the most frames, by first appearance."""
    seen: dict[Hashable, int] = {}
    for whose in ids:
        for name in whose:
            if not (isinstance(name, int) and name < 0):
                seen[name] = seen.get(name, 0) + 1
    if most is None or len(seen) <= most:
        return tuple(seen)
    kept = set(sorted(seen, key=lambda name: -seen[name])[:most])  # stable: the earlier of equals
    return tuple(name for name in seen if name in kept)


def associate(
    frames: Sequence[Float[np.ndarray, "person joint 3"]],
    *,
    patience: int = PATIENCE,
    most: int | None = None,
) -> Float[np.ndarray, "frame person joint 3"]:
    """Tell people apart over frames and sort them: :func:`track`, then :func:`gather`.

    Returns:
        x, y and confidence; one person an id, by first appearance; NaN in frames without them.
    """
    return gather(frames, track(frames, patience=patience), most=most)[0]


def _clean(people: np.ndarray) -> Float[np.ndarray, "person joint 3"]:
    people = np.asarray(people, dtype=float)
    if people.ndim != 3 or people.shape[2] != 3:
        raise ShapeError(
            f"people {people.shape} should be (person, joint, 3): x, y and confidence of each "
            "joint; nobody is (0, joint, 3)"
        )
    seen = joints_seen(people[..., :2], people[..., 2])
    return np.where(seen[..., None], people, np.nan)


def _size(joints: Float[np.ndarray, "joint 3"]) -> float:
    """Diagonal of the box around what is seen, px, at least 1."""
    xy = joints[np.isfinite(joints[:, 0]), :2]
    return max(1.0, float(np.linalg.norm(np.ptp(xy, axis=0))))


def _similarity(
    track: _Track, people: Float[np.ndarray, "person joint 3"]
) -> Float[np.ndarray, " person"]:
    """How like the track each person is: the mean over joints of exp(-d² / 2 (w s)²).

    d is the distance from where the joint is expected, s the person's size, and w grows with the
    square root of the frames since they were seen. Joints weigh as much as the less confident of
    the two detections.
    """
    expected = track.joints[:, :2] + track.velocity * min(track.gap, _AHEAD)
    size = np.array([max(track.size, _size(person)) for person in people])
    reach = _WIDTH * size * np.sqrt(track.gap)
    distance2 = ((people[..., :2] - expected) ** 2).sum(axis=-1)
    weight = np.nan_to_num(np.minimum(people[..., 2], track.joints[:, 2]))
    close = np.nan_to_num(np.exp(-distance2 / (2 * reach[:, None] ** 2))) * weight
    share = np.minimum((weight > 0).sum(axis=1) / _FEW, 1)
    return np.asarray(share * close.sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-9))
