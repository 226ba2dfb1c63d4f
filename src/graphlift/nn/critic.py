"""A critic of poses: does it come from motion capture, or from a network?"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.skeletons import Skeleton

WIDTH = 256
"""Features of each of the critic's two hidden layers."""
LEAK = 0.2
"""Slope of its rectifiers where they are negative."""


def pairwise_descriptor(
    poses: Float[Tensor, "batch joint 3"],
) -> Float[Tensor, "batch pair 6"]:
    """Where the joints of each pair are from one another: (Δx, Δy, Δz, Δx², Δy², Δz²), m and m².

    Pairs are joints i < j, in the order of (0, 1), (0, 2), ..., and Δ is j minus i. The
    publication's is a picture of all (i, j), which holds each pair twice.

    Source: Yang et al., "3D human pose estimation in the wild by adversarial learning", CVPR
    2018, geometric descriptor.
    """
    i, j = torch.triu_indices(poses.shape[1], poses.shape[1], offset=1, device=poses.device)
    apart = poses[:, j] - poses[:, i]
    return torch.cat([apart, apart.square()], dim=-1)


class Critic(nn.Module):
    """Gives poses of motion capture values near 1 and those of a network values near 0.

    It sees :func:`pairwise_descriptor` alone, so it does not matter where a pose is. Theirs is the
    descriptor. The published critic is a convolutional network that also sees the image and the
    heat maps. Ours, because there is no image, are two hidden layers on the descriptor of
    :data:`WIDTH` features each.

    Args:
        skeleton: Of the poses.

    Source: Yang et al., CVPR 2018.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        joints = len(skeleton)
        self.layers = nn.Sequential(
            nn.Linear(6 * joints * (joints - 1) // 2, WIDTH),
            nn.LeakyReLU(LEAK),
            nn.Linear(WIDTH, WIDTH),
            nn.LeakyReLU(LEAK),
            nn.Linear(WIDTH, 1),
        )

    def forward(self, poses: Float[Tensor, "batch joint 3"]) -> Float[Tensor, " batch"]:
        """Judge poses, m, camera axes."""
        judged: Tensor = self.layers(pairwise_descriptor(poses).flatten(1))
        return judged.squeeze(1)


def critic_loss(real: Float[Tensor, " pose"], predicted: Float[Tensor, " other"]) -> Tensor:
    """What the critic minimises: ½ mean (D(real) - 1)² + ½ mean D(predicted)².

    Source: Mao et al., "Least squares generative adversarial networks", ICCV 2017, equation (2)
    with a = 0 and b = 1.
    """
    return ((real - 1).square().mean() + predicted.square().mean()) / 2


def realism_loss(predicted: Float[Tensor, " pose"]) -> Tensor:
    """What the network minimises: ½ mean (D(predicted) - 1)².

    Source: as :func:`critic_loss`, c = 1.
    """
    return (predicted - 1).square().mean() / 2
