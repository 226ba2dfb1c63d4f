"""Where a person of known size must stand to look as in the image, frame by frame.

A root-relative pose fixes its distance from the camera by its size in the image. Nothing here
knows time.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from graphlift.cameras import NEAREST

FEWEST = 4
"""Joints that must be seen to place a person; three unknowns, eight equations."""
PIXELS = 4.0
"""px; how far a reprojected joint is usually off: detector and pose together."""
WORST_DEPTH = 0.3
"""Share of the distance; a frame whose distance is less certain than that is not believed."""

_BLOCK = 512
"""Frames that are placed at a time; their derivatives then stay in the cache."""


@dataclass(frozen=True, eq=False)
class Placed:
    """Where poses stand, as far as single frames tell.

    Args:
        translation: Of each pose's origin, m, camera axes.
        information: Inverse covariance of the translation per px² of reprojection error, 1/m²;
            zero where the frame tells nothing.
        told: Whether it tells anything.
    """

    translation: Float[np.ndarray, "frame 3"]
    information: Float[np.ndarray, "frame 3 3"]
    told: Bool[np.ndarray, " frame"]


def place(
    positions: Float[np.ndarray, "frame joint 3"],
    rays: Float[np.ndarray, "frame joint 2"],
    weights: Float[np.ndarray, "frame joint"],
    focal: tuple[float, float],
    *,
    iterations: int = 4,
) -> Placed:
    """Find the translations that minimise the reprojection error, all frames at once.

    A joint X at translation t looks along (x, y) if X_x + t_x = x (X_z + t_z), and so for y:
    linear in t. That solution is the start of a few Gauss-Newton steps on the error in px, in
    which a joint further off than twice the frame's median (and than 1 px) weighs less (Huber).

    Args:
        positions: Root-relative, m, camera axes.
        rays: Where the joints are seen, x and y at unit depth, without distortion.
        weights: 0 where a joint was not seen.
        focal: px.
        iterations: Gauss-Newton steps.

    Source: linear triangulation, here of a translation (Hartley and Zisserman, "Multiple view
    geometry", 2nd ed., 2004, section 12.2); Huber, "Robust estimation of a location parameter",
    Ann. Math. Statist. 1964.
    """
    blocks = [
        _place(positions[block], rays[block], weights[block], focal, iterations)
        for block in (slice(at, at + _BLOCK) for at in range(0, max(len(positions), 1), _BLOCK))
    ]
    return Placed(*(np.concatenate(arrays) for arrays in zip(*blocks, strict=True)))


def _place(
    positions: np.ndarray,
    rays: np.ndarray,
    weights: np.ndarray,
    focal: tuple[float, float],
    iterations: int,
) -> tuple[np.ndarray, ...]:
    """Place one block of frames: the fields of :class:`Placed`."""
    used = (weights > 0) & np.isfinite(positions).all(-1) & np.isfinite(rays).all(-1)
    weights = np.where(used, weights, 0.0)
    X, seen = np.where(used[..., None], positions, 0.0), np.where(used[..., None], rays, 0.0)
    enough = used.sum(axis=1) >= FEWEST
    t = _linear(X, seen, weights, enough)
    normal, rows = np.zeros((len(X), 3, 3)), 2 * X.shape[1]
    for _ in range(iterations):
        error, J = _reprojection(X + t[:, None], seen, focal)
        w = weights * _huber(np.linalg.norm(error, axis=-1), used)
        weighted = (w[..., None, None] * J).reshape(len(X), rows, 3).swapaxes(-1, -2)
        normal = weighted @ J.reshape(len(X), rows, 3)
        gradient = weighted @ error.reshape(len(X), rows, 1)
        step = -_solve(normal, gradient, enough)[..., 0]
        # Never through the camera, nor more than twice as far, in one step.
        longest = np.maximum(np.abs(t[:, 2:]), 1.0) / 2
        t = t + step * np.minimum(1, longest / np.maximum(np.abs(step[:, 2:]), 1e-12))
    told = enough & np.isfinite(t).all(axis=-1) & _determined(normal, t)
    told &= np.where(used, X[..., 2] + t[:, None, 2], np.inf).min(axis=1, initial=np.inf) > NEAREST
    return (np.where(told[:, None], t, np.nan), np.where(told[:, None, None], normal, 0.0), told)


def _linear(
    at: np.ndarray, seen: np.ndarray, weights: np.ndarray, enough: np.ndarray
) -> Float[np.ndarray, "frame 3"]:
    """Solve the cross-multiplied equations: rows (1, 0, -x) and (0, 1, -y)."""
    rows = np.zeros((*at.shape[:2], 2, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = 1
    rows[..., 2] = -seen
    right = seen * at[..., 2:] - at[..., :2]
    weighted = (
        (weights[..., None, None] * rows).reshape(len(at), 2 * at.shape[1], 3).swapaxes(-1, -2)
    )
    normal = weighted @ rows.reshape(len(at), 2 * at.shape[1], 3)
    return _solve(normal, weighted @ right.reshape(len(at), 2 * at.shape[1], 1), enough)[..., 0]


def _reprojection(
    at: np.ndarray, seen: np.ndarray, focal: tuple[float, float]
) -> tuple[Float[np.ndarray, "frame joint 2"], Float[np.ndarray, "frame joint 2 3"]]:
    """Error of each joint in px, and how it changes as the joint moves."""
    depth = np.maximum(at[..., 2:], NEAREST)
    ray = at[..., :2] / depth
    J = np.zeros((*at.shape[:2], 2, 3))
    J[..., 0, 0] = J[..., 1, 1] = 1
    J[..., 2] = -ray
    scale = np.asarray(focal)
    return scale * (ray - seen), J * (scale / depth)[..., None]


def _huber(distance: np.ndarray, used: np.ndarray) -> Float[np.ndarray, "frame joint"]:
    """Weights of joints by their error in px: 1 up to twice the frame's median, then falling."""
    ranked = np.sort(np.where(used, distance, np.inf), axis=1)
    middle = np.maximum((used.sum(axis=1) - 1) // 2, 0)[:, None]
    median = np.take_along_axis(ranked, middle, axis=1)
    limit = np.maximum(2 * np.where(np.isfinite(median), median, 0.0), 1.0)
    return np.asarray(np.minimum(1.0, limit / np.maximum(distance, 1e-12)))


def _solve(normal: np.ndarray, right: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Solve 3 x 3 systems, kept regular by a ridge far below any information they hold."""
    ridge = 1e-10 * np.trace(normal, axis1=-2, axis2=-1) + 1e-30
    regular = np.where(where[:, None, None], normal + ridge[:, None, None] * np.eye(3), np.eye(3))
    return np.linalg.solve(regular, np.where(where[:, None, None], right, 0.0))


def _determined(normal: np.ndarray, t: np.ndarray) -> Bool[np.ndarray, " frame"]:
    """Tell whether errors of the usual size leave the distance certain enough."""
    aim = np.broadcast_to(np.eye(3)[:, 2:], (len(t), 3, 1))
    variance = _solve(normal, aim, np.ones(len(t), dtype=bool))[:, 2, 0]
    return np.asarray(PIXELS * np.sqrt(np.maximum(variance, 0)) < WORST_DEPTH * t[:, 2])
