"""Batch normalisation after a bias, without rounding noise in the bias."""

import torch
from torch import Tensor, nn


def normalise(norm: nn.BatchNorm1d, x: Tensor, bias: Tensor) -> Tensor:
    """Normalise x + bias over all axes but the last.

    In training, subtracting the batch's own mean removes the bias again, so its true gradient is
    zero. Autograd gives rounding noise instead, which Adam scales up to full steps: the bias then
    drifts, the running mean lags behind it, and evaluation in mid-training is far off. So training
    leaves the bias out and adds it to the running mean alone; the bias stays, as published
    networks count it among their parameters.

    Args:
        norm: Its running statistics move in training.
        x: (..., channel).
        bias: (channel,).
    """
    flat = x.flatten(0, -2)
    if not norm.training:
        out: Tensor = norm(flat + bias)
        return out.view_as(x)
    momentum = norm.momentum or 0.0
    assert norm.running_mean is not None  # BatchNorm1d keeps statistics by default
    with torch.no_grad():  # ahead of the update, (1 - momentum) · mean + momentum · batch's mean
        norm.running_mean.add_(bias, alpha=momentum / (1 - momentum))
    out = norm(flat)
    return out.view_as(x)
