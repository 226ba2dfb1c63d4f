"""From what a file holds to keypoints: people over frames, checked once for all formats."""

import re
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from graphlift.errors import FormatError
from graphlift.formats.in_image import FARTHEST, check_image, nobody, too_far
from graphlift.formats.request import Request, skeleton_of
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

_NUMBER = 8
"""Bytes of a number in the arrays."""


@dataclass(frozen=True, eq=False)
class Detection:
    """One person in one frame.

    Args:
        frame: Number, as the file counts.
        joints: x and y, px, and confidence.
        id: Who it is, if the file says so.
    """

    frame: int
    joints: Float[np.ndarray, "joint 3"]
    id: Hashable = None


@dataclass(frozen=True)
class Origin:
    """What a file says of itself, for every reader to fill in as far as it does.

    Args:
        kind: Of file, in a few words.
        where: Path, or the kind of object.
        usual: Skeletons that files of this kind hold if nothing else is said.
        image_size: Width and height, px.
        fps: Frames per second.
        notes: What was assumed, in a few words each.
        own: The line that stands in the file already, in place of one that is made.
    """

    kind: str
    where: str
    usual: tuple[Skeleton, ...] = ()
    image_size: tuple[int, int] | None = None
    fps: float | None = None
    notes: tuple[str, ...] = ()
    own: str = ""

    def noting(self, *notes: str) -> "Origin":
        """Copy with more notes; empty ones are left out."""
        return replace(self, notes=(*self.notes, *(note for note in notes if note)))

    def line(self, skeleton: Skeleton) -> str:
        """Say in a line what was read and what was assumed."""
        if self.own:
            return self.own
        return f"{self.kind} {self.where} ({', '.join((skeleton.name, *self.notes))})"


def assemble(
    detections: Iterable[Detection],
    origin: Origin,
    request: Request,
    *,
    frames: range | None = None,
) -> Keypoints:
    """Sort detections into people over frames.

    Ids are the file's if it gives everybody one and nobody the same twice in a frame; otherwise
    people are told apart by how alike they are (:mod:`graphlift.tracking`).

    Args:
        detections: In any order.
        origin: Where they are from.
        request: What the caller says.
        frames: First to last; when left out, from the first that shows anybody to the last.

    Raises:
        FormatError: If there is nobody, joints differ in number, or frames are too many.
    """
    found = list(detections)
    if not found:
        raise nobody(origin.where, len(frames or ()))
    skeleton = skeleton_of(_count(found, origin), origin.where, request, usual=origin.usual)
    span = frames
    if span is None:
        span = span_of([each.frame for each in found], origin.where, request)
    check_room(len(span), 1, len(skeleton), origin.where, request)
    by_frame: list[list[Detection]] = [[] for _ in span]
    for each in found:
        by_frame[each.frame - span.start].append(each)
    nothing = np.zeros((0, len(skeleton), 3))
    people = [
        np.stack([each.joints[: len(skeleton)] for each in one]) if one else nothing
        for one in by_frame
    ]
    cleaned = [clean(each) for each in people]
    for joints in cleaned:
        farthest = float(np.nan_to_num(np.abs(joints[..., :2])).max(initial=0))
        if farthest > FARTHEST:
            raise too_far(origin.where, farthest)
    ids, how, notes = _identify(by_frame, cleaned, request.fps or origin.fps)
    seen = appearances(cleaned, ids)
    if not seen:
        raise nobody(origin.where, len(span))
    names = _chosen(seen, origin, request)
    check_room(len(span), len(names), len(skeleton), origin.where, request)
    together = gather(people, ids, names)
    keypoints = finish(
        together[..., :2],
        together[..., 2],
        skeleton,
        origin.noting(how),
        request,
        people=[str(name) for name in names],
    )
    others = left_out(seen, names, len(span))
    return replace(keypoints, notes=(*notes, *([others] if others else [])))


def _chosen(seen: Sequence[Appearance], origin: Origin, request: Request) -> tuple[Hashable, ...]:
    size = request.image_size or origin.image_size
    return choose(seen, people=request.people, person=request.person, image_size=size)


def span_of(frames: Collection[int], where: str, request: Request) -> range:
    """Give all frames from the first to the last, if they are not absurdly many.

    Raises:
        FormatError: If there is no room for one joint in each.
    """
    first, last = min(frames, default=0), max(frames, default=-1)
    check_room(last - first + 1, 1, 1, where, request)
    return range(first, last + 1)


def first_frame(frames: range) -> str:
    """Say how a file counts its frames, for a note, where they do not begin at 0 or 1.

    What came before may have been frames with nobody, which such files leave out.
    """
    return f"frames {frames.start} to {frames.stop - 1}" if frames.start > 1 else ""


def number_in(name: str) -> int | None:
    """Read the number that a file's name ends in; None if there is none or it is absurd."""
    match = re.search(r"([0-9]+)(?:\.\w+)?$", name.strip())
    return int(match[1]) if match and len(match[1]) < 16 else None


def _count(found: Sequence[Detection], origin: Origin) -> int:
    """Count the joints that everybody has."""
    count = len(found[0].joints)
    for each in found:
        if len(each.joints) != count:
            raise FormatError(
                f"{origin.where}: two skeletons in one: {count} joints in frame "
                f"{found[0].frame}, {len(each.joints)} in frame {each.frame}: split it by skeleton"
            )
    return count


def _identify(
    by_frame: Sequence[Sequence[Detection]], people: Sequence[np.ndarray], fps: float | None
) -> tuple[list[tuple[Hashable, ...]], str, tuple[str, ...]]:
    """Give everybody an id; say how, and what was decided."""
    ids = [tuple(each.id for each in one) for one in by_frame]
    everybody = all(name is not None for one in ids for name in one)
    if everybody and all(len(set(one)) == len(one) for one in ids):
        return ids, "", ()
    found = track(people, fps=fps)
    alone = max(map(len, people)) == 1
    return list(found.ids), "" if alone else "people told apart by likeness", found.notes


def finish(
    positions: Float[np.ndarray, "frame person joint 2"],
    confidence: Float[np.ndarray, "frame person joint"] | None,
    skeleton: Skeleton,
    origin: Origin,
    request: Request,
    *,
    people: Sequence[str],
) -> Keypoints:
    """Make keypoints of arrays, and check what every format must hold to.

    Raises:
        FormatError: If nobody is seen in any frame, or the positions are no px of the image.
    """
    keypoints = keypoints_from(
        positions,
        skeleton,
        confidence=confidence,
        image_size=request.image_size or origin.image_size,
        fps=request.fps or origin.fps,
        people=tuple(people) or ("0",),
    )
    return sourced(keypoints, origin)


def sourced(keypoints: Keypoints, origin: Origin) -> Keypoints:
    """Check keypoints against their image, and let their source say what was found.

    Raises:
        FormatError: As :func:`graphlift.formats.in_image.check_image`.
    """
    keypoints, notes = check_image(keypoints, origin.where)
    source = origin.noting(*notes).line(keypoints.skeleton)
    new = [note for note in notes if note not in source]
    return replace(keypoints, source=", ".join((source, *new)))


def select_people(keypoints: Keypoints, request: Request) -> Keypoints:
    """Keep whom the caller wants, of people that the file tells apart; never one never seen."""
    count = len(keypoints.people)
    if count == 1 and request.person is None:
        return keypoints  # a mapped file must not come in whole
    numbers = range(len(keypoints))
    everybody = [
        appearance(name, keypoints.positions[:, place], numbers)
        for place, name in enumerate(keypoints.people)
    ]
    seen = [each for each in everybody if each is not None]
    wanted = _chosen(seen, Origin("", "", image_size=keypoints.image_size), request)
    kept = [
        place for place, each in enumerate(everybody) if each is not None and each.name in wanted
    ]
    if len(kept) == count:
        return keypoints
    notes = list(keypoints.notes)
    if count > len(seen):
        notes.append(f"{count - len(seen)} of {count} people are seen in no frame: left out.")
    if others := left_out(seen, wanted, len(keypoints)):
        notes.append(others)
    return replace(keypoints.of_people(kept), notes=tuple(notes))


def check_room(frames: int, people: int, joints: int, where: str, request: Request) -> None:
    """Refuse arrays larger than the caller allows, before they are made.

    Raises:
        FormatError: Saying how many frames and people there would be.
    """
    size = frames * people * joints * 3 * _NUMBER
    if size > request.max_bytes:
        raise FormatError(
            f"{where}: {frames} frames of {people} people would take {size / 1e9:.1f} GB, more "
            f"than the {request.max_bytes / 1e9:.1f} GB allowed: check that its numbers count "
            "frames, keep fewer people (people=1), split it, or raise max_bytes"
        )
