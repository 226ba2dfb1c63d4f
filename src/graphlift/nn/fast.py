"""The graph convolution in fewer operations: equal to its definition but for rounding.

:func:`weighted_sum` evaluates the sum of
:class:`graphlift.nn.graph_conv.GraphConv` in another order, where the method allows it. Networks
are evaluated and exported so; what they are trained by is :mod:`graphlift.nn.fused`. Tests check
that both equal the definition, in value and in gradient.
"""

from functools import lru_cache
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.graph import BodyGraph
from graphlift.weight_sharing import FEW, Sharing, edges_of_slots, weight_slots


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

    Pre-aggregation transforms each joint once, then aggregates; post-aggregation aggregates, then
    transforms: D'·D·N multiply-accumulates instead of D'·D·Σ|N̂_i|, and twice that when decoupled.
    Full-sharing and convolution-style aggregate for each of their few matrices, and then each is
    one large product: D'·D·N a matrix. No-sharing transforms every neighbour for every joint.

    Source: Liu et al., ECCV 2020, supplement, section 2.
    """
    a = conv.affinities()
    if conv.sharing in FEW:
        return _matrix_by_matrix(conv, x, a)
    if conv.sharing == "no-sharing":
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


def _matrix_by_matrix(conv: Convolution, x: Tensor, a: Tensor) -> Tensor:
    """Σ_s (a ∘ edges of s) h W_s: aggregate for each matrix, and add its product to the sum."""
    joints, batch, channels = x.shape
    flat, total = x.flatten(1), None
    masks = _edges_of(conv.graph, conv.sharing, conv.decouple_self, a.device)
    for mask, W in zip(masks, conv.weight, strict=True):
        rows = ((a * mask) @ flat).view(joints * batch, channels)
        total = rows @ W if total is None else torch.addmm(total, rows, W)
    assert total is not None  # there is at least one matrix
    out: Tensor = total.view(joints, batch, total.shape[1])
    return out


@lru_cache
def _edges_of(
    graph: BodyGraph, sharing: Sharing, decoupled: bool, device: torch.device
) -> Float[Tensor, "slot joint joint"]:
    """Mark the edges of each matrix, as 1 among 0, rows the joints that receive."""
    with torch.inference_mode(mode=False):  # they are kept, and a gradient may need them
        masks = edges_of_slots(graph, weight_slots(graph, sharing, decouple_self=decoupled))
        return torch.from_numpy(masks).to(device)


def _edge_by_edge(conv: Convolution, x: Tensor, a: Tensor) -> Tensor:
    """Transform every neighbour for every joint by its own matrix, then aggregate."""
    target, source = _edges(conv.graph, a.device)
    # index_select, not x[...]: its gradient is a plain sum over equal rows.
    messages = torch.bmm(x.index_select(0, source), conv.weight)
    incidence = a.new_zeros(conv.joints, len(source)).index_put(
        (target, torch.arange(len(source), device=a.device)), a[target, source]
    )
    return _aggregate(incidence, messages)


@lru_cache
def _edges(graph: BodyGraph, device: torch.device) -> tuple[Tensor, Tensor]:
    """Target and source of each edge."""
    with torch.inference_mode(mode=False):
        target, source = (torch.from_numpy(of).to(device) for of in (graph.target, graph.source))
    return target, source


def _transform(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply each joint's features by its matrix."""
    return torch.bmm(x, weight)


def _aggregate(a: Tensor, messages: Tensor) -> Tensor:
    """Sum messages into joints, weighted by a (joint, message)."""
    return (a @ messages.flatten(1)).view(len(a), *messages.shape[1:])
