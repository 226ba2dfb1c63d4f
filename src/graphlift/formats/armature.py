"""A rig of joint angles for the 17 joints: from positions to a T-pose and rotations along a tree.

The rest pose is a T-pose: y up, facing +z, so that the person's left is +x; arms along ±x, legs
down. Every bone has a node of its own, at the joint where it starts: the bones that leave the hip
and the thorax have one each, without length between them and the body, so that any motion of
constant bone lengths is reproduced exactly, however the pelvis bends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Float

from graphlift.geometry import chain_bones
from graphlift.skeletons import H36M_17

Vector = tuple[float, float, float]
Ends = Mapping[int, Float[np.ndarray, "3"]]
"""Where the bones of nodes end in the T-pose, from the node, m, as it was measured."""


class Positions(Protocol):
    """The 17 joints (frame, joint, 3), m, y up: an array, or what makes what is asked for."""

    def __len__(self) -> int:
        """Count the frames."""
        ...

    def __getitem__(self, index: Any, /) -> Any:  # noqa: ANN401
        """Give some frames, or a joint of some frames."""
        ...


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

_TRUNK = DEPTH_FIRST.index(next(i for i, node in enumerate(NODES) if node.name == "LHipJoint"))
ORDER = (0, *DEPTH_FIRST[_TRUNK:], *DEPTH_FIRST[1:_TRUNK])
"""Nodes in another such order, the legs before the trunk: none has to wait for long for those that
hang on it."""


def drop_used(held: dict[int, Any], node: int) -> None:
    """Drop what is held of nodes that nothing hangs on which comes after a node in ORDER."""
    later = {PARENTS[each] for each in ORDER[ORDER.index(node) + 1 :]}
    for each in set(held) - later:
        del held[each]


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

HUBS = {
    "Hips": {"LHip": _OUT, "RHip": (-1.0, 0.0, 0.0), "Spine": _UP},
    # The neck is left out: looking down does not bend the chest.
    "Spine2": {"LShoulder": _OUT, "RShoulder": (-1.0, 0.0, 0.0), "Spine": _DOWN},
}
"""Where neighbours of a hub are in the T-pose, seen from it."""


def bone_lengths(
    positions: Positions,
    counted: Bool[np.ndarray, " frame"] | None = None,
) -> Float[np.ndarray, " node"]:
    """Find the median length over the clip of each node's bone, m; 0 for nodes without a bone.

    Args:
        positions: The 17 joints.
        counted: Frames that count, at least one; all of them when left out.
    """
    lengths = np.zeros(len(NODES))
    for node, (at, tip) in enumerate(zip(AT, TIPS, strict=True)):
        if tip >= 0:
            length = np.linalg.norm(positions[:, tip] - positions[:, at], axis=-1)
            lengths[node] = np.median(length if counted is None else length[counted])
    return lengths


def rest_offsets(lengths: Float[np.ndarray, " node"]) -> Float[np.ndarray, "node 3"]:
    """Offset of each node from its parent in the T-pose, m; the root's is zero."""
    offsets = np.zeros((len(NODES), 3))
    for node, parent in enumerate(PARENTS):
        if parent >= 0 and AT[node] != AT[parent]:
            offsets[node] = lengths[parent] * np.array(NODES[parent].rest)
    return offsets


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
