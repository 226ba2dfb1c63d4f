"""The error of a model taken apart by geometry: each part is removed, and what it took is told.

Size, offsets and turns are those of least squares, as in P-MPJPE; where there is nothing to be
gained, a part may be slightly below zero. All positions are root-relative, m, camera axes.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from graphlift.geometry import bone_vectors, chain_bones
from graphlift.skeletons import Skeleton

CLEAR = 0.15
"""Share of its length that a bone must point towards or away from the camera, in truth and in the
prediction, for its sign of depth to count."""
LIMBS = ("Knee", "Foot", "Elbow", "Wrist")
"""Bones of the limbs, by the joint that they end in."""

Poses = Float[np.ndarray, "frame joint 3"]


@dataclass(frozen=True, eq=False)
class Parts:
    """An error and its parts, mm; mean over joints and frames.

    Args:
        total: MPJPE.
        removed: By name of the part, in the order of removal, what its removal took.
        rest: What is left. ``total`` is the sum of ``removed`` and ``rest``.
        across: What would be left of the total if every joint's depth along its ray were right.
        turn: Degrees of the whole turn that was removed, mean over frames.
        yaw: Of it, about the vertical, either way.
        lean: Of it, about the level axis across the view: towards or away from the camera.
        wrong: Which limbs' depth signs were wrong.
        frame: Error of each frame before anything was removed.
    """

    total: float
    removed: dict[str, float]
    rest: float
    across: float
    turn: float
    yaw: float
    lean: float
    wrong: Bool[np.ndarray, "frame limb"]
    frame: Float[np.ndarray, " frame"]


def take_apart(
    predicted: Poses,
    truth: Poses,
    *,
    skeleton: Skeleton,
    subject: np.ndarray,
    up: Float[np.ndarray, "frame 3"],
    towards: Poses,
) -> Parts:
    """Remove size, offsets, turns and wrong signs of depth, one after the other.

    Args:
        predicted: The model's.
        truth: The same joints.
        skeleton: Of both.
        subject: Whose size; one size for each.
        up: The world's vertical.
        towards: Unit vectors from the camera to each true joint.
    """
    whole = _errors(predicted, truth)
    error = predicted - truth
    across = error - towards * (error * towards).sum(axis=-1, keepdims=True)
    sized = resize(predicted, truth, subject)
    placed = shift_joints(sized, truth, skeleton)
    faced, yaw = turn_about(placed, truth, up)
    turned, rotation = turn_freely(faced, truth)
    signed, wrong = mend_signs(turned, truth, towards, skeleton)
    steps = [predicted, sized, placed, faced, turned, signed]
    means = [1000 * _errors(step, truth).mean() for step in steps]
    names = ("size", "offsets", "yaw", "other turn", "depth signs")
    angles = _angles(rotation @ _about(up, yaw), up, towards[:, skeleton.root])
    return Parts(
        total=means[0],
        removed={n: a - b for n, a, b in zip(names, means[:-1], means[1:], strict=True)},
        rest=means[-1],
        across=1000 * float(np.linalg.norm(across, axis=-1).mean()),
        **angles,
        wrong=wrong,
        frame=1000 * whole.mean(axis=1),
    )


def _angles(turned: np.ndarray, up: np.ndarray, view: np.ndarray) -> dict[str, float]:
    """Degrees of rotations, of their parts about the vertical and the level axis across a view."""
    turns = Rotation.from_matrix(turned).as_rotvec(degrees=True)
    across = np.cross(view, up)
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    return {
        "turn": float(np.linalg.norm(turns, axis=-1).mean()),
        "yaw": float(np.abs((turns * up).sum(axis=-1)).mean()),
        "lean": float(np.abs((turns * across).sum(axis=-1)).mean()),
    }


def _errors(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(predicted - truth, axis=-1))


def resize(predicted: Poses, truth: Poses, subject: np.ndarray) -> Poses:
    """Scale each subject's predictions by one factor for all of their frames."""
    sized = np.array(predicted)
    for who in np.unique(subject):
        x, y = predicted[subject == who], truth[subject == who]
        sized[subject == who] = x * ((x * y).sum() / (x**2).sum())
    return sized


def shift_joints(predicted: Poses, truth: Poses, skeleton: Skeleton) -> Poses:
    """Take one offset of each joint from all frames, in the axes of the true trunk."""
    axes = trunk_axes(truth, skeleton)
    offset = ((predicted - truth) @ axes.swapaxes(-1, -2)).mean(axis=0)
    return predicted - offset @ axes


def trunk_axes(poses: Poses, skeleton: Skeleton) -> Float[np.ndarray, "frame 3 3"]:
    """Rows: to the left along the hips, back, and up the trunk."""
    left, right, hip, thorax = (
        poses[:, joint] for joint in skeleton.index("LHip", "RHip", "Hip", "Thorax")
    )
    x, up = left - right, thorax - hip
    y = np.cross(up, x)
    rows = np.stack([x, y, np.cross(x, y)], axis=1)
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9)


def turn_about(
    predicted: Poses, truth: Poses, up: Float[np.ndarray, "frame 3"]
) -> tuple[Poses, Float[np.ndarray, " frame"]]:
    """Turn each prediction about the vertical through the root; also the angles, rad.

    With u the vertical, x turned by t has the product x·y cos t + (u·x)(u·y)(1 - cos t)
    + u·(x × y) sin t with y, which is greatest where tan t is the quotient of the sine's and the
    cosine's factors.
    """
    axis = up[:, None]
    level = (predicted * truth).sum(-1) - (axis * predicted).sum(-1) * (axis * truth).sum(-1)
    twist = (axis * np.cross(predicted, truth)).sum(-1)
    angle = np.arctan2(twist.sum(axis=-1), level.sum(axis=-1))
    return predicted @ _about(up, angle).swapaxes(-1, -2), angle


def turn_freely(predicted: Poses, truth: Poses) -> tuple[Poses, Float[np.ndarray, "frame 3 3"]]:
    """Rotate each prediction about the root; also the rotations.

    Source: Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976.
    """
    U, _, Vt = np.linalg.svd(truth.swapaxes(-1, -2) @ predicted)
    proper = np.ones((len(U), 1, 3))
    proper[:, 0, 2] = np.sign(np.linalg.det(U @ Vt))
    R = (U * proper) @ Vt
    return predicted @ R.swapaxes(-1, -2), R


def _about(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Rotations about unit vectors: Rodrigues' formula."""
    K = np.cross(np.eye(3), axis[:, None])  # K @ x is axis × x
    sin, cos = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.asarray(np.eye(3) + sin * K + (1 - cos) * (K @ K))


def mend_signs(
    predicted: Poses, truth: Poses, towards: Poses, skeleton: Skeleton
) -> tuple[Poses, Bool[np.ndarray, "frame limb"]]:
    """Mirror limbs' bones that point away from the camera instead of towards it, or the reverse.

    Depth is along the ray to the joint in which a bone ends; both must point clearly (CLEAR).
    """
    made, true = (bone_vectors(x, skeleton.parents) for x in (predicted, truth))
    depth, right = ((x * towards).sum(axis=-1) for x in (made, true))
    clear = np.ones(depth.shape, dtype=bool)
    for along, vectors in ((depth, made), (right, true)):
        clear &= np.abs(along) > CLEAR * np.linalg.norm(vectors, axis=-1)
    limbs = np.isin([name[1:] for name in skeleton.joints], LIMBS)
    wrong = clear & (depth * right < 0) & limbs
    made -= np.where(wrong, 2 * depth, 0)[..., None] * towards
    return chain_bones(made, skeleton.parents, skeleton.order), wrong[:, limbs]
