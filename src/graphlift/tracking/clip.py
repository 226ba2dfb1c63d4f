"""Tracking over a whole clip, from past and future frames.

Three steps, from what is sure to what is likely. *Link*: from each frame to the next, detections
that resemble each other become tracklets; a tracklet ends where a person is missed, or might as
well be another (:class:`graphlift.tracking.stream.Tracker`). *Join*: tracklets are joined
over gaps, all at once and each at most once, at the least cost of motion and size
(:mod:`graphlift.tracking.joining`); short gaps first, so that motion is known over longer tracks
when long gaps come. *Clean*: tracks that repeat another person, and tracks too short to be one,
are taken out and counted.

Source: Huang, Wu and Nevatia, "Robust object tracking by hierarchical association of detection
responses" (ECCV 2008).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from graphlift.tracking.joining import Tracklet, find_jumps, join, join_lone
from graphlift.tracking.likeness import DUPLICATE, clean, same_person
from graphlift.tracking.stream import Tracker
from graphlift.words import counted

FPS = 30.0
"""Frames per second where they are not known."""

GAPS = (0.2, 2.0)
"""Longest gaps that are joined, s, one round after another."""

GHOST = 5
"""A track of so few frames is no person, unless the clip is short: it must also be in fewer than
a tenth of the frames."""

_RIVALS = 5
"""Frames for which a person who is not seen makes the pairing of others doubtful."""

_REPEATED = 0.5
"""A track is a duplicate if it repeats another person in at least this share of its frames."""

_JOINTS = 3
"""Joints without which a person cannot be lifted."""

_NO_FILM = (
    "Frames do not follow each other as a film's do: a person alone in them is taken to be always "
    "the same."
)


@dataclass(frozen=True)
class Association:
    """Which detections of a clip are the same person.

    Args:
        ids: For each frame, the person of each detection: from 0 by first appearance, -1 for none.
        notes: What was taken out, and where a new person begins because no person moves so far;
            one sentence each.
    """

    ids: list[tuple[int, ...]]
    notes: tuple[str, ...] = ()


def track(
    frames: Sequence[Float[np.ndarray, "person joint 3"]], *, fps: float | None = None
) -> Association:
    """Find which detections of a clip are the same person.

    If there is never more than one person in a frame and frames hardly resemble those that follow,
    they are single pictures, and the person in them is taken to be the same.

    Args:
        frames: The people of each frame, in any order: x and y, px, and confidence; missing
            joints as in :func:`graphlift.sequences.keypoints_from`.
        fps: Frames per second; :data:`FPS` when left out. Gates are in sizes of the person a
            second.

    Raises:
        ShapeError: If an array has other axes.
    """
    fps = fps or FPS
    people = [clean(each) for each in frames]
    tracker = Tracker(patience=_RIVALS, doubt=True)
    linked = [tracker.update(each) for each in people]
    tracks = _tracklets(people, linked)
    film = max(map(len, people), default=0) > 1 or _is_film(tracks, people)
    tracks = join_lone(tracks, fps)
    for longest in GAPS:
        tracks = join(tracks, longest, fps)
    if not film:
        ids = [(0,) * int(np.isfinite(each[..., 0]).any()) or (-1,) * len(each) for each in people]
        return Association(ids, (_NO_FILM,) if len(tracks) > 1 else ())
    tracks, notes = _cleaned(tracks, people, tracker.duplicates)
    tracks.sort(key=lambda each: each.places[0])
    whose = [[-1] * len(each) for each in people]
    for number, found in enumerate(tracks):
        for frame, person in found.places:
            whose[frame][person] = number
    return Association(list(map(tuple, whose)), (*notes, *find_jumps(tracks, fps)))


def _tracklets(
    people: Sequence[Float[np.ndarray, "person joint 3"]], ids: Sequence[Sequence[int]]
) -> list[Tracklet]:
    places: dict[int, list[tuple[int, int]]] = {}
    for frame, whose in enumerate(ids):
        for person, name in enumerate(whose):
            if name >= 0:
                places.setdefault(name, []).append((frame, person))
    return [
        Tracklet(tuple(each), np.stack([people[frame][person] for frame, person in each]))
        for each in places.values()
    ]


def _is_film(tracklets: Sequence[Tracklet], people: Sequence[np.ndarray]) -> bool:
    """Tell whether at least half of the frames that follow each other show the same person."""
    present = np.array([np.isfinite(each[..., 0]).any() for each in people])
    links = sum(len(each.places) - 1 for each in tracklets)
    return links >= 0.5 * int((present[1:] & present[:-1]).sum())


def _cleaned(
    tracks: Sequence[Tracklet], people: Sequence[np.ndarray], duplicates: int
) -> tuple[list[Tracklet], list[str]]:
    """Take out duplicates and ghosts, and note how many; at least one track stays."""
    repeats = _repeats(tracks, people)
    twice = [each for number, each in enumerate(tracks) if number in repeats]
    rest = [each for number, each in enumerate(tracks) if number not in repeats]
    ghosts = [each for each in rest if _is_ghost(each, len(people))]
    if len(ghosts) == len(rest):
        ghosts = []
    notes = []
    duplicates += sum(len(each.places) for each in twice)
    if duplicates:
        notes.append(
            f"{counted(duplicates, 'detection')} repeated a person of the same frame, and "
            f"{'was' if duplicates == 1 else 'were'} left out."
        )
    if ghosts:
        found = sum(len(each.places) for each in ghosts)
        notes.append(
            f"{counted(found, 'detection')} in {counted(len(ghosts), 'track')} too short to be a "
            f"person (at most {GHOST} frames) {'was' if found == 1 else 'were'} left out."
        )
    gone = set(map(id, ghosts))
    return [each for each in rest if id(each) not in gone], notes


def _is_ghost(track: Tracklet, frames: int) -> bool:
    joints = np.isfinite(track.joints[..., 0]).sum(axis=1)
    brief = len(track.places) <= GHOST and len(track.places) < 0.1 * frames
    return brief or bool(np.median(joints) < _JOINTS)


def _repeats(tracks: Sequence[Tracklet], people: Sequence[np.ndarray]) -> set[int]:
    """Number the tracks that repeat a longer one in most of their frames."""
    whose: list[dict[int, int]] = [{} for _ in people]
    for number, each in enumerate(tracks):
        for frame, person in each.places:
            whose[frame][person] = number
    together: Counter[tuple[int, int]] = Counter()
    for present, joints in zip(whose, people, strict=True):
        if len(present) > 1:
            places = list(present)
            alike = same_person(joints[places], joints[places]) >= DUPLICATE
            for row, column in np.argwhere(np.triu(alike, 1)):
                pair = (present[places[row]], present[places[column]])
                together[min(pair), max(pair)] += 1
    found = set()
    for both, count in together.items():
        shorter = min(both, key=lambda number: len(tracks[number].places))
        if count >= _REPEATED * len(tracks[shorter].places):
            found.add(shorter)
    return found
