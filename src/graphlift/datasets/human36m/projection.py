"""The image of 3D, and whether given 2D is that image."""

import numpy as np
from jaxtyping import Float

from graphlift.cameras import Camera, camera_to_image
from graphlift.datasets.human36m.detections import to_joints
from graphlift.errors import FormatError, ShapeError

_AGREES = 2.0
"""px; how far given 2D may lie from the projected 3D, in the median of a view."""


def project(
    positions: Float[np.ndarray, "frame joint 3"], lens: Camera, where: str
) -> Float[np.ndarray, "frame joint 2"]:
    """Project with the lens' distortion, px.

    Raises:
        FormatError: If somebody is at or behind the camera.
    """
    try:
        return camera_to_image(positions, lens)
    except ShapeError as error:
        raise FormatError(
            f"{where}: {error}; the poses and the calibration do not belong together"
        ) from error


def check_projection(
    given: Float[np.ndarray, "frame joint 2"],
    projected: Float[np.ndarray, "frame joint 2"],
    where: str,
) -> None:
    """Refuse 2D ground truth that is not the 3D's image.

    Raises:
        FormatError: If they are 2 px or more apart in the median over joints and frames.
    """
    projected = projected if given.shape == projected.shape else to_joints(projected, 16)
    apart = float(np.median(np.linalg.norm(given - projected, axis=-1)))
    if apart > _AGREES:
        raise FormatError(
            f"{where}: the 2D ground truth lies {apart:.1f} px from the projected 3D, where it "
            f"should be within {_AGREES:g}: 2D, 3D and calibration are of different clips, "
            "cameras or orders; use files of one origin"
        )
