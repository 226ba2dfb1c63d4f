"""The graph convolution in fewer operations: equal to its definition but for rounding.

:func:`weighted_sum` evaluates the sum of
:class:`graphlift.nn.graph_conv.GraphConv` in another order, where the method allows it.
:func:`pre_aggregation_layer` is a whole training step of a pre-aggregation layer in as few passes
over memory as it needs: graph convolution, batch normalisation and ReLU with their gradient
written out. By autograd, the same layer makes about twice as many passes over features and
weights, and at 128 channels those cost as much as the matrix products. Tests check that both equal
the definition, in value and in gradient.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

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


def fusable(conv: nn.Module) -> bool:
    """Whether :func:`pre_aggregation_layer` can replace the plain layer in training."""
    pre_aggregation = getattr(conv, "sharing", None) == "pre-aggregation"
    return pre_aggregation and getattr(conv, "order", None) == "reduced"


def pre_aggregation_layer(
    x: Float[Tensor, "joint batch in"], conv: Convolution, norm: nn.BatchNorm1d
) -> Float[Tensor, "joint batch out"]:
    """Convolve, normalise by the batch's own statistics, rectify; updates the running statistics.

    The bias is treated as :func:`graphlift.nn.normalise.normalise` does.
    """
    edges = _edges(conv.graph, conv.decouple_self, x.device)
    a = conv.affinities()
    out: Tensor = _Layer.apply(  # type: ignore[no-untyped-call]
        *(x, a[edges.target, edges.source], a.diagonal() if conv.decouple_self else None),
        *(conv.weight, norm.weight, norm.bias, norm, edges),
    )
    # BatchNorm1d keeps statistics by default.
    assert norm.running_mean is not None
    assert norm.num_batches_tracked is not None
    with torch.no_grad():
        norm.running_mean.add_(conv.bias, alpha=norm.momentum or 0.0)
        norm.num_batches_tracked.add_(1)
    return out


@dataclass(frozen=True, eq=False)
class _Edges:
    """Edges of a sum over senders, by target; ``reverse`` finds edge (j, i) for edge (i, j)."""

    target: Tensor
    source: Tensor
    first: Tensor
    reverse: Tensor

    def sum(self, a: Tensor, rows: Tensor) -> Tensor:
        """Σ_j a_ij rows_j: reads and writes each row once, where a dense product does more."""
        summed = nn.functional.embedding_bag(
            self.source, rows.flatten(1), self.first, mode="sum", per_sample_weights=a
        )
        return summed.view_as(rows)

    def products(self, rows: Tensor, others: Tensor) -> Tensor:
        """rows_i · others_j for each edge: the gradient of :meth:`sum` by ``a``."""
        rows, others = rows.flatten(1), others.flatten(1)
        # An operator of torch's own autograd, in 2.6 to 2.15; it copies no rows.
        fast = getattr(torch.ops.aten, "_embedding_bag_per_sample_weights_backward", None)
        if fast is None:
            return (rows[self.target] * others[self.source]).sum(dim=1)
        per_edge: Tensor = fast(rows, others, self.source, self.first, self.target, 0)
        return per_edge


@lru_cache
def _edges(graph: BodyGraph, decoupled: bool, device: torch.device) -> _Edges:
    kept = ~graph.itself if decoupled else np.ones_like(graph.itself)
    target, source = graph.target[kept], graph.source[kept]
    first = np.searchsorted(target, np.arange(len(graph.skeleton)))
    reverse = np.lexsort((target, source))  # each bone is an edge in both directions
    with torch.inference_mode(mode=False):  # they are kept, and a gradient may need them
        tensors = (torch.from_numpy(v).to(device) for v in (target, source, first, reverse))
        return _Edges(*tensors)


class _Layer(torch.autograd.Function):
    """z_i = Σ_j a_ij h_j T_j + a_ii h_i W_i, y = ReLU(γ (z − mean) / sd + β).

    h_j are the sender's features, T_j its matrix, W_i the matrix of a self-connection. Coupled,
    the second term is missing and the sum includes j = i.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        a: Tensor,
        a_self: Tensor | None,
        weight: Tensor,
        scale: Tensor,
        shift: Tensor,
        norm: nn.BatchNorm1d,
        edges: _Edges,
    ) -> Tensor:
        joints = len(x)
        sent = torch.bmm(x, weight[:joints])
        z = edges.sum(a, sent)
        own = None if a_self is None else a_self[:, None, None] * weight[joints:]
        if own is not None:
            z.baddbmm_(x, own)
        running = (norm.running_mean, norm.running_var)
        y, mean, inverse_sd = torch.native_batch_norm(
            z.flatten(0, 1), scale, shift, *running, True, norm.momentum or 0.0, norm.eps
        )
        y.relu_()
        ctx.save_for_backward(x, a, a_self, weight, own, sent, z, scale, mean, inverse_sd, y)
        ctx.eps, ctx.edges = norm.eps, edges
        return y.view_as(z)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, a, a_self, weight, own, sent, z, scale, mean, inverse_sd, y = ctx.saved_tensors
        edges, joints = ctx.edges, len(x)
        dy = torch.ops.aten.threshold_backward(dy.reshape(y.shape), y, 0)
        dz, dscale, dshift = torch.ops.aten.native_batch_norm_backward(
            *(dy, z.flatten(0, 1), scale, None, None, mean, inverse_sd, True, ctx.eps),
            [True, True, True],
        )
        dz = dz.view_as(z)
        da, da_self = edges.products(dz, sent), None
        dsent = edges.sum(a[edges.reverse], dz)
        dweight = torch.empty_like(weight)
        torch.bmm(x.transpose(1, 2), dsent, out=dweight[:joints])
        if own is not None:  # first d(a_ii W_i), from which the gradients of both factors follow
            down = torch.bmm(x.transpose(1, 2), dz, out=dweight[joints:])
            da_self = (down * weight[joints:]).sum((1, 2))
            down.mul_(a_self[:, None, None])
        dx = None
        if ctx.needs_input_grad[0]:
            dx = torch.bmm(dsent, weight[:joints].transpose(1, 2))
            if own is not None:
                dx.baddbmm_(dz, own.transpose(1, 2))
        return dx, da, da_self, dweight, dscale, dshift, None, None
