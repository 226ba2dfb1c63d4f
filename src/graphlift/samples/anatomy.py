"""People of every body in poses new and old: what the 28-joint networks are trained on.

From the turns of segments (:mod:`graphlift.datasets.mocap.turns`): other people's arms, legs,
trunks and heads are put together, bodies of all ages and proportions take the place of the few
that were recorded, and some people lie, hang or stand on their heads. All of it is determined by a
random generator.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from graphlift.bodies import SEGMENTS, Body, fronts, load_bodies, place_joints, place_points
from graphlift.datasets.mocap.turns import Motion
from graphlift.samples.angles import vary_angles
from graphlift.sequences import FRONTS
from graphlift.skeletons import H36M_17

_MOST = {"shifts": 5.0, "size": 0.3, "bones": 0.3, "detectors": 0.05, "angles": 45.0}
"""Largest values of what is not a share."""


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """How people and the definitions of their joints vary; each share is a chance from 0 to 1.

    Args:
        bodies: Share of people on a body of the table instead of their own, varied.
        size: Standard deviation of the size of their own bodies, as a share.
        bones: The same of each of their bones, left and right alike.
        recombine: Share of people who have some limbs, the trunk or the head of others.
        angles: How far joint angles lie from recorded ones, degrees
            (:func:`graphlift.samples.angles.vary_angles`).
        tilted: Share of people who are tilted as a whole: who lie, hang, stand on their heads.
        balance: How rare poses are drawn, from 0, in proportion to how many there are, to 1, as
            often as common ones.
        captured: Share of examples whose keypoints are the joints of a system of motion capture;
            the others' are what a detector finds.
        shifts: How far such systems' definitions of the joints lie from ours, as a multiple of
            :data:`graphlift.samples.definitions.SHIFTS`.
        as_ours: Share of captured examples that have our definition itself.
        detectors: How far detectors' definitions of the points differ from COCO's, m, standard
            deviation.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}
    bodies: float = 0.6
    size: float = 0.05
    bones: float = 0.04
    recombine: float = 0.4
    angles: float = 0.0
    tilted: float = 0.14
    balance: float = 0.5
    captured: float = 0.4
    shifts: float = 1.0
    as_ours: float = 0.4
    detectors: float = 0.008

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            most = _MOST.get(name, 1.0)
            if not 0 <= value <= most:
                raise ValueError(f"{name} must be from 0 to {most:g}")


@dataclass(frozen=True, eq=False)
class Figures:
    """People in the world's axes, hip at the origin of x and y.

    Args:
        joints: m, the 17 joints by our definition.
        points: m, the points of the surface.
        turns: Of their segments.
        fronts: Unit vectors of :data:`graphlift.sequences.FRONTS`; NaN where not known.
        stature: m.
    """

    joints: Float[np.ndarray, "frame joint 3"]
    points: Float[np.ndarray, "frame point 3"]
    turns: Float[np.ndarray, "frame segment 3 3"]
    fronts: Float[np.ndarray, "frame front 3"]
    stature: Float[np.ndarray, " frame"]

    def moved(self, rotation: Float[np.ndarray, "frame 3 3"], shift: np.ndarray) -> "Figures":
        """Rotate about the origin, then shift."""
        Rt = rotation.swapaxes(-1, -2)
        return replace(
            self,
            joints=self.joints @ Rt + shift[:, None],
            points=self.points @ Rt + shift[:, None],
            turns=rotation[:, None] @ self.turns,
            fronts=self.fronts @ Rt,
        )


_PARTS = ("pelvis", "trunk", "head", "left arm", "right arm", "left leg", "right leg")


def _part(name: str) -> int:
    """The part of the body that a segment or a joint belongs to."""
    if name in ("Pelvis", "Hip", "RHip", "LHip"):
        return _PARTS.index("pelvis")
    if name in ("Chest", "Spine", "Thorax"):
        return _PARTS.index("trunk")
    if name in ("Head", "Neck/Nose"):
        return _PARTS.index("head")
    arm = name[1:] in ("UpperArm", "Forearm", "Hand", "Shoulder", "Elbow", "Wrist")
    return _PARTS.index(f"{'left' if name[0] == 'L' else 'right'} {'arm' if arm else 'leg'}")


_PART_OF_SEGMENT = np.array([_part(name) for name in SEGMENTS])
_PART_OF_JOINT = np.array([_part(name) for name in H36M_17.joints])
_PELVIS, _CHEST = SEGMENTS.index("Pelvis"), SEGMENTS.index("Chest")
_ON_CHEST = np.array(
    [_PARTS[part] in ("head", "left arm", "right arm") for part in _PART_OF_SEGMENT]
)
_AGAINST = np.where(_ON_CHEST, _CHEST, _PELVIS)
"""The segment against which a segment's turn is taken from another person."""

_PATTERNS = np.array(
    [  # pelvis, trunk, head, two arms, two legs: 1 and 2 are two other people
        (0, 1, 1, 1, 1, 0, 0), (0, 1, 1, 1, 1, 0, 0), (0, 0, 0, 1, 1, 0, 0),
        (0, 0, 0, 1, 0, 0, 0), (0, 0, 0, 0, 1, 0, 0), (0, 0, 0, 1, 2, 0, 0),
        (0, 0, 1, 0, 0, 0, 0), (0, 0, 0, 0, 0, 1, 0), (0, 0, 0, 0, 0, 0, 1),
        (0, 0, 0, 0, 0, 1, 2), (0, 1, 1, 2, 1, 0, 0), (0, 1, 2, 1, 2, 0, 0),
    ]
)  # fmt: skip
"""Which parts of a person are another's: whole halves and single limbs."""

_CLEAR = 0.09
"""m, from an elbow, wrist, knee or ankle to the line from the hips to the thorax: recorded
people's are hardly ever nearer, so recombined people whose are have a limb in their trunk."""


def draw_figures(
    motion: Motion,
    drawn: Int[np.ndarray, " frame"],
    anatomy: Anatomy,
    weights: Float[np.ndarray, " frame"],
    rng: np.random.Generator,
    *,
    upper: bool = False,
    frames: int = 1,
) -> Figures:
    """Draw people: their poses put together, their bodies, and how they are tilted.

    Args:
        motion: Frames to draw from.
        drawn: Of these, one for each person.
        anatomy: How people vary.
        weights: Chance of each frame to lend a part.
        rng: Random generator.
        upper: Whether recombined people have all above the pelvis from another.
        frames: How many frames of each person, from the one drawn on: they must follow in the same
            clip, also those of frames that may lend a part.

    Returns:
        The frames of one person after those of another.
    """
    body, stature = _bodies(motion, drawn, anatomy, rng, frames)
    sources = _sources(motion, drawn, anatomy, weights, rng, upper=upper)
    following = np.arange(frames)
    sources = (sources[:, None] + following[:, None]).reshape(-1, sources.shape[1])
    drawn = (drawn[:, None] + following).reshape(-1)
    turns, directions = _assemble(motion, sources)
    if anatomy.angles:
        turns = vary_angles(turns, anatomy.angles, rng, frames)
    joints = place_joints(turns, directions, body)
    spoilt = _through_itself(joints)
    spoilt = np.repeat(spoilt.reshape(-1, frames).any(axis=1), frames)
    sources[spoilt] = drawn[spoilt, None]
    at = np.flatnonzero(spoilt)
    turns[at], directions[at] = _assemble(motion, sources[at])
    joints[at] = place_joints(turns[at], directions[at], Body(body.lengths[at], body.points[at]))
    facing = fronts(turns, *FRONTS).astype(np.float64)
    parts = [_PART_OF_SEGMENT[SEGMENTS.index(name)] for name in FRONTS]
    known = motion.fronts_known[sources[:, parts], np.arange(len(FRONTS))]
    figures = Figures(
        joints=joints,
        points=place_points(turns, joints, body),
        turns=turns,
        fronts=np.where(known[..., None], facing, np.nan),
        stature=stature,
    )
    leg = body.lengths[:, _LEG].sum(axis=1) / np.maximum(
        motion.lengths[drawn][:, _LEG].sum(1), 0.1
    )
    path = motion.root[drawn].reshape(-1, frames, 3).astype(np.float64)
    path[..., :2] -= path[:, [frames // 2], :2]
    return _tilted(figures, path.reshape(-1, 3) * leg[:, None], anatomy, rng, frames)


_LEG = H36M_17.index("RKnee", "RFoot")
_TRUNK = H36M_17.index("Spine", "Thorax", "RKnee", "RFoot")


def _bodies(
    motion: Motion, drawn: np.ndarray, anatomy: Anatomy, rng: np.random.Generator, frames: int
) -> tuple[Body, np.ndarray]:
    """Choose each person's body; the points of their own bodies are a stranger's, to scale."""
    count = len(drawn)
    table = load_bodies()
    people = rng.integers(len(table), size=count)
    body = table.of(people)
    own = motion.lengths[drawn].astype(np.float64)
    scale = own[:, _TRUNK].sum(axis=1) / body.lengths[:, _TRUNK].sum(axis=1)
    each = 1 + anatomy.bones * rng.standard_normal((count, len(H36M_17)))
    left = H36M_17.mirror > np.arange(len(H36M_17))
    each[:, left] = each[:, H36M_17.mirror[left]]
    size = np.clip(1 + anatomy.size * rng.standard_normal((count, 1)), 0.6, 1.5)
    scale *= size[:, 0]
    theirs = rng.random(count) < anatomy.bodies
    lengths = np.where(theirs[:, None], body.lengths, own * np.clip(each, 0.8, 1.2) * size)
    points = body.points * np.where(theirs, 1, scale)[:, None, None]
    stature = table.stature[people] * np.where(theirs, 1, scale)
    lengths, points, stature = (np.repeat(a, frames, axis=0) for a in (lengths, points, stature))
    return Body(lengths, points), stature


def _sources(
    motion: Motion,
    drawn: np.ndarray,
    anatomy: Anatomy,
    weights: np.ndarray,
    rng: np.random.Generator,
    *,
    upper: bool,
) -> np.ndarray:
    """Choose the frame that each part of each person is from."""
    count = len(drawn)
    others = rng.choice(len(motion), size=(count, 2), p=weights)
    people = np.concatenate([drawn[:, None], others], axis=1)
    pattern = _PATTERNS[rng.integers(1 if upper else len(_PATTERNS), size=count)]
    mixed = rng.random(count) < anatomy.recombine
    return np.take_along_axis(people, np.where(mixed[:, None], pattern, 0), axis=1)


def _assemble(motion: Motion, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put parts together: their turns against the chest or the pelvis are kept."""
    frames = sources[:, _PART_OF_SEGMENT]
    own = motion.turns[frames, np.arange(len(SEGMENTS))]
    against = motion.turns[frames, _AGAINST]
    turns = against.swapaxes(-1, -2) @ own
    pelvis = own[:, [_PELVIS]]
    turns[:, [_CHEST]] = pelvis @ turns[:, [_CHEST]]
    turns[:, _ON_CHEST] = turns[:, [_CHEST]] @ turns[:, _ON_CHEST]
    legs = ~_ON_CHEST
    legs[[_PELVIS, _CHEST]] = False
    turns[:, legs] = pelvis @ turns[:, legs]
    turns[:, [_PELVIS]] = pelvis
    directions = motion.directions[sources[:, _PART_OF_JOINT], np.arange(len(H36M_17))]
    return turns, directions


_ENDS = H36M_17.index("LElbow", "LWrist", "RElbow", "RWrist", "LKnee", "LFoot", "RKnee", "RFoot")


def _through_itself(joints: np.ndarray) -> np.ndarray:
    """Mark people with a limb in their own trunk."""
    hip, thorax = (joints[:, [joint]] for joint in H36M_17.index("Hip", "Thorax"))
    axis = thorax - hip
    away = joints[:, _ENDS] - hip
    share = np.clip((away * axis).sum(-1) / np.maximum((axis**2).sum(-1), 1e-9), 0, 1)
    gap = np.linalg.norm(away - share[..., None] * axis, axis=-1)
    return np.asarray((gap < _CLEAR).any(axis=1))


_LYING, _INVERTED = 0.5, 0.25
"""Shares of tilted people who lie, and who are upside down; the others are tilted anyhow."""


def _tilted(
    figures: Figures, path: np.ndarray, anatomy: Anatomy, rng: np.random.Generator, frames: int
) -> Figures:
    """Move people along their path above the floor; tilt some, who stay where they are."""
    count = len(path) // frames
    tilted = rng.random(count) < anatomy.tilted
    kind = rng.random(count)
    degrees = np.where(
        kind < _LYING,
        rng.normal(90, 15, count),
        np.where(
            kind < _LYING + _INVERTED, rng.normal(180, 20, count), rng.uniform(20, 340, count)
        ),
    )
    R = turn_about_level(rng.uniform(0, 2 * np.pi, count), np.radians(degrees * tilted))
    moved = figures.moved(np.repeat(R, frames, axis=0), np.zeros_like(path))
    lowest = np.minimum(moved.joints[..., 2].min(axis=1), moved.points[..., 2].min(axis=1))
    above = rng.uniform(0, 1, count) * rng.integers(0, 2, count)
    lying = np.zeros((count, frames, 3))
    lying[..., 2] = (above - lowest.reshape(count, frames).min(axis=1))[:, None]
    shift = np.where(np.repeat(tilted, frames)[:, None], lying.reshape(-1, 3), path)
    return moved.moved(np.broadcast_to(np.eye(3), (len(path), 3, 3)), shift)


def turn_about_level(
    bearing: Float[np.ndarray, " frame"], angle: Float[np.ndarray, " frame"]
) -> Float[np.ndarray, "frame 3 3"]:
    """Rotations by an angle, rad, about the level axis of each bearing from x, rad."""
    from scipy.spatial.transform import Rotation

    axis = np.stack([np.cos(bearing), np.sin(bearing), np.zeros(len(bearing))], axis=-1)
    return np.asarray(Rotation.from_rotvec(angle[:, None] * axis).as_matrix())
