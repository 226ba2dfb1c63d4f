"""A whole layer in training, in few passes over memory, with its gradient written out.

:func:`fused_layer` is graph convolution, batch normalisation, ReLU and dropout of every
weight-sharing method. By autograd, the same layer makes about twice as many passes over features,
and those cost as much as the matrix products of a narrow layer. Tests check that it equals the
definition, in value and in gradient.

The order of the sum is the one that takes fewest products. Each matrix is applied either to the
joints that send by it, before their messages are aggregated, or to the sums of the joints that
receive by it: whichever are fewer. That is 16 products of a joint for full-sharing, pre- and
post-aggregation at 16 joints, twice as many decoupled, 46 for no-sharing; and 38 for
convolution-style, where the eleven joints that have others farther out are fewer than the fifteen
those are.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from graphlift.graph import BodyGraph
from graphlift.nn.dropout import kept
from graphlift.nn.fast import Convolution
from graphlift.nn.precision import rounds_products
from graphlift.nn.whole_batch import WholeBatchNorm, batch_norm, batch_norm_backward
from graphlift.weight_sharing import Sharing, weight_slots


def fused_layer(
    x: Float[Tensor, "joint batch in"], conv: Convolution, norm: nn.BatchNorm1d, dropout: float
) -> Float[Tensor, "joint batch out"]:
    """Convolve, normalise by the batch's own statistics, rectify, drop.

    Updates the running statistics. The bias is treated as
    :func:`graphlift.nn.normalise.normalise` does; dropped features are those that
    :class:`graphlift.nn.dropout.Dropout` draws.

    Args:
        x: Features.
        conv: A graph convolution.
        norm: The normalisation that follows it.
        dropout: Share of features dropped, below 1.
    """
    a = conv.affinities()
    target, source, parts = _parts(conv.graph, conv.sharing, conv.decouple_self, x.device)
    out: Tensor = _Layer.apply(  # type: ignore[no-untyped-call]
        x, a[target, source], conv.weight, norm.weight, norm.bias, norm, dropout, parts
    )
    # BatchNorm1d keeps statistics by default.
    assert norm.running_mean is not None
    assert norm.num_batches_tracked is not None
    with torch.no_grad():
        norm.running_mean.add_(conv.bias, alpha=norm.momentum or 0.0)
        norm.num_batches_tracked.add_(1)
    return out


@dataclass(frozen=True, eq=False)
class _Sum:
    """Rows out of weighted sums of rows in: y_t = Σ_e a_e x_s(e), over the terms e of t.

    Args:
        source: Row that each term takes; terms are ordered by the row they go to.
        target: Row that each term goes to.
        first: First term of each row.
        edge: Edge whose affinity weighs each term; None if all weigh 1.
        scales: Whether it only scales each row.
        back: The same sum the other way round, by which gradients return.
    """

    source: Tensor
    target: Tensor
    first: Tensor
    edge: Tensor | None
    scales: bool
    back: "_Sum | None" = None

    def __call__(self, rows: Tensor, a: Tensor) -> Tensor:
        """Reads and writes each row once, where a dense product does more."""
        weights = None if self.edge is None else a[self.edge]
        summed = nn.functional.embedding_bag(
            self.source, rows.flatten(1), self.first, mode="sum", per_sample_weights=weights
        )
        return summed.view(len(self.first), *rows.shape[1:])

    def add_to(self, total: Tensor | None, rows: Tensor, a: Tensor) -> Tensor:
        """Add the sums to a total, in place."""
        if total is None:
            return self(rows, a)
        if self.scales:
            return total.addcmul_(rows, a[self.edge, None, None])
        return total.add_(self(rows, a))

    def products(self, rows: Tensor, others: Tensor) -> Tensor:
        """rows_t(e) · others_s(e) of each term: the gradient of a sum by its weights."""
        rows, others = rows.flatten(1), others.flatten(1)
        # An operator of torch's own autograd, in 2.6 to 2.15; it copies no rows.
        fast = getattr(torch.ops.aten, "_embedding_bag_per_sample_weights_backward", None)
        if fast is None:
            return (rows[self.target] * others[self.source]).sum(dim=1)
        each: Tensor = fast(rows, others, self.source, self.first, self.target, 0)
        return each


@dataclass(frozen=True, eq=False)
class _Part:
    """Matrices that are applied together: sum rows, transform them, sum again.

    Args:
        slots: The matrices: a single one for all rows, or one for each row.
        into: From joints to rows; None if those are the joints.
        out: From transformed rows to joints; None if those are the joints.
    """

    slots: slice
    into: _Sum | None
    out: _Sum | None


def _sum(
    target: Int[np.ndarray, " term"],
    source: Int[np.ndarray, " term"],
    edge: Int[np.ndarray, " term"] | None,
    shape: tuple[int, int],
    device: torch.device,
) -> _Sum:
    """Lay a sum out, from shape[1] rows to shape[0], and its reverse."""
    itself = np.arange(shape[0])
    scales = edge is not None and np.array_equal(target, itself) and np.array_equal(source, itself)

    def tensor(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(device)

    def one_way(to: np.ndarray, of: np.ndarray, rows: int, back: _Sum | None) -> _Sum:
        order = np.lexsort((of, to))
        first = np.searchsorted(to[order], np.arange(rows))
        weights = None if edge is None else tensor(edge[order])
        return _Sum(tensor(of[order]), tensor(to[order]), tensor(first), weights, scales, back)

    return one_way(target, source, shape[0], one_way(source, target, shape[1], None))


@lru_cache
def _parts(
    graph: BodyGraph, sharing: Sharing, decoupled: bool, device: torch.device
) -> tuple[Tensor, Tensor, tuple[_Part, ...]]:
    """Target and source of each edge, and the parts of the sum over all of them."""
    slots = weight_slots(graph, sharing, decouple_self=decoupled)
    count = int(slots.max()) + 1
    together = 1 if sharing == "convolution-style" else count // (2 if decoupled else 1)
    with torch.inference_mode(mode=False):  # they are kept, and a gradient may need them
        parts = tuple(
            _part(graph, slots, slice(start, start + together), device)
            for start in range(0, count, together)
        )
        target, source = (torch.from_numpy(v).to(device) for v in (graph.target, graph.source))
    return target, source, parts


def _part(
    graph: BodyGraph, slots: Int[np.ndarray, " edge"], which: slice, device: torch.device
) -> _Part:
    """Sum before the transform if there are fewer receivers than senders, or as many."""
    edges = np.flatnonzero((slots >= which.start) & (slots < which.stop))
    joints = len(graph.skeleton)
    rows_of = {
        name: np.unique(slots[edges] * joints + of[edges], return_inverse=True)
        for name, of in (("receivers", graph.target), ("senders", graph.source))
    }
    before = len(rows_of["receivers"][0]) <= len(rows_of["senders"][0])
    keys, row = rows_of["receivers" if before else "senders"]
    joint, count = keys % joints, len(keys)
    whole = np.array_equal(joint, np.arange(joints))
    every = np.arange(count)
    into: _Sum | None
    out: _Sum | None
    if before:
        into = _sum(row, graph.source[edges], edges, (count, joints), device)
        out = None if whole else _sum(joint, every, None, (joints, count), device)
    else:
        into = None if whole else _sum(every, joint, None, (count, joints), device)
        out = _sum(graph.target[edges], row, edges, (joints, count), device)
    return _Part(which, into, out)


def _factor(x: Tensor) -> Tensor:
    """A factor of products, rounded where they are."""
    return x.bfloat16() if x.dtype == torch.float32 and rounds_products(x.device) else x


def _times(rows: Tensor, weight: Tensor, total: Tensor | None = None) -> Tensor:
    """Multiply rows by the one matrix, or each row by its own; add to a total in place."""
    if total is None or total.dtype != rows.dtype:
        product = torch.bmm(rows, weight) if len(weight) > 1 else rows @ weight[0]
        if total is not None:
            return total.add_(product)
        return product.float() if product.dtype == torch.bfloat16 else product
    if len(weight) > 1:
        return total.baddbmm_(rows, weight)
    total.view(-1, total.shape[-1]).addmm_(rows.flatten(0, 1), weight[0])
    return total


class _Layer(torch.autograd.Function):
    """z = Σ_parts out(into(h) W), y = ReLU(γ (z − mean) / sd + β) ∘ kept / (1 − p).

    The factor 1 / (1 − p) is taken into γ and β, as ReLU(c x) = c ReLU(x) for c > 0.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        a: Tensor,
        weight: Tensor,
        scale: Tensor,
        shift: Tensor,
        norm: nn.BatchNorm1d,
        dropout: float,
        parts: tuple[_Part, ...],
    ) -> Tensor:
        z: Tensor | None = None
        rows: list[Tensor | None] = []
        h, W = _factor(x), _factor(weight)
        for part in parts:
            before = h if part.into is None else _factor(part.into(x, a))
            after = None
            if part.out is None:
                z = _times(before, W[part.slots], z)
            else:
                after = _times(before, W[part.slots])
                z = part.out.add_to(z, after, a)
            # Kept for the gradients of the matrices, and of affinities that weigh what comes out.
            rows += [None if part.into is None else before]
            rows += [after if part.out is not None and part.out.edge is not None else None]
        assert z is not None  # there is at least one part
        keep = 1 - dropout
        if dropout:
            scale, shift = scale / keep, shift / keep
        y, mean, inverse_sd = batch_norm(z.flatten(0, 1), scale, shift, norm)
        y.relu_()
        if dropout:
            of_batch = norm.part if isinstance(norm, WholeBatchNorm) else None
            y.view_as(z).mul_(kept(z, keep, of_batch))
        ctx.save_for_backward(x, h, a, W, z, scale, mean, inverse_sd, y, *rows)
        ctx.norm, ctx.keep, ctx.parts = norm, keep, parts
        return y.view_as(z)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, h, a, weight, z, scale, mean, inverse_sd, y, *rows = ctx.saved_tensors
        dy = torch.ops.aten.threshold_backward(dy.reshape(y.shape), y, 0)
        dz, dscale, dshift = batch_norm_backward(
            dy, z.flatten(0, 1), scale, mean, inverse_sd, ctx.norm
        )
        if ctx.keep < 1:
            dscale, dshift = dscale / ctx.keep, dshift / ctx.keep
        need_x, need_a = ctx.needs_input_grad[:2]
        dx, da = None, torch.zeros_like(a) if need_a else None
        dz, dweight = dz.view_as(z), torch.empty_like(weight, dtype=z.dtype)
        dz_factor = _factor(dz)
        for part, before, after in zip(ctx.parts, rows[::2], rows[1::2], strict=True):
            W, into, out = weight[part.slots], part.into, part.out
            dafter = dz_factor if out is None else _factor(out.back(dz, a))
            if da is not None and after is not None:
                da.index_add_(0, out.edge, out.products(dz, after))
            _outer(h if before is None else before, dafter, dweight[part.slots])
            if into is None:
                dx = _times(dafter, W.transpose(1, 2), dx) if need_x else None
            elif need_x or (need_a and into.edge is not None):
                dbefore = _times(dafter, W.transpose(1, 2))
                if da is not None and into.edge is not None:
                    da.index_add_(0, into.edge, into.products(dbefore, x))
                dx = into.back.add_to(dx, dbefore, a) if need_x else None
        return dx, da, dweight, dscale, dshift, None, None, None


def _outer(before: Tensor, dafter: Tensor, dweight: Tensor) -> None:
    """The gradient of the matrices of a part, written to its place."""
    if len(dweight) == 1:
        before, dafter = before.flatten(0, 1)[None], dafter.flatten(0, 1)[None]
    if before.dtype == dweight.dtype:
        torch.bmm(before.transpose(1, 2), dafter, out=dweight)
    else:
        dweight.copy_(torch.bmm(before.transpose(1, 2), dafter))
