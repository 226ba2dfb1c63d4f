"""The graph convolution in fewer operations: equal to its definition but for rounding.

:func:`weighted_sum` evaluates the sum of
:class:`graphlift.nn.graph_conv.GraphConv` in another order, where the method allows it. Networks
are evaluated and exported so; what they are trained by is :mod:`graphlift.nn.fused`. Tests check
that both equal the definition, in value and in gradient.
"""

from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.graph import BodyGraph
from graphlift.weight_sharing import DECOUPLED, Sharing, weight_slots


@runtime_checkable
class Convolution(Protocol):
    """Attributes of :class:`graphlift.nn.graph_conv.GraphConv` that are used; documented there."""

    graph: BodyGraph
    sharing: Sharing
    decouple_self: bool
    joints: int
    weight: nn.Parameter
    bias: nn.Parameter

    def affinities(self) -> Tensor:
        """The affinities as a matrix."""


def weighted_sum(
    conv: Convolution, x: Float[Tensor, "joint batch in"]
) -> Float[Tensor, "joint batch out"]:
    """Σ_j a_ij W_s(i,j) h_j in the order that takes fewest multiply-accumulates.

    Full-sharing and pre-aggregation transform each joint once, then aggregate; post-aggregation
    aggregates, then transforms: D'·D·N multiply-accumulates instead of D'·D·Σ|N̂_i|, and twice
    that when decoupled. No-sharing and convolution-style transform every neighbour for every
    joint, in one product for each matrix.

    Source: Liu et al., ECCV 2020, supplement, section 2.
    """
    a = conv.affinities()
    if conv.sharing not in DECOUPLED:
        return _edge_by_edge(conv, x, a)
    if not conv.decouple_self:
        return _joint_by_joint(conv, x, a, conv.weight)
    near, own = conv.weight.chunk(2)
    a_self = a.diagonal()
    between = _joint_by_joint(conv, x, a - a_self.diag(), near)
    # a_ii (h_i W_i) = h_i (a_ii W_i): there are fewer weights than features.
    return torch.baddbmm(between, x, a_self[:, None, None] * own)


def _joint_by_joint(conv: Convolution, x: Tensor, a: Tensor, weight: Tensor) -> Tensor:
    """Transform each joint once and aggregate, or the other way round."""
    if conv.sharing == "post-aggregation":
        return _transform(_aggregate(a, x), weight)
    return _aggregate(a, _transform(x, weight))


def _edge_by_edge(conv: Convolution, x: Tensor, a: Tensor) -> Tensor:
    """Transform every neighbour for every joint, then aggregate."""
    target, source, counts = _by_slot(conv.graph, conv.sharing, a.device)
    # index_select, not x[...]: its gradient is a plain sum over equal rows.
    senders = x.index_select(0, source)
    if len(counts) == len(senders):
        messages = torch.bmm(senders, conv.weight)
    else:
        groups = torch.split(senders, counts)
        messages = torch.cat([g @ W for g, W in zip(groups, conv.weight, strict=True)])
    incidence = a.new_zeros(conv.joints, len(source)).index_put(
        (target, torch.arange(len(source), device=a.device)), a[target, source]
    )
    return _aggregate(incidence, messages)


@lru_cache
def _by_slot(
    graph: BodyGraph, sharing: Sharing, device: torch.device
) -> tuple[Tensor, Tensor, list[int]]:
    """Order edges by their matrix, so that edges which share one are adjacent.

    Returns:
        Target and source of each edge, and how many edges use each matrix.
    """
    slots = weight_slots(graph, sharing)
    order = np.argsort(slots, kind="stable")
    with torch.inference_mode(mode=False):  # they are kept, and a gradient may need them
        target, source = (
            torch.from_numpy(joints[order]).to(device) for joints in (graph.target, graph.source)
        )
    return target, source, np.bincount(slots).tolist()


def _transform(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply each joint's features by its matrix, or all by a single one."""
    if len(weight) == 1:
        return x @ weight[0]
    return torch.bmm(x, weight)


def _aggregate(a: Tensor, messages: Tensor) -> Tensor:
    """Sum messages into joints, weighted by a (joint, message)."""
    return (a @ messages.flatten(1)).view(len(a), *messages.shape[1:])
