"""High-order GCN: a matrix for each number of bones between the joints of a message."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.graph import walks
from graphlift.nn.dropout import Dropout
from graphlift.nn.graph_conv import Init, draw_weights
from graphlift.nn.normalise import normalise
from graphlift.skeletons import H36M_16, Skeleton

HOPS = 3
"""The farthest neighbours: three bones away."""


class HighOrderConv(nn.Module):
    """Graph convolution over the joints one, two and three bones away.

        g^k_i = Σ_{j ∈ N_k(i)} a^k_ij W_k h_j,   k = 0, 1, 2, 3
        h'_i = b + [g^0_i, g^1_i, g^2_i, g^3_i],   or in the output layer  b + Σ_k g^k_i

    N_0(i) is i itself, and N_k(i) are the joints that a walk of k bones leads to from i
    (:func:`graphlift.graph.walks`; it may go back, so that N_2 contains i again). The affinities
    a^k_ij of a joint are the softmax of one learnt number per edge, each k by itself; a^0_ii is 1.
    Parameters: ``weight`` (hop, in, out); ``affinity`` (edge), those of N_1, then N_2, then N_3,
    each by receiver, then by sender; ``bias``.

    Args:
        skeleton: The body.
        in_channels: Features of a joint that go in.
        out_channels: Features of a joint that come out, of every hop.
        joined: Whether the sums of the hops are joined, as inside the network, or added up.
        init: As in :class:`graphlift.nn.graph_conv.GraphConv`.

    Source: Zou, Liu, Wang and Tang, "High-order graph convolutional networks for 3D human pose
    estimation", BMVC 2020, and its published code (ZhimingZo/HGCN), which also keeps the numbers
    of a^0, whose softmax is 1 whatever they are, and a second bias of which it uses one.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        in_channels: int,
        out_channels: int,
        *,
        joined: bool = True,
        init: Init = "glorot",
    ) -> None:
        super().__init__()
        near = np.stack([walks(skeleton, bones) for bones in range(1, HOPS + 1)])
        self.shape, self.joined = near.shape, joined
        self.weight = nn.Parameter(torch.empty(HOPS + 1, in_channels, out_channels))
        self.affinity = nn.Parameter(torch.ones(int(near.sum())))
        self.bias = nn.Parameter(torch.empty((HOPS + 1 if joined else 1) * out_channels))
        self.edges = nn.Buffer(torch.from_numpy(np.stack(np.nonzero(near))), persistent=False)
        draw_weights(self.weight, self.bias, init)

    def affinities(self) -> Float[Tensor, "hop joint joint"]:
        """The affinities of hops 1, 2 and 3 as matrices, rows i; zero where there is no edge."""
        everywhere = self.affinity.new_full(self.shape, -torch.inf)
        return everywhere.index_put(tuple(self.edges), self.affinity).softmax(dim=-1)

    def forward(self, x: Float[Tensor, "joint batch in"]) -> Float[Tensor, "joint batch out"]:
        """Sum the messages of each hop."""
        return self.without_bias(x) + self.bias

    def without_bias(self, x: Float[Tensor, "joint batch in"]) -> Float[Tensor, "joint batch out"]:
        """The sums alone, for a layer that is normalised next."""
        itself, *near = (x @ W for W in self.weight)
        hops = [itself]
        for a, messages in zip(self.affinities(), near, strict=True):
            hops.append((a @ messages.flatten(1)).view_as(messages))
        return torch.cat(hops, dim=-1) if self.joined else torch.stack(hops).sum(dim=0)


class HighOrderGCN(nn.Module):
    """The study's residual network around high-order graph convolutions.

    An input layer, ``blocks`` residual blocks of two layers each, and an output layer, as in
    :class:`graphlift.nn.gcn.PoseGCN`; a layer is :class:`HighOrderConv`, batch normalisation over
    batch and joints, ReLU, dropout.

    Args:
        skeleton: The body; the order of joints that go in and come out.
        channels: Features of a joint inside, of each of the four hops; 96 as published.
        blocks: Residual blocks.
        dropout: Share of features dropped after each ReLU in training.
        init: As in :class:`graphlift.nn.graph_conv.GraphConv`.
        features: Numbers per joint in the input, and in the output.

    Source: Zou et al., BMVC 2020: 1.20 M parameters.
    """

    def __init__(
        self,
        skeleton: Skeleton = H36M_16,
        *,
        channels: int = 96,
        blocks: int = 4,
        dropout: float = 0.0,
        init: Init = "glorot",
        features: tuple[int, int] = (2, 3),
    ) -> None:
        super().__init__()
        inside = (HOPS + 1) * channels

        def layer(before: int) -> nn.Module:
            return HighOrderLayer(HighOrderConv(skeleton, before, channels, init=init), dropout)

        self.input = layer(features[0])
        self.blocks = nn.ModuleList(
            nn.Sequential(layer(inside), layer(inside)) for _ in range(blocks)
        )
        self.output = HighOrderConv(skeleton, inside, features[1], joined=False, init=init)

    def forward(
        self, keypoints: Float[Tensor, "batch joint before"]
    ) -> Float[Tensor, "batch joint after"]:
        """Lift keypoints to root-relative positions, m, as :class:`graphlift.nn.gcn.PoseGCN`."""
        h = self.input(keypoints.transpose(0, 1).contiguous())
        for block in self.blocks:
            h = h + block(h)
        poses: Tensor = self.output(h).transpose(0, 1)
        return poses


class HighOrderLayer(nn.Module):
    """High-order convolution, batch normalisation over joints and batch, ReLU, dropout."""

    def __init__(self, conv: HighOrderConv, dropout: float) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm1d(len(conv.bias))
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "joint batch in"]) -> Float[Tensor, "joint batch out"]:
        """Apply the convolution, batch normalisation, ReLU and dropout."""
        h = normalise(self.norm, self.conv.without_bias(x), self.conv.bias)
        out: Tensor = self.dropout(torch.relu(h))
        return out
