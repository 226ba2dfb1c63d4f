"""Where a person of known size must be to look as in the image, each frame by itself.

The size of a root-relative pose in the image gives its distance from the camera.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from graphlift.cameras import NEAREST, Camera, image_to_rays
from graphlift.geometry import every
from graphlift.sequences import Keypoints
from graphlift.skeletons import Skeleton, joint_map

MIN_SEEN = 4
"""Joints that must be seen to find a translation; three unknowns, eight equations."""
PIXELS = 4.0
"""px; how far a reprojected joint is usually off: detector and pose together."""
WORST_DEPTH = 0.3
"""Share of the distance; a frame whose distance is less certain than that is not used."""
DERIVED = 0.3
"""Weight of a keypoint that is a mean or a neighbour of the joint, against the joint itself."""


@dataclass(frozen=True, eq=False)
class Translations:
    """Translations of poses, each from its own frame alone.

    Args:
        translation: Position of each pose's origin, m, camera axes; NaN where not known.
        information: Inverse covariance of the translation per px² of reprojection error, 1/m²;
            zero where it is not known.
        known: Whether the frame determines it.
    """

    translation: Float[np.ndarray, "frame 3"]
    information: Float[np.ndarray, "frame 3 3"]
    known: Bool[np.ndarray, " frame"]

    def part(self, frames: slice) -> "Translations":
        """Take some frames."""
        return Translations(self.translation[frames], self.information[frames], self.known[frames])

    def put(self, frames: slice, found: "Translations") -> None:
        """Fill in what was found of some frames."""
        self.translation[frames], self.known[frames] = found.translation, found.known
        self.information[frames] = found.information


def unplaced(count: int) -> Translations:
    """Make translations of a clip to be filled in block by block; no frame's is known."""
    return Translations(
        translation=np.full((count, 3), np.nan),
        information=np.zeros((count, 3, 3)),
        known=np.zeros(count, dtype=bool),
    )


def sightings(
    keypoints: Keypoints, skeleton: Skeleton, camera: Camera
) -> tuple[Float[np.ndarray, "frame person joint 2"], Float[np.ndarray, "frame person joint"]]:
    """Turn keypoints into rays of a skeleton's joints, and find how much each of them weighs.

    Returns:
        Rays, x and y at unit depth; weights: the confidence (less where the joint is derived from
        others), 0 where a joint is missing.
    """
    mapping = joint_map(keypoints.skeleton, skeleton)
    bent = any((*camera.radial, *camera.tangential))
    with np.errstate(over="ignore", invalid="ignore"):  # far outside a distorted image
        rays = image_to_rays(mapping(keypoints.positions), camera, iterations=20 if bent else 0)
    confidence = mapping(keypoints.confidence[..., None])[..., 0]
    kind = np.array([{"exact": 1.0, "derived": DERIVED, "missing": 0.0}[k] for k in mapping.kinds])
    seen = every(np.abs(rays) < 10)  # and finite
    return rays, np.where(seen, np.nan_to_num(confidence) * kind, 0.0)


def find_translations(
    positions: Float[np.ndarray, "frame joint 3"],
    rays: Float[np.ndarray, "frame joint 2"],
    weights: Float[np.ndarray, "frame joint"],
    focal: tuple[float, float],
    *,
    sigma: Float[np.ndarray, "frame joint"] | None = None,
    iterations: int = 4,
) -> Translations:
    """Find the translations that minimise the reprojection error, all frames at once.

    A joint X at translation t looks along (x, y) if X_x + t_x = x (X_z + t_z), and so for y:
    linear in t. That solution is the start of a few Gauss-Newton steps on the error in px, in
    which a joint further off than twice the frame's median (and than 1 px) weighs less (Huber).

    Args:
        positions: Root-relative, m, camera axes.
        rays: Where the joints are seen, x and y at unit depth, without distortion.
        weights: 0 where a joint was not seen.
        focal: px.
        sigma: Standard deviation of the positions, m; NaN where unknown. A frame whose distance
            is less certain by them than WORST_DEPTH is not known: a few keypoints of a face or of
            a foot, which say little of the body, do not say where it is.
        iterations: Gauss-Newton steps.

    Source: linear triangulation, here of a translation (Hartley and Zisserman, "Multiple view
    geometry", 2nd ed., 2004, section 12.2); Huber, "Robust estimation of a location parameter",
    Ann. Math. Statist. 1964.
    """
    ever = np.flatnonzero((weights > 0).any(axis=0))  # COCO lacks a third of 28 joints
    if len(ever) < MIN_SEEN:
        return unplaced(len(weights))
    positions, rays, weights = positions[:, ever], rays[:, ever], weights[:, ever]
    used = ((weights > 0) & every(np.isfinite(positions)) & every(np.isfinite(rays))).T
    used &= used.sum(axis=0) >= MIN_SEEN
    X, seen, scale = _planes(positions, used), _planes(rays, used), np.reshape(focal, (2, 1, 1))
    weights = np.where(used, weights.T, 0.0)
    even = np.broadcast_to(weights, seen.shape)
    t, moments, certain = _least_squares(even, seen, seen * X[2] - X[:2])
    for _ in range(iterations):
        at = X + t[:, None]
        depth = np.maximum(at[2], NEAREST)
        ray = at[:2] / depth
        error = ray - seen
        off_x, off_y = scale * error
        w = weights * _huber(np.sqrt(off_x**2 + off_y**2), used)
        step, moments, certain = _least_squares(w * (scale / depth) ** 2, ray, -depth * error)
        # Never through the camera, nor more than twice as far, in one step.
        longest = np.maximum(np.abs(t[2]), 1.0) / 2
        t = t + step * np.minimum(1, longest / np.maximum(np.abs(step[2]), 1e-12))
    known = used.any(axis=0) & np.isfinite(t).all(axis=0)
    known &= WORST_DEPTH * t[2] * np.sqrt(certain) > PIXELS
    if sigma is not None:
        off = np.where(used, np.nan_to_num(sigma[:, ever].T), 0.0)
        known &= _doubt(X[:2], weights, off) < WORST_DEPTH
    known &= np.where(used, X[2] + t[2], np.inf).min(axis=0, initial=np.inf) > NEAREST
    translation = np.where(known[:, None], t.T, np.nan)
    return Translations(translation, _information(moments) * known[:, None, None], known)


def _planes(
    values: Float[np.ndarray, "frame joint d"], used: Bool[np.ndarray, "joint frame"]
) -> Float[np.ndarray, "d joint frame"]:
    """Separate the coordinates, in float64, frames last; 0 where not used."""
    planes = np.array(values.T, dtype=np.float64, order="C")
    np.copyto(planes, 0.0, where=~used)
    return planes


def _least_squares(
    weights: Float[np.ndarray, "2 joint frame"],
    rays: Float[np.ndarray, "2 joint frame"],
    goal: Float[np.ndarray, "2 joint frame"],
) -> tuple[
    Float[np.ndarray, "3 frame"], Float[np.ndarray, "5 frame"], Float[np.ndarray, " frame"]
]:
    """Solve (1, 0, -x) t = u and (0, 1, -y) t = v over the joints of each frame.

    That is the cross-multiplied projection; in a Gauss-Newton step, with weights (f / depth)², it
    is the linearised one. The two equations of a joint share t_z only: it is eliminated last, from
    rays about their own mean, which is their QR factorisation written out. So what is known of t_z
    is a sum of squares and loses nothing where joints are seen close together: the condition is
    that of the rows, 1 / (spread of the rays), not its square. A ridge far below any information
    keeps rays that coincide from dividing by 0.

    Returns:
        t; moments of its rows (:func:`_information`); and the inverse variance of t_z alone,
        which is never 0.
    """
    own = weights.sum(axis=1)
    total = np.maximum(own, 1e-30)
    turned = weights * rays
    mean, middle = turned.sum(axis=1) / total, (weights * goal).sum(axis=1) / total
    depth = _both(turned, rays)
    spread = rays - mean[:, None]
    turned = weights * spread
    certain = _both(turned, spread) + 1e-14 * own.sum(axis=0) + 1e-30
    t_z = -_both(turned, goal - middle[:, None]) / certain
    t = np.stack([*(middle + mean * t_z), t_z])
    return t, np.stack([*own, *(-own * mean), depth]), certain


def _both(one: np.ndarray, other: np.ndarray) -> Float[np.ndarray, " frame"]:
    """Sum products over the joints, of x and of y."""
    return np.asarray(np.einsum("djf,djf->f", one, other))


def _information(moments: Float[np.ndarray, "5 frame"]) -> Float[np.ndarray, "frame 3 3"]:
    """Write out t's inverse covariance from its sums: of weights w, of -w x and w (x² + y²).

    The rows of a joint are (1, 0, -x) and (0, 1, -y).
    """
    information = np.zeros((moments.shape[1], 3, 3))
    information[:, 0, 0], information[:, 1, 1], information[:, 2, 2] = moments[[0, 1, 4]]
    information[:, :2, 2] = information[:, 2, :2] = moments[2:4].T
    return information


def _doubt(
    across: Float[np.ndarray, "2 joint frame"],
    weights: Float[np.ndarray, "joint frame"],
    sigma: Float[np.ndarray, "joint frame"],
) -> Float[np.ndarray, " frame"]:
    """Find how uncertain the distance is because the pose is, as a share of it.

    The distance is that at which the joints are as far apart in the image as they are; errors of
    their places across the view, of this standard deviation, change it by a share of
    sum(w s error) / sum(w s²), with s their distance from their mean.
    """
    total = np.maximum(weights.sum(axis=0), 1e-30)
    mean = (weights * across).sum(axis=1) / total
    square = ((across - mean[:, None]) ** 2).sum(axis=0)
    error = np.sqrt((weights**2 * square * sigma**2).sum(axis=0))
    return np.asarray(error / np.maximum((weights * square).sum(axis=0), 1e-30))


def _huber(distance: np.ndarray, used: np.ndarray) -> Float[np.ndarray, "joint frame"]:
    """Weights of joints by their error in px: 1 up to twice the frame's median, then falling."""
    ranked = np.sort(np.where(used, distance, np.inf), axis=0)
    middle = np.maximum((used.sum(axis=0) - 1) // 2, 0)[None]
    median = np.take_along_axis(ranked, middle, axis=0)
    limit = np.maximum(2 * np.where(np.isfinite(median), median, 0.0), 1.0)
    return np.asarray(np.minimum(1.0, limit / np.maximum(distance, 1e-12)))
