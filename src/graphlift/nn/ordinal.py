"""Ordinal depth: which of two joints is nearer to the camera, and training by that alone."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

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
) -> Tensor:
    """Mean over pairs of log(1 + exp(r (z_i - z_j))), or of (z_i - z_j)² where r is 0.

    Depths that have the right order by some units cost nearly nothing, whatever they are.

    Args:
        depths: z, growing away from the camera.
        pairs: Joints i and j.
        relations: r, as of :func:`depth_relations`.
        unit: What depths are divided by before.

    Source: Pavlakos et al., "Ordinal depth supervision for 3D human pose estimation", CVPR 2018,
    equations (1) and (2), who sum over pairs.
    """
    i, j = (depths / unit)[:, pairs].unbind(dim=-1)
    ordered = nn.functional.softplus(relations * (i - j))
    return torch.where(relations == 0, (i - j).square(), ordered).mean()
