"""Dropout of the networks, by few random numbers, and of a batch that is spread over processes.

On a processor torch draws a number of the generator for each feature, which takes more than a
quarter of a graph network's forward pass. Here one draw of 64 bits decides on four features.
"""

import torch
from torch import Tensor, nn

from graphlift.nn.whole_batch import Part

BITS = 16
"""Of a draw, a feature; a share is met to a part in 2^16."""


class Dropout(nn.Dropout):
    """Set a share of the features to zero in training, and scale the others up.

    Features are independent of each other and dropped with probability ``p``, as
    ``torch.nn.Dropout`` drops them, but not the same ones from the same state of the generator.

    Args:
        p: Share of features dropped, below 1.

    Attributes:
        part: Of the batch, that this process has; None if it has all of it.
        axis: Which axis of the features is that of samples.
        each: Rows of that axis a sample.

    Source: Srivastava et al., "Dropout", JMLR 2014.
    """

    def __init__(self, p: float) -> None:
        super().__init__(p)
        self.part: Part | None = None
        self.axis, self.each = 1, 1

    def forward(self, x: Tensor) -> Tensor:
        """Drop features in training, and scale up the others."""
        if not (self.training and self.p):
            return x
        keep = 1 - self.p
        return x * kept(x, keep, self.part, axis=self.axis, each=self.each).div_(keep)


def kept(x: Tensor, keep: float, part: Part | None, *, axis: int = 1, each: int = 1) -> Tensor:
    """Draw which features are kept: ones and zeros of the shape of ``x``.

    Processes draw for the whole batch, each from a generator in the same state, and take what is
    for their own samples: draws do not depend on the number of processes.

    Args:
        x: Features.
        keep: Share of ones.
        part: Of the batch that ``x`` is of; None if it is all.
        axis: Which axis is that of samples.
        each: Rows of that axis a sample.
    """
    shape = list(x.shape)
    if part is not None:
        shape[axis] = part.whole * each
    drawn = _draw(x.new_empty(shape), keep)
    if part is None:
        return drawn
    rows = part.rows
    return drawn.narrow(axis, rows.start * each, (rows.stop - rows.start) * each)


def _draw(ones: Tensor, keep: float) -> Tensor:
    """Fill with ones, a share ``keep`` of them, and zeros."""
    if ones.device.type != "cpu":
        return ones.bernoulli_(keep)
    draws = torch.empty(-(-ones.numel() * BITS // 64), dtype=torch.int64).random_(-(2**63), None)
    numbers = draws.view(torch.int16)[: ones.numel()].view(ones.shape)  # -2^15 to 2^15 - 1
    dropped = min(round((1 - keep) * 2**BITS), 2**BITS - 1)  # all would overflow 16 bits
    return torch.ge(numbers, dropped - 2 ** (BITS - 1), out=ones)
