"""A camera's lens from 3D and the 2D of it."""

import numpy as np
from jaxtyping import Float

from graphlift.cameras import Camera
from graphlift.datasets.mpi_inf_3dhp.assembly import lens_of
from graphlift.errors import FormatError

_FEWEST = 8
_WORST = 0.05
"""Of the image's width; a fit that leaves more shows arrays that do not belong together."""


def fit_lens(
    keypoints: Float[np.ndarray, "frame joint 2"],
    positions: Float[np.ndarray, "frame joint 3"],
    size: tuple[int, int],
    *,
    where: str = "the sequence",
) -> tuple[Camera, float]:
    """Fit focal lengths and principal point to a sequence, by least squares.

    u = fx · x/z + cx and v = fy · y/z + cy, without distortion. A second pass leaves out the
    joints that the first put more than three medians away: a few wrong ones must not bend it.

    Args:
        keypoints: px.
        positions: Any unit, camera axes, and not scaled about the person: ``annot3``.
        size: Width and height of the image, px.
        where: For the message.

    Returns:
        The lens, its place unknown, and the root mean square distance that is left, px.

    Raises:
        FormatError: If there are too few joints in front of the camera, all lie on one line of
            sight, or what is left is over a twentieth of the image's width.

    Source: the pinhole model; mmpose's converter of this test set estimates it so too, weighted by
    depth.
    """
    image, points = keypoints.reshape(-1, 2), positions.reshape(-1, 3)
    usable = np.isfinite(image).all(1) & np.isfinite(points).all(1)
    usable &= points[:, 2] > 1e-3 * np.abs(points[:, :2]).max(axis=1, initial=0)
    image, points = image[usable], points[usable]
    rays = points[:, :2] / points[:, 2:]
    if len(rays) < _FEWEST or min(np.ptp(rays, axis=0)) < 1e-6:
        raise FormatError(
            f"{where}: {len(rays)} joints before the camera do not tell its lens: the sequence is "
            "too short, or its 3D is not in the camera's axes"
        )
    focal, centre = _fit(rays, image)
    distance = np.linalg.norm(rays * focal + centre - image, axis=1)
    near = distance <= 3 * np.median(distance)
    if min(np.ptp(rays[near], axis=0)) >= 1e-6:
        focal, centre = _fit(rays[near], image[near])
        distance = np.linalg.norm(rays[near] * focal + centre - image[near], axis=1)
    left = float(np.sqrt((distance**2).mean()))
    if min(focal) <= 0 or left > _WORST * size[0]:
        raise FormatError(
            f"{where}: no lens puts its 3D onto its 2D (focal lengths {focal[0]:.0f} and "
            f"{focal[1]:.0f} px leave {left:.0f} px): the two do not belong together"
        )
    pair = ((float(focal[0]), float(focal[1])), (float(centre[0]), float(centre[1])))
    return lens_of(pair, size), left


def _fit(rays: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a line to each axis: slope is the focal length, offset the principal point."""
    mean, at = rays.mean(axis=0), image.mean(axis=0)
    focal = ((rays - mean) * (image - at)).sum(axis=0) / ((rays - mean) ** 2).sum(axis=0)
    return focal, at - focal * mean
