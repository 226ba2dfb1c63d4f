"""A training step of a pre-aggregation layer in as few passes over memory as it needs.

Graph convolution, batch normalisation and ReLU with their gradient written out. Left to
autograd, the same layer makes about twice as many passes over features and weights, and at 128
channels those cost as much as the matrix products. The plain layer stays in
:class:`graphlift.nn.gcn.Layer`: it evaluates, it trains every other method, and tests hold the two
equal.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.nn.graph_conv import GraphConv


def fusable(conv: GraphConv) -> bool:
    """Whether :func:`pre_aggregation_layer` can stand for the plain layer in training."""
    return conv.sharing == "pre-aggregation" and conv.order == "reduced"


def pre_aggregation_layer(
    x: Float[Tensor, "joint batch in"], conv: GraphConv, norm: nn.BatchNorm1d
) -> Float[Tensor, "joint batch out"]:
    """Convolve, normalise by the batch's own statistics, rectify; moves the running statistics.

    The convolution's bias shifts a channel by as much as its mean, so the normalised features do
    not depend on it: its gradient is zero, and only the running mean needs to hear of it.
    """
    out: Tensor = _Layer.apply(  # type: ignore[no-untyped-call]
        x, conv.affinities(), conv.weight, conv.bias, norm.weight, norm.bias, norm
    )
    # BatchNorm1d keeps statistics unless told not to, and nothing here tells it.
    assert norm.running_mean is not None
    assert norm.num_batches_tracked is not None
    with torch.no_grad():
        norm.running_mean.add_(conv.bias, alpha=norm.momentum or 0.0)
        norm.num_batches_tracked.add_(1)
    return out


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
        weight: Tensor,
        _bias: Tensor,
        scale: Tensor,
        shift: Tensor,
        norm: nn.BatchNorm1d,
    ) -> Tensor:
        joints = len(a)
        decoupled = len(weight) > joints
        between = a.clone().fill_diagonal_(0) if decoupled else a
        sent = torch.bmm(x, weight[:joints])
        z = torch.mm(between, sent.flatten(1)).view_as(sent)
        own = a.diagonal()[:, None, None] * weight[joints:] if decoupled else None
        if own is not None:
            z.baddbmm_(x, own)
        running = (norm.running_mean, norm.running_var)
        y, mean, inverse_sd = torch.native_batch_norm(
            z.flatten(0, 1), scale, shift, *running, True, norm.momentum or 0.0, norm.eps
        )
        y.relu_()
        ctx.save_for_backward(x, a, between, weight, own, sent, z, scale, mean, inverse_sd, y)
        ctx.eps = norm.eps
        return y.view_as(z)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, a, between, weight, own, sent, z, scale, mean, inverse_sd, y = ctx.saved_tensors
        joints = len(a)
        dy = torch.ops.aten.threshold_backward(dy.reshape(y.shape), y, 0)
        dz, dscale, dshift = torch.ops.aten.native_batch_norm_backward(
            *(dy, z.flatten(0, 1), scale, None, None, mean, inverse_sd, True, ctx.eps),
            [True, True, True],
        )
        dz = dz.view_as(z)
        da = torch.mm(dz.flatten(1), sent.flatten(1).t())
        dsent = torch.mm(between.t(), dz.flatten(1)).view_as(sent)
        dweight = torch.empty_like(weight)
        torch.bmm(x.transpose(1, 2), dsent, out=dweight[:joints])
        if own is not None:  # d(a_ii W_i) first, from which both factors' gradients follow
            down = torch.bmm(x.transpose(1, 2), dz, out=dweight[joints:])
            da.diagonal().copy_((down * weight[joints:]).sum((1, 2)))
            down.mul_(a.diagonal()[:, None, None])
        dx = None
        if ctx.needs_input_grad[0]:
            dx = torch.bmm(dsent, weight[:joints].transpose(1, 2))
            if own is not None:
                dx.baddbmm_(dz, own.transpose(1, 2))
        return dx, da, dweight, torch.zeros_like(mean), dscale, dshift, None
