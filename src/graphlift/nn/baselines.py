"""The fully connected baseline that the papers compare with."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.nn.dropout import Dropout
from graphlift.nn.normalise import normalise
from graphlift.skeletons import H36M_16, Skeleton


class Martinez(nn.Module):
    """A simple yet effective baseline: all joints in one vector, no graph.

    Args:
        skeleton: The body.
        channels: Width of the hidden vectors.
        blocks: Residual blocks of two layers.
        dropout: Share of features dropped after each ReLU in training; 0.5 in the paper.

    Source: Martinez et al., ICCV 2017, in the form SemGCN's code trains it: metres, no
    standardisation, no max-norm.
    """

    def __init__(
        self,
        skeleton: Skeleton = H36M_16,
        *,
        channels: int = 1024,
        blocks: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        joints = len(skeleton)

        self.input = DenseLayer(joints * 2, channels, dropout)
        self.blocks = dense_blocks(channels, blocks, dropout)
        self.output = nn.Linear(channels, joints * 3)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, keypoints: Float[Tensor, "batch joint 2"]) -> Float[Tensor, "batch joint 3"]:
        """Lift screen-normalised keypoints to root-relative positions, m, camera axes."""
        h = residual(self.input(keypoints.flatten(1)), self.blocks)
        poses: Tensor = self.output(h).unflatten(1, (keypoints.shape[1], 3))
        return poses


def dense_blocks(channels: int, blocks: int, dropout: float) -> nn.ModuleList:
    """Make residual blocks of two layers each."""
    return nn.ModuleList(
        nn.Sequential(*(DenseLayer(channels, channels, dropout) for _ in range(2)))
        for _ in range(blocks)
    )


def residual(
    h: Float[Tensor, "batch channel"], blocks: nn.ModuleList
) -> Float[Tensor, "batch channel"]:
    """Add to features what each block makes of them."""
    for block in blocks:
        h = h + block(h)
    return h


class DenseLayer(nn.Module):
    """Linear map, batch normalisation, ReLU, dropout."""

    def __init__(self, before: int, after: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(before, after)
        self.norm = nn.BatchNorm1d(after)
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "batch in"]) -> Float[Tensor, "batch out"]:
        """Apply the linear map, batch normalisation, ReLU and dropout."""
        h = nn.functional.linear(x, self.linear.weight)
        out: Tensor = self.dropout(torch.relu(normalise(self.norm, h, self.linear.bias)))
        return out
