"""Inputs of the open models from keypoints, and predictions back in the camera's axes.

The intrinsics turn keypoints into rays. A virtual camera is rotated to look straight at the
person, and the person is scaled so that all people are equally large. The same person gives the
same input anywhere in the image and at any focal length. Predictions are in the axes of the
virtual camera and are rotated back.
"""

from dataclasses import dataclass, replace

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
    present = (confidence > 0)[..., None]
    counts = 1.0 if weight is None else weight[:, None]
    direction = np.concatenate([np.where(present, rays, 0), np.ones_like(rays[..., :1])], axis=-1)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    aim = np.where(present, direction * counts, 0).sum(axis=1)
    valid = present.sum(axis=(1, 2)) >= MIN_KEYPOINTS
    aim = np.where(valid[:, None], aim, [0, 0, 1])
    R = turn_to_z(aim / np.linalg.norm(aim, axis=-1, keepdims=True))
    turned = direction @ R.swapaxes(-1, -2)
    ahead = present & (turned[..., 2:] > _NEAREST_RAY)
    xy = np.where(ahead, turned[..., :2] / np.maximum(turned[..., 2:], _NEAREST_RAY), 0)
    count = (ahead * counts).sum(axis=(1, 2))
    size = np.sqrt((xy**2 * counts).sum(axis=(1, 2)) / np.where(count > 0, count, 1))
    valid = valid & (size > 1e-6)
    xy = np.where(valid[:, None, None], xy / np.where(valid, size, 1)[:, None, None], 0)
    certainty = np.where(ahead & valid[:, None, None], confidence[..., None], 0)
    R = np.where(valid[:, None, None], R, np.eye(3))
    return Canonical(np.concatenate([xy, certainty], axis=-1), R, valid)


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
    seen = canonical(rays, confidence, _WEIGHT_28)
    flag = (seen.inputs[..., 2:] > 0).astype(seen.inputs.dtype)
    return replace(seen, inputs=np.concatenate([seen.inputs, flag], axis=-1))


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
    rows = [[1 - k * x * x, -k * x * y, -x], [-k * x * y, 1 - k * y * y, -y], [x, y, z]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def turn_back(
    positions: Float[np.ndarray, "frame joint 3"], seen: Canonical
) -> Float[np.ndarray, "frame joint 3"]:
    """Rotate predictions from the virtual camera's axes to the camera's."""
    return np.asarray(positions @ seen.R.astype(positions.dtype))
