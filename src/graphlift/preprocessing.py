"""Inputs of the open models from keypoints, and predictions back in the camera's axes.

The intrinsics turn keypoints into rays. A virtual camera is rotated to look straight at the
person, and the person is scaled so that all people are equally large. The same person gives the
same input anywhere in the image and at any focal length. Predictions are in the axes of the
virtual camera and are rotated back.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

MIN_KEYPOINTS = 3
"""Joints that must be seen to lift a pose; with fewer, noise determines its orientation."""

_NEAREST_RAY = 0.05
"""Depth of a unit ray in the virtual camera below which its joint is not seen: 87° off axis."""


@dataclass(frozen=True, eq=False)
class Canonical:
    """Inputs of a network, and the rotation that leads back to the camera's axes.

    Args:
        inputs: x and y from the virtual camera in units of the person's size, and confidence;
            all three 0 where a joint is missing.
        R: Rotation from the camera's axes to the virtual camera's: ``virtual = R @ camera``.
        valid: Whether enough joints were seen; elsewhere inputs are 0 and R the identity.
    """

    inputs: Float[np.ndarray, "frame joint 3"]
    R: Float[np.ndarray, "frame 3 3"]
    valid: Bool[np.ndarray, " frame"]


def canonical(
    rays: Float[np.ndarray, "frame joint 2"], confidence: Float[np.ndarray, "frame joint"]
) -> Canonical:
    """Rotate the camera to look at the person, and scale the person to size 1.

    The virtual camera looks along the mean of the visible unit rays. It is rotated there by the
    smallest rotation, so that its roll is the camera's. Positions are divided by their
    root-mean-square distance from its axis.

    Args:
        rays: x, y at unit depth, camera axes; any values where confidence is 0.
        confidence: 0 for a missing joint.
    """
    present = (confidence > 0)[..., None]
    direction = np.concatenate([np.where(present, rays, 0), np.ones_like(rays[..., :1])], axis=-1)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    aim = np.where(present, direction, 0).sum(axis=1)
    valid = present.sum(axis=(1, 2)) >= MIN_KEYPOINTS
    aim = np.where(valid[:, None], aim, [0, 0, 1])
    R = turn_to_z(aim / np.linalg.norm(aim, axis=-1, keepdims=True))
    turned = direction @ R.swapaxes(-1, -2)
    ahead = present & (turned[..., 2:] > _NEAREST_RAY)
    xy = np.where(ahead, turned[..., :2] / np.maximum(turned[..., 2:], _NEAREST_RAY), 0)
    count = np.maximum(ahead.sum(axis=(1, 2)), 1)
    size = np.sqrt((xy**2).sum(axis=(1, 2)) / count)
    valid = valid & (size > 1e-6)
    xy = np.where(valid[:, None, None], xy / np.where(valid, size, 1)[:, None, None], 0)
    certainty = np.where(ahead & valid[:, None, None], confidence[..., None], 0)
    R = np.where(valid[:, None, None], R, np.eye(3))
    return Canonical(np.concatenate([xy, certainty], axis=-1), R, valid)


def turn_to_z(direction: Float[np.ndarray, "frame 3"]) -> Float[np.ndarray, "frame 3 3"]:
    """Find the smallest rotation that takes each unit vector, z above -1, to (0, 0, 1).

    With v = d × z and c = d_z: R = I + [v]× + [v]×² / (1 + c) (Rodrigues' formula).
    """
    x, y, z = (direction[..., i] for i in range(3))
    k = 1 / (1 + z)
    rows = [[1 - k * x * x, -k * x * y, -x], [-k * x * y, 1 - k * y * y, -y], [x, y, z]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def turn_back(
    positions: Float[np.ndarray, "frame joint 3"], seen: Canonical
) -> Float[np.ndarray, "frame joint 3"]:
    """Rotate predictions from the virtual camera's axes to the camera's."""
    return np.asarray(positions @ seen.R.astype(positions.dtype))
