"""Muon: an optimiser that steps by the orthogonal matrix nearest to the mean gradient.

Adam scales each weight by itself. Muon scales each matrix as a whole, so that a step changes what
the matrix does in every direction alike. torch has a Muon for single matrices; layers here hold
one matrix for each joint, and all of them take a step in a few batched products.

Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; the size of
a step as in Liu et al., "Muon is scalable for LLM training", 2025, equation (4).
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.nn.mixture import MixtureDensity
from graphlift.nn.precision import multiplies_bfloat16

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the odd polynomial that takes singular values towards 1, as in the first source."""
ITERATIONS = 5


def matrices_of(network: nn.Module) -> dict[nn.Parameter, torch.Size]:
    """Find the parameters of a network that are matrices, and their shapes as stacks.

    Those are the weights of graph convolutions, a matrix for each slot, and of linear layers and
    convolutions over time, one for each layer; but those of :func:`heads_of`.
    """
    heads = heads_of(network)
    return {
        weight: _as_stack(module, weight)
        for module in network.modules()
        if isinstance(weight := getattr(module, "weight", None), nn.Parameter)
        and weight.ndim > 1
        and weight not in heads
    }


def heads_of(network: nn.Module) -> set[nn.Parameter]:
    """Find the parameters of heads that give several hypotheses, which Adam trains.

    The gradient of a hypothesis is as large as its share in the likelihood. Muon makes all parts
    of a step alike, also those of hypotheses that have nearly no gradient: within some steps it
    throws them so far away that they never become likely again, and one is left.
    """
    mixtures = (each for each in network.modules() if isinstance(each, MixtureDensity))
    return {p for mixture in mixtures for head in mixture.heads for p in head.parameters()}


def muon_step(
    weight: nn.Parameter,
    moments: Mapping[str, Tensor],
    shape: torch.Size,
    lr: float,
    weight_decay: float,
) -> None:
    """Take a step by Muon with Nesterov's momentum.

    Args:
        weight: With its gradient.
        moments: Its ``step`` and ``exp_avg``, which are moved on.
        shape: Of the weight as a stack of matrices.
        lr: The learning rate.
        weight_decay: Share of the weight that the step takes away, times the learning rate.
    """
    assert weight.grad is not None
    moments["step"].add_(1)
    mean = moments["exp_avg"].lerp_(weight.grad, 1 - MOMENTUM)
    ahead = weight.grad.lerp(mean, MOMENTUM).view(shape)
    size = 0.2 * max(shape[1:]) ** 0.5
    weight.mul_(1 - lr * weight_decay)
    weight.add_(orthogonal(ahead).view_as(weight), alpha=-lr * size)


def _as_stack(module: nn.Module, weight: nn.Parameter) -> torch.Size:
    """The shape of a weight as a stack of matrices."""
    if isinstance(module, nn.Linear | nn.Conv1d):
        return weight[None].flatten(2).shape
    return weight.shape


def orthogonal(matrices: Float[Tensor, "slot rows columns"]) -> Float[Tensor, "slot rows columns"]:
    """Bring the singular values of each matrix near to 1: Newton and Schulz's iteration.

    It leaves values from 0.7 to 1.2. The rounding of bfloat16 is far below that, so products are
    of this type wherever they are fast.
    """
    a, b, c = COEFFICIENTS
    x = matrices.bfloat16() if multiplies_bfloat16(matrices.device) else matrices
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.transpose(1, 2).contiguous()
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x.transpose(1, 2) if tall else x).to(matrices.dtype).contiguous()
