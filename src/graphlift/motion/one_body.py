"""What a whole clip says of a person's body: lengths of bones, and the keypoints' convention.

Single frames say little of either. What counts of a frame is what its keypoints add to the
lifter's prediction; frames close together are not independent.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.geometry import unit_or_zero
from graphlift.motion.tree import Levels, Planes, full
from graphlift.skeletons import Skeleton

CONVENTION = 0.015
"""m; how far off the lifter's bones of the trunk are in all frames alike, in the body's axes.

Whoever makes keypoints has their own definition of thorax, neck, head, shoulders and hips; the
lifter follows it most of the way.
"""
LENGTH = 0.02
"""m; by how much the length of a bone varies within a clip: joints are not hinges."""

_PELVIS = ("LHip", "RHip", "Spine")
_CHEST = ("Thorax", "Neck/Nose", "Neck", "Head", "LShoulder", "RShoulder")
"""Joints that systems define differently, by the axes in which the difference is constant."""

_MIRRORED = np.array([-1.0, 1.0, 1.0])
"""What a mirror does to the coordinates left, backward and up."""


@dataclass(frozen=True, eq=False)
class Trunk:
    """Which bones have a convention, in whose axes; places are those of :class:`Levels`.

    Args:
        bones: Places of the bones' ends.
        chest: Whether each belongs to the chest's axes, or to the pelvis's.
        pairs: Places of left and right hip, left and right shoulder.
        mirror: For every place that of its counterpart on the other side; itself where the
            bones of the two sides do not mirror each other.
    """

    bones: Int[np.ndarray, " bone"]
    chest: Bool[np.ndarray, " bone"]
    pairs: Int[np.ndarray, "2 2"]
    mirror: Int[np.ndarray, " joint"]


def trunk_of(skeleton: Skeleton, tree: Levels) -> Trunk:
    """Find a skeleton's trunk.

    Raises:
        SkeletonError: If the skeleton lacks hips or shoulders.
    """
    place = np.argsort(tree.order)
    named = [name for name in (*_PELVIS, *_CHEST) if name in skeleton.joints]
    bones = place[skeleton.index(*named)]
    named = [name for name, bone in zip(named, bones, strict=True) if bone]  # the root has none
    pairs = skeleton.index("LHip", "RHip", "LShoulder", "RShoulder").reshape(2, 2)
    mirror = place[skeleton.mirror[tree.order]]
    paired = mirror[tree.parents] == tree.parents[mirror]
    return Trunk(
        bones=bones[bones > 0],
        chest=np.isin(named, _CHEST),
        pairs=place[pairs],
        mirror=np.where(paired, mirror, np.arange(len(mirror))),
    )


def trunk_axes(positions: Planes, trunk: Trunk) -> Float[np.ndarray, "part axis 3 frame"]:
    """Find the axes of pelvis and chest: to the left, backward, and up along the trunk."""
    (left_hip, right_hip), (left, right) = (
        positions[:, pair].swapaxes(0, 1) for pair in trunk.pairs
    )
    up = left + right - left_hip - right_hip
    return np.stack([_axes(left_hip - right_hip, up), _axes(left - right, up)])


def _axes(across: np.ndarray, up: np.ndarray) -> np.ndarray:
    x = unit_or_zero(across, axis=0)
    z = unit_or_zero(up - (up * x).sum(axis=0) * x, axis=0)
    return np.stack([x, np.cross(z, x, axis=0), z])


def measure_lengths(vectors: Planes, covariance: Planes) -> Float[np.ndarray, "2 joint"]:
    """Sum the lengths of bones over frames: weighted, and the weights.

    A bone whose direction is uncertain is longer than its most probable vector b: the mean of
    its squared length is |b|² plus the variance across b.

    Args:
        vectors: Of bones, m.
        covariance: Of each vector.
    """
    square = (vectors**2).sum(axis=0)
    turned = np.stack([vectors[0] * vectors[1], vectors[0] * vectors[2], vectors[1] * vectors[2]])
    along = (covariance[:3] * vectors**2).sum(axis=0) + 2 * (covariance[3:] * turned).sum(axis=0)
    along /= np.maximum(square, 1e-12)
    length = np.sqrt(square + np.maximum(covariance[:3].sum(axis=0) - along, 0.0))
    weights = 1 / (np.maximum(along, 0.0) + LENGTH**2)
    return np.stack([(weights * length).sum(axis=-1), weights.sum(axis=-1)])


def find_lengths(sums: Float[np.ndarray, "2 joint"], trunk: Trunk) -> Float[np.ndarray, " joint"]:
    """Find one length a bone from the sums over all frames, left and right alike, m."""
    both = sums + np.where(trunk.mirror != np.arange(sums.shape[1]), sums[:, trunk.mirror], 0.0)
    return np.asarray(both[0] / np.maximum(both[1], 1e-30))


def measure_convention(
    excess: Planes,
    covariance: Planes,
    variance: Float[np.ndarray, "joint frame"],
    axes: Float[np.ndarray, "part axis 3 frame"],
    trunk: Trunk,
) -> Float[np.ndarray, "bone 3 4"]:
    """Sum what frames say of constant differences from the lifter's bones, in the body's axes.

    A bone has the prior N(b̂ + Rᵀo, v I) about the lifter's vector b̂, with o the difference in
    axes R, and with o = 0 the posterior N(b̂ + e, C). So the keypoints alone say of o, by the
    matrix inversion lemma, o ~ N⁻¹(R e / v, R (I - C / v) Rᵀ / v), right side and information.

    Args:
        excess: e, m: bones less the lifter's.
        covariance: C of each bone.
        variance: v, m².
        axes: From :func:`trunk_axes`.
        trunk: Which bones.

    Returns:
        Information and, in the last column, right side.
    """
    count = excess.shape[-1]
    found = np.empty((len(trunk.bones), 3, 4))
    for row, (place, chest) in enumerate(zip(trunk.bones, trunk.chest, strict=True)):
        own, R = 1 / variance[place], axes[int(chest)]
        known = -full(covariance[:, place]).reshape(3, 3, count) * own
        known[[0, 1, 2], [0, 1, 2]] += 1
        turned = np.stack([(R * (own * column)).sum(axis=1) for column in known.swapaxes(0, 1)])
        for axis in range(3):
            found[row, :, axis] = (turned * R[axis][:, None]).sum(axis=(0, 2))
        found[row, :, 3] = (R * (own * excess[:, place])).sum(axis=(1, 2))
    return found


def find_convention(
    sums: Float[np.ndarray, "bone 3 4"], trunk: Trunk, *, together: float
) -> Float[np.ndarray, "bone 3"]:
    """Find the differences from the sums over all frames, left and right mirrored, m.

    Args:
        sums: From :func:`measure_convention`.
        trunk: Which bones.
        together: Frames that count as one.
    """
    rows = {place: row for row, place in enumerate(trunk.bones.tolist())}
    twin = [rows[place] for place in trunk.mirror[trunk.bones].tolist()]
    flip = _MIRRORED[:, None] * np.append(_MIRRORED, 1.0)
    alone = np.array(twin) == np.arange(len(twin))
    both = (sums + np.where(alone[:, None, None], 0.0, sums[twin] * flip)) / together
    known = both[..., :3] + np.eye(3) / CONVENTION**2
    return np.asarray(np.linalg.solve(known, both[..., 3:])[..., 0])


def apply_convention(
    vectors: Planes,
    difference: Float[np.ndarray, "bone 3"],
    axes: Float[np.ndarray, "part axis 3 frame"],
    trunk: Trunk,
) -> Planes:
    """Move the lifter's bones by the differences, given in the body's axes."""
    moved = vectors.copy()
    parts = axes[trunk.chest.astype(int)]  # (bone, axis, 3, frame)
    moved[:, trunk.bones] += (difference[..., None, None] * parts).sum(axis=1).swapaxes(0, 1)
    return moved
