"""GraFormer: attention between all joints, then Chebyshev graph convolutions."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.graph import body_graph, fixed_affinity
from graphlift.nn.attention import MultiHead
from graphlift.nn.dropout import Dropout
from graphlift.nn.graph_conv import Init, draw_weights
from graphlift.skeletons import H36M_16, Skeleton

HEADS = 4
POLYNOMIALS = 3


class GraFormer(nn.Module):
    """Blocks of attention, a learnt graph and two Chebyshev graph convolutions.

        x⁰ = cheb(K),   yʳ = attend(xʳ⁻¹),   xʳ = yʳ + layer(layer(yʳ)),   P = cheb(xᴿ)

    cheb is :class:`ChebConv`; a layer is cheb, ReLU, dropout; attend is :class:`GraAttention`.

    Args:
        skeleton: The body; the order of joints that go in and come out.
        channels: Features of a joint inside; 96 as published.
        blocks: Blocks, R; 5 as published.
        dropout: Share of features dropped in training after each ReLU, after each half of attend,
            and of the affinities of attention; published are 0.1, 0.25 and 0.1.
        init: Of the Chebyshev graph convolutions: as in
            :class:`graphlift.nn.graph_conv.GraphConv`, ``stacked`` by a normal distribution.
            Linear maps are drawn as torch does, each by itself; in the published code those of all
            blocks start alike.
        features: Numbers per joint in the input, and in the output.

    Source: Zhao, Wang and Tian, "GraFormer: graph-oriented transformer for 3D pose estimation",
    CVPR 2022: 0.65 M parameters; arithmetic as in its published code (Graformer/GraFormer).
    """

    def __init__(
        self,
        skeleton: Skeleton = H36M_16,
        *,
        channels: int = 96,
        blocks: int = 5,
        dropout: float = 0.0,
        init: Init = "glorot",
        features: tuple[int, int] = (2, 3),
    ) -> None:
        super().__init__()

        def layer() -> nn.Module:
            conv = ChebConv(skeleton, channels, channels, init=init)
            return nn.Sequential(conv, nn.ReLU(), Dropout(dropout))

        self.input = ChebConv(skeleton, features[0], channels, init=init)
        self.attend = nn.ModuleList(
            GraAttention(len(skeleton), channels, dropout) for _ in range(blocks)
        )
        self.blocks = nn.ModuleList(nn.Sequential(layer(), layer()) for _ in range(blocks))
        self.output = ChebConv(skeleton, channels, features[1], init=init)

    def forward(
        self, keypoints: Float[Tensor, "batch joint before"]
    ) -> Float[Tensor, "batch joint after"]:
        """Lift keypoints to root-relative positions, m, as :class:`graphlift.nn.gcn.PoseGCN`."""
        h = self.input(keypoints.transpose(0, 1).contiguous())
        for attend, block in zip(self.attend, self.blocks, strict=True):
            h = attend(h)
            h = h + block(h)
        poses: Tensor = self.output(h).transpose(0, 1)
        return poses


class ChebConv(nn.Module):
    """Chebyshev graph convolution of order two.

        h'_i = b + Σ_k Σ_j T_k(L)_ij W_k h_j,   k = 0, 1, 2
        T_0 = I,   T_1 = L,   T_2 = 2 L² − I,   L = I − D⁻¹(A + I)

    A + I is the adjacency with self-connections, D its degrees. Parameters: ``weight`` (k, in,
    out), ``bias`` (out).

    Source: Defferrard et al., "Convolutional neural networks on graphs with fast localized
    spectral filtering", NeurIPS 2016; this L is that of GraFormer's published code, which takes
    D⁻¹(A + I) for the graph, whose degrees are 1.
    """

    def __init__(
        self, skeleton: Skeleton, in_channels: int, out_channels: int, *, init: Init = "glorot"
    ) -> None:
        super().__init__()
        near = torch.from_numpy(chebyshev(skeleton)[1:]).float()  # T_0 is the identity
        self.polynomials = nn.Buffer(near, persistent=False)
        self.weight = nn.Parameter(torch.empty(POLYNOMIALS, in_channels, out_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        draw_weights(self.weight, self.bias, "glorot")
        if init == "stacked":  # torch takes (k, 1, in, out) as convolutions of in · out taps
            deviation = (2 / ((1 + POLYNOMIALS) * in_channels * out_channels)) ** 0.5
            nn.init.normal_(self.weight, std=deviation)

    def forward(self, x: Float[Tensor, "joint batch in"]) -> Float[Tensor, "joint batch out"]:
        """Sum the messages of joints at most two bones away."""
        itself, *near = (x @ W for W in self.weight)
        total: Tensor = itself + self.bias
        for polynomial, messages in zip(self.polynomials, near, strict=True):
            total = total + (polynomial @ messages.flatten(1)).view_as(messages)
        return total


def chebyshev(skeleton: Skeleton) -> Float[np.ndarray, "polynomial joint joint"]:
    """Evaluate the polynomials T_0, T_1 and T_2 of a skeleton's Laplacian."""
    graph, itself = body_graph(skeleton), np.eye(len(skeleton))
    laplacian = itself.copy()
    laplacian[graph.target, graph.source] -= fixed_affinity(graph, "row-normalised")
    return np.stack([itself, laplacian, 2 * laplacian @ laplacian - itself])


class GraAttention(nn.Module):
    """Attention, then a learnt graph, each added to its normalised input.

        y = x + attention(norm(x)),   z = y + V₂ (L̂ ReLU(V₁ (L̂ norm(y)) + c₁)) + c₂
        L̂ = D^-½ Â D^-½,   D_jj = Σ_i Â_ij + 1e-5

    Â is learnt for every two joints, and starts as the identity. Parameters: ``graph``, which is
    Â; ``widen`` and ``narrow``, with twice the channels between.

    Args:
        joints: Of the skeleton.
        channels: Features in and out.
        dropout: As in :class:`GraFormer`.

    Source: Zhao et al., CVPR 2022.
    """

    def __init__(self, joints: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.before_attention, self.before_graph = Norm(channels), Norm(channels)
        self.attention = MultiHead(channels, HEADS, dropout)
        self.graph = nn.Parameter(torch.eye(joints))
        self.widen = nn.Linear(channels, 2 * channels)
        self.narrow = nn.Linear(2 * channels, channels)
        self.dropout = Dropout(dropout)

    def affinities(self) -> Float[Tensor, "joint joint"]:
        """The normalised graph L̂."""
        # The published code has no clamp, and no number where a sum is negative.
        scale = (self.graph.sum(dim=0).clamp(min=0) + 1e-5) ** -0.5
        return scale[:, None] * self.graph * scale

    def forward(
        self, x: Float[Tensor, "joint batch channel"]
    ) -> Float[Tensor, "joint batch channel"]:
        """Attend, then sum over the learnt graph."""
        y = x + self.dropout(self.attention(self.before_attention(x)))
        a = self.affinities()
        h = torch.relu(self.widen(_aggregate(a, self.before_graph(y))))
        z: Tensor = y + self.dropout(self.narrow(_aggregate(a, h)))
        return z


class Norm(nn.Module):
    """Layer normalisation by the sample's standard deviation: γ (x − mean) / (sd + 1e-6) + β."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(
        self, x: Float[Tensor, "joint batch channel"]
    ) -> Float[Tensor, "joint batch channel"]:
        """Normalise over channels."""
        apart = x - x.mean(dim=-1, keepdim=True)
        return self.gain * apart / (x.std(dim=-1, keepdim=True) + 1e-6) + self.shift


def _aggregate(a: Tensor, x: Tensor) -> Tensor:
    return (a @ x.flatten(1)).view_as(x)
