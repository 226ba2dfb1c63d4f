"""What shows how segments of the body are turned, beside the rig's 17 joints.

The fronts of segments where poses have them; else, of a skeleton that has the 17 and more, the
face for the head, and heel and toes for the feet.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from graphlift.formats.writing import y_up
from graphlift.geometry import unit_vectors
from graphlift.mapped import BLOCK, in_blocks
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17, SOLE_HEIGHTS

SURE = np.radians(10)
"""A front of thigh or upper arm that is surer than this counts as much as a limb bent by a right
angle; one that is less sure, less by the square, and one that is surer, more."""
SUREST = np.radians(4)
"""No front of a limb is taken to be surer; one whose deviation is not known is as sure."""

NOSE = 0.6
"""Weight of the nose, and 1 - NOSE of the eyes, in the point at which a head looks from its ears:
one that is level looks level. Source: adults of :mod:`graphlift.bodies`, 0.4 +- 2.3 degrees."""
BIG_TOE = 0.6
"""Weight of the big toe, and 1 - BIG_TOE of the small one, in the point at which a foot points
from its heel: straight on in the T-pose. Source: the same, 0.4 +- 0.5 degrees."""

JOINTS = np.radians(15)
"""How far off the fit of pelvis and chest to the joints is taken to be: a front that is as unsure
counts half. Chosen on CMU validation people, at 3 cm and 12 degrees of noise."""

_NODES = ("Hips", "Spine2", "Head", "LeftArm", "RightArm", "LeftUpLeg", "RightUpLeg")
"""The rig's nodes whose fronts are FRONTS, in their order."""
_HUBS = ("Hips", "Spine2")
_WORDS = {"Hips": "pelvis", "Spine2": "chest", "Head": "head", "LeftArm": "upper arms",
          "LeftUpLeg": "thighs", "LeftFoot": "feet"}  # fmt: skip
_FACE = ("Nose", "LEye", "REye", "LEar", "REar")
_FOOT = ("Foot", "Heel", "BigToe", "SmallToe")
_SIDES = {"L": "Left", "R": "Right"}


Maker = Callable[[slice], np.ndarray]
"""What makes some frames of an array."""


class Asked(Mapping[str, np.ndarray]):
    """Arrays by name, each made, block by block, when it is asked for: of an hour it takes 4 MB.

    Args:
        frames: Of the clip.
        makers: What makes each.
    """

    def __init__(self, frames: int, makers: Mapping[str, Maker]) -> None:
        self._frames, self._makers = frames, makers

    def __getitem__(self, name: str) -> np.ndarray:
        make = self._makers[name]
        starts = range(0, max(self._frames, 1), BLOCK)
        return np.concatenate([make(slice(start, start + BLOCK)) for start in starts])

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


@dataclass(frozen=True, eq=False)
class Guides:
    """What shows how nodes of the rig are turned, by their names; y up, NaN where unknown.

    Args:
        fronts: Where the node's +z of the T-pose points.
        sides: Where its +x, the left, points, roughly; the longer, the surer, m.
        weights: How much the front counts: of a limb against the bend of the next joint, 0 to
            (SURE / SUREST)²; of pelvis and chest against the fit to the joints, 0 to 1.
        ends: From the node to where its bone ends, m.
    """

    fronts: Mapping[str, Float[np.ndarray, "frame 3"]] = field(default_factory=dict)
    sides: Mapping[str, Float[np.ndarray, "frame 3"]] = field(default_factory=dict)
    weights: Mapping[str, Float[np.ndarray, " frame"]] = field(default_factory=dict)
    ends: Mapping[str, Float[np.ndarray, "frame 3"]] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Name what is guided; empty if nothing is."""
        return ", ".join(word for node, word in _WORDS.items() if node in self.fronts)


def find_guides(poses: Poses, person: int) -> Guides:
    """Find what the poses show of one person's turns."""
    fronts: dict[str, Maker] = {}
    sides: dict[str, Maker] = {}
    weights: dict[str, Maker] = {}
    ends: dict[str, Maker] = {}
    # Only of a skeleton that has the 17 of the rig: no others' heads count.
    whole = set(H36M_17.joints) < set(poses.skeleton.joints)
    there = set(poses.skeleton.joints) if whole else set()
    if set(_FACE) <= there:
        fronts["Head"] = partial(_face_front, poses, person)
        sides["Head"] = partial(_left_of_face, poses, person)
    for letter, side in _SIDES.items():
        if {f"{letter}{part}" for part in _FOOT} <= there:
            node = f"{side}Foot"
            fronts[node] = partial(_foot_front, poses, person, letter)
            sides[node] = partial(_foot_side, poses, person, letter)
            ends[node] = partial(_foot_end, poses, person, letter)
    if poses.fronts is not None:
        for segment, node in enumerate(_NODES):
            if not np.isfinite(poses.fronts[:, person, segment]).any():
                continue
            fronts[node] = partial(_given_front, poses, person, segment)
            limb = node not in _HUBS
            weights[node] = partial(_weights, poses, person, segment, limb=limb)
    known = {
        node: make
        for node, make in fronts.items()
        if any(np.isfinite(make(part)).any() for part in in_blocks(poses.positions))
    }
    ended = {node: make for node, make in ends.items() if node in known}
    return Guides(*(Asked(len(poses), each) for each in (known, sides, weights, ended)))


def _joints(
    poses: Poses, person: int, names: Iterable[str], part: slice
) -> dict[str, Float[np.ndarray, "frame 3"]]:
    """Give joints in some frames, y up, by name."""
    found = {}
    for name in names:
        (joint,) = poses.skeleton.index(name)
        here = poses.positions[part, person, joint].astype(np.float64)
        found[name] = y_up(here, poses.axes)
    return found


def _given_front(
    poses: Poses, person: int, segment: int, part: slice
) -> Float[np.ndarray, "frame 3"]:
    assert poses.fronts is not None
    given = poses.fronts[part, person, segment].astype(np.float64)
    return unit_vectors(y_up(given, poses.axes))


def _face_front(poses: Poses, person: int, part: slice) -> Float[np.ndarray, "frame 3"]:
    at = _joints(poses, person, _FACE, part)
    eyes, ears = (at[f"L{name}"] / 2 + at[f"R{name}"] / 2 for name in ("Eye", "Ear"))
    return unit_vectors((1 - NOSE) * eyes + NOSE * at["Nose"] - ears)


def _left_of_face(poses: Poses, person: int, part: slice) -> Float[np.ndarray, "frame 3"]:
    at = _joints(poses, person, ("LEar", "REar"), part)
    return np.asarray(at["LEar"] - at["REar"])


def _foot(
    poses: Poses, person: int, letter: str, part: slice
) -> dict[str, Float[np.ndarray, "frame 3"]]:
    at = _joints(poses, person, [f"{letter}{name}" for name in _FOOT], part)
    return {name[1:]: place for name, place in at.items()}


def _foot_front(
    poses: Poses, person: int, letter: str, part: slice
) -> Float[np.ndarray, "frame 3"]:
    return _foot_axes(_foot(poses, person, letter, part), letter)[0]


def _foot_side(
    poses: Poses, person: int, letter: str, part: slice
) -> Float[np.ndarray, "frame 3"]:
    return _foot_axes(_foot(poses, person, letter, part), letter)[1]


def _foot_end(poses: Poses, person: int, letter: str, part: slice) -> Float[np.ndarray, "frame 3"]:
    foot = _foot(poses, person, letter, part)
    return np.asarray(_toes(foot) - foot["Foot"])


def _foot_axes(
    foot: Mapping[str, Float[np.ndarray, "frame 3"]], letter: str
) -> tuple[Float[np.ndarray, "frame 3"], Float[np.ndarray, "frame 3"]]:
    """Find where a foot points and where its left is; of one that stands flat both are level.

    It points from the heel to the toes, less how much higher than these the heel's point is on a
    flat foot. Its upper side is that of the ankle, and the one for which the small
    toe is outside.
    """
    toes = _toes(foot) - foot["Heel"]
    length = np.linalg.norm(toes, axis=-1, keepdims=True)
    along = unit_vectors(toes)
    up = unit_vectors(_across(foot["Foot"] - foot["Heel"], along))
    lower = SOLE_HEIGHTS["Heel"] - _toes(SOLE_HEIGHTS)
    sine = np.clip(np.divide(lower, length, out=np.zeros_like(length), where=length > 0), -1, 1)
    front = np.sqrt(1 - sine**2) * along + sine * up
    above = _across(foot["Foot"] - foot["Heel"], front)
    outside = (1 if letter == "L" else -1) * (foot["SmallToe"] - foot["BigToe"])
    return front, np.cross(above + np.cross(front, outside), front)


def _toes(foot: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Mix the toes: a foot's, or their heights above the floor."""
    return BIG_TOE * foot["BigToe"] + (1 - BIG_TOE) * foot["SmallToe"]


def _across(vectors: np.ndarray, axis: np.ndarray) -> np.ndarray:
    return np.asarray(vectors - (vectors * axis).sum(axis=-1, keepdims=True) * axis)


def _weights(
    poses: Poses, person: int, segment: int, part: slice, *, limb: bool
) -> Float[np.ndarray, " frame"]:
    """Say how much a front counts in each frame: in full where its deviation is not known."""
    assert poses.fronts is not None
    known = np.isfinite(poses.fronts[part, person, segment]).all(axis=-1)
    sigma = np.zeros(len(known))
    if poses.front_sigma is not None:
        sigma = np.nan_to_num(poses.front_sigma[part, person, segment].astype(np.float64))
    if limb:
        return np.where(known, (SURE / np.maximum(sigma, SUREST)) ** 2, 0.0)
    return np.where(known, 1 / (1 + (sigma / JOINTS) ** 2), np.nan)
