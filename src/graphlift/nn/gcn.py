"""The study's network around the graph convolution, and SemGCN, which is one setting of it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.graph import AffinityKind, Sharing, body_graph
from graphlift.nn.fused import fusable, pre_aggregation_layer
from graphlift.nn.graph_conv import GraphConv, Init, Order
from graphlift.nn.normalise import normalise
from graphlift.skeletons import H36M_16, Skeleton


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
        non_local: Add a non-local layer after the input layer and after every block: decoupled
            full-sharing with non-local layers is SemGCN.
        affinity: As in :class:`graphlift.nn.graph_conv.GraphConv`.
        init: As there.
        order: As there.
        features: Numbers of a joint that go in, and that come out.

    Source: Liu et al., ECCV 2020; the skeleton of the network is that of Zhao et al., CVPR 2019.
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
        non_local: bool = False,
        affinity: AffinityKind = "learnt",
        init: Init = "glorot",
        order: Order = "reduced",
        features: tuple[int, int] = (2, 3),
    ) -> None:
        super().__init__()
        graph = body_graph(skeleton)

        def conv(before: int, after: int) -> GraphConv:
            return GraphConv(
                graph,
                before,
                after,
                sharing=sharing,
                decouple_self=decouple_self,
                affinity=affinity,
                init=init,
                order=order,
            )

        def layer(before: int) -> nn.Module:
            return Layer(conv(before, channels), channels, dropout)

        def mixer() -> nn.Module:
            return NonLocal(skeleton, channels) if non_local else nn.Identity()

        self.input = nn.Sequential(layer(features[0]), mixer())
        self.blocks = nn.ModuleList(
            nn.Sequential(layer(channels), layer(channels)) for _ in range(blocks)
        )
        self.mixers = nn.ModuleList(mixer() for _ in range(blocks))
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
        poses: Tensor = self.output(h).transpose(0, 1)
        return poses


class Layer(nn.Module):
    """Graph convolution, batch normalisation over joints and batch, ReLU, dropout."""

    def __init__(self, conv: GraphConv, channels: int, dropout: float) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm1d(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "joint batch in"]) -> Float[Tensor, "joint batch out"]:
        """Convolve, normalise, rectify."""
        if self.training and fusable(self.conv):
            h = pre_aggregation_layer(x, self.conv, self.norm)
        else:
            h = torch.relu(normalise(self.norm, self.conv.without_bias(x), self.conv.bias))
        out: Tensor = self.dropout(h)
        return out


class NonLocal(nn.Module):
    """Attention of every joint to every pair of joints, added to the features.

    Joints are grouped in pairs whose features are max-pooled. The affinity of joint i and group g
    is ReLU(w · [θ(x_i), φ(x_g)]) over the number of groups; the last normalisation starts at
    zero, so the layer starts as the identity.

    Args:
        skeleton: The body; a joint without a partner is a group by itself.
        channels: Features in and out; half of them inside.

    Source: Zhao et al., CVPR 2019, and its published code (concatenation form of Wang et al.,
    "Non-local neural networks", CVPR 2018).
    """

    def __init__(self, skeleton: Skeleton, channels: int) -> None:
        super().__init__()
        inner = max(channels // 2, 1)
        self.value = nn.Linear(channels, inner)
        self.query = nn.Linear(channels, inner)
        self.key = nn.Linear(channels, inner)
        self.score = nn.Parameter(torch.empty(2 * inner))
        self.back = nn.Linear(inner, channels)
        self.norm = nn.BatchNorm1d(channels)
        for linear in (self.value, self.query, self.key, self.back):
            nn.init.kaiming_normal_(linear.weight)
            nn.init.zeros_(linear.bias)
        nn.init.normal_(self.score, std=inner**-0.5)
        nn.init.zeros_(self.norm.weight)
        first, second = zip(*group_joints(skeleton), strict=True)
        self.first = nn.Buffer(torch.tensor(first), persistent=False)
        self.second = nn.Buffer(torch.tensor(second), persistent=False)

    def forward(
        self, x: Float[Tensor, "joint batch channel"]
    ) -> Float[Tensor, "joint batch channel"]:
        """Let every joint look at every group."""
        y = x.transpose(0, 1).contiguous()  # frame by frame: each has its own small products

        def pool(z: Tensor) -> Tensor:
            return torch.maximum(z.index_select(1, self.first), z.index_select(1, self.second))

        on_joint, on_group = self.score.chunk(2)
        by_joint = self.query(y) @ on_joint  # batch joint
        by_group = pool(self.key(y)) @ on_group  # batch group
        affinity = torch.relu(by_joint[:, :, None] + by_group[:, None]) / by_group.shape[1]
        seen = torch.bmm(affinity, pool(self.value(y))).transpose(0, 1)
        back = nn.functional.linear(seen, self.back.weight)
        return x + normalise(self.norm, back, self.back.bias)


def group_joints(skeleton: Skeleton) -> list[tuple[int, int]]:
    """Pair the joints: ends of limbs with their parents, then left with right, then the midline.

    Returns:
        Pairs of joints; a joint without a partner is paired with itself.

    Source: on Human3.6M's 16 joints these are the eight pairs of SemGCN's published code.
    """
    parents, free, pairs = skeleton.parents, set(range(len(skeleton))), []
    ends = [joint for joint in skeleton.order if joint not in parents]
    inner = [joint for joint in skeleton.order if joint != skeleton.root]
    wanted = (
        *((parents[joint], joint) for joint in ends),
        *skeleton.pairs,
        *((parents[joint], joint) for joint in inner),
        *((joint, joint) for joint in skeleton.order),
    )
    for one, other in wanted:
        if one in free and other in free:
            free -= {one, other}
            pairs.append((one, other))
    return sorted(pairs)
