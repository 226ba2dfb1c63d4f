"""A rig of joint angles for the 17 joints: from positions to a T-pose and rotations along a tree.

The rest pose is a T-pose: y up, facing +z, so that the person's left is +x; arms along ±x, legs
down. Every bone has a node of its own, at the joint where it starts: the bones that leave the hip
and the thorax have one each, without length between them and the body, so that any motion of
constant bone lengths is reproduced exactly, however the pelvis bends.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from graphlift.formats.guides import Guides
from graphlift.formats.twist import FRONT, solve_twist
from graphlift.formats.writing import interpolate
from graphlift.geometry import chain_bones, unit_vectors
from graphlift.skeletons import H36M_17

CHUNK = 4096
"""Frames whose turns are expressed against their parents' at once."""

SHIN = 0.05
"""m; how much the side of the shin counts in that of the foot, whose own is some 0.14 m long. More
loses ankles that are turned in; less lets noise of 2 cm roll a foot over.

Source: CMU validation people with bodies of :mod:`graphlift.bodies` and noise of 1 to 3 cm.
"""

Vector = tuple[float, float, float]
Ends = Mapping[int, Float[np.ndarray, "3"]]
"""Where the bones of nodes end in the T-pose, from the node, m, as it was measured."""


@dataclass(frozen=True)
class RigNode:
    """A node of the rig.

    Args:
        name: As MotionBuilder and Mixamo name it; ``LHipJoint`` and ``RHipJoint`` as CMU's BVH.
        parent: Its parent's name; the root's is empty.
        at: The joint that it sits on.
        tip: The joint that its bone leads to; a hub (hip, thorax) and hands and feet have none.
        rest: Direction of the bone in the T-pose; for hips, hands and feet, whose bone has no
            joint at its end, the offset to that end, m.
        hinge: Axis in the T-pose about which the next joint (knee, elbow) bends, right-handed.
        bend: The joint beyond it (ankle, wrist), which shows that axis.
    """

    name: str
    parent: str
    at: str
    tip: str = ""
    rest: Vector = (0.0, 0.0, 0.0)
    hinge: Vector | None = None
    bend: str = ""


_OUT, _UP, _DOWN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0)
_MIDDLE = (
    RigNode("Hips", "", "Hip", rest=(0.0, 0.1, 0.0)),
    RigNode("Spine", "Hips", "Hip", "Spine", _UP),
    RigNode("Spine1", "Spine", "Spine", "Thorax", _UP),
    RigNode("Spine2", "Spine1", "Thorax"),
    RigNode("Neck", "Spine2", "Thorax", "Neck/Nose", _UP),
    RigNode("Head", "Neck", "Neck/Nose", "Head", _UP),
)
_LEFT = (
    RigNode("LHipJoint", "Hips", "Hip", "LHip", _OUT),
    RigNode("LeftUpLeg", "LHipJoint", "LHip", "LKnee", _DOWN, (1.0, 0.0, 0.0), "LFoot"),
    RigNode("LeftLeg", "LeftUpLeg", "LKnee", "LFoot", _DOWN),
    RigNode("LeftFoot", "LeftLeg", "LFoot", rest=(0.0, -0.08, 0.15)),
    RigNode("LeftShoulder", "Spine2", "Thorax", "LShoulder", _OUT),
    RigNode("LeftArm", "LeftShoulder", "LShoulder", "LElbow", _OUT, (0.0, -1.0, 0.0), "LWrist"),
    RigNode("LeftForeArm", "LeftArm", "LElbow", "LWrist", _OUT),
    RigNode("LeftHand", "LeftForeArm", "LWrist", rest=(0.08, 0.0, 0.0)),
)


def _right(node: RigNode) -> RigNode:
    def name(left: str) -> str:
        return left.replace("Left", "Right", 1) if left.startswith("Left") else _swap(left)

    (x, y, z), hinge = node.rest, node.hinge
    return RigNode(
        name(node.name),
        name(node.parent),
        _swap(node.at),
        _swap(node.tip),
        (-x, y, z),
        hinge and (hinge[0], -hinge[1], -hinge[2]),  # an axis of turning mirrors the other way
        _swap(node.bend),
    )


def _swap(left: str) -> str:
    return f"R{left[1:]}" if left.startswith("L") else left


NODES = (*_MIDDLE, *_LEFT, *map(_right, _LEFT))
"""Parents before children, as listed; :data:`DEPTH_FIRST` is the order of a file that nests."""

PARENTS = tuple([n.name for n in NODES].index(n.parent) if n.parent else -1 for n in NODES)
AT = tuple(int(H36M_17.index(node.at)[0]) for node in NODES)
TIPS = tuple(int(H36M_17.index(node.tip)[0]) if node.tip else -1 for node in NODES)


def _descend(node: int) -> tuple[int, ...]:
    children = [child for child, parent in enumerate(PARENTS) if parent == node]
    return (node, *(below for child in children for below in _descend(child)))


DEPTH_FIRST = _descend(0)
"""Nodes in the order in which a nested file lists them."""

ENDS = {0: "Hips_End"} | {
    node: f"{NODES[node].name}_End".replace("Head_", "HeadTop_").replace("Foot_", "Toe_")
    for node in range(len(NODES))
    if node not in PARENTS
}
"""Nodes whose bone ends at no other node, and what Mixamo calls the end: head, hands and feet, and
the hips, whose bones all start on one spot, so that a tool that draws them finds no length."""


def _along(rest: Vector) -> np.ndarray:
    """Axes whose y runs along a bone and whose z is as far in front as can be; x, y, z columns."""
    y = np.array(rest if any(rest) else _UP)
    y /= np.linalg.norm(y)
    x = np.cross(y, (0.0, 0.0, 1.0))
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


BONE_AXES = np.stack([_along(node.rest) for node in NODES])
"""Each node's own axes in the T-pose (node, 3, 3), for files that draw bones along them: y along
the bone, z in front, so that elbows bend about x and knees about -x; a hub's are the world's."""

_HUBS = {
    "Hips": {"LHip": _OUT, "RHip": (-1.0, 0.0, 0.0), "Spine": _UP},
    # The neck is left out: looking down does not bend the chest.
    "Spine2": {"LShoulder": _OUT, "RShoulder": (-1.0, 0.0, 0.0), "Spine": _DOWN},
}
"""Where neighbours of a hub are in the T-pose, seen from it."""


def bone_lengths(positions: Float[np.ndarray, "frame joint 3"]) -> Float[np.ndarray, " node"]:
    """Median length over the clip of each node's bone, m; 0 for nodes without a bone."""
    tips = np.where(np.array(TIPS) < 0, AT, TIPS)  # a bone from a joint to itself has no length
    bones = positions[:, tips] - positions[:, AT]
    return np.asarray(np.median(np.linalg.norm(bones, axis=-1), axis=0))


def rest_offsets(lengths: Float[np.ndarray, " node"]) -> Float[np.ndarray, "node 3"]:
    """Offset of each node from its parent in the T-pose, m; the root's is zero."""
    offsets = np.zeros((len(NODES), 3))
    for node, parent in enumerate(PARENTS):
        if parent >= 0 and AT[node] != AT[parent]:
            offsets[node] = lengths[parent] * np.array(NODES[parent].rest)
    return offsets


def measured_ends(
    positions: Float[np.ndarray, "frame joint 3"],
    world: Float[np.ndarray, "frame node 3 3"],
    guides: Guides,
    present: Bool[np.ndarray, " frame"],
) -> dict[int, Float[np.ndarray, "3"]]:
    """Find where the bones of head and feet end: the median over the clip, in the T-pose.

    Args:
        positions: The 17 joints, m, y up.
        world: The nodes' turns.
        guides: Where feet end. A head that follows its front has its bone where that leaves it.
        present: Frames that count; all of them if none does.
    """
    counted = present if present.any() else np.ones_like(present)
    found = {}
    for i, node in enumerate(NODES):
        if node.name not in guides.fronts or i not in ENDS or i == 0:
            continue
        end = guides.ends.get(node.name)
        if end is None:
            end = positions[:, TIPS[i]] - positions[:, AT[i]]
        at_rest = np.einsum("fji,fj->fi", world[:, i], end)
        counts = counted & np.isfinite(at_rest).all(axis=-1)
        if counts.any():
            found[i] = np.median(at_rest[counts], axis=0)
    return found


def bone_axes(ends: Ends) -> Float[np.ndarray, "node 3 3"]:
    """Give each node's own axes in the T-pose: BONE_AXES, along the ends that were measured."""
    axes = BONE_AXES.copy()
    for node, end in ends.items():
        axes[node] = _along(tuple(end))
    return axes


def end_offset(
    node: int, lengths: Float[np.ndarray, " node"], ends: Ends | None = None
) -> Float[np.ndarray, "3"]:
    """Where a node's bone ends in the T-pose, from the node, m.

    Hips, hands and feet have no joint beyond them, and a stated length unless it was measured.
    """
    if ends and node in ends:
        return ends[node]
    measured = lengths[node] if NODES[node].tip else 1.0
    return np.asarray(measured * np.array(NODES[node].rest))


def rest_places(
    lengths: Float[np.ndarray, " node"], ends: Ends | None = None
) -> Float[np.ndarray, "place 3"]:
    """Place the nodes, and after them the :data:`ENDS`, in the T-pose about the root, m."""
    still = np.broadcast_to(np.eye(3), (1, len(NODES), 3, 3))
    nodes = follow(np.zeros((1, 3)), rest_offsets(lengths), still)[0]
    return np.concatenate([nodes, [nodes[end] + end_offset(end, lengths, ends) for end in ENDS]])


def solve_rotations(
    positions: Float[np.ndarray, "frame joint 3"], fps: float, guides: Guides | None = None
) -> Float[np.ndarray, "frame node 3 3"]:
    """Find the turn of each node in the world that takes its rest directions to the actual ones.

    Hubs are fitted to all their neighbours; other bones turn as little as possible against their
    parent, and the twist of thighs and upper arms follows the bend of knees and elbows as far as
    they are bent, without jumps over time (:mod:`graphlift.formats.twist`). Hands and feet keep
    the turn of forearm and shin. Where guides show a front, pelvis, chest, head and feet point
    there, the first two as far as it is sure, and the twist of thighs and upper arms follows it.

    Args:
        positions: The 17 joints of a whole clip, y up, every number finite.
        fps: Frames a second.
        guides: What is known beside the joints.
    """
    guides = Guides() if guides is None else guides
    world = np.empty((len(positions), len(NODES), 3, 3))
    for i, (node, parent) in enumerate(zip(NODES, PARENTS, strict=True)):
        here = positions[:, AT[i]]
        if node.name in _HUBS:
            goals = _HUBS[node.name]
            actual = positions[:, H36M_17.index(*goals)] - here[:, None]
            world[:, i] = _fit_rotation(np.array(list(goals.values())), actual)
        elif not node.tip:
            world[:, i] = world[:, parent]
        else:
            against = world[:, parent]
            bone = np.einsum("fji,fj->fi", against, positions[:, TIPS[i]] - here)
            turn = _swing(np.array(node.rest), _held(_unit(bone)))
            bend = None
            if node.bend:
                beyond = positions[:, H36M_17.index(node.bend)[0]] - positions[:, TIPS[i]]
                bend = np.cross(_unit(bone), _unit(np.einsum("fji,fj->fi", against, beyond)))
            front = _pulling(guides, node.name, against) if node.bend else None
            world[:, i] = against @ turn @ _twist(node, turn, bend, fps, front)
        if node.name in guides.fronts and not node.bend:
            world[:, i] = _facing(node, world[:, i], guides)
    return world


def local_rotations(world: Float[np.ndarray, "frame node 3 3"]) -> np.ndarray:
    """Express each node's turn against its parent's."""
    parents = np.array([max(parent, 0) for parent in PARENTS])
    local = world[:, parents].swapaxes(-1, -2) @ world
    local[:, 0] = world[:, 0]
    return np.asarray(local)


def follow(
    root: Float[np.ndarray, "frame 3"],
    offsets: Float[np.ndarray, "node 3"],
    world: Float[np.ndarray, "frame node 3 3"],
) -> Float[np.ndarray, "frame node 3"]:
    """Place the nodes by turns and constant offsets."""
    vectors = np.einsum("fnij,nj->fni", world[:, np.maximum(PARENTS, 0)], offsets)
    vectors[:, 0] = root
    return chain_bones(vectors, PARENTS, tuple(range(len(PARENTS))))


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Scale to length 1; 0 for one without length, or that is unknown."""
    return np.asarray(np.nan_to_num(unit_vectors(vectors)))


def _fit_rotation(rest: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Rotation that takes directions ``rest`` (bone, 3) nearest to ``actual`` (frame, bone, 3).

    Source: Kabsch, "A solution for the best rotation to relate two sets of vectors", Acta
    Crystallographica A32, 1976.
    """
    U, _, Vt = np.linalg.svd(np.einsum("fbi,bj->fij", _unit(actual), rest))
    U[..., -1] *= np.where(np.linalg.det(U @ Vt) < 0, -1, 1)[:, None]
    return np.asarray(U @ Vt)


def _held(directions: np.ndarray) -> np.ndarray:
    """Let a bone without length point as in the frame before, or in the first that shows it."""
    known = np.linalg.norm(directions, axis=-1) > 0
    first = int(np.argmax(known))  # 0 too if none is known
    frame = np.maximum.accumulate(np.where(known, np.arange(len(directions)), first))
    return np.asarray(directions[frame])


def _swing(rest: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Smallest rotation that takes the direction ``rest`` (3,) to ``goal`` (frame, 3).

    Straight back there is no smallest one, and close to it rounding decides about which axis the
    smallest one turns: there it is half a turn about z, or about x for a bone along z, and then
    the smallest rotation on to the goal. A bone that never has a length does not turn.
    """
    from scipy.spatial.transform import Rotation

    goal = np.where(goal.any(axis=-1, keepdims=True), goal, rest)
    back = goal @ rest <= -1 + 1e-9
    start = np.where(back[:, None], -rest, rest)
    on = np.column_stack([np.cross(start, goal), 1 + (start * goal).sum(axis=-1)])
    half = (1, 0, 0, 0) if abs(rest[2]) > 0.9 else (0, 0, 1, 0)
    first = np.where(back[:, None], half, (0, 0, 0, 1))
    return np.asarray((Rotation.from_quat(on) * Rotation.from_quat(first)).as_matrix())


def _pulling(guides: Guides, name: str, against: np.ndarray) -> np.ndarray | None:
    """Express a known front in the frame of the parent, as long as it counts."""
    if name not in guides.fronts:
        return None
    front = np.einsum("fji,fj->fi", against, np.nan_to_num(guides.fronts[name]))
    return np.asarray(front * guides.weights[name][:, None])


def _facing(node: RigNode, turns: np.ndarray, guides: Guides) -> np.ndarray:
    """Turn hips, chest, head or a foot so that it points along its front.

    A hub counts its fit to the joints, too. What is left open, the turn about the front, is for a
    hub that of the fit, for a foot from its sides and the shin, and for a head from its sides, or
    else so that its bone is as near as can be to where it is.
    """
    z, side = _carried(turns, guides.fronts[node.name]), guides.sides.get(node.name)
    if node.name in _HUBS:
        weight = interpolate(guides.weights[node.name])[:, None]
        z = weight * z + (1 - weight) * turns[..., 2]
    z = unit_vectors(z)
    if side is None:
        x = _across(turns[..., 0], z) if node.name in _HUBS else np.cross(turns[..., 1], z)
    else:
        x = _across(_carried(turns, side) + (0 if node.tip else SHIN) * turns[..., 0], z)
    x = unit_vectors(x)
    faced = np.stack([x, np.cross(z, x), z], axis=-1)
    return np.where(np.isfinite(faced).all(axis=(-2, -1), keepdims=True), faced, turns)


def _carried(turns: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Fill unknown vectors by interpolation, as seen from the turning node."""
    local = interpolate(np.einsum("fji,fj->fi", turns, vectors))
    return np.asarray(np.einsum("fij,fj->fi", turns, local))


def _across(vectors: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.asarray(vectors - (vectors * z).sum(axis=-1, keepdims=True) * z)


def _twist(
    node: RigNode,
    swing: np.ndarray,
    bend: np.ndarray | None,
    fps: float,
    front: np.ndarray | None,
) -> np.ndarray:
    """Turn a bone about its direction at rest, (frame, 3, 3)."""
    from scipy.spatial.transform import Rotation

    bone = np.array(node.rest)
    hinge = np.array(node.hinge or FRONT)
    angle = solve_twist(bone, hinge, swing, bend, fps, front)
    return np.asarray(Rotation.from_rotvec(np.outer(angle, bone)).as_matrix())
