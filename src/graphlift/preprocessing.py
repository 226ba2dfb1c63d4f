"""The contract between keypoints and the open models: what goes in, how predictions come back.

Rays through the intrinsics; a virtual camera that is turned to look straight at the person; a
scale that makes all people equally large. The same person gives the same input anywhere in the
image and at any focal length. Predictions are in the virtual camera's axes and are turned back.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

MIN_KEYPOINTS = 3
"""Joints that must be seen to lift a pose; with fewer, noise decides how it is turned."""

_NEAREST_RAY = 0.05
"""Depth of a turned unit ray below which its joint counts as unseen: 87° from the middle."""


@dataclass(frozen=True, eq=False)
class Canonical:
    """Keypoints as a network sees them, and the way back.

    Args:
        inputs: x and y from the virtual camera in units of the person's size, and confidence;
            all three 0 where a joint is missing.
        R: Turn from the camera's axes to the virtual camera's: ``virtual = R @ camera``.
        valid: Whether enough joints were seen; elsewhere inputs are 0 and R the identity.
    """

    inputs: Float[np.ndarray, "frame joint 3"]
    R: Float[np.ndarray, "frame 3 3"]
    valid: Bool[np.ndarray, " frame"]


def canonical(
    rays: Float[np.ndarray, "frame joint 2"], confidence: Float[np.ndarray, "frame joint"]
) -> Canonical:
    """Turn the camera to the person and scale the person to size 1.

    The virtual camera looks along the mean of the visible unit rays, turned there by the smallest
    rotation, so that its roll is the camera's. Positions are divided by their root-mean-square
    distance from its axis.

    Args:
        rays: x, y at unit depth, camera axes; anything where confidence is 0.
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
    """Express predictions of the virtual camera's axes in the camera's."""
    return np.asarray(positions @ seen.R.astype(positions.dtype))
