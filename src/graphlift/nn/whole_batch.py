"""Layers of a network whose batch is spread over processes, as if one process had all of it.

Two kinds of layers depend on more than one sample. Batch normalisation takes mean and variance
over the batch: processes add up theirs, forwards and backwards. Dropout draws from one stream for
the whole batch (:mod:`graphlift.nn.dropout`), so that the draws are the same for any number of
processes, and so is the state of the generator. All else in a network treats each sample alone.

:func:`batch_norm` and its gradient are also what layers with a gradient of their own are made of
(:mod:`graphlift.nn.fused`), on one process, too.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch import distributed as processes
from torch.autograd.function import once_differentiable

Normalised = tuple[Tensor, Tensor, Tensor]


@dataclass
class Part:
    """Which samples of a batch this process has: a run, as long as the others' or one more.

    Args:
        rank: Number of this process.
        ranks: How many processes there are.
        whole: Samples of the batch under way, of all processes together.
    """

    rank: int
    ranks: int
    whole: int = 0

    @property
    def rows(self) -> slice:
        """The samples of this process."""
        return slice(
            self.whole * self.rank // self.ranks, self.whole * (self.rank + 1) // self.ranks
        )


class WholeBatchNorm(nn.BatchNorm1d):
    """Batch normalisation with mean and variance of the whole batch.

    torch's own, ``SyncBatchNorm``, is for accelerators alone.

    Args:
        norm: The layer that this one takes the place of, with its parameters.
        part: Of the batch.
    """

    def __init__(self, norm: nn.BatchNorm1d, part: Part) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.weight, self.bias = norm.weight, norm.bias
        for name, buffer in norm.named_buffers():
            setattr(self, name, buffer)
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (sample, channel) or (sample, channel, frame)."""
        if not self.training:
            return super().forward(x)
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        flat = x.movedim(1, -1)
        y: Tensor = _Normalise.apply(  # type: ignore[no-untyped-call]
            flat.reshape(-1, x.shape[1]), self.weight, self.bias, self
        )
        return y.view_as(flat).movedim(-1, 1)

    def statistics(self, z: Float[Tensor, "sample channel"]) -> tuple[Tensor, Tensor]:
        """Mean and variance over the samples of all processes; moves the running ones."""
        own = z.new_zeros(self.part.ranks, 2 * self.num_features + 1)
        if len(z):
            mean = z.mean(dim=0)
            apart = z - mean  # in two plain passes: torch.var_mean is far slower
            variance = apart.mul_(apart).mean(dim=0)
            own[self.part.rank] = torch.cat([mean, variance, mean.new_tensor([len(z)])])
        processes.all_reduce(own)
        of, width = self.num_features, own.shape[1]
        means, variances, counts = own.tensor_split((of, width - 1), dim=1)
        shares = counts / counts.sum()
        mean = (shares * means).sum(dim=0)
        variance = (shares * (variances + (means - mean).square())).sum(dim=0)
        momentum, count = self.momentum or 0.0, counts.sum()
        assert self.running_mean is not None
        assert self.running_var is not None
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), momentum)
        return mean, variance


def batch_norm(
    z: Float[Tensor, "sample channel"], scale: Tensor, shift: Tensor, norm: nn.BatchNorm1d
) -> Normalised:
    """Normalise by the batch's own statistics, and move the running ones.

    Args:
        z: Features.
        scale: (channel,).
        shift: (channel,).
        norm: Its statistics; its own scale and shift do not count.

    Returns:
        The normalised features, and mean and inverse standard deviation of the batch.
    """
    if not isinstance(norm, WholeBatchNorm):
        running, momentum = (norm.running_mean, norm.running_var), norm.momentum or 0.0
        return torch.native_batch_norm(z, scale, shift, *running, True, momentum, norm.eps)
    mean, variance = norm.statistics(z)
    inverse_sd = (variance + norm.eps).rsqrt()
    if not len(z):  # torch divides by how many there are
        return z.clone(), mean, inverse_sd
    y = torch.native_batch_norm(z, scale, shift, mean, variance, False, 0.0, norm.eps)[0]
    return y, mean, inverse_sd


def batch_norm_backward(
    dy: Float[Tensor, "sample channel"],
    z: Float[Tensor, "sample channel"],
    scale: Tensor,
    mean: Tensor,
    inverse_sd: Tensor,
    norm: nn.BatchNorm1d,
) -> Normalised:
    """Gradients of :func:`batch_norm` with respect to features, scale and shift.

    With n samples in the whole batch and ẑ the features without mean and spread:

        dz = γ / sd (dy − (Σ dy + ẑ Σ dy ẑ) / n)

    Those of scale and shift are sums over this process's samples; that of the features takes the
    sums over all.
    """
    wanted = [True, True, True]
    if not isinstance(norm, WholeBatchNorm):
        native = torch.ops.aten.native_batch_norm_backward
        own: Normalised = native(
            dy, z, scale, None, None, mean, inverse_sd, True, norm.eps, wanted
        )
        return own
    # As of given statistics: the first term, and both sums, in one pass over the features.
    variance = inverse_sd.pow(-2) - norm.eps
    dz, dscale, dshift = dy, torch.zeros_like(scale), torch.zeros_like(scale)
    if len(z):
        dz, dscale, dshift = torch.ops.aten.native_batch_norm_backward(
            dy, z, scale, mean, variance, None, None, False, norm.eps, wanted
        )
    sums = torch.cat([dshift, dscale, dshift.new_tensor([len(z)])])
    processes.all_reduce(sums)
    of_dy, of_both, count = sums.tensor_split((len(dshift), 2 * len(dshift)))
    slope = scale * inverse_sd.square() * of_both / count
    dz -= torch.addcmul(scale * inverse_sd * of_dy / count - mean * slope, z, slope)
    return dz, dscale, dshift


class _Normalise(torch.autograd.Function):
    """:func:`batch_norm`, for autograd."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, scale: Tensor, shift: Tensor, norm: nn.BatchNorm1d) -> Tensor:  # noqa: ANN401
        y, mean, inverse_sd = batch_norm(z, scale, shift, norm)
        ctx.save_for_backward(z, scale, mean, inverse_sd)
        ctx.norm = norm
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        z, scale, mean, inverse_sd = ctx.saved_tensors
        return (*batch_norm_backward(dy, z, scale, mean, inverse_sd, ctx.norm), None)
