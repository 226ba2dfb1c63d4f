"""Inputs of the open models from keypoints, and predictions back in the camera's axes.

The intrinsics turn keypoints into rays. A virtual camera is rotated to look straight at the
person, and the person is scaled so that all people are equally large. The same person gives the
same input anywhere in the image and at any focal length. Predictions are in the axes of the
virtual camera and are rotated back.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from graphlift.skeletons import BODY_28, H36M_17

MIN_KEYPOINTS = 3
"""Joints that must be seen to lift a pose; with fewer, noise determines its orientation."""

_NEAREST_RAY = 0.05
"""Depth of a unit ray in the virtual camera below which its joint is not seen: 87° off axis."""


@dataclass(frozen=True, eq=False)
class Canonical:
    """Inputs of a network, and the rotation that leads back to the camera's axes.

    Args:
        inputs: x and y from the virtual camera in units of the person's size, confidence, and
            for 28 joints 1 as a flag; all of them 0 where a joint is missing.
        R: Rotation from the camera's axes to the virtual camera's: ``virtual = R @ camera``.
        valid: Whether enough joints were seen; elsewhere inputs are 0 and R the identity.
    """

    inputs: Float[np.ndarray, "frame joint feature"]
    R: Float[np.ndarray, "frame 3 3"]
    valid: Bool[np.ndarray, " frame"]


def canonical(
    rays: Float[np.ndarray, "frame joint 2"],
    confidence: Float[np.ndarray, "frame joint"],
    weight: Float[np.ndarray, " joint"] | None = None,
) -> Canonical:
    """Rotate the camera to look at the person, and scale the person to size 1.

    The virtual camera looks along the mean of the visible unit rays. It is rotated there by the
    smallest rotation, so that its roll is the camera's. Positions are divided by their
    root-mean-square distance from its axis.

    Args:
        rays: x, y at unit depth, camera axes; any values where confidence is 0.
        confidence: 0 for a missing joint.
        weight: How much each joint counts in both means; all alike when left out.
    """
    return _canonical(rays, confidence, np.ones(rays.shape[1]) if weight is None else weight, 3)


def _canonical(
    rays: np.ndarray, confidence: np.ndarray, weight: np.ndarray, features: int
) -> Canonical:
    """Make the inputs; a stream asks for one frame at a time, where each call of NumPy counts."""
    present = confidence > 0
    direction = np.ones((*present.shape, 3))
    direction[..., :2] = np.where(present[..., None], rays, 0)
    direction /= np.sqrt((direction**2).sum(axis=-1, keepdims=True))
    aim = ((present * weight)[:, None] @ direction)[:, 0]
    valid = present.sum(axis=1) >= MIN_KEYPOINTS
    aim[~valid] = 0, 0, 1
    R = turn_to_z(aim / np.sqrt((aim**2).sum(axis=-1, keepdims=True)))
    turned = direction @ R.swapaxes(-1, -2)
    ahead = present & (turned[..., 2] > _NEAREST_RAY)
    # What is not ahead, and nobody's, is at no distance: divided by infinity.
    xy = turned[..., :2] / np.where(ahead, turned[..., 2], np.inf)[..., None]
    count = (ahead * weight).sum(axis=1)
    size = np.sqrt(((xy**2).sum(axis=-1) * weight).sum(axis=1) / np.where(count > 0, count, 1))
    valid &= size > 1e-6
    R[~valid] = np.eye(3)
    inputs = np.empty((*present.shape, features))
    np.divide(xy, np.where(valid, size, np.inf)[:, None, None], out=inputs[..., :2])
    inputs[..., 2] = np.where(ahead & valid[:, None], confidence, 0)
    inputs[..., 3:] = inputs[..., 2:3] > 0
    return Canonical(inputs, R, valid)


FRONT_JOINTS = ("Hip", "Thorax", "Head", "LShoulder", "RShoulder", "LHip", "RHip")
"""Joints of a network of 28 that also give the front of a segment, in the order of
:data:`graphlift.sequences.FRONTS`."""

_FEW = {"Nose": 0.2, "LEye": 0.2, "REye": 0.2, "LEar": 0.2, "REar": 0.2}
_WEIGHT_28 = np.array(
    [_FEW.get(name, 1.0 if name in H36M_17.joints else 0.25) for name in BODY_28.joints]
)
"""Five points of a head and three of a foot count as about one joint, so that a person is as large
and in the same place whichever source of keypoints sees them."""


def canonical_28(
    rays: Float[np.ndarray, "frame joint 2"], confidence: Float[np.ndarray, "frame joint"]
) -> Canonical:
    """Make the inputs of networks of 28 joints: as :func:`canonical`, and 1 where a joint is seen.

    Args:
        rays: x, y at unit depth, camera axes; any values where confidence is 0.
        confidence: 0 for a missing joint.
    """
    return _canonical(rays, confidence, _WEIGHT_28, 4)


ANSWERS = 4 * (len(BODY_28) + len(FRONT_JOINTS))
"""Numbers that a network of 28 joints says of a frame: position and logarithm of its sigma of each
joint, direction and logarithm of its sigma of each front."""
OVER_TIME = ANSWERS + 4 * len(BODY_28) + 4
"""Numbers that a network over time is given of a frame."""


def features_over_time(
    answers: Float[np.ndarray, "frame joint 8"], seen: Canonical
) -> Float[np.ndarray, "frame feature"]:
    """Put what was said of single frames beside what was seen, for a network over time.

    Args:
        answers: Of a network of 28 joints, in the axes of each frame's virtual camera.
        seen: Its inputs. Where too few joints were seen, all numbers of the frame are 0.

    Returns:
        Float32: the :data:`ANSWERS`, the inputs, the direction of the virtual camera in the
        camera's axes, and 1 where a pose was lifted.
    """
    frames = len(answers)
    valid = seen.valid[:, None]
    fronts = answers[:, BODY_28.index(*FRONT_JOINTS), 4:]
    parts = (answers[..., :4], fronts, seen.inputs, seen.R[:, 2], valid)
    flat = np.concatenate([part.reshape(frames, -1) for part in parts], axis=1)
    return np.where(valid, flat, 0).astype(np.float32)


def turn_to_z(direction: Float[np.ndarray, "frame 3"]) -> Float[np.ndarray, "frame 3 3"]:
    """Find the smallest rotation that takes each unit vector, z above -1, to (0, 0, 1).

    With v = d × z and c = d_z: R = I + [v]× + [v]×² / (1 + c) (Rodrigues' formula).
    """
    x, y, z = (direction[..., i] for i in range(3))
    k = 1 / (1 + z)
    R = np.empty((*direction.shape, 3), direction.dtype)
    R[..., 0, 0], R[..., 1, 1] = 1 - k * x * x, 1 - k * y * y
    R[..., 0, 1] = R[..., 1, 0] = -k * x * y
    R[..., :2, 2] = -direction[..., :2]
    R[..., 2, :] = direction
    return R


def turn_back(
    positions: Float[np.ndarray, "frame joint 3"], seen: Canonical
) -> Float[np.ndarray, "frame joint 3"]:
    """Rotate predictions from the virtual camera's axes to the camera's."""
    return np.asarray(positions @ seen.R.astype(positions.dtype))
