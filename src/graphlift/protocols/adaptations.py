"""Known deviations from a protocol, each by name, each off unless it is asked for.

Published figures differ in them, and not every paper says which it took; so the names that were
asked for are printed with every number. Which protocol takes which is in
:mod:`graphlift.protocols.named`.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

from graphlift.skeletons import Skeleton

HIP_SHIFT = 0.2
"""Of the way from pelvis to neck. Source: Zhou et al., "Towards 3D human pose estimation in the
wild", ICCV 2017 (its published code)."""

ADAPTATIONS: Mapping[str, str] = {
    "hip-shift": "predicted pelvis and hips are moved by a fifth of the way from pelvis to neck, "
    "the spine to the middle of the two, because MPI-INF-3DHP's hips sit higher than Human3.6M's",
    "bone-length": "each prediction is scaled until its bones add up to the length of the truth's",
    "own-width": "2D input was normalised by the width of each image, not by Human3.6M's 1000 px "
    "(what went into a network: `score` cannot see it, and prints that you stated it)",
    "root-in-place": "predictions are not moved: only their root is set to the origin, which is "
    "all that is left of the published codes' subtraction in place",
}
"""What each does, by name. Source: Zhou et al., ICCV 2017, for the first two; Gong et al., CVPR
2021; the published codes of Zhao et al., CVPR 2019, and of Liu et al., ECCV 2020."""

OWN_WIDTH = "own-width"
ROOT_IN_PLACE = "root-in-place"


def shift_hips(
    poses: Float[np.ndarray, "frame joint 3"], skeleton: Skeleton
) -> Float[np.ndarray, "frame joint 3"]:
    """Move pelvis and hips up towards the neck, and the spine to the middle of pelvis and neck.

    Args:
        poses: m, in any frame of reference.
        skeleton: With joints Hip, LHip, RHip, Spine and Neck.
    """
    pelvis, neck, spine = skeleton.index("Hip", "Neck", "Spine")
    hips = skeleton.index("Hip", "LHip", "RHip")
    shifted = np.array(poses)
    shifted[:, hips] += HIP_SHIFT * (poses[:, [neck]] - poses[:, [pelvis]])
    shifted[:, spine] = (shifted[:, pelvis] + shifted[:, neck]) / 2
    return shifted


def root_in_place(
    poses: Float[np.ndarray, "frame joint 3"], root: int
) -> Float[np.ndarray, "frame joint 3"]:
    """Subtract the root as published codes do, in place, from an array that it is part of.

    ``outputs[:, :, :] -= outputs[:, :1, :]`` goes through memory in order and torch makes no copy
    of what is subtracted: the root itself comes first and becomes zero, and from every other joint
    that zero is subtracted. The poses stay where they were predicted, but for their root.

    Args:
        poses: m, as predicted.
        root: Index of the root; the published codes', and Human3.6M's here, is the first joint.

    Source: ``evaluate`` of garyzhao/SemGCN and RufusDing/3D-HPE-using-GCN.
    """
    left = np.array(poses)
    left[:, root] -= poses[:, root]
    return np.asarray(left - left[:, [root]])  # zero, or not a number where the root was none


def match_bone_length(
    predicted: Float[np.ndarray, "frame joint 3"],
    target: Float[np.ndarray, "frame joint 3"],
    skeleton: Skeleton,
    present: Bool[np.ndarray, "frame joint"],
) -> Float[np.ndarray, "frame joint 3"]:
    """Scale each prediction about the origin until its bones add up to the target's.

    Args:
        predicted: Root-relative, m.
        target: The same joints.
        skeleton: Whose bones.
        present: Joints that both have; a bone counts if both its ends are.
    """
    parent, child = np.array(skeleton.bones).T
    both = present[:, parent] & present[:, child]

    def total(poses: np.ndarray) -> np.ndarray:
        lengths = np.linalg.norm(poses[:, child] - poses[:, parent], axis=-1)
        return np.asarray(np.where(both, lengths, 0).sum(axis=1))

    mine, theirs = total(predicted), total(target)
    scale = np.divide(theirs, mine, out=np.ones_like(mine), where=mine > 0)
    return np.asarray(predicted * scale[:, None, None])
