"""Known adaptations to MPI-INF-3DHP's skeleton and cameras. None is applied unasked.

A model trained on Human3.6M has other hips, other bones and another lens than this test set. Some
papers correct for that before they score, and few say so; so each step is a function that nothing
here calls by itself, and its name belongs beside the number.
"""

import numpy as np
from jaxtyping import Float

from graphlift.cameras import Camera, image_to_screen
from graphlift.errors import ShapeError

HIP_SHIFT = 0.2
"""Of the way from pelvis to neck. Source: see :func:`shift_hips`."""

_PELVIS, _NECK, _SPINE, _HIPS = 14, 1, 15, (14, 8, 11)
_BONES = (
    *((10, 9), (9, 8), (8, 14), (11, 14), (12, 11), (13, 12)),
    *((14, 1), (1, 0), (4, 3), (3, 2), (2, 1), (5, 1), (6, 5), (7, 6)),
)
"""Pairs of joints whose distances are added up: legs, hips, pelvis to neck to top of the head,
shoulders and arms; spine and head have no part in it."""


def shift_hips(
    poses: Float[np.ndarray, "*batch 17 3"], *, ratio: float = HIP_SHIFT
) -> Float[np.ndarray, "*batch 17 3"]:
    """Move pelvis and both hips towards the neck, and put the spine half way between.

    p' = p + ratio · (neck − pelvis) for pelvis and hips; spine' = (pelvis' + neck) / 2. Hips of
    Human3.6M lie lower in the body than MPI-INF-3DHP's; what is moved are predictions of a model
    that learnt the former, before they are rooted at the pelvis.

    Args:
        poses: Any unit, the official 17 joints.
        ratio: Of the way from pelvis to neck.

    Source: the published evaluation of Zhou et al., "Towards 3D human pose estimation in the
    wild", ICCV 2017 (pose-hg-3d, ``pose-hgreg-3d.lua``), ratio 0.2.
    """
    _check(poses)
    moved = np.array(poses)
    shift = ratio * (poses[..., _NECK, :] - poses[..., _PELVIS, :])
    for joint in _HIPS:
        moved[..., joint, :] += shift
    moved[..., _SPINE, :] = (moved[..., _PELVIS, :] + moved[..., _NECK, :]) / 2
    return moved


def rescale_bones(
    predicted: Float[np.ndarray, "*batch 17 3"], target: Float[np.ndarray, "*batch 17 3"]
) -> Float[np.ndarray, "*batch 17 3"]:
    """Scale each pose about its pelvis until its bones are together as long as the target's.

    s = Σ|target bone| / Σ|predicted bone|, over the fourteen bones of ``_BONES``, frame by frame.
    A pose whose joints coincide stays as it is.

    Args:
        predicted: Any unit, the official 17 joints.
        target: The same joints; its unit becomes the result's.

    Source: as :func:`shift_hips`.
    """
    _check(predicted)
    _check(target)
    long, wanted = bone_sum(predicted), bone_sum(target)
    scale = np.divide(wanted, long, out=np.ones_like(wanted), where=long > 0)
    pelvis = predicted[..., _PELVIS : _PELVIS + 1, :]
    return np.asarray(pelvis + scale[..., None, None] * (predicted - pelvis))


def bone_sum(poses: Float[np.ndarray, "*batch 17 3"]) -> Float[np.ndarray, "*batch"]:
    """Add up the fourteen bones that :func:`rescale_bones` compares, in the unit of ``poses``."""
    a, b = np.array(_BONES).T
    return np.asarray(np.linalg.norm(poses[..., a, :] - poses[..., b, :], axis=-1).sum(axis=-1))


def scale_by_own_width(
    keypoints: Float[np.ndarray, "*batch joint 2"], size: tuple[int, int]
) -> Float[np.ndarray, "*batch joint 2"]:
    """Scale px to [-1, 1] by the width of the image they are from, aspect kept.

    2048 px for TS1 to TS4, 1920 for TS5 and TS6. With it 2f/w is 1.46 and 1.75, and 2.29 for
    Human3.6M: a person seems smaller, or farther, than in training. Nothing makes up for that.

    Source: PoseAug's preparation of this test set (Gong et al., CVPR 2021); P-STMO's loader.
    """
    return image_to_screen(keypoints, size)


def through_lens(
    keypoints: Float[np.ndarray, "*batch joint 2"], lens: Camera, other: Camera
) -> Float[np.ndarray, "*batch joint 2"]:
    """Say where another lens at the same place would have seen the keypoints.

    u' = (u − c) / f · f' + c', without distortion: the same rays, so a person is as large as in
    the other camera's pictures.

    Args:
        keypoints: px of ``lens``.
        lens: What saw them.
        other: Such as the camera of the training set.

    Returns:
        px of ``other``.

    Source: the pinhole model.
    """
    rays = (keypoints - np.array(lens.centre)) / np.array(lens.focal)
    return np.asarray(rays * np.array(other.focal) + np.array(other.centre))


def _check(poses: np.ndarray) -> None:
    if poses.ndim < 2 or poses.shape[-2:] != (17, 3):
        raise ShapeError(
            f"poses {poses.shape} should end in (17, 3), the official joints of MPI-INF-3DHP: "
            "convert them first"
        )
