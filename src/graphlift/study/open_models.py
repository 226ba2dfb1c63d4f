"""What the open models score: people they have not seen, through cameras they have not seen.

Protocols (:data:`graphlift.protocols.PROTOCOLS` has joints and frames). ``unseen-17``: every frame
through a camera of its own from :data:`graphlift.samples.random_views.UNSEEN_RIG` (field of view
30° to 90°).
``h36m-like``: cameras like Human3.6M's. In both 2D is exact and intrinsics are known.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from graphlift.datasets import MotionCapture
from graphlift.metrics import auc, joint_errors, pck
from graphlift.protocols import PROTOCOLS
from graphlift.samples.random_views import (
    H36M_LIKE_RIG,
    UNSEEN_RIG,
    Views,
    exact_views,
    hide,
    people_of,
)
from graphlift.skeletons import H36M_17

Lift = Callable[[Views, np.ndarray], np.ndarray]
"""From views and confidences, (frame, joint), to root-relative poses, m, camera axes."""

RIGS = {"unseen-17": UNSEEN_RIG, "h36m-like": H36M_LIKE_RIG}
SEED = 7
"""Of the cameras and of the missing joints; training and validation have others."""
MISSING = 0.2
"""Share of joints missing at random in every frame, in the second half of the table."""

SCORED = {name: H36M_17.index(*PROTOCOLS[name].scored) for name in RIGS}
CORRECT = {name: H36M_17.index(*PROTOCOLS[name].correct) for name in RIGS}


@dataclass(frozen=True)
class Score:
    """Errors on one data set under one protocol.

    Args:
        protocol: ``unseen-17`` or ``h36m-like``.
        frames: How many.
        mpjpe_mm: Mean distance, root-aligned.
        p_mpjpe_mm: After the best similarity.
        pck: Joints within 150 mm, per cent.
        auc: Area under that curve, 0 to 150 mm, per cent.
        mpjpe_missing_mm: With a fifth of the joints missing, over all joints.
        mpjpe_there_mm: The same over the joints that are there.
    """

    protocol: str
    frames: int
    mpjpe_mm: float
    p_mpjpe_mm: float
    pck: float
    auc: float
    mpjpe_missing_mm: float
    mpjpe_there_mm: float


def score(lift: Lift, capture: MotionCapture, protocol: str) -> Score:
    """Score a model on every frame of a data set.

    Args:
        lift: The model.
        capture: Subjects it was not trained on.
        protocol: A key of :data:`RIGS`.
    """
    people = people_of(capture, stride=PROTOCOLS[protocol].stride)
    views = exact_views(people, RIGS[protocol], seed=SEED)
    joints, correct = SCORED[protocol], CORRECT[protocol]
    predicted, target = lift(views, views.confidence), views.targets
    errors = joint_errors(predicted, target)
    aligned = joint_errors(predicted[:, joints], target[:, joints], alignment="similarity")
    gone = hide(views, MISSING, seed=SEED)
    partly = joint_errors(lift(views, np.where(gone, 0, views.confidence)), target)
    return Score(
        protocol=protocol,
        frames=len(views),
        mpjpe_mm=_mm(errors[:, joints]),
        p_mpjpe_mm=_mm(aligned),
        pck=pck(errors[:, correct]),
        auc=auc(errors[:, correct]),
        mpjpe_missing_mm=_mm(partly[:, joints]),
        mpjpe_there_mm=_mm(partly[:, joints][~gone[:, joints]]),
    )


def calibrate(
    errors: Float[np.ndarray, "frame joint"], sigma: Float[np.ndarray, "frame joint"]
) -> float:
    """Find the factor on sigma at which 80 % of joints lie within the 80 % ball.

    Args:
        errors: Distances on validation subjects, m, the root left out.
        sigma: As the network gives it, m.
    """
    return float(np.quantile(errors / sigma, 0.8) / BALL[80])


BALL = {50: 1.5382, 80: 2.1544, 95: 2.7955}
"""Radius, in standard deviations, of the ball that holds so many per cent of an isotropic normal
variable in space: the square roots of the quantiles of χ² with three degrees of freedom."""


def coverage(
    errors: Float[np.ndarray, "*batch joint"], sigma: Float[np.ndarray, "*batch joint"]
) -> dict[int, float]:
    """Share of joints, per cent, within the 50, 80 and 95 % balls around their predictions."""
    return {level: 100 * float((errors < radius * sigma).mean()) for level, radius in BALL.items()}


def _mm(errors: np.ndarray) -> float:
    return float(errors.mean()) * 1000
