"""The study's network around the graph convolution, and SemGCN, which is one of its settings."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.graph import AffinityKind, body_graph
from graphlift.networks import NonLocalKind
from graphlift.nn.dropout import Dropout
from graphlift.nn.fused import fused_layer
from graphlift.nn.graph_conv import GraphConv, Init, Order
from graphlift.nn.modulated import ModulatedConv
from graphlift.nn.non_local import EmbeddedNonLocal, NonLocal
from graphlift.nn.normalise import normalise
from graphlift.skeletons import H36M_16, Skeleton
from graphlift.weight_sharing import Sharing

Conv = GraphConv | ModulatedConv


class PoseGCN(nn.Module):
    """Residual graph network: 2D joints in, 3D joints out.

    An input layer, ``blocks`` residual blocks of two layers each, and an output layer. A layer is
    graph convolution, batch normalisation over batch and joints, ReLU, dropout; the output layer
    is the bare convolution. No activation follows the residual sum.

    Args:
        skeleton: The body; the order of joints that go in and come out.
        sharing: Weight-sharing method of every layer.
        decouple_self: Give self-connections their own weights.
        channels: Features of a joint inside.
        blocks: Residual blocks.
        dropout: Share of features dropped after each ReLU in training.
        non_local: ``grouped`` adds a non-local layer after the input layer and after every block
            (decoupled full-sharing with these layers is SemGCN). ``embedded`` adds one of another
            kind before the output layer.
        modulated: Modulate decoupled full-sharing: Modulated GCN.
        affinity: As in :class:`graphlift.nn.graph_conv.GraphConv`.
        init: As in ``GraphConv``.
        order: As in ``GraphConv``.
        features: Numbers per joint in the input, and in the output.

    Raises:
        ModelError: As :func:`graphlift.weight_sharing.weight_slots`.

    Source: Liu et al., ECCV 2020; the architecture is that of Zhao et al., CVPR 2019.
    """

    def __init__(
        self,
        skeleton: Skeleton = H36M_16,
        *,
        sharing: Sharing = "pre-aggregation",
        decouple_self: bool = True,
        channels: int = 128,
        blocks: int = 4,
        dropout: float = 0.0,
        non_local: NonLocalKind = "none",
        modulated: bool = False,
        affinity: AffinityKind = "learnt",
        init: Init = "glorot",
        order: Order = "reduced",
        features: tuple[int, int] = (2, 3),
    ) -> None:
        super().__init__()
        kind: type[ModulatedConv] | partial[GraphConv] = ModulatedConv
        if not modulated:
            kind = partial(GraphConv, sharing=sharing, decouple_self=decouple_self, order=order)
        conv = partial(kind, body_graph(skeleton), affinity=affinity, init=init)

        def layer(before: int) -> nn.Module:
            return Layer(conv(before, channels), channels, dropout)

        def mixer() -> nn.Module:
            grouped = non_local == "grouped"
            return NonLocal(skeleton, channels) if grouped else nn.Identity()

        self.input = nn.Sequential(layer(features[0]), mixer())
        self.blocks = nn.ModuleList(
            nn.Sequential(layer(channels), layer(channels)) for _ in range(blocks)
        )
        self.mixers = nn.ModuleList(mixer() for _ in range(blocks))
        embedded = non_local == "embedded"
        self.attention = EmbeddedNonLocal(channels) if embedded else nn.Identity()
        self.output = conv(channels, features[1])

    def forward(
        self, keypoints: Float[Tensor, "batch joint before"]
    ) -> Float[Tensor, "batch joint after"]:
        """Lift keypoints.

        Args:
            keypoints: Screen-normalised positions, or canonical ones with confidence
                (:mod:`graphlift.preprocessing`).

        Returns:
            Root-relative positions, m, camera axes; then the logarithm of their standard
            deviation, if the network has that output.
        """
        h = self.input(keypoints.transpose(0, 1).contiguous())
        for block, mixer in zip(self.blocks, self.mixers, strict=True):
            h = mixer(h + block(h))
        poses: Tensor = self.output(self.attention(h)).transpose(0, 1)
        return poses


class Layer(nn.Module):
    """Graph convolution, batch normalisation over joints and batch, ReLU, dropout."""

    def __init__(self, conv: Conv, channels: int, dropout: float) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm1d(channels)
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "joint batch in"]) -> Float[Tensor, "joint batch out"]:
        """Apply graph convolution, batch normalisation, ReLU and dropout."""
        if self.training and isinstance(self.conv, GraphConv) and self.conv.order == "reduced":
            return fused_layer(x, self.conv, self.norm, self.dropout.p)
        h = torch.relu(normalise(self.norm, self.conv.without_bias(x), self.conv.bias))
        out: Tensor = self.dropout(h)
        return out
