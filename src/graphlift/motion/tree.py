"""Least squares on a tree of points, by elimination from the leaves to the root.

Every point has rows of its own, and rows that it shares with its parent. What they mean is up to
the caller. Many trees of the same shape are solved at once: the last axis counts them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np
from jaxtyping import Float, Int

from graphlift.skeletons import Skeleton

Planes = Float[np.ndarray, "plane joint frame"]
"""Vectors as x, y and z; symmetric matrices as xx, yy, zz, xy, xz and yz; matrices row by row."""

_PLACES = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
_FULL = (0, 3, 4, 3, 1, 5, 4, 5, 2)


@dataclass(frozen=True, eq=False)
class Levels:
    """A tree in an order in which joints equally far from the root follow each other.

    Args:
        order: Which joint stands at each place; the root first.
        parents: Place of each joint's parent, for each place; the root's own for the root.
        levels: Places equally far from the root, from its children on.
    """

    order: Int[np.ndarray, " joint"]
    parents: Int[np.ndarray, " joint"]
    levels: tuple[slice, ...]


@lru_cache(maxsize=64)
def levels_of(skeleton: Skeleton) -> Levels:
    """Order a skeleton's joints by their distance from the root."""
    place = {joint: place for place, joint in enumerate(skeleton.order)}
    parents = [place[max(skeleton.parents[joint], 0)] for joint in skeleton.order]
    parents[0] = 0
    depths = [0]
    for parent in parents[1:]:
        depths.append(depths[parent] + 1)
    counts = [len(list(same)) for _, same in groupby(depths)]
    starts = np.cumsum(counts)
    levels = tuple(slice(int(s - n), int(s)) for s, n in zip(starts[1:], counts[1:], strict=True))
    return Levels(np.array(skeleton.order), np.array(parents), levels)


@dataclass(frozen=True, eq=False)
class Eliminated:
    """What elimination leaves of a tree: each point as a function of its parent.

    A point is ``gains`` times its parent, plus an own part of covariance ``inverse``.

    Args:
        tree: Order of the joints.
        inverse: Inverse of what is known of a point once its children are eliminated, symmetric.
        gains: How a point follows its parent, full matrices; of no meaning for the root.
    """

    tree: Levels
    inverse: Planes
    gains: Planes

    def solve(self, right: Planes) -> Planes:
        """Find the points from the right side of the normal equations."""
        right = right.copy()
        gains = _square(self.gains)
        for level in reversed(self.tree.levels):
            up = np.einsum("ki...,k...->i...", gains[:, :, level], right[:, level])
            for place, parent in _children(self.tree, level):
                right[:, parent] += up[:, place]
        points = _times_symmetric(self.inverse, right)
        for level in self.tree.levels:
            parents = points[:, self.tree.parents[level]]
            points[:, level] += np.einsum("ik...,k...->i...", gains[:, :, level], parents)
        return points

    def bone_covariances(self) -> Planes:
        """Find the covariance of each point less its parent, symmetric; zero for the root."""
        whole = self.inverse.copy()  # of the points themselves
        bones = np.zeros_like(whole)
        for level in self.tree.levels:
            with_parent = self._descend(whole, level)
            parents = whole[:, self.tree.parents[level]]
            bones[:, level] = whole[:, level] + parents - _doubled(with_parent)
        return bones

    def spread(self) -> Float[np.ndarray, "joint frame"]:
        """Find the variance of each point less the root, summed over x, y and z."""
        whole = self.inverse.copy()
        with_root = _square(full(self.inverse))  # covariance of each point with the root
        for level in self.tree.levels:
            self._descend(whole, level)
            parents = with_root[:, :, self.tree.parents[level]]
            with_root[:, :, level] = _product(_square(self.gains[:, level]), parents)
        own, root = whole[:3].sum(axis=0), whole[:3, :1].sum(axis=0)
        return np.asarray(own + root - 2 * np.einsum("ii...->...", with_root))

    def _descend(self, whole: Planes, level: slice) -> Planes:
        """Complete the covariances of a level by its parents'; return those of both together.

        With x = G p + n for a point x of parent p: cov(x, p) = G cov(p), and cov(x) = cov(n) +
        cov(x, p) Gᵀ.
        """
        gains = _square(self.gains[:, level])
        with_parent = _product(gains, _square(full(whole[:, self.tree.parents[level]])))
        whole[:, level] += _symmetric(np.einsum("ik...,jk...->ij...", with_parent, gains))
        return with_parent.reshape(9, *with_parent.shape[2:])


def eliminate(tree: Levels, own: Planes, links: Planes) -> Eliminated:
    """Eliminate every point, children before parents.

    Minimises the sum of (x - a)ᵀ ``own`` (x - a) over points and of (x - p - b)ᵀ ``links``
    (x - p - b) over points x and their parents p. A block is 3 x 3, so work and memory grow as
    the number of points.

    Args:
        tree: Order of the joints.
        own: What is known of each point by itself, symmetric.
        links: What is known of it less its parent, symmetric; the root's does not count.

    Source: block Gaussian elimination without fill-in on a tree (Parter, "The use of linear graphs
    in Gauss elimination", SIAM Review 1961).
    """
    known = own.copy()
    known[:, 1:] += links[:, 1:]
    inverse, gains = np.empty_like(known), np.zeros((9, *known.shape[1:]))
    for level in reversed(tree.levels):
        link = _square(full(links[:, level]))
        inverse[:, level] = invert(known[:, level])
        gain = _product(_square(full(inverse[:, level])), link)
        gains[:, level] = gain.reshape(9, *gain.shape[2:])
        up = links[:, level] - _symmetric(_product(link, gain))
        for place, parent in _children(tree, level):
            known[:, parent] += up[:, place]
    inverse[:, :1] = invert(known[:, :1])
    return Eliminated(tree, inverse, gains)


def outer(vectors: Planes, weights: np.ndarray) -> Planes:
    """Multiply each vector by itself and by a weight: symmetric matrices."""
    return np.stack([weights * vectors[row] * vectors[column] for row, column in _PLACES])


def full(symmetric: Planes) -> Planes:
    """Write all nine numbers of symmetric matrices."""
    return symmetric[list(_FULL)]


def invert(symmetric: Planes) -> Planes:
    """Invert symmetric matrices by their cofactors."""
    a, b, c, d, e, f = symmetric
    cofactors = np.stack(
        [b * c - f * f, a * c - e * e, a * b - d * d, e * f - c * d, d * f - b * e, d * e - a * f]
    )
    return np.asarray(cofactors / (a * cofactors[0] + d * cofactors[3] + e * cofactors[4]))


def _children(tree: Levels, level: slice) -> Iterator[tuple[int, int]]:
    """Pair each place within a level with the place of its parent."""
    return enumerate(tree.parents[level].tolist())


def _times_symmetric(symmetric: Planes, vectors: Planes) -> Planes:
    (x, y, z), (a, b, c, d, e, f) = vectors, symmetric
    return np.stack([a * x + d * y + e * z, d * x + b * y + f * z, e * x + f * y + c * z])


def _square(matrices: Planes) -> Float[np.ndarray, "3 3 joint frame"]:
    """Give matrices row and column."""
    return matrices.reshape(3, 3, *matrices.shape[1:])


def _product(left: np.ndarray, right: np.ndarray) -> Float[np.ndarray, "3 3 joint frame"]:
    """Multiply matrices, all frames at once: half the time of sums that are written out."""
    return np.asarray(np.einsum("ik...,kj...->ij...", left, right))


def _symmetric(matrices: Float[np.ndarray, "3 3 joint frame"]) -> Planes:
    """Keep the six numbers of matrices that are known to be symmetric."""
    return np.stack([matrices[place] for place in _PLACES])


def _doubled(matrices: Planes) -> Planes:
    """Add matrices to themselves, turned: symmetric."""
    return np.stack([matrices[3 * i + k] + matrices[3 * k + i] for i, k in _PLACES])
