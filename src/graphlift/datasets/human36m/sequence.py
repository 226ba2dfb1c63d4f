"""From the 3D and 2D of one view to a sequence of a pack, with the checks of all layouts."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from graphlift.cameras import Camera, camera_to_image
from graphlift.datasets.human36m.facts import NECK
from graphlift.datasets.licensed.reading import CameraSequence
from graphlift.errors import FormatError, ShapeError
from graphlift.skeletons import H36M_16, H36M_17

_FARTHEST = 2.0
"""px; how far given 2D may lie from the projected 3D, in the median of a view."""


def make_sequence(
    subject: str,
    clip: str,
    camera: str,
    *,
    lens: Camera,
    positions: Float[np.ndarray, "frame joint 3"],
    keypoints: Mapping[str, Float[np.ndarray, "frame _ 2"]],
    joints: int,
    fps: float,
    where: str,
) -> CameraSequence:
    """Check a sequence and give it its number of joints.

    Args:
        subject: Who moves.
        clip: Activity and number of the take.
        camera: Name of the camera.
        lens: Of the camera.
        positions: m, camera axes, 17 joints.
        keypoints: px, by kind, 17 or 16 joints; where ``gt`` is missing, it is projected.
        joints: 17, or 16 without Neck/Nose.
        fps: Frames per second.
        where: For messages.

    Raises:
        FormatError: If the person is at or behind the camera, or the 2D ground truth is more than
            2 px from the projected 3D in the median over joints and frames.
    """
    try:
        projected = camera_to_image(positions, lens)
    except ShapeError as error:
        raise FormatError(f"{where}: {error}; poses and calibration do not match") from error
    keypoints = {"gt": projected} | dict(keypoints)
    image = to_joints(projected, keypoints["gt"].shape[1])
    apart = float(np.median(np.linalg.norm(keypoints["gt"] - image, axis=-1)))
    if apart > _FARTHEST:
        raise FormatError(
            f"{where}: the 2D ground truth lies {apart:.1f} px from the projected 3D, where it "
            f"should be within {_FARTHEST:g}: 2D, 3D and calibration are of different clips, "
            "cameras or orders; use files of one origin"
        )
    return CameraSequence(
        subject=subject,
        activity=clip.split(" ")[0],
        clip=clip,
        camera=camera,
        lens=lens,
        positions=to_joints(positions, joints).astype(np.float32),
        keypoints={
            kind: to_joints(array, joints).astype(np.float32) for kind, array in keypoints.items()
        },
        valid=np.ones(len(positions), dtype=bool),
        fps=fps,
        skeleton=H36M_17 if joints == 17 else H36M_16,
    )


def to_joints(array: Float[np.ndarray, "frame _ axis"], joints: int) -> np.ndarray:
    """Give keypoints or positions 17 or 16 joints; a Neck/Nose that is not known is NaN."""
    if array.shape[1] == joints:
        return array
    if joints == 16:
        return np.delete(array, NECK, axis=1)
    return np.insert(array, NECK, np.nan, axis=1)
