"""Non-local layers: attention between joints that need not share a bone."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.nn.normalise import normalise
from graphlift.skeletons import Skeleton


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
        """Let every joint attend to every group."""
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


class EmbeddedNonLocal(nn.Module):
    """Attention of every joint to every joint, added to the features.

    y_i = Σ_j softmax_j(θ(x_i) · φ(x_j)) g(x_j), mapped back and normalised; the last normalisation
    starts at zero, so the layer starts as the identity.

    Args:
        channels: Features in and out; half of them inside.

    Source: Wang et al., "Non-local neural networks", CVPR 2018 (embedded Gaussian), as Zou and
    Tang, ICCV 2021, put it before the output layer.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 2, 1)
        self.value = nn.Linear(channels, inner)
        self.query = nn.Linear(channels, inner)
        self.key = nn.Linear(channels, inner)
        self.back = nn.Linear(inner, channels)
        self.norm = nn.BatchNorm1d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(
        self, x: Float[Tensor, "joint batch channel"]
    ) -> Float[Tensor, "joint batch channel"]:
        """Let every joint attend to every joint."""
        y = x.transpose(0, 1).contiguous()  # frame by frame: each has its own small products
        affinity = torch.bmm(self.query(y), self.key(y).transpose(1, 2)).softmax(dim=-1)
        seen = torch.bmm(affinity, self.value(y)).transpose(0, 1)
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
    candidates = (
        *((parents[joint], joint) for joint in ends),
        *skeleton.pairs,
        *((parents[joint], joint) for joint in inner),
        *((joint, joint) for joint in skeleton.order),
    )
    for one, other in candidates:
        if one in free and other in free:
            free -= {one, other}
            pairs.append((one, other))
    return sorted(pairs)
