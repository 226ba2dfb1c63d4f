"""Muon: an optimiser that steps by the orthogonal matrix nearest to the mean gradient.

Adam scales each weight by itself. Muon scales each matrix as a whole, so that a step changes what
the matrix does in every direction alike. torch has a Muon for single matrices; layers here hold
one matrix for each joint, and all of them take a step in a few batched products.

Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; the size of
a step as in Liu et al., "Muon is scalable for LLM training", 2025, equation (4).
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.nn.precision import multiplies_bfloat16

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the odd polynomial that takes singular values towards 1, as in the first source."""
ITERATIONS = 5


class Muon(torch.optim.AdamW):
    """Muon with Nesterov's momentum for the matrices of a network, AdamW for its other parameters.

    Matrices are the weights of graph convolutions, one for each slot, and of linear layers and
    convolutions over time, one for each layer. Weight decay is decoupled for all.

    Args:
        network: What is trained.
        lr: The learning rate of both; a step of Muon is as long as AdamW's usually are.
        weight_decay: Share of each weight that a step takes away, times the learning rate.
    """

    def __init__(self, network: nn.Module, lr: float, *, weight_decay: float) -> None:
        super().__init__(network.parameters(), lr, weight_decay=weight_decay, fused=True)
        self.matrices = {
            weight: _as_stack(module, weight)
            for module in network.modules()
            if isinstance(weight := getattr(module, "weight", None), nn.Parameter)
            and weight.ndim > 1
        }

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step; the gradients of the matrices are given up."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight in self.matrices and weight.grad is not None:
                    self._step(weight, group["lr"], group["weight_decay"])
                    weight.grad = None  # AdamW passes by parameters without a gradient
        super().step(closure)

    def _step(self, weight: nn.Parameter, lr: float, weight_decay: float) -> None:
        state: dict[str, Any] = self.state[weight]
        if not state:
            state |= {"step": torch.tensor(0.0), "exp_avg": torch.zeros_like(weight)}
        state["step"] += 1
        mean: Tensor = state["exp_avg"]
        assert weight.grad is not None
        mean.lerp_(weight.grad, 1 - MOMENTUM)
        ahead = weight.grad.lerp(mean, MOMENTUM).view(self.matrices[weight])
        size = 0.2 * max(ahead.shape[1:]) ** 0.5
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
