"""Alignment and rotation of poses, and bone vectors."""

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.mapped import in_blocks


def align_similarity(
    points: Float[np.ndarray, "*batch joint 3"],
    onto: Float[np.ndarray, "*batch joint 3"],
    present: Bool[np.ndarray, "*batch joint"] | None = None,
) -> Float[np.ndarray, "*batch joint 3"]:
    """Align each pose of ``points`` to ``onto`` by the similarity with the least squared error.

    A similarity is a translation, a rotation without reflection and a scale. A pose whose joints
    coincide up to rounding is only translated. If the joints lie on a line, the rotation about it
    is not determined, and the aligned points do not depend on it.

    Args:
        points: Poses to align.
        onto: Target positions, joint by joint.
        present: Joints that determine the alignment, all of them when left out; the others, which
            may be NaN, are transformed with them.

    Returns:
        The aligned points, in the unit and frame of reference of ``onto``.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", TPAMI 1991.
    """
    centre, goal = _centre(points, present), _centre(onto, present)
    moved = points - centre
    x, y = _present(moved, present), _present(onto - goal, present)
    size = (x**2).sum(axis=(-1, -2))
    # Joints that coincide differ from their mean by rounding alone.
    rounding = (8 * np.finfo(x.dtype).eps) ** 2 * (_present(points, present) ** 2).sum((-1, -2))
    apart = size > rounding
    U, spread, Vt = np.linalg.svd(y.swapaxes(-1, -2) @ x * apart[..., None, None])
    proper = np.ones_like(spread)
    proper[..., -1] = np.where(np.linalg.det(U @ Vt) < 0, -1, 1)
    R = (U * proper[..., None, :]) @ Vt
    scale = np.divide((spread * proper).sum(axis=-1), size, out=np.ones_like(size), where=apart)
    return np.asarray(scale[..., None, None] * (moved @ R.swapaxes(-1, -2)) + goal)


def align_scale(
    points: Float[np.ndarray, "*batch joint 3"],
    onto: Float[np.ndarray, "*batch joint 3"],
    present: Bool[np.ndarray, "*batch joint"] | None = None,
) -> Float[np.ndarray, "*batch joint 3"]:
    """Scale each root-relative pose by the factor with the least squared error to ``onto``.

    Args:
        points: Poses to scale.
        onto: Target positions, joint by joint.
        present: As in :func:`align_similarity`.

    Source: Rhodin et al., "Unsupervised geometry-aware representation", ECCV 2018 (N-MPJPE).
    """
    return np.asarray(points * best_scale(points, onto, present)[..., None, None])


def best_scale(
    points: Float[np.ndarray, "*batch joint 3"],
    onto: Float[np.ndarray, "*batch joint 3"],
    present: Bool[np.ndarray, "*batch joint"] | None = None,
) -> Float[np.ndarray, "*batch"]:
    """Find the factor of :func:`align_scale`, which has its arguments; 1 for points at 0."""
    x, y = _present(points, present), _present(onto, present)
    size = (x**2).sum(axis=(-1, -2))
    overlap = (x * y).sum(axis=(-1, -2))
    return np.asarray(np.divide(overlap, size, out=np.ones_like(size), where=size > 0))


def _present(points: np.ndarray, present: np.ndarray | None) -> np.ndarray:
    """Set joints that are not present to the origin, where they add nothing to a sum."""
    return points if present is None else np.where(present[..., None], points, 0)


def _centre(points: np.ndarray, present: np.ndarray | None) -> np.ndarray:
    if present is None:
        return np.asarray(points.mean(axis=-2, keepdims=True))
    count = np.maximum(present.sum(axis=-1), 1)[..., None, None]
    return np.asarray(_present(points, present).sum(axis=-2, keepdims=True) / count)


def bone_vectors(
    positions: Float[np.ndarray, "*batch joint 3"], parents: tuple[int, ...]
) -> Float[np.ndarray, "*batch joint 3"]:
    """Subtract each joint's parent; the root's own vector is zero."""
    at = np.array([joint if parent < 0 else parent for joint, parent in enumerate(parents)])
    return np.asarray(positions - positions[..., at, :])


def chain_bones(
    vectors: Float[np.ndarray, "*batch joint 3"],
    parents: tuple[int, ...],
    order: tuple[int, ...] | Int[np.ndarray, " joint"],
) -> Float[np.ndarray, "*batch joint 3"]:
    """Add bone vectors up along the tree: the inverse of :func:`bone_vectors`, root at the origin.

    ``order`` lists parents before children (:attr:`graphlift.skeletons.Skeleton.order`).
    """
    positions = np.array(vectors)
    for joint in order:
        if parents[joint] >= 0:
            positions[..., joint, :] += positions[..., parents[joint], :]
    return positions


def turn_about_z(
    positions: Float[np.ndarray, "*batch joint 3"], angle: Float[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch joint 3"]:
    """Rotate poses about the world's vertical, counter-clockwise seen from above.

    Args:
        positions: World frame, z up.
        angle: One angle per pose, radians.
    """
    cos, sin = np.cos(angle)[..., None], np.sin(angle)[..., None]
    x, y, z = positions[..., 0], positions[..., 1], positions[..., 2]
    return np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=-1)


def y_up_to_z_up(positions: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Convert axes with y up to axes with z up: (x, y, z) becomes (x, -z, y).

    A quarter turn about x (determinant +1), so left stays left; swapping y and z would mirror.
    """
    x, y, z = positions[..., 0], positions[..., 1], positions[..., 2]
    return np.stack([x, -z, y], axis=-1)


def unit_vectors(vectors: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Scale vectors to length 1, in their own precision; NaN for one without length."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    nothing = np.full_like(vectors, np.nan)
    return np.asarray(np.divide(vectors, length, out=nothing, where=length > 0))


def unit_or_zero(
    vectors: Float[np.ndarray, "*batch"], axis: int = -1
) -> Float[np.ndarray, "*batch"]:
    """Scale vectors to length 1; one shorter than 1e-9 becomes shorter than 1, and 0 stays 0.

    Args:
        vectors: Their three numbers along ``axis``.
        axis: Of the numbers.
    """
    length = np.linalg.norm(vectors, axis=axis, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-9))


def swing(
    vectors: Float[np.ndarray, "*batch 3"],
    before: Float[np.ndarray, "*batch 3"],
    after: Float[np.ndarray, "*batch 3"],
) -> Float[np.ndarray, "*batch 3"]:
    """Turn vectors by the smallest rotation that takes one unit vector to another.

    x becomes x - (a + b) ((a + b)·x) / (1 + a·b) + 2 b (a·x), which follows from Rodrigues'
    formula; half a turn, for which there is no smallest one, is not told apart from its opposite.
    """

    def dot(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.asarray((x * y).sum(axis=-1, keepdims=True))

    both = before + after
    apart = np.maximum(1 + dot(before, after), 1e-12)
    moved = vectors - both * dot(both, vectors) / apart + 2 * after * dot(before, vectors)
    return np.asarray(moved)


def frames_last(
    positions: Float[np.ndarray, "*batch joint d"], dtype: type | None = None
) -> Float[np.ndarray, "*batch joint d"]:
    """Copy poses, in the same shape, so that in memory frames lie side by side.

    Sums over coordinates that lie side by side take several times as long.
    """
    moved = np.moveaxis(positions, (-2, -1), (0, 1))
    return np.moveaxis(np.array(moved, dtype=dtype, order="C"), (0, 1), (-2, -1))


def every(flags: Bool[np.ndarray, "*batch d"]) -> Bool[np.ndarray, "*batch"]:
    """Whether all coordinates' flags are set, ten times as fast as ``all`` along a short axis.

    Args:
        flags: Of at least one coordinate.
    """
    found = flags[..., 0]
    for place in range(1, flags.shape[-1]):
        found = found & flags[..., place]
    return np.asarray(found)


_FEW = 4096


def has_infinite(values: np.ndarray) -> bool:
    """Whether a number is infinite; NaN is not. Takes no memory besides that of a few poses."""
    if values.size <= _FEW:  # in half the time, and a stream's frame is checked eight times
        return bool(np.isinf(values).any())
    ends = (np.fmin, -np.inf), (np.fmax, np.inf)
    return any(
        end.reduce(values[part], axis=None, initial=-sign) == sign
        for part in in_blocks(values)
        for end, sign in ends
    )
