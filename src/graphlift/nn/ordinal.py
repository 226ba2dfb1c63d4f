"""Ordinal depth: which of two joints is nearer to the camera, and training by that alone."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from graphlift.skeletons import Skeleton

TIED = 0.05
"""m: joints whose depths differ by less count as equally far. Neither publication gave theirs."""


def depth_relations(
    depths: Float[Tensor, "batch joint"],
    pairs: Int[Tensor, "pair 2"],
    *,
    tied: float = TIED,
) -> Int[Tensor, "batch pair"]:
    """Say of each pair which joint is nearer to the camera.

    Args:
        depths: m, growing away from the camera.
        pairs: Joints i and j.
        tied: m, the least difference that counts.

    Returns:
        1 where i is nearer, -1 where j is, 0 where they are equally far.
    """
    i, j = depths[:, pairs].unbind(dim=-1)
    return (j - i > tied).long() - (i - j > tied).long()


def ordinal_loss(
    depths: Float[Tensor, "batch joint"],
    pairs: Int[Tensor, "pair 2"],
    relations: Int[Tensor, "batch pair"],
    *,
    unit: float = 1.0,
    known: Bool[Tensor, "batch pair"] | None = None,
) -> Tensor:
    """Mean over pairs of log(1 + exp(r (z_i - z_j))), or of (z_i - z_j)² where r is 0.

    Depths that have the right order by some units cost nearly nothing, whatever they are.

    Args:
        depths: z, growing away from the camera.
        pairs: Joints i and j.
        relations: r, as of :func:`depth_relations`.
        unit: What depths are divided by before.
        known: The relations that count; all if left out.

    Source: Pavlakos et al., "Ordinal depth supervision for 3D human pose estimation", CVPR 2018,
    equations (1) and (2), who sum over pairs.
    """
    i, j = (depths / unit)[:, pairs].unbind(dim=-1)
    ordered = nn.functional.softplus(relations * (i - j))
    each = torch.where(relations == 0, (i - j).square(), ordered)
    return each.mean() if known is None else each[known].mean()


def joint_pairs(skeleton: Skeleton) -> Int[Tensor, "pair 2"]:
    """All pairs of joints i < j."""
    return torch.triu_indices(len(skeleton), len(skeleton), offset=1).T


def part_pairs(skeleton: Skeleton) -> Int[Tensor, "pair 2"]:
    """The joints of each bone, the parent first.

    Source: Zhou et al., "HEMlets pose: learning part-centric heatmap triplets for accurate 3D
    human pose estimation", ICCV 2019, whose three heat maps of a part say whether the child is
    nearer than the parent, as far, or farther.
    """
    return torch.tensor(skeleton.bones)


def columns_of(
    pairs: Int[Tensor, "pair 2"], skeleton: Skeleton
) -> tuple[Int[Tensor, " pair"], Int[Tensor, " pair"]]:
    """Find pairs among all of :func:`joint_pairs`.

    Returns:
        Their numbers there, and -1 where a pair is the other way round, else 1.
    """
    i, j = pairs.amin(dim=1), pairs.amax(dim=1)
    columns = i * len(skeleton) - i * (i + 1) // 2 + j - i - 1
    return columns, torch.where(pairs[:, 0] == i, 1, -1)
