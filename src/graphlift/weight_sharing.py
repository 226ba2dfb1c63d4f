"""The five ways of sharing weights over the edges of the body graph.

A graph convolution sums, for every joint *i*, messages from its neighbours *j* (itself included):

    h'_i = sum over j of  a_ij W_s(i,j) h_j

The five methods of the study differ in one thing only: which weight matrix *s(i, j)* an edge uses.
So a method is a map from edges to weight slots, and the rest of the network is the same for all.

Source: Liu et al., "A Comprehensive Study of Weight Sharing in Graph Networks for 3D Human Pose
Estimation", ECCV 2020.
"""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from graphlift.errors import ModelError
from graphlift.graph import BodyGraph
from graphlift.skeletons import Skeleton

Sharing = Literal[
    "full-sharing", "pre-aggregation", "post-aggregation", "no-sharing", "convolution-style"
]
METHODS: tuple[Sharing, ...] = get_args(Sharing)
DECOUPLED: tuple[Sharing, ...] = ("full-sharing", "pre-aggregation", "post-aggregation")
"""Methods whose self-connections can be decoupled; the other two do so by definition."""
FEW: tuple[Sharing, ...] = ("full-sharing", "convolution-style")
"""Methods with at most three matrices, whatever the number of joints."""

VARIANTS: tuple[tuple[Sharing, bool], ...] = (
    *((method, False) for method in METHODS),
    *((method, True) for method in DECOUPLED),
)
"""The study's eight: five methods, then three with decoupled self-connections."""


def weight_slots(
    graph: BodyGraph, sharing: Sharing, *, decouple_self: bool = False
) -> Int[np.ndarray, " edge"]:
    """Choose the weight matrix that each edge uses.

    Args:
        graph: The body graph.
        sharing: The method, by the paper's name.
        decouple_self: Give self-connections weights of their own: the slots of self-connections
            then follow those of the other edges.

    Returns:
        One slot per edge, from 0 without gaps; equal slots share a weight matrix.

    Raises:
        ModelError: If there is no such method, or ``decouple_self`` is asked of one of the two
            that decouple by definition.
    """
    match sharing:
        case "full-sharing":
            slots = np.zeros_like(graph.target)
        case "pre-aggregation":  # by the joint that sends: transform, then aggregate
            slots = graph.source
        case "post-aggregation":  # by the joint that receives: aggregate, then transform
            slots = graph.target
        case "no-sharing":
            slots = np.arange(graph.target.size)
        case "convolution-style":  # by displacement: 0 itself, 1 from farther out, 2 from nearer
            hops = hops_from_centre(graph.skeleton)
            slots = (hops[graph.source] - hops[graph.target]) % 3
        case _:
            raise ModelError(f"no method is named {sharing!r}: use one of {', '.join(METHODS)}")
    if not decouple_self:
        return slots
    if sharing not in DECOUPLED:
        raise ModelError(f"{sharing} already decouples self-connections: drop decouple_self")
    return np.where(graph.itself, slots + slots.max() + 1, slots)


def edges_of_slots(
    graph: BodyGraph, slots: Int[np.ndarray, " edge"]
) -> Float[np.ndarray, "slot joint joint"]:
    """Mark the edges of each weight matrix, as 1 among 0; rows are the joints that receive.

    Args:
        graph: The body graph.
        slots: From :func:`weight_slots`.
    """
    joints = len(graph.skeleton)
    marks = np.zeros((int(slots.max()) + 1, joints, joints), np.float32)
    marks[slots, graph.target, graph.source] = 1
    return marks


def hops_from_centre(skeleton: Skeleton) -> Int[np.ndarray, " joint"]:
    """Count the bones between each joint and the skeleton's centre."""
    hops = np.full(len(skeleton), len(skeleton))
    hops[skeleton.joints.index(skeleton.centre)] = 0
    for _ in skeleton.bones:  # a path is no longer than the number of bones
        for parent, child in skeleton.bones:
            hops[parent] = min(hops[parent], hops[child] + 1)
            hops[child] = min(hops[child], hops[parent] + 1)
    return hops
