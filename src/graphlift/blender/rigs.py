"""Rigs of others: which of their bones follow which of ours, by the names of their bones."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from graphlift.blender.motion import MotionError, brief


@dataclass(frozen=True)
class Follow:
    """A bone of a rig that follows one of ours.

    Args:
        bone: Its name.
        source: Ours.
        stage: Bones of a stage hang on bones of those before, and not on each other.
        towards: The next joint of the rig, and of ours: the limb between points where ours does.
            Empty for a bone that turns as ours does from rest, wherever it points.
    """

    bone: str
    source: str
    stage: int
    towards: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Rig:
    """What a rig is called, its bones that follow, and its switches.

    Args:
        title: For messages.
        follows: The first is the root, which takes the place of the pelvis, too.
        switches: Custom properties that are set to 1: (bone, property).
    """

    title: str
    follows: tuple[Follow, ...]
    switches: tuple[tuple[str, str], ...] = ()

    def bone(self, source: str) -> str:
        """The first bone that follows one of ours."""
        return next(each.bone for each in self.follows if each.source == source)


OURS = {
    *("Hips", "Spine2", "Neck", "Head", "LHipJoint", "RHipJoint"),
    *(f"{side}{limb}" for side in ("Left", "Right")
      for limb in ("UpLeg", "Leg", "Foot", "Arm", "ForeArm", "Hand")),
}  # fmt: skip
"""Bones by which an armature that was imported is recognised."""

_MIXAMO_PREFIX = re.compile(r"^(.*:|mixamorig\d*_?)")

_TRUNKS: Mapping[str, tuple[tuple[str, str, int], ...]] = {
    "Mixamo": (
        ("Hips", "Hips", 0), ("Spine", "Spine", 1), ("Spine1", "Spine1", 2),
        ("Spine2", "Spine2", 3),
    ),
    "Rigify's metarig": (
        ("spine", "Hips", 0), ("spine.001", "Spine", 1), ("spine.002", "Spine1", 2),
        ("spine.003", "Spine2", 3),
    ),
    "Rigify": (("torso", "Hips", 0), ("chest", "Spine2", 1)),
}  # fmt: skip
"""Bone, ours, and stage, of pelvis, spine and chest."""

_HEADS: Mapping[str, tuple[Follow, ...]] = {
    "Mixamo": (
        Follow("Neck", "Neck", 4, ("Head", "Head")),
        Follow("Head", "Head", 6),
    ),
    "Rigify's metarig": (
        Follow("spine.004", "Neck", 4, ("spine.006", "Head")),
        Follow("spine.006", "Head", 6),
    ),
    "Rigify": (
        Follow("neck", "Neck", 4, ("head", "Head")),
        Follow("head", "Head", 6),
    ),
}

_LIMBS: Mapping[str, Mapping[str, str]] = {
    "Mixamo": {
        "Arm": "@Arm", "ForeArm": "@ForeArm", "Hand": "@Hand", "UpLeg": "@UpLeg", "Leg": "@Leg",
        "Foot": "@Foot",
    },
    "Rigify's metarig": {
        "Arm": "upper_arm.@", "ForeArm": "forearm.@", "Hand": "hand.@", "UpLeg": "thigh.@",
        "Leg": "shin.@", "Foot": "foot.@",
    },
    "Rigify": {
        "Arm": "upper_arm_fk.@", "ForeArm": "forearm_fk.@", "Hand": "hand_fk.@",
        "UpLeg": "thigh_fk.@", "Leg": "shin_fk.@", "Foot": "foot_fk.@",
    },
}  # fmt: skip
"""Ours without its side, and the rig's, @ for its word of the side."""

_SIDES = {"Mixamo": ("Left", "Right"), "Rigify's metarig": ("L", "R"), "Rigify": ("L", "R")}
_OPTIONAL = {"Spine", "Spine1", "Spine2"}
"""Ours that a rig may have no bone for."""


def find_rig(names: Collection[str], armature: str) -> Rig:
    """Recognise a rig by the names of its bones.

    Args:
        names: Of the bones.
        armature: The name of the armature, for the message.

    Raises:
        MotionError: If it is of no known kind; says which bones the nearest kind would have.
    """
    plain = {_MIXAMO_PREFIX.sub("", name): name for name in sorted(names, key=len, reverse=True)}
    known = {"Rigify": {name: name for name in names},
             "Rigify's metarig": {name: name for name in names}, "Mixamo": plain}  # fmt: skip
    lacking = {}
    for title, found in known.items():
        rig, missing = _rig(title, found)
        if not missing:
            return rig
        lacking[title] = missing
    nearest = min(lacking, key=lambda title: len(lacking[title]))
    raise MotionError(
        f"{brief(armature)}: is of no known rig: nearest is {nearest}, but it has no bones "
        f"{', '.join(lacking[nearest][:6])}: make the rig's armature the active object, or rename "
        "its bones"
    )


def _rig(title: str, found: Mapping[str, str]) -> tuple[Rig, list[str]]:
    """Make the rig of a kind, and list the bones that are missing for it."""
    follows = [Follow(bone, source, stage) for bone, source, stage in _TRUNKS[title]]
    follows += _HEADS[title]
    limbs = _LIMBS[title]
    for ours, word in zip(("Left", "Right"), _SIDES[title], strict=True):
        for first, second, last in (("Arm", "ForeArm", "Hand"), ("UpLeg", "Leg", "Foot")):
            near, middle, far = (limbs[part].replace("@", word) for part in (first, second, last))
            follows.append(Follow(near, ours + first, 4, (middle, ours + second)))
            follows.append(Follow(middle, ours + second, 5, (far, ours + last)))
            if last == "Foot":
                follows.append(Follow(far, ours + last, 6))
    switches = [
        (f"{limb}_parent.{side}", "IK_FK")
        for limb in ("upper_arm", "thigh")
        for side in "LR"
        if title == "Rigify"
    ]
    needed = {each.bone for each in follows if each.source not in _OPTIONAL}
    needed |= {each.towards[0] for each in follows if each.towards[0]}
    missing = sorted(needed - set(found))
    there = [each for each in follows if each.bone in found]
    own = tuple(
        Follow(found[e.bone], e.source, e.stage, (found.get(e.towards[0], ""), e.towards[1]))
        for e in there
    )
    return Rig(title, own, tuple(switches)), missing
