"""Errors of 3D poses, as the field reports them. NumPy only: one definition for all callers.

All metrics are made from :func:`joint_errors`, one distance per frame and joint; its mean over
joints is the per-frame form of a metric, its mean over frames the per-joint form, and
:func:`by_activity` gives the per-activity form of either.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.errors import ShapeError
from graphlift.geometry import align_scale, align_similarity
from graphlift.words import counted

__all__ = [
    *(
        "angles_between",
        "auc",
        "by_activity",
        "joint_errors",
        "mpjpe",
        "mpjve",
        "n_mpjpe",
        "p_mpjpe",
        "pck",
    ),
    "thresholds_above",
]

PoseArray = Float[np.ndarray, "frame joint 3"]

PCK_THRESHOLD = 0.150
"""m. Source: Mehta et al., "Monocular 3D human pose estimation in the wild", 3DV 2017."""

AUC_THRESHOLDS = np.arange(31) * 0.005
"""m: 0, 5, ..., 150 mm. None is below 0, so AUC ends at 30/31 = 96.77 %. Source: the official
evaluation of MPI-INF-3DHP (Mehta et al., 3DV 2017)."""

_CHUNK = 4096
"""Frames computed at a time, so that intermediate arrays stay in the processor's cache."""

Alignment = Literal["none", "scale", "similarity"]
_ALIGN: Mapping[Alignment, Callable[[np.ndarray, np.ndarray, np.ndarray | None], np.ndarray]] = {
    "none": lambda predicted, *_: predicted,
    "scale": align_scale,
    "similarity": align_similarity,
}


def joint_errors(
    predicted: PoseArray,
    target: PoseArray,
    *,
    alignment: Alignment = "none",
    present: Bool[np.ndarray, "frame joint"] | None = None,
) -> Float[np.ndarray, "frame joint"]:
    """Measure the distance between each predicted joint and its target.

    Args:
        predicted: Root-relative joint positions, m.
        target: The same joints in the same order, m.
        alignment: How each predicted pose is aligned first: not at all, by the best scale about
            the root, or by the best similarity (rotation, scale, translation).
        present: Joints to compare, all of them when left out. The others may be NaN and do not
            take part in an alignment.

    Returns:
        Distances in the unit of the inputs; NaN where a joint is not present.

    Raises:
        ShapeError: If the two do not hold the same frames and joints, hold none, or hold a number
            that is not finite where a joint is present.
    """
    _check_pair(predicted, target, present)
    some = range(0, len(predicted), _CHUNK)
    return np.concatenate([_errors(predicted, target, alignment, present, at) for at in some])


def _errors(
    predicted: np.ndarray,
    target: np.ndarray,
    alignment: Alignment,
    present: np.ndarray | None,
    start: int,
) -> np.ndarray:
    rows = slice(start, start + _CHUNK)
    some = None if present is None else present[rows]
    aligned = _ALIGN[alignment](predicted[rows], target[rows], some)
    errors = np.asarray(np.linalg.norm(aligned - target[rows], axis=-1))
    return errors if some is None else np.where(some, errors, np.nan)


def mpjpe(predicted: PoseArray, target: PoseArray) -> float:
    """Mean per-joint position error (Protocol 1), in the unit of the inputs.

    Arguments and errors are those of :func:`joint_errors`.

    Source: Ionescu et al., "Human3.6M", TPAMI 2014.
    """
    return float(joint_errors(predicted, target).mean())


def p_mpjpe(predicted: PoseArray, target: PoseArray) -> float:
    """MPJPE after the best similarity alignment of every frame (Protocol 2).

    Scale, rotation and origin of ``predicted`` do not change the result; a reflection does.
    Arguments and errors are those of :func:`joint_errors`.

    Source: Martinez et al., "A simple yet effective baseline for 3D human pose estimation",
    ICCV 2017.
    """
    return float(joint_errors(predicted, target, alignment="similarity").mean())


def n_mpjpe(predicted: PoseArray, target: PoseArray) -> float:
    """MPJPE after the best scaling of every root-relative frame.

    Arguments and errors are those of :func:`joint_errors`.

    Source: Rhodin et al., "Unsupervised geometry-aware representation for 3D human pose
    estimation", ECCV 2018.
    """
    return float(joint_errors(predicted, target, alignment="scale").mean())


def mpjve(predicted: PoseArray, target: PoseArray, *, starts: Sequence[int] = (0,)) -> float:
    """Mean per-joint velocity error: MPJPE of the differences between neighbouring frames.

    Args:
        predicted: Joint positions in order of time, m.
        target: The same joints, m.
        starts: Frames at which a new clip begins; no difference is taken across one.

    Returns:
        Mean distance of velocities, in the unit of the inputs per frame.

    Raises:
        ShapeError: As :func:`joint_errors`, or if no clip has two frames.

    Source: Pavllo et al., CVPR 2019.
    """
    _check_pair(predicted, target)
    within = np.ones(len(predicted) - 1, dtype=bool)
    within[[start - 1 for start in starts if 0 < start < len(predicted)]] = False
    if not within.any():
        raise ShapeError(
            f"no velocity in {counted(len(predicted), 'frame')} of "
            f"{counted(len(starts), 'clip')}: a clip needs two"
        )
    velocity = np.diff(predicted, axis=0) - np.diff(target, axis=0)
    return float(np.linalg.norm(velocity[within], axis=-1).mean())


def angles_between(
    one: Float[np.ndarray, "*batch 3"], other: Float[np.ndarray, "*batch 3"]
) -> Float[np.ndarray, "*batch"]:
    """Angles between directions, rad; NaN where one is not known.

    Args:
        one: Vectors of any length but 0.
        other: The same; in the same axes.
    """
    across = np.linalg.norm(np.cross(one, other), axis=-1)
    return np.asarray(np.arctan2(across, (one * other).sum(axis=-1)))


def pck(errors: Float[np.ndarray, "*batch joint"], *, threshold: float = PCK_THRESHOLD) -> float:
    """Percentage of correct keypoints: joints nearer than ``threshold``, strictly.

    Args:
        errors: From :func:`joint_errors`, m.
        threshold: m.
    """
    return 100 * float((errors < threshold).mean())


def auc(errors: Float[np.ndarray, "*batch joint"]) -> float:
    """Area under the PCK curve: the mean of PCK over :data:`AUC_THRESHOLDS`, per cent.

    Args:
        errors: From :func:`joint_errors`, m.
    """
    return 100 * float(thresholds_above(errors).mean()) / len(AUC_THRESHOLDS)


def thresholds_above(
    errors: Float[np.ndarray, "*batch joint"],
) -> Int[np.ndarray, "*batch joint"]:
    """Count the :data:`AUC_THRESHOLDS` that each error is below, strictly; none for NaN.

    Args:
        errors: From :func:`joint_errors`, m.
    """
    # Without a (joint, threshold) table. NaN sorts after every number.
    above = len(AUC_THRESHOLDS) - np.searchsorted(AUC_THRESHOLDS, errors, side="right")
    return np.asarray(above)


def by_activity(
    values: Float[np.ndarray, " frame *rest"], activities: Sequence[str] | np.ndarray
) -> dict[str, np.ndarray]:
    """Average per-frame values over the frames of each activity, activities sorted by name.

    Raises:
        ShapeError: If there is not one activity a frame.
    """
    names = np.asarray(activities)
    if names.shape != values.shape[:1]:
        raise ShapeError(f"{names.shape} activities for {values.shape[:1]} frames: give one each")
    return {str(name): values[names == name].mean(axis=0) for name in np.unique(names)}


def _check_pair(
    predicted: np.ndarray, target: np.ndarray, present: np.ndarray | None = None
) -> None:
    fits = predicted.ndim == 3 and predicted.shape[-1] == 3 and predicted.size > 0
    if predicted.shape != target.shape or not fits:
        raise ShapeError(
            f"predicted {predicted.shape} and target {target.shape} must be the same non-empty "
            "(frame, joint, 3): check the joint map and that both cover the same frames"
        )
    if present is not None and present.shape != predicted.shape[:2]:
        raise ShapeError(
            f"present {present.shape} should be {predicted.shape[:2]}: one for each joint of each "
            "frame"
        )
    for name, array in (("predicted", predicted), ("target", target)):
        if np.isfinite(array).all():  # far quicker than by joint
            continue
        wrong = ~np.isfinite(array).all(axis=-1) & (True if present is None else present)
        if wrong.any():
            frame, joint = np.argwhere(wrong)[0]
            raise ShapeError(
                f"{name} is not finite at frame {frame}, joint {joint}: leave such frames out "
                "before scoring, and say how many"
            )
