"""Joints by their names in files: ``left_shoulder``, ``LShoulder``, ``shoulderL``."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.assembly import Detection
from graphlift.formats.face import named_points_of_face
from graphlift.formats.keypoint_source import KeypointSource, skeleton_of
from graphlift.skeletons import BODY_28, COCO_17, H36M_17, SKELETONS, Skeleton, joint_map
from graphlift.words import listed, plain

FEWEST = 6
"""Joints that must be recognised."""

_SIDED = (
    *("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Eye", "Ear", "EyeInner", "EyeOuter"),
    *("Mouth", "Pinky", "Index", "Thumb", "Heel", "BigToe", "SmallToe", "FootIndex", "Foot"),
)
_MIDLINE = {
    ("Nose",): "nose",
    ("Neck",): "neck midshoulder midshoulders",
    ("UpperNeck",): "upperneck",
    ("Head", "HeadTop"): "head",
    ("HeadTop",): "headtop tophead topofhead vertex crown",
    ("Neck/Nose",): "necknose neckbase",
    ("Thorax",): "thorax",
    ("Spine",): "spine midspine belly",
    ("Hip", "MidHip"): "hip hips midhip midhips pelvis root hipcenter hipcentre",
}


_COUNTED = re.compile(r"((?:key|land)?(?:joint|point|kpt?|mark|lm|node|pt)?[_ .-]?)([0-9]{1,4})")
"""A joint that has a number for a name."""


def recognise(
    names: Sequence[str], source: KeypointSource
) -> tuple[Skeleton, dict[int, int], list[str]]:
    """Find out which skeleton the named joints are of.

    Of all skeletons the one is taken that gives the most of the lifter's joints, then the most of
    the names, then has the fewest joints; body-28, the union of them, only if all of its joints
    are named. Names that only count, as ``0`` to ``32`` or
    ``landmark_0`` to ``landmark_32``, are the joints of the skeleton of so many, in its order.

    Args:
        names: As in the file, in any order.
        source: The file; the caller's skeleton is taken if there is one.

    Returns:
        The skeleton; for each of its joints that is named, by index, which of ``names`` it is;
        and the names that are none of its joints.

    Raises:
        FormatError: If too few names are joints of one skeleton; the message lists the others.
    """
    if places := _numbered(names):
        skeleton = skeleton_of(len(names), replace(source, usual=()))
        joints = {joint: places[joint] for joint in range(len(skeleton))}
        return skeleton, joints, [names[places[n]] for n in range(len(skeleton), len(names))]
    choices = [source.skeleton] if source.skeleton else list(SKELETONS.values())
    found = {skeleton.name: _matches(names, skeleton) for skeleton in choices}
    if source.skeleton is None and len(found[BODY_28.name]) < len(BODY_28):
        choices.remove(BODY_28)
    skeleton = max(choices, key=lambda each: _worth(each, found[each.name]))
    joints = found[skeleton.name]
    unknown = [name for place, name in enumerate(names) if place not in joints.values()]
    if len(joints) < FEWEST:
        example = source.skeleton or COCO_17
        raise FormatError(
            f"{source.where}: only {len(joints)} of {len(names)} body parts are joints of a "
            f"person (at least {FEWEST} are needed); not known: {listed(unknown, 40)}; "
            f"rename them as in {example.name}: {', '.join(example.joints)}"
        )
    return skeleton, joints, unknown


def order_by_name(
    detections: Iterable[Detection], names: Sequence[str], source: KeypointSource
) -> tuple[list[Detection], KeypointSource]:
    """Put detections whose joints are named into the order of the skeleton they are of.

    Returns:
        The detections, and the source with that skeleton and a note of the names not used.

    Raises:
        FormatError: As :func:`recognise`, or if a person has another number of joints.
    """
    skeleton, joints, unknown = recognise(names, source)
    face = named_points_of_face(names)
    in_face = {names[place] for place in face}
    unknown = [name for name in unknown if name not in in_face]
    ordered = []
    for each in detections:
        if len(each.joints) != len(names):
            raise FormatError(
                f"{source.where}: two skeletons in one: {len(names)} joints are named, but "
                f"{len(each.joints)} are in frame {each.frame}: split it by skeleton"
            )
        triples = np.zeros((len(skeleton), 3))
        triples[list(joints)] = each.joints[list(joints.values())]
        points = each.joints[face] if face else each.face
        ordered.append(replace(each, joints=triples, face=points))
    return ordered, replace(source.noting(unused(unknown)), skeleton=skeleton)


def unused(names: Sequence[str]) -> str:
    """Say which names are no joints, for a note; nothing if there are none."""
    rest = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"not used: {' '.join(plain(name, 40) for name in names[:10])}{rest}" if names else ""


def _numbered(names: Sequence[str]) -> dict[int, int]:
    """Give for each number from 0 the place of the name that ends in it, if names only count."""
    split = [_COUNTED.fullmatch(name.lower()) for name in names]
    prefixes = {match[1] if match else None for match in split}
    places = {int(match[2]): place for place, match in enumerate(split) if match}
    counts = sorted(places) == list(range(len(names)))
    return places if counts and len(prefixes) == 1 and len(names) >= FEWEST else {}


def _matches(names: Sequence[str], skeleton: Skeleton) -> dict[int, int]:
    """Give for each joint that is named the place of its name; the first of two counts."""
    joints: dict[int, int] = {}
    for place, name in enumerate(names):
        for candidate in _aliases().get(re.sub(r"[^a-z0-9]", "", name.lower()), ()):
            if candidate in skeleton.joints:
                joints.setdefault(skeleton.joints.index(candidate), place)
                break
    return joints


def _worth(skeleton: Skeleton, joints: dict[int, int]) -> tuple[int, int, int]:
    seen = np.isin(np.arange(len(skeleton)), list(joints))
    gives = int((joint_map(skeleton, H36M_17).choose(seen) >= 0).sum())
    return gives, len(joints), -len(skeleton)


@cache
def _aliases() -> dict[str, tuple[str, ...]]:
    aliases = {
        spelling: joints
        for joints, spellings in _MIDLINE.items()
        for spelling in spellings.split()
    }
    for part in _SIDED:
        word = part.lower()
        for letter, side in (("L", "left"), ("R", "right")):
            joints = (letter + part, f"{letter}Foot") if part == "Ankle" else (letter + part,)
            for spelling in (
                side + word,
                word + side,
                letter.lower() + word,
                word + letter.lower(),
            ):
                aliases[spelling] = joints
    return aliases
