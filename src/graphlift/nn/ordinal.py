"""Ordinal depth: which of two joints is nearer to the camera, and training by that alone."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphlift.errors import ShapeError
from graphlift.skeletons import Skeleton

TIED = 0.05
"""m: joints whose depths differ by less count as equally far. Neither publication gave theirs."""
_WAY_OUT = "correct or leave out one of these labels"


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


def given_relations(
    relations: np.ndarray,
    pairs: np.ndarray,
    joints: Sequence[str],
) -> Int[Tensor, "frame pair"]:
    """Take ordinal labels that people gave, unless some contradict others.

    A row of joints, each nearer than the next, that comes back to where it began is a
    contradiction, and so are two labels of a pair that differ. "Equally far" has no exact meaning
    to a person, and is not followed from joint to joint.

    Args:
        relations: (frame, pair), integers: 1 where i is nearer to the camera, -1 where j is, 0
            where they are equally far.
        pairs: (pair, 2), joints i and j, for all frames.
        joints: Their names, for messages.

    Raises:
        ShapeError: If labels contradict, naming the frame and the joints; or if there are not as
            many as pairs, one is no such label, or a pair is not two of the joints.
    """
    relations, pairs = np.asarray(relations), np.asarray(pairs)
    _check_form(relations, pairs, joints)
    count = len(joints)
    nearer = np.zeros((len(relations), count, count), dtype=bool)
    tied = np.zeros_like(nearer)
    for column, (one, other) in enumerate(pairs):
        nearer[:, one, other] |= relations[:, column] == 1
        nearer[:, other, one] |= relations[:, column] == -1
        tied[:, one, other] |= relations[:, column] == 0
        tied[:, other, one] |= relations[:, column] == 0
    for frame, one, other in np.argwhere(tied & nearer)[:1]:
        raise ShapeError(
            f"frame {frame}: ordinal labels contradict: {joints[one]} is nearer than "
            f"{joints[other]}, and equally far: {_WAY_OUT}"
        )
    reached = nearer.copy()
    for _ in range(count.bit_length()):  # twice as far each time
        reached |= reached @ reached
    for frame in np.flatnonzero(reached[:, range(count), range(count)].any(axis=1))[:1]:
        ring = _shortest_ring(nearer[frame])
        said = ", ".join(
            f"{joints[one]} is nearer than {joints[other]}"
            for one, other in zip(ring, [*ring[1:], ring[0]], strict=True)
        )
        raise ShapeError(f"frame {frame}: ordinal labels contradict: {said}: {_WAY_OUT}")
    return torch.from_numpy(relations.astype(np.int64))


def _check_form(relations: np.ndarray, pairs: np.ndarray, joints: Sequence[str]) -> None:
    if pairs.ndim != 2 or pairs.shape[1] != 2 or relations.shape[1:] != pairs.shape[:1]:
        raise ShapeError(
            f"ordinal labels of shape {relations.shape} for pairs of shape {pairs.shape}: give "
            "(frame, pair) labels for (pair, 2) joints"
        )
    if (wrong := ~np.isin(relations, (-1, 0, 1))).any():
        frame, column = np.argwhere(wrong)[0]
        raise ShapeError(
            f"frame {frame}: the ordinal label of pair {column} is {relations[frame, column]}: "
            "give 1 where its first joint is nearer, -1 where its second is, 0 where neither is"
        )
    for column, (one, other) in enumerate(pairs.tolist()):
        if one == other or not {one, other} <= set(range(len(joints))):
            raise ShapeError(
                f"pair {column} is of joints {one} and {other}: give two different ones, from 0 "
                f"to {len(joints) - 1}"
            )


def _shortest_ring(nearer: np.ndarray) -> list[int]:
    """A shortest row of joints, each nearer than the next, and the last than the first."""
    rings = []
    for start in range(len(nearer)):
        rows, seen = [[start]], {start}
        while rows:
            row = rows.pop(0)
            if nearer[row[-1], start]:
                rings.append(row)
                break
            further = [int(n) for n in np.flatnonzero(nearer[row[-1]]) if n not in seen]
            seen |= set(further)
            rows += [[*row, n] for n in further]
    return min(rings, key=len)
