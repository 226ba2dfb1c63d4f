"""From positions of joints to how bones are turned: graphlift's rig, as its BVH and GLB have it.

The same rules as theirs, with NumPy alone and, of the twist of straight limbs, simpler ones: it is
smoothed over time, and its steps are not limited. So bones point exactly where they do in a GLB,
pelvis, chest, head and feet face where they do there, and thighs and upper arms may differ by
some degrees about themselves.

Here y is up, and the T-pose faces +z with its left at +x.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from graphlift.blender.motion import (
    CROWN,
    MotionError,
    bone_lengths,
    swing_to,
    turn_about,
    unit,
)

SEVENTEEN = (
    *("Hip", "RHip", "RKnee", "RFoot", "LHip", "LKnee", "LFoot", "Spine", "Thorax"),
    *("Neck/Nose", "Head", "LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist"),
)
"""The joints that the rig is made of."""

_TREE = """
Hips           .            Hip        -          0  0.1 0
Spine          Hips         Hip        Spine      0  1   0
Spine1         Spine        Spine      Thorax     0  1   0
Spine2         Spine1       Thorax     -          0  0   0
Neck           Spine2       Thorax     Neck/Nose  0  1   0
Head           Neck         Neck/Nose  Head       0  1   0
@LHipJoint     Hips         Hip        LHip       1  0   0
@LeftUpLeg     LHipJoint    LHip       LKnee      0 -1   0
@LeftLeg       LeftUpLeg    LKnee      LFoot      0 -1   0
@LeftFoot      LeftLeg      LFoot      -          0 -0.08 0.15
@LeftShoulder  Spine2       Thorax     LShoulder  1  0   0
@LeftArm       LeftShoulder LShoulder  LElbow     1  0   0
@LeftForeArm   LeftArm      LElbow     LWrist     1  0   0
@LeftHand      LeftForeArm  LWrist     -          0.08 0 0
"""
"""Bone, parent, joint where it starts, joint where it ends, and the direction at rest, or, where
no joint is at its end, the offset to it, m. @: the left of two."""

HUBS: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "Hips": {"LHip": (1, 0, 0), "RHip": (-1, 0, 0), "Spine": (0, 1, 0)},
    "Spine2": {"LShoulder": (1, 0, 0), "RShoulder": (-1, 0, 0), "Spine": (0, -1, 0)},
}
"""Where neighbours of a hub are at rest, seen from it."""

HINGES = {
    "LeftUpLeg": ((1.0, 0.0, 0.0), "LFoot"),
    "RightUpLeg": ((1.0, 0.0, 0.0), "RFoot"),
    "LeftArm": ((0.0, -1.0, 0.0), "LWrist"),
    "RightArm": ((0.0, 1.0, 0.0), "RWrist"),
}
"""The axis at rest about which the next joint bends, and the joint beyond it that shows it."""

STRAIGHT = np.sin(np.radians(15)) ** 4
"""The pull of the rest pose on the twist of a limb; a bend of the next joint pulls by the fourth
power of its sine."""
SHIN = 0.05
"""m; how much the side of the shin counts in that of the foot."""


@dataclass(frozen=True)
class Bone:
    """A bone of the rig; names as MotionBuilder and Mixamo have them."""

    name: str
    parent: str
    start: str
    tip: str
    rest: tuple[float, ...]


def _bones() -> tuple[Bone, ...]:
    rows = [line.split() for line in _TREE.split("\n") if line]
    for row in [row for row in rows if row[0][0] == "@"]:
        mirrored = [*map(_other_side, row[:4]), str(-float(row[4])), *row[5:]]
        rows.append(mirrored)
    return tuple(
        Bone(name.strip("@"), parent.strip("."), start, tip.strip("-"), tuple(map(float, rest)))
        for name, parent, start, tip, *rest in rows
    )


def _other_side(left: str) -> str:
    """Name the right of a left bone or joint."""
    name = left.strip("@")
    if name.startswith("Left"):
        return "Right" + name[4:]
    return "R" + name[1:] if name[0] == "L" else name


BONES = _bones()
NAMES = tuple(bone.name for bone in BONES)
PARENTS = tuple(NAMES.index(bone.parent) if bone.parent else -1 for bone in BONES)
STARTS = np.array([SEVENTEEN.index(bone.start) for bone in BONES])
TIPS = np.array([SEVENTEEN.index(bone.tip or bone.start) for bone in BONES])
ENDED = tuple(i for i in range(len(BONES)) if i not in PARENTS or i == 0)
"""Bones whose end no other bone shows: hips, head, hands and feet."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What shows how bones are turned beside the 17 joints, by bone; NaN where unknown.

    Args:
        fronts: Where the +z of the T-pose points, (frame, 3).
        sides: Where the left is, roughly, (frame, 3), m.
        weights: How much the front counts, (frame,): of a limb against the bend of the next joint,
            of pelvis and chest against the fit to the joints.
        ends: From the start to the end of the bone, (frame, 3), m.
    """

    fronts: dict[str, np.ndarray] = field(default_factory=dict)
    sides: dict[str, np.ndarray] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    ends: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Rigged:
    """The rig of one person, y up: arrays as in :class:`graphlift.blender.motion.Motion`."""

    rest_heads: np.ndarray
    rest_axes: np.ndarray
    lengths: np.ndarray
    heads: np.ndarray
    axes: np.ndarray


def rigged(joints: np.ndarray, present: np.ndarray, fps: float, shown: Shown) -> Rigged:
    """Fit the rig to a person.

    Args:
        joints: The 17, (frame, joint, 3), m; every number finite.
        present: Frames that count for lengths, (frame,), at least one.
        fps: Frames a second.
        shown: What else is known.
    """
    turns = solve(joints, fps, shown)
    spans = np.linalg.norm(joints[:, TIPS] - joints[:, STARTS], axis=-1)
    lengths = np.median(spans[present], axis=0)
    ends = {i: _end(i, joints, turns, lengths, shown, present) for i in ENDED}
    heads = np.zeros((len(BONES) + 1, 3))
    for i, above in enumerate(PARENTS):
        if above >= 0:
            along = np.array(BONES[above].rest) * lengths[above]
            heads[i] = heads[above] + (along if STARTS[i] != STARTS[above] else 0)
    head = NAMES.index("Head")
    heads[-1] = heads[head] + ends[head]
    axes = np.stack([_axes_along(ends.get(i, np.array(b.rest))) for i, b in enumerate(BONES)])
    tips = [*heads, *(heads[i] + end for i, end in ends.items())]
    drawn = bone_lengths(np.array(tips), axes, (*PARENTS, head, *ends), len(BONES))
    crown = np.s_[..., head : head + 1, :, :]
    moving = turns @ axes
    return Rigged(
        heads + joints[0, STARTS[0]],
        np.concatenate([axes, axes[crown]], axis=-3),
        np.append(drawn, drawn[head] / 4),
        joints[:, [*STARTS, TIPS[head]]],
        np.concatenate([moving, moving[crown]], axis=-3),
    )


RIG = (*NAMES, CROWN)
RIG_PARENTS = (*PARENTS, NAMES.index("Head"))


def _axes_along(rest: np.ndarray) -> np.ndarray:
    """Axes whose y runs along a bone, and whose z is as far in front as can be."""
    y = unit(rest if rest.any() else np.array([0.0, 1.0, 0.0]))
    x = unit(np.cross(y, (0.0, 0.0, 1.0)))
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def _end(
    bone: int,
    joints: np.ndarray,
    turns: np.ndarray,
    lengths: np.ndarray,
    shown: Shown,
    present: np.ndarray,
) -> np.ndarray:
    """Where a bone ends at rest, (3,), from its start: the median over the clip, if it shows."""
    name, rest = BONES[bone].name, np.array(BONES[bone].rest)
    if name in shown.fronts and bone:
        end = shown.ends.get(name)
        if end is None:
            end = joints[:, TIPS[bone]] - joints[:, STARTS[bone]]
        at_rest = np.einsum("fji,fj->fi", turns[:, bone], end)
        counts = present & np.isfinite(at_rest).all(axis=-1)
        if counts.any() and np.median(at_rest[counts], axis=0).any():
            return np.asarray(np.median(at_rest[counts], axis=0))
    return rest * (lengths[bone] if BONES[bone].tip else 1.0)


def solve(joints: np.ndarray, fps: float, shown: Shown) -> np.ndarray:
    """Find the turn of each bone in the world, (frame, bone, 3, 3), from the T-pose.

    Hubs are fitted to their neighbours, other bones turn as little as possible against their
    parent, and thighs and upper arms follow the bend of knees and elbows about themselves.
    """
    turns = np.empty((len(joints), len(BONES), 3, 3))
    for i, (bone, above) in enumerate(zip(BONES, PARENTS, strict=True)):
        here = joints[:, STARTS[i]]
        if bone.name in HUBS:
            goals = HUBS[bone.name]
            actual = np.stack([joints[:, SEVENTEEN.index(name)] - here for name in goals], axis=1)
            turns[:, i] = _fitted(np.array(list(goals.values()), float), unit(actual))
        elif not bone.tip:
            turns[:, i] = turns[:, above]
        else:
            against, rest = turns[:, above], np.array(bone.rest)
            along = unit(np.einsum("fji,fj->fi", against, joints[:, TIPS[i]] - here))
            swing = swing_to(rest, along)
            bend, front = None, None
            if bone.name in HINGES:
                beyond = joints[:, SEVENTEEN.index(HINGES[bone.name][1])] - joints[:, TIPS[i]]
                bend = np.cross(along, unit(np.einsum("fji,fj->fi", against, beyond)))
                if bone.name in shown.fronts:
                    front = np.nan_to_num(shown.fronts[bone.name])
                    front = np.einsum("fji,fj->fi", against, front)
                    front = front * np.nan_to_num(shown.weights[bone.name])[:, None]
            hinge = np.array(HINGES[bone.name][0] if bone.name in HINGES else (0.0, 0.0, 1.0))
            twist = twist_angles(rest, hinge, swing, bend, front, fps)
            turns[:, i] = against @ swing @ turn_about(rest, twist)
        if bone.name in shown.fronts and bone.name not in HINGES:
            turns[:, i] = _facing(bone, turns[:, i], shown)
    return turns


def _fitted(rest: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Rotations that take directions (bone, 3) nearest to others (frame, bone, 3).

    Source: Kabsch, "A solution for the best rotation to relate two sets of vectors", Acta
    Crystallographica A32, 1976.
    """
    U, _, Vt = np.linalg.svd(np.einsum("fbi,bj->fij", actual, rest))
    U[..., -1] *= np.where(np.linalg.det(U @ Vt) < 0, -1, 1)[:, None]
    return np.asarray(U @ Vt)


def _facing(bone: Bone, turns: np.ndarray, shown: Shown) -> np.ndarray:
    """Turn hips, chest, head or a foot so that it points along its front."""
    front, side = shown.fronts[bone.name], shown.sides.get(bone.name)
    z = _filled(turns, front)
    if bone.name in HUBS:
        known = np.isfinite(front).all(axis=-1)
        weight = over_gaps(np.where(known, shown.weights[bone.name], np.nan)[:, None])
        z = weight * z + (1 - weight) * turns[..., 2]
    z = unit(z)
    if side is None:
        x = turns[..., 0] if bone.name in HUBS else np.cross(turns[..., 1], z)
    else:
        x = _filled(turns, side) + (0 if bone.tip else SHIN) * turns[..., 0]
    x = unit(x - (x * z).sum(axis=-1, keepdims=True) * z)
    faced = np.stack([x, np.cross(z, x), z], axis=-1)
    has_side = (np.abs(x) > 0).any(axis=-1)[:, None, None]
    return np.where(has_side, faced, turns)


def _filled(turns: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Fill unknown vectors by interpolation, as seen from the turning bone."""
    local = over_gaps(np.einsum("fji,fj->fi", turns, vectors))
    return np.asarray(np.einsum("fij,fj->fi", turns, local))


def over_gaps(values: np.ndarray) -> np.ndarray:
    """Fill NaN over frames, (frame, ...): linearly, and with the nearest at the ends.

    Raises:
        MotionError: If a column has no number at all.
    """
    columns = np.array(values, dtype=float).reshape(len(values), -1)
    frames = np.arange(len(values))
    for column in columns.T:
        known = np.isfinite(column)
        if not known.any():
            raise MotionError("a joint has no position in any frame")
        column[~known] = np.interp(frames[~known], frames[known], column[known])
    return columns.reshape(values.shape)


def twist_angles(
    rest: np.ndarray,
    hinge: np.ndarray,
    swing: np.ndarray,
    bend: np.ndarray | None,
    front: np.ndarray | None,
    fps: float,
) -> np.ndarray:
    """Say by how much a bone turns about itself before its swing, rad.

    Angles are counted from parallel transport along the clip. In each frame the bend of the next
    joint pulls with the fourth power of its sine, a front that is known with its weight, and the
    rest pose a little; pulls are spread over time.

    Args:
        rest: Direction of the bone at rest, (3,).
        hinge: Across it, (3,), where the angle counts from.
        swing: Smallest turn from there, (frame, 3, 3), in the axes of the parent, as all below.
        bend: The axis of the bend, as long as its sine, (frame, 3), or None.
        front: Where the front points, as long as it counts, (frame, 3), or None.
        fps: Frames a second.
    """
    across = np.stack([hinge, np.cross(rest, hinge)])

    bone = swing @ rest
    carried, both = swing[:-1] @ across[0], bone[:-1] + bone[1:]
    apart = np.maximum(1 + (bone[:-1] * bone[1:]).sum(axis=-1, keepdims=True), 1e-9)
    carried = carried - (bone[1:] * carried).sum(axis=-1, keepdims=True) / apart * both
    drift = np.concatenate([[0.0], np.cumsum(np.angle(_in_plane(carried, swing[1:], across)))])
    unwind = np.exp(-1j * drift)
    pull = np.maximum((1 + bone @ rest) / 2, 1e-3).astype(complex)
    if bend is not None:
        shown = _in_plane(bend, swing, across)
        pull = STRAIGHT * pull + shown * np.abs(shown) ** 3
    if front is not None:
        pull = pull + _in_plane(front, swing, across) * np.conj(complex(*across[:, 2]))
    pull = pull * unwind
    response = 1 / 60 if front is None else 1 / 25
    towards = smoothed(np.maximum(np.abs(pull), 1e-3 * STRAIGHT), pull, (response * fps) ** 2)
    return np.asarray(np.unwrap(np.angle(towards)) + drift)


def _in_plane(vectors: np.ndarray, turns: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Express vectors across a bone as complex numbers; 1 is where the hinge is turned to."""
    x, y = np.einsum("fj,fja->af", vectors, turns @ across.T)
    return np.asarray(x + 1j * y)


def smoothed(weight: np.ndarray, weighted: np.ndarray, stiffness: float) -> np.ndarray:
    """Solve for the x that minimises sum w |x - v|^2 + stiffness * sum |x_t+1 - x_t|^2.

    By elimination along the clip: the matrix has three diagonals.

    Args:
        weight: Of each frame, w, positive, (frame,).
        weighted: The complex values times their weights, w v, (frame,).
        stiffness: Of the steps.
    """
    neighbours = np.full(len(weight), 2.0)
    neighbours[0] -= 1
    neighbours[-1] -= 1
    diagonal, values = (weight + stiffness * neighbours).tolist(), weighted.tolist()
    for frame in range(1, len(values)):
        share = stiffness / diagonal[frame - 1]
        diagonal[frame] -= share * stiffness
        values[frame] += share * values[frame - 1]
    values[-1] /= diagonal[-1]
    for frame in range(len(values) - 2, -1, -1):
        values[frame] = (values[frame] + stiffness * values[frame + 1]) / diagonal[frame]
    return np.asarray(values)
