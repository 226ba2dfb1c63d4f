"""From detections to keypoints: people over frames, checked once for all formats."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from graphlift.errors import FormatError
from graphlift.formats.face import FACE_JOINTS, FIRST_POINT, fill_from_face, joints_of_face
from graphlift.formats.frame_numbers import LARGEST_FRAME, span_of
from graphlift.formats.in_image import FARTHEST, check_image, no_person, too_far
from graphlift.formats.keypoint_source import KeypointSource, skeleton_of
from graphlift.sequences import Keypoints, keypoints_from
from graphlift.skeletons import Skeleton
from graphlift.tracking import (
    Appearance,
    appearance,
    appearances,
    choose,
    clean,
    gather,
    left_out,
    track,
)
from graphlift.words import counted, plain

MOST_WITHOUT_IDS = 300
"""People in one frame who have no ids. Tracking them takes time by the square of their number."""

_LONGEST_NAME = 100


@dataclass(frozen=True, eq=False)
class Detection:
    """One person in one frame.

    Args:
        frame: Number, as the file counts.
        joints: x and y, px, and confidence.
        id: Of the person, if the file has one.
        face: iBUG's points, px and confidence, if they are not among ``joints``.
    """

    frame: int
    joints: Float[np.ndarray, "joint 3"]
    id: Hashable = None
    face: Float[np.ndarray, "point 3"] | None = None


def assemble(
    detections: Iterable[Detection], source: KeypointSource, *, frames: range | None = None
) -> Keypoints:
    """Sort detections into people over frames.

    Ids are the file's if every person has one and no two in a frame have the same; otherwise
    people are tracked (:mod:`graphlift.tracking`). Points of faces fill joints of the head that
    were not seen (:mod:`graphlift.formats.face`).

    Args:
        detections: In any order.
        source: Where they are from.
        frames: First to last; when left out, from the first with a person to the last.

    Raises:
        FormatError: If there is no person, joints differ in number, or frames are too many.
    """
    if frames is not None:
        source.check_frames(len(frames))
    found = alike(detections, source)
    if not found:
        raise no_person(source.where, len(frames or ()))
    skeleton = skeleton_of(len(found[0].joints), source)
    span = span_of([each.frame for each in found], source) if frames is None else frames
    source.check_room(len(span), 1, len(skeleton), given=len(found))
    by_frame: list[list[Detection]] = [[] for _ in span]
    for each in found:
        by_frame[each.frame - span.start].append(each)
    nothing = np.zeros((0, len(skeleton), 3))
    people = [
        np.stack([each.joints[: len(skeleton)] for each in one]) if one else nothing
        for one in by_frame
    ]
    cleaned = [clean(each) for each in people]
    for frame, joints in zip(span, cleaned, strict=True):
        away = np.nan_to_num(np.abs(joints[..., :2])).max(axis=(0, 2), initial=0)
        if away.max() > FARTHEST:
            joint = skeleton.joints[away.argmax()]
            raise too_far(f"{source.where}, frame {frame}", joint, away.max())
    ids, how, notes = _identify(by_frame, cleaned, source)
    seen = appearances(cleaned, ids)
    if not seen:
        raise no_person(source.where, len(span))
    names = _chosen(seen, source)
    source.check_room(len(span), len(names), len(skeleton), given=len(found))
    together = gather(people, ids, names)
    together, filled = _with_faces(together, by_frame, ids, names, skeleton)
    keypoints = finish(
        together[..., :2],
        together[..., 2],
        skeleton,
        source.noting(how),
        people=[str(name) for name in names],
    )
    others = left_out(seen, names, len(span))
    return replace(keypoints, notes=(*notes, *filled, *([others] if others else [])))


def _with_faces(
    together: Float[np.ndarray, "frame person joint 3"],
    by_frame: Sequence[Sequence[Detection]],
    ids: Sequence[Sequence[Hashable]],
    names: Sequence[Hashable],
    skeleton: Skeleton,
) -> tuple[Float[np.ndarray, "frame person joint 3"], tuple[str, ...]]:
    """Fill joints of the people that were not seen by points of their faces, and note which."""
    faces = [[_face(each) for each in one] for one in by_frame]
    if not any(face.any() for one in faces for face in one):
        return together, ()
    shaped = [np.reshape(one, (-1, len(FACE_JOINTS), 3)) for one in faces]
    return fill_from_face(together, gather(shaped, ids, names), skeleton)


def _face(person: Detection) -> Float[np.ndarray, "5 3"]:
    """Make the joints of a person's face; 0 where there is none."""
    points, first = person.face, FIRST_POINT.get(len(person.joints))
    if points is None and first is not None:
        points = person.joints[first:]
    return np.zeros((len(FACE_JOINTS), 3)) if points is None else joints_of_face(points)


def _chosen(seen: Sequence[Appearance], source: KeypointSource) -> tuple[Hashable, ...]:
    return choose(
        seen,
        people=source.people,
        person=source.person,
        image_size=source.image_size,
        where=source.where,
    )


def alike(detections: Iterable[Detection], source: KeypointSource) -> list[Detection]:
    """List detections, and stop at the first whose joints cannot be: a file may hold a million.

    Raises:
        FormatError: If no skeleton has the joints of the first, or another has more or fewer.
    """
    found: list[Detection] = []
    for each in detections:
        if not found:
            skeleton_of(len(each.joints), source)
        elif len(each.joints) != len(found[0].joints):
            raise FormatError(
                f"{source.where}: two skeletons in one: {counted(len(found[0].joints), 'joint')} "
                f"in frame {found[0].frame}, {len(each.joints)} in frame {each.frame}: split it "
                "by skeleton"
            )
        found.append(each)
    return found


def identity(value: object) -> int | str | None:
    """Read a person's id as files write it: a number or a name, perhaps in lists of one.

    Returns:
        None for anything else, and for -1, which trackers write for an unknown person.
    """
    while isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str):
        return plain(value, _LONGEST_NAME)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and -1 < value < LARGEST_FRAME else None  # type: ignore[operator, return-value]


def _identify(
    by_frame: Sequence[Sequence[Detection]],
    people: Sequence[np.ndarray],
    source: KeypointSource,
) -> tuple[list[tuple[Hashable, ...]], str, tuple[str, ...]]:
    """Give each detection an id; return also how, and what the tracker decided."""
    ids = [tuple(each.id for each in one) for one in by_frame]
    all_named = all(name is not None for one in ids for name in one)
    if all_named and all(len(set(one)) == len(one) for one in ids):
        return ids, "", ()
    most = max(map(len, people))
    if most > MOST_WITHOUT_IDS:
        raise FormatError(
            f"{source.where}: {most:,} people in one frame, and the file states no ids: "
            f"at most {MOST_WITHOUT_IDS} can be told apart by likeness; raise the detector's "
            "threshold"
        )
    found = track(people, fps=source.fps)
    return list(found.ids), "" if most == 1 else "people told apart by likeness", found.notes


def finish(
    positions: Float[np.ndarray, "frame person joint 2"],
    confidence: Float[np.ndarray, "frame person joint"] | None,
    skeleton: Skeleton,
    source: KeypointSource,
    *,
    people: Sequence[str],
) -> Keypoints:
    """Make keypoints of arrays, and check what every format must hold to.

    Raises:
        FormatError: If no person is seen in any frame, or the positions are no px of the image.
    """
    keypoints = keypoints_from(
        positions,
        skeleton,
        confidence=confidence,
        image_size=source.image_size,
        fps=source.fps,
        people=tuple(plain(name, _LONGEST_NAME) for name in people) or ("0",),
    )
    return sourced(keypoints, source)


def sourced(keypoints: Keypoints, source: KeypointSource) -> Keypoints:
    """Check keypoints against their image, and add to their source what was found.

    Raises:
        FormatError: As :func:`graphlift.formats.in_image.check_image`.
    """
    keypoints, notes = check_image(keypoints, source.where)
    line = source.noting(*notes).line(keypoints.skeleton)
    new = [note for note in notes if note not in line]
    return replace(keypoints, source=", ".join((line, *new)))


def select_people(keypoints: Keypoints, source: KeypointSource) -> Keypoints:
    """Keep the people whom the caller chose; those who are seen in no frame are left out."""
    count = len(keypoints.people)
    if count == 1 and source.person is None:
        return keypoints  # a mapped file must not come in whole
    numbers = range(len(keypoints))
    found = [
        appearance(name, keypoints.positions[:, place], numbers)
        for place, name in enumerate(keypoints.people)
    ]
    seen = [each for each in found if each is not None]
    chosen = _chosen(seen, source)
    kept = [place for place, each in enumerate(found) if each is not None and each.name in chosen]
    if len(kept) == count:
        return keypoints
    notes = list(keypoints.notes)
    if count > len(seen):
        notes.append(f"{count - len(seen)} of {count} people are seen in no frame: left out.")
    if others := left_out(seen, chosen, len(keypoints)):
        notes.append(others)
    return replace(keypoints.of_people(kept), notes=tuple(notes))
