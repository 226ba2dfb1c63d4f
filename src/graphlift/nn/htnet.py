"""HTNet: graph convolution, limbs and attention, each on a third of the channels."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.graph import body_graph
from graphlift.networks import htnet_limbs, htnet_widths
from graphlift.nn.attention import MultiHead
from graphlift.nn.dropout import Dropout, kept
from graphlift.nn.graph_conv import Init
from graphlift.nn.modulated import ModulatedConv
from graphlift.skeletons import H36M_17, Skeleton

HEADS = 8


class HTNet(nn.Module):
    """Human topology aware network: blocks of three streams, from joints over limbs to the body.

        x⁰ = V₁ K + c₁ + p,   xʳ = block(xʳ⁻¹),   P = V₂ norm(xᴿ) + c₂

    p is a learnt position of each joint; norm is layer normalisation over channels, everywhere in
    this network; a block is :class:`Block`.

    Args:
        skeleton: The body; it must have the limbs of :data:`graphlift.networks.LIMBS`.
        channels: Features of a joint in each of the three streams; 80 as published, 240 in all.
        blocks: Blocks; 3 as published.
        dropout: Share of features dropped in training inside fully connected layers and after
            attention, and of samples that skip a branch of the first block; three times as many
            skip one of the last, and those between lie evenly between. 0.1 as published.
        init: Of the graph convolutions: as in :class:`graphlift.nn.graph_conv.GraphConv`; linear
            maps are drawn as torch does.
        features: Numbers per joint in the input, and in the output.

    Raises:
        ModelError: If the skeleton does not have these limbs.

    Source: Cai, Liu, Ding, Li, Wu and Ban, "HTNet: human topology aware network for 3D human pose
    estimation", ICASSP 2023; widths and arithmetic as in its published code (vefalun/HTNet), but
    for where it starts, modulations there drawn at random and here 1, and for 1e-5 in place of
    1e-6 in the normalisations of all three streams together.
    """

    def __init__(
        self,
        skeleton: Skeleton = H36M_17,
        *,
        channels: int = 80,
        blocks: int = 3,
        dropout: float = 0.0,
        init: Init = "glorot",
        features: tuple[int, int] = (2, 3),
    ) -> None:
        super().__init__()
        shares = np.linspace(dropout, 3 * dropout, blocks).tolist()
        self.input = nn.Linear(features[0], 3 * channels)
        self.position = nn.Parameter(torch.zeros(len(skeleton), 3 * channels))
        self.blocks = nn.ModuleList(
            Block(skeleton, channels, dropout, skipped, init) for skipped in shares
        )
        self.norm = nn.LayerNorm(3 * channels)
        self.output = nn.Linear(3 * channels, features[1])

    def forward(
        self, keypoints: Float[Tensor, "batch joint before"]
    ) -> Float[Tensor, "batch joint after"]:
        """Lift keypoints to root-relative positions, m, as :class:`graphlift.nn.gcn.PoseGCN`."""
        h = self.input(keypoints.transpose(0, 1).contiguous()) + self.position[:, None]
        for block in self.blocks:
            h = block(h)
        poses: Tensor = self.output(self.norm(h)).transpose(0, 1)
        return poses


class Block(nn.Module):
    """Three streams, each of which gets what the one before it has found.

        J = x_1 + norm(conv(GELU(conv(norm(x_1)))))           graph convolution
        L = l + limbs_3(l) + limbs_2(l),   l = x_2 + J        of three joints, of the two outer
        B = m + attention(norm(m)),   m = x_3 + L             of all joints
        y = z + full(norm(z)),   z = [J, L, B]

    x_1, x_2 and x_3 are the thirds of the channels. conv is modulated graph convolution
    (:class:`graphlift.nn.modulated.ModulatedConv`), limbs is :class:`Limbs`, attention
    :class:`graphlift.nn.attention.MultiHead` with eight heads; full is fully connected, with
    GELU between two linear maps.
    """

    def __init__(
        self, skeleton: Skeleton, channels: int, dropout: float, skipped: float, init: Init
    ) -> None:
        super().__init__()
        graph, (between, full) = body_graph(skeleton), htnet_widths(channels)
        self.joints = nn.Sequential(
            nn.LayerNorm(channels),
            ModulatedConv(graph, channels, between, init=init),
            nn.GELU(),
            ModulatedConv(graph, between, channels, init=init),
            nn.LayerNorm(channels),
        )
        self.limbs = nn.ModuleList(
            Limbs(skeleton, count, channels, full, dropout, skipped) for count in (3, 2)
        )
        self.body = nn.Sequential(
            nn.LayerNorm(channels), MultiHead(channels, HEADS), Dropout(dropout)
        )
        self.full = _full(3 * channels, full, dropout)
        self.skip = Skip(skipped)

    def forward(
        self, x: Float[Tensor, "joint batch channel"]
    ) -> Float[Tensor, "joint batch channel"]:
        """Mix joints by the graph, by limbs and all at once."""
        joints, limbs, body = x.chunk(3, dim=-1)
        joints = joints + self.skip(self.joints(joints))
        limbs = limbs + joints
        by_three, by_two = (each(limbs) for each in self.limbs)
        limbs = by_three + by_two + limbs
        body = body + limbs
        body = body + self.skip(self.body(body))
        z = torch.cat([joints, limbs, body], dim=-1)
        y: Tensor = z + self.skip(self.full(z))
        return y


class Limbs(nn.Module):
    """One feature for each limb, given to all of its joints but the nearest to the trunk.

        u_k = GELU(V [h_a, ..., h_z] + c),   w_k = u_k + full(norm(u_k)),   h = norm(x)
        y_i = w_k for the joints after a of limb k,   y_i = h_i for all others

    a, ..., z are the last ``count`` joints of limb k; full and norm as in :class:`Block`.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        count: int,
        channels: int,
        full: int,
        dropout: float,
        skipped: float,
    ) -> None:
        super().__init__()
        chains = htnet_limbs(skeleton)[:, -count:]
        source = np.arange(len(skeleton))
        for limb, chain in enumerate(chains):
            source[chain[1:]] = len(skeleton) + limb
        self.chains = nn.Buffer(torch.from_numpy(chains.T.flatten()), persistent=False)
        self.source = nn.Buffer(torch.from_numpy(source), persistent=False)
        self.count = count
        self.norm = nn.LayerNorm(channels)
        self.join = nn.Linear(count * channels, channels)
        self.full = _full(channels, full, dropout)
        self.skip = Skip(skipped)

    def forward(
        self, x: Float[Tensor, "joint batch channel"]
    ) -> Float[Tensor, "joint batch channel"]:
        """Replace the outer joints of each limb by the limb."""
        h = self.norm(x)
        members = h.index_select(0, self.chains).chunk(self.count)
        joined = self.join(torch.cat(members, dim=-1))
        limbs = self.skip(nn.functional.gelu(joined))
        limbs = limbs + self.skip(self.full(limbs))
        return torch.cat([h, limbs]).index_select(0, self.source)


class Skip(Dropout):
    """Leave a branch out for a share of the samples in training, and scale it up for the others.

    Source: Huang et al., "Deep networks with stochastic depth", ECCV 2016.
    """

    def forward(
        self, x: Float[Tensor, "joint batch channel"]
    ) -> Float[Tensor, "joint batch channel"]:
        """Set whole samples to zero."""
        if not (self.training and self.p):
            return x
        keep = 1 - self.p
        return x * (kept(x[:1, :, :1], keep, self.part) / keep)


def _full(channels: int, between: int, dropout: float) -> nn.Module:
    """Normalise, then two linear maps with GELU between."""
    return nn.Sequential(
        nn.LayerNorm(channels),
        nn.Linear(channels, between),
        nn.GELU(),
        Dropout(dropout),
        nn.Linear(between, channels),
        Dropout(dropout),
    )
