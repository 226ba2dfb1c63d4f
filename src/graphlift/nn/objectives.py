"""Objectives on poses that need no 3D label: the proportions of bodies, and the keypoints."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.skeletons import Skeleton

THIGH_TO_SHANK, UPPER_ARM_TO_FOREARM = 1.0085885098415446, 1.1375361376887123
"""Canonical ratios of lengths. Source: published code of Zhou et al., ICCV 2017, which multiplies
shanks and forearms by them."""

BONE_GROUPS: tuple[tuple[tuple[str, str, float], ...], ...] = (
    (
        ("LHip", "LKnee", THIGH_TO_SHANK),
        ("LKnee", "LFoot", 1.0),
        ("RHip", "RKnee", THIGH_TO_SHANK),
        ("RKnee", "RFoot", 1.0),
    ),
    (
        ("LShoulder", "LElbow", UPPER_ARM_TO_FOREARM),
        ("LElbow", "LWrist", 1.0),
        ("RShoulder", "RElbow", UPPER_ARM_TO_FOREARM),
        ("RElbow", "RWrist", 1.0),
    ),
    (("Hip", "LHip", 1.0), ("Hip", "RHip", 1.0)),
    (("Thorax", "LShoulder", 1.0), ("Thorax", "RShoulder", 1.0)),
)
"""Groups of bones, by their joints, with each bone's canonical length up to a factor of the group:
legs, arms, hips, shoulders."""


def bone_ratio_loss(poses: Float[Tensor, "batch joint 3"], skeleton: Skeleton) -> Tensor:
    """Variance of the bones' lengths in a group, each divided by its canonical length.

        mean over poses and groups G of  mean_{e ∈ G} (u_e / ū - 1)²,   u_e = l_e / r_e

    with l_e a length, r_e the canonical one and ū the mean of u over the group. It is 0 where
    each group has its canonical ratios, whatever the size of the person. Ours is the division by
    ū: without it, as published, shorter bones cost less, and where only keypoints are known, which
    say nothing of size, poses would shrink.

    Args:
        poses: In any axes and unit.
        skeleton: Human3.6M's of 16 or 17 joints.

    Source: Zhou et al., "Towards 3D human pose estimation in the wild: a weakly-supervised
    approach", ICCV 2017, geometric loss; the groups and ratios of its published code.
    """
    of_groups = []
    for group in BONE_GROUPS:
        starts, ends, canonical = zip(*group, strict=True)
        bones = poses[:, skeleton.index(*ends)] - poses[:, skeleton.index(*starts)]
        u = torch.linalg.vector_norm(bones, dim=-1) / poses.new_tensor(canonical)
        mean = u.mean(dim=1, keepdim=True).clamp(min=torch.finfo(u.dtype).tiny)
        of_groups.append((u / mean - 1).square().mean(dim=1))
    return torch.stack(of_groups).mean()


def projection_loss(
    poses: Float[Tensor, "batch joint 3"],
    keypoints: Float[Tensor, "batch joint 2"],
    *,
    root: int,
) -> Tensor:
    """How far x and y are from the keypoints, both relative to the root and of size 1.

        mean over poses of  1 - (p · k) / (‖p‖ ‖k‖)  =  ½ ‖p / ‖p‖ - k / ‖k‖‖²

    with p all x and y of a pose in a row, and k its keypoints. This is scaled orthography with
    the best scale of each pose: that scale leaves the share 1 - cos² of the keypoints' squares,
    which is nearly twice as much, but would not tell a pose from one that is turned by 180° in the
    image. Perspective is left out, so that an exact pose costs a little, too.

    Args:
        poses: Camera axes: x to the right, y down, z away from the camera.
        keypoints: On the screen (:func:`graphlift.cameras.image_to_screen`).
        root: The joint that positions are relative to.

    Source: ours. The publications see images and have heat maps in its place.
    """
    p = (poses - poses[:, [root]])[..., :2]
    k = keypoints - keypoints[:, [root]]
    return (1 - nn.functional.cosine_similarity(p.flatten(1), k.flatten(1))).mean()
