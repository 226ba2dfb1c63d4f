"""The locally connected network: a matrix of its own for every two joints that are near."""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.graph import BodyGraph, local_graph
from graphlift.nn.dropout import Dropout
from graphlift.skeletons import H36M_16, Skeleton

SLOPE = 0.2
"""Of the leaky ReLU below zero."""


class LocallyConnected(nn.Module):
    """Locally connected network (LCN): a fully connected one whose joints see only those near.

        h'_i = b_i + Σ_{j ∈ N(i)} m_ij W_ij h_j

    N(i) are the joints at most three bones from joint i (:func:`graphlift.graph.local_graph`).
    Every two of them have a matrix W_ij, and every joint a bias b_i. The mask m_ij is 1; learnt,
    it is the softmax of one number for every two joints over all senders j, connected or not, and
    the same in every layer. An input layer, ``blocks`` residual blocks of two layers each, and an
    output layer. A layer is the sum above, batch normalisation of each channel over joints and
    batch, leaky ReLU and dropout; the output layer is the bare sum.

    Input and output are those of every network of the study: positions on the screen, and
    root-relative positions in metres. The published network gives x and y in the image, as a
    correction that is added to its input; here the units and origins of input and output differ,
    and nothing is added.

    Args:
        skeleton: The body; the order of joints that go in and come out. 17 in the paper.
        channels: Features of a joint inside; 64 in the paper.
        blocks: Residual blocks.
        dropout: Share of features dropped after each leaky ReLU in training; 0.25 in the paper.
        learnt_mask: Learn the mask, from random numbers between 0 and 1.

    Source: Ci et al., "Optimizing network structure for 3D human pose estimation", ICCV 2019. How
    weights and mask start, slope and blocks are those of its published code; its bound on the norm
    of each matrix is left out, as gradients are clipped here instead. At its width and 17 joints
    the network has 4,365,363 parameters, the published 4.37 M.
    """

    def __init__(
        self,
        skeleton: Skeleton = H36M_16,
        *,
        channels: int = 64,
        blocks: int = 3,
        dropout: float = 0.0,
        learnt_mask: bool = False,
    ) -> None:
        super().__init__()
        graph = local_graph(skeleton)
        joints = len(skeleton)

        def layer(before: int) -> LocalLayer:
            return LocalLayer(LocalLinear(graph, before, channels), channels, dropout)

        self.mask_scores = nn.Parameter(torch.rand(joints, joints)) if learnt_mask else None
        self.input = layer(2)
        self.blocks = nn.ModuleList(
            nn.ModuleList((layer(channels), layer(channels))) for _ in range(blocks)
        )
        self.output = LocalLinear(graph, channels, 3)

    def mask(self) -> Float[Tensor, "joint joint"] | None:
        """The learnt mask m_ij, rows i; None where it is 1."""
        return None if self.mask_scores is None else self.mask_scores.softmax(dim=1)

    def forward(self, keypoints: Float[Tensor, "batch joint 2"]) -> Float[Tensor, "batch joint 3"]:
        """Lift screen-normalised keypoints to root-relative positions, m, camera axes."""
        mask = self.mask()
        h = self.input(keypoints, mask)
        for block in self.blocks:
            first, second = cast("nn.ModuleList", block)
            h = h + second(first(h, mask), mask)
        poses: Tensor = self.output(h, mask)
        return poses


class LocalLinear(nn.Module):
    """The sum over near joints; ``weight`` (edge, in, out) holds no number that the mask drops."""

    def __init__(self, graph: BodyGraph, before: int, after: int) -> None:
        super().__init__()
        self.joints = joints = len(graph.skeleton)
        self.target = nn.Buffer(torch.from_numpy(graph.target.copy()), persistent=False)
        self.source = nn.Buffer(torch.from_numpy(graph.source.copy()), persistent=False)
        self.weight = nn.Parameter(torch.empty(graph.target.size, before, after))
        self.bias = nn.Parameter(torch.zeros(joints, after))
        # Kaiming's draw as if all joints were connected, cut off at two standard deviations.
        deviation = (2 / (joints * before)) ** 0.5
        nn.init.trunc_normal_(self.weight, std=deviation, a=-2 * deviation, b=2 * deviation)

    def forward(
        self, x: Float[Tensor, "batch joint in"], mask: Float[Tensor, "joint joint"] | None = None
    ) -> Float[Tensor, "batch joint out"]:
        """Sum the messages of near joints, in one product of matrices."""
        flat = x.flatten(1) @ self.dense(mask)
        return flat.view(len(x), *self.bias.shape) + self.bias

    def dense(self, mask: Float[Tensor, "joint joint"] | None) -> Float[Tensor, "all_in all_out"]:
        """The sum as one matrix of all joints, zero where two are not connected.

        About 60 % of it is not: one large product is still faster than many small ones.
        """
        weight: Tensor = self.weight
        if mask is not None:
            weight = weight * mask[self.target, self.source][:, None, None]
        _, before, after = weight.shape
        whole = weight.new_zeros(self.joints, before, self.joints, after)
        whole[self.source, :, self.target] = weight
        return whole.view(self.joints * before, self.joints * after)


class LocalLayer(nn.Module):
    """Local sum, batch normalisation over joints and batch, leaky ReLU, dropout."""

    def __init__(self, linear: LocalLinear, channels: int, dropout: float) -> None:
        super().__init__()
        self.linear = linear
        self.norm = nn.BatchNorm1d(channels)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch joint in"], mask: Float[Tensor, "joint joint"] | None = None
    ) -> Float[Tensor, "batch joint out"]:
        """Apply the sum, batch normalisation, leaky ReLU and dropout."""
        h = self.linear(x, mask)
        h = self.norm(h.flatten(0, 1)).view_as(h)
        out: Tensor = self.dropout(nn.functional.leaky_relu(h, SLOPE))
        return out
