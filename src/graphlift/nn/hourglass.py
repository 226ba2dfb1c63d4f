"""Graph Stacked Hourglass: graph convolutions on the skeleton, its eight pairs, its four parts."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.graph import body_graph
from graphlift.networks import Pooling, hourglass_levels
from graphlift.nn.gcn import Layer
from graphlift.nn.graph_conv import GraphConv, Init
from graphlift.skeletons import H36M_16, Skeleton


class GraphHourglass(nn.Module):
    """Hourglasses one after another, of whose outputs all are seen at the end.

        x⁰ = layer(K),   xˢ = hourglass(xˢ⁻¹),   uˢ = V_s xˢ + c_s,   s = 1, ..., S
        P = V se([u¹, ..., uᴿ]) + c

    A layer is decoupled pre-aggregation, batch normalisation over joints and batch, ReLU, dropout
    (:class:`graphlift.nn.gcn.Layer`); uˢ has a share 1/S of the channels, and se is
    :class:`SqueezeExcite`.

    Args:
        skeleton: The body; only Human3.6M's 16 joints are pooled.
        channels: Features of a joint between hourglasses; 64 as published.
        blocks: Hourglasses, S.
        dropout: Share of features dropped after each ReLU in training.
        init: As in :class:`graphlift.nn.graph_conv.GraphConv`.
        features: Numbers per joint in the input, and in the output.

    Raises:
        ModelError: If it does not know how to pool the skeleton, or has no hourglass.

    Source: Xu and Takano, "Graph stacked hourglass networks for 3D human pose estimation", CVPR
    2021. Widths, and which joints are pooled, are those of tamasino52/GraphSH, a reimplementation
    by others, whose smaller graphs do not follow the bones everywhere; here they do. Affinities
    are learnt, as in the study.
    """

    def __init__(
        self,
        skeleton: Skeleton = H36M_16,
        *,
        channels: int = 64,
        blocks: int = 4,
        dropout: float = 0.0,
        init: Init = "glorot",
        features: tuple[int, int] = (2, 3),
    ) -> None:
        super().__init__()
        levels = hourglass_levels(skeleton, blocks)
        share = max(channels // blocks, 1)
        self.input = _layer(skeleton, features[0], channels, dropout, init)
        self.hourglasses = nn.ModuleList(
            Hourglass(levels, channels, dropout, init) for _ in range(blocks)
        )
        self.levels = nn.ModuleList(nn.Linear(channels, share) for _ in range(blocks))
        self.excite = SqueezeExcite(blocks * share)
        self.output = nn.Linear(blocks * share, features[1])

    def forward(
        self, keypoints: Float[Tensor, "batch joint before"]
    ) -> Float[Tensor, "batch joint after"]:
        """Lift keypoints to root-relative positions, m, as :class:`graphlift.nn.gcn.PoseGCN`."""
        h = self.input(keypoints.transpose(0, 1).contiguous())
        seen = []
        for hourglass, level in zip(self.hourglasses, self.levels, strict=True):
            h = hourglass(h)
            seen.append(level(h))
        poses: Tensor = self.output(self.excite(torch.cat(seen, dim=-1))).transpose(0, 1)
        return poses


class Hourglass(nn.Module):
    """Down to four parts of the body and up again, each scale joined to its own on the way up.

        a = layer₁(x),   b = layer₂(pool a),   c = layer₃(pool b)
        y = x + layer₅(a + unpool layer₄(b + unpool c))

    with C, 3C/2, 2C, 2C, 3C/2 and C channels from x to y. Pooling takes the larger of the two
    features in a pair; unpooling gives both joints of the pair the same.
    """

    def __init__(
        self, levels: tuple[Pooling, Pooling], channels: int, dropout: float, init: Init
    ) -> None:
        super().__init__()
        whole, half = levels
        wide, widest = 3 * channels // 2, 2 * channels
        self.down = _layer(whole.skeleton, channels, wide, dropout, init)
        self.further = _layer(half.skeleton, wide, widest, dropout, init)
        self.lowest = _layer(half.smaller, widest, widest, dropout, init)
        self.up = _layer(half.skeleton, widest, wide, dropout, init)
        self.last = _layer(whole.skeleton, wide, channels, dropout, init)
        self.pairs, self.parts = Pairs(whole), Pairs(half)

    def forward(
        self, x: Float[Tensor, "joint batch channel"]
    ) -> Float[Tensor, "joint batch channel"]:
        """Go down two scales and up again."""
        a = self.down(x)
        b = self.further(self.pairs.pool(a))
        c = self.lowest(self.parts.pool(b))
        d = self.up(b + self.parts.unpool(c))
        y: Tensor = x + self.last(a + self.pairs.unpool(d))
        return y


class Pairs(nn.Module):
    """Pooling and unpooling of joints by pairs."""

    def __init__(self, pooling: Pooling) -> None:
        super().__init__()
        first, second = zip(*pooling.groups, strict=True)
        of = np.empty(len(pooling.skeleton), dtype=int)
        of[[*first]] = of[[*second]] = np.arange(len(first))
        self.first = nn.Buffer(torch.tensor(first), persistent=False)
        self.second = nn.Buffer(torch.tensor(second), persistent=False)
        self.of = nn.Buffer(torch.from_numpy(of), persistent=False)

    def pool(self, x: Float[Tensor, "joint batch channel"]) -> Float[Tensor, "pair batch channel"]:
        """Take the larger feature of each pair."""
        return torch.maximum(x.index_select(0, self.first), x.index_select(0, self.second))

    def unpool(
        self, x: Float[Tensor, "pair batch channel"]
    ) -> Float[Tensor, "joint batch channel"]:
        """Give each joint the features of its pair."""
        return x.index_select(0, self.of)


class SqueezeExcite(nn.Module):
    """Scale each channel by what the mean over all joints says.

        y_i = x_i ∘ σ(V₂ ReLU(V₁ x̄ + c₁) + c₂),   x̄ = Σ_i x_i / N,   C/8 channels between

    Source: Hu et al., "Squeeze-and-excitation networks", CVPR 2018.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 8, 1)
        self.squeeze = nn.Linear(channels, inner)
        self.excite = nn.Linear(inner, channels)

    def forward(
        self, x: Float[Tensor, "joint batch channel"]
    ) -> Float[Tensor, "joint batch channel"]:
        """Scale the channels."""
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean(dim=0)))))
        return x * gate


def _layer(skeleton: Skeleton, before: int, after: int, dropout: float, init: Init) -> nn.Module:
    conv = GraphConv(
        body_graph(skeleton),
        before,
        after,
        sharing="pre-aggregation",
        decouple_self=True,
        init=init,
    )
    return Layer(conv, after, dropout)
