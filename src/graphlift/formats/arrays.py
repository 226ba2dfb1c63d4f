"""Plain arrays, and ``.npz`` and JSON files of them: our own formats for keypoints.

Layout: ``keypoints`` (frame, person, joint, 2) or (frame, joint, 2), px, NaN where missing, with 3
numbers a joint if the last is the confidence; optionally ``confidence`` (the same axes without the
last), ``skeleton`` (a name), ``joints`` (names), ``image_size`` (width, height), ``fps``,
``people`` (names), ``source``, ``notes``. A skeleton that is none of the known ones has
``parents`` and ``centre`` too. No objects. JSON has the same fields as lists, with ``null`` for
NaN, or for all of a joint, a person or a frame that is missing. Other fields are not read; the
line of what was read names them.

:func:`write_keypoints` does not compress, so that
:func:`graphlift.formats.loaders.open_keypoints_npz` can leave the arrays in the file: an hour of
keypoints then takes no memory but for the frames in use.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.errors import FormatError, SkeletonError
from graphlift.files import replacing
from graphlift.formats.assembly import finish, select_people, sourced
from graphlift.formats.face import FACE_JOINTS, FIRST_POINT, fill_from_face, joints_of_face
from graphlift.formats.joint_names import recognise, unused
from graphlift.formats.json_files import numbers
from graphlift.formats.keypoint_source import KeypointSource, skeleton_of
from graphlift.formats.npz_members import list_members, map_member, read_members
from graphlift.mapped import in_blocks
from graphlift.sequences import Keypoints, joints_seen
from graphlift.skeletons import SKELETONS, Skeleton
from graphlift.words import counted, listed, plain, reason, shown

_ARRAYS = ("keypoints", "confidence")
_NUMBERS, _NAMES = ("image_size", "fps"), ("skeleton", "joints", "people")
_NPZ_ALONE = ("parents", "centre", "source", "notes")
_LONGEST_SOURCE = 2_000
"""Characters."""


def write_keypoints(path: Path | str, keypoints: Keypoints) -> None:
    """Write keypoints as an ``.npz``, whole or not at all; reading gives the same numbers.

    Raises:
        FormatError: If ``path`` does not end in .npz.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise FormatError(f"{path}: keypoints are written as .npz: give it that ending")
    skeleton = keypoints.skeleton
    arrays: dict[str, Any] = {
        "keypoints": keypoints.positions,
        "confidence": keypoints.confidence,
        "skeleton": skeleton.name,
        "joints": np.array(skeleton.joints),
        "parents": np.array(skeleton.parents, dtype=np.int16),
        "centre": skeleton.centre,
        "people": np.array(keypoints.people, dtype=np.str_),
        "source": keypoints.source,
    }
    if keypoints.notes:
        arrays["notes"] = np.array(keypoints.notes, dtype=np.str_)
    if keypoints.image_size is not None:
        arrays["image_size"] = np.array(keypoints.image_size)
    if keypoints.fps is not None:
        arrays["fps"] = keypoints.fps
    with replacing(path) as beside:
        np.savez(beside, **arrays)


def read_npz(path: Path, source: KeypointSource) -> Keypoints:
    """Open keypoints in an ``.npz``; numbers that are stored plainly stay in the file.

    They stay if they are not compressed and obey the rules of :class:`Keypoints` already (NaN and
    confidence 0 where missing), as :func:`write_keypoints` leaves them: then ``positions`` and
    ``confidence`` are read-only maps of the file, and going through them frame by frame takes no
    memory. Otherwise they are read whole. Those that obey the rules keep their precision.

    Args:
        path: An ``.npz`` with an array ``keypoints``.
        source: The file, and what the caller states, which stands above what the file states.

    Raises:
        FormatError: If the file is not laid out as above, is damaged, or too large to be read
            whole.
    """
    members = list_members(path)
    if "keypoints" not in members:
        raise FormatError(
            f"{path}: has no array keypoints (found {listed(sorted(members))}): "
            "name it so, with px in the shape (frame, person, joint, 2)"
        )
    small = (*_NUMBERS, *_NAMES, *_NPZ_ALONE)
    stated = read_members(path, members, small, 1 << 24)
    source = source.noting(unused([name for name in members if name not in (*_ARRAYS, *small)]))
    arrays: dict[str, np.ndarray] = {}
    for name in set(_ARRAYS) & set(members):
        mapped = map_member(path, members[name])
        whole = {} if mapped is not None else read_members(path, members, [name], source.max_bytes)
        arrays[name] = whole[name] if mapped is None else mapped
    array, confidence = _shaped(arrays["keypoints"], arrays.get("confidence"), source.where)
    return _keypoints(array, confidence, stated, "npz", source)


def is_plain(data: object) -> bool:
    """Say whether JSON has the fields of an ``.npz``: ``keypoints`` is a list."""
    return isinstance(data, dict) and isinstance(data.get("keypoints"), list)


def from_plain(data: Mapping[str, Any], source: KeypointSource) -> Keypoints:
    """Make keypoints of JSON with the fields of an ``.npz``, but for ``parents`` and ``centre``.

    What is missing is ``null``; unknown fields are left out, and named in the source's notes.

    Raises:
        FormatError: If a field is not what it should be; the message names it.
    """
    where = source.where
    arrays = {
        name: numbers(data[name], f"{where}: {name}")
        for name in (*_ARRAYS, *_NUMBERS)
        if data.get(name) is not None
    }
    for name in _NAMES:
        if data.get(name) is not None:
            arrays[name] = _text(data[name], f"{where}: {name}", one=name == "skeleton")
    array, confidence = _shaped(arrays.pop("keypoints"), arrays.pop("confidence", None), where)
    known = (*_ARRAYS, *_NUMBERS, *_NAMES)
    source = source.noting(unused([name for name in data if name not in known]))
    return _keypoints(array, confidence, arrays, "JSON", source)


def _text(value: object, where: str, *, one: bool) -> np.ndarray:
    """Make an array of a name, or of a list of names."""
    names = [value] if one else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        expected = "a name" if one else "a list of names"
        raise FormatError(f"{where} is {shown(value)}, but should be {expected}: write it so")
    # Objects: an array of text has room for the longest name in each of its places.
    return np.array(names[0] if one else names, dtype=object)


def from_array(array: np.ndarray, source: KeypointSource) -> Keypoints:
    """Make keypoints of a bare array: see :func:`graphlift.sequences.keypoints_from`.

    Raises:
        FormatError: If it is no such array, or its number of joints is not that of one skeleton.
    """
    positions, confidence = _shaped(array, None, source.where)
    return _keypoints(positions, confidence, {}, "array", source)


def _shaped(
    array: np.ndarray, confidence: np.ndarray | None, where: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Give arrays all their axes, as views."""
    if array.dtype.kind not in "fiu" or not 2 <= array.ndim <= 4 or array.shape[-1] not in (2, 3):
        raise FormatError(
            f"{where}: keypoints are {array.shape} of {array.dtype}, but should be numbers, "
            "(frame, person, joint, 2) or (frame, joint, 2), or with 3: x, y, confidence"
        )
    if array.shape[-1] == 3:
        confidence = array[..., 2] if confidence is None else confidence
        array = array[..., :2]
    if confidence is not None and (
        confidence.shape != array.shape[:-1] or confidence.dtype.kind not in "fiu"
    ):
        raise FormatError(
            f"{where}: confidence is {confidence.shape} of {confidence.dtype}, but should be "
            f"numbers, {array.shape[:-1]}, one a joint"
        )
    while array.ndim < 4:  # one frame, one person
        axis = 0 if array.ndim == 2 else 1
        array = np.expand_dims(array, axis)
        confidence = None if confidence is None else np.expand_dims(confidence, axis)
    return array, confidence


def _keypoints(
    array: np.ndarray,
    confidence: np.ndarray | None,
    stated: dict[str, np.ndarray],
    kind: str,
    source: KeypointSource,
) -> Keypoints:
    where = source.where
    size, fps = (
        stated[name].tolist() if name in stated else None for name in ("image_size", "fps")
    )
    source = source.of(kind, image_size=size, fps=fps)
    skeleton, places, unknown = _skeleton(stated, array.shape[2], source)
    filled: tuple[str, ...] = ()
    if places is None:
        array, confidence, filled = _from_front(array, confidence, skeleton)
    else:
        array, confidence = _ordered(array, confidence, len(skeleton), places)
    people = [plain(name) for name in stated.get("people", np.arange(array.shape[1])).ravel()]
    if len(people) != array.shape[1]:
        raise FormatError(
            f"{where}: names {counted(len(people), 'person', 'people')}, but keypoints are of "
            f"{array.shape[1]}"
        )
    line = plain(stated.get("source", ""), _LONGEST_SOURCE)
    source = replace(source.noting(unused(unknown)), stated=line)
    if kind == "npz" and confidence is None:
        confidence = _presence(array)
    if kind != "npz" or confidence is None or not _is_tidy(array, confidence):
        keypoints = finish(array, confidence, skeleton, source, people=people)
    else:
        keypoints = sourced(
            Keypoints(array, confidence, skeleton, source.image_size, source.fps, tuple(people)),
            source,
        )
    notes = tuple(map(str, stated["notes"].ravel())) if "notes" in stated else ()
    keypoints = replace(keypoints, notes=(*notes, *filled))
    return select_people(keypoints, source)


def _skeleton(
    stated: dict[str, np.ndarray], count: int, source: KeypointSource
) -> tuple[Skeleton, dict[int, int] | None, list[str]]:
    """Find the skeleton; where its joints are, if not in its order; and names that are none."""
    where, expected = source.where, source.skeleton
    name = str(stated["skeleton"]) if "skeleton" in stated else None
    if "joints" not in stated:
        if name is not None and expected is None:
            if name not in SKELETONS:
                raise FormatError(
                    f"{where}: states that its skeleton is {shown(name)}: known are "
                    f"{', '.join(SKELETONS)}; give the skeleton (--skeleton)"
                )
            source = replace(source, skeleton=SKELETONS[name])
        return skeleton_of(count, source), None, []
    joints = tuple(str(joint) for joint in stated["joints"].ravel())
    if len(joints) != count:
        raise FormatError(
            f"{where}: names {counted(len(joints), 'joint')}, but keypoints are of {count}"
        )
    known = next((each for each in SKELETONS.values() if each.joints == joints), None)
    if name in SKELETONS and SKELETONS[str(name)] is not known:
        raise FormatError(
            f"{where}: two skeletons in one: it states {plain(name)}, but its joints are "
            f"{known.name if known else 'named otherwise'}: correct one of them"
        )
    if known and expected and known is not expected:
        raise FormatError(
            f"{where}: its joints are those of {known.name}, not of {expected.name}: leave the "
            "skeleton out"
        )
    if known is not None:
        return known, None, []
    if {"parents", "centre"} <= set(stated):
        parents = tuple(stated["parents"].ravel().tolist())
        try:
            return Skeleton(name or "custom", joints, parents, str(stated["centre"])), None, []
        except (SkeletonError, TypeError) as error:
            raise FormatError(f"{where}: its skeleton is none: {reason(error)}") from error
    return recognise(joints, source)


def _from_front(
    array: np.ndarray, confidence: np.ndarray | None, skeleton: Skeleton
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Take the skeleton's joints, the first; those not seen are filled by the face's points.

    Returns:
        Views if nothing was filled; and a note of what was.
    """
    joints, first = len(skeleton), FIRST_POINT.get(array.shape[2])
    body, sure = array[:, :, :joints], None if confidence is None else confidence[:, :, :joints]
    if first is None or first < joints:  # none, or a skeleton of the caller's with all points
        return body, sure, ()
    own = np.ones(array.shape[:3]) if confidence is None else confidence
    head = skeleton.index(*FACE_JOINTS)
    if joints_seen(body[:, :, head], own[:, :, head]).all():
        return body, sure, ()
    triples = np.concatenate([array, own[..., None]], axis=-1)
    face = joints_of_face(triples[:, :, first:])
    filled, notes = fill_from_face(triples[:, :, :joints], face, skeleton)
    return filled[..., :2], filled[..., 2], notes


def _ordered(
    array: np.ndarray, confidence: np.ndarray | None, count: int, places: dict[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Put joints into a skeleton's order; those that the file lacks are missing."""
    positions = np.full((*array.shape[:2], count, 2), np.nan)
    positions[:, :, list(places)] = array[:, :, list(places.values())]
    known = np.zeros(positions.shape[:3])
    known[:, :, list(places)] = (
        1 if confidence is None else confidence[:, :, list(places.values())]
    )
    return positions, known


def _presence(array: np.ndarray) -> np.ndarray:
    """Make confidences: 1 where a joint has a position. They take memory only if one has none."""
    ones = np.broadcast_to(np.float32(1), array.shape[:-1])
    if all(np.isfinite(array[part]).all() for part in in_blocks(array)):
        return ones
    confidence = np.array(ones)
    for part in in_blocks(array):
        confidence[part] = np.isfinite(array[part]).all(axis=-1)
    return confidence


def _is_tidy(array: np.ndarray, confidence: np.ndarray) -> bool:
    """Say whether arrays of a file obey the rules of keypoints already; checked in chunks."""
    for each in (array, confidence):
        if each.dtype not in (np.float32, np.float64):
            return False
    for part in in_blocks(array, confidence):
        xy, c = array[part], confidence[part]
        missing = np.isnan(xy).all(axis=-1)
        seen = joints_seen(xy, c)
        if not ((seen != missing) & ((c == 0) == missing) & (c <= 1)).all():
            return False
    return True
