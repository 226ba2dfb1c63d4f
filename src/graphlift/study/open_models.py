"""What the open models score: people they have not seen, through cameras they have not seen.

Protocols (:data:`graphlift.protocols.PROTOCOLS` has joints and frames). ``unseen-17``: every frame
through a camera of its own from :data:`graphlift.samples.random_views.UNSEEN_RIG` (field of view
30° to 90°).
``h36m-like``: cameras like Human3.6M's. In both 2D is exact and intrinsics are known.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from graphlift.datasets import MotionCapture
from graphlift.datasets.mocap.turns import Motion
from graphlift.metrics import angles_between
from graphlift.protocols import PROTOCOLS
from graphlift.samples.body_views import BodyViews, view_figures
from graphlift.samples.random_views import (
    H36M_LIKE_RIG,
    UNSEEN_RIG,
    Views,
    exact_views,
    hide,
    people_of,
)
from graphlift.samples.strata import DEFINITIONS, EXACT, figures_as_recorded
from graphlift.scoring import CompleteScores
from graphlift.sequences import FRONTS
from graphlift.skeletons import BODY_28, H36M_17

Lift = Callable[[Views, np.ndarray], np.ndarray]
"""From views and confidences, (frame, joint), to root-relative poses, m, camera axes."""

RIGS = {"unseen-17": UNSEEN_RIG, "h36m-like": H36M_LIKE_RIG}
SEED = 7
"""Of the cameras and of the missing joints; training and validation have others."""
DETECTED = replace(DEFINITIONS["recorded"], captured=0)
"""People on their own bodies, keypoints by COCO's definition."""
FEET = (("LBigToe", "LHeel"), ("RBigToe", "RHeel"))
MISSING = 0.2
"""Share of joints missing at random in every frame, in the second half of the table."""


def score(lift: Lift, capture: MotionCapture, name: str) -> dict[str, str | int | float]:
    """Score a model on every frame of a data set.

    Args:
        lift: The model.
        capture: Subjects it was not trained on.
        name: Of the protocol, a key of :data:`RIGS`.

    Returns:
        ``protocol`` and ``frames``; ``mpjpe_mm``, ``p_mpjpe_mm``, ``pck`` and ``auc``;
        ``mpjpe_missing_mm``, with a fifth of the joints missing, over all joints;
        ``mpjpe_there_mm``, the same over the joints that are not missing.
    """
    protocol = PROTOCOLS[name]
    views = exact_views(people_of(capture, stride=protocol.stride), RIGS[name], seed=SEED)

    def scores(confidence: np.ndarray) -> CompleteScores:
        predicted = lift(views, confidence)
        return CompleteScores(predicted, views.targets, views.activity, protocol, H36M_17)

    whole = scores(views.confidence)
    missing = hide(views, MISSING, seed=SEED)
    partly = scores(np.where(missing, 0, views.confidence))
    frames, pck, auc = whole.correct()[""]
    means = whole.overall()
    return {
        "protocol": name,
        "frames": frames,
        "mpjpe_mm": means["mpjpe"],
        "p_mpjpe_mm": means["p_mpjpe"],
        "pck": pck,
        "auc": auc,
        "mpjpe_missing_mm": partly.overall()["mpjpe"],
        "mpjpe_there_mm": partly.over(~missing[:, H36M_17.index(*protocol.scored)]),
    }


def score_detected(
    lift: Callable[[BodyViews], tuple[np.ndarray, ...]], motion: Motion
) -> dict[str, str | int | float]:
    """Score a model of 28 joints on what a perfect detector would find: protocol ``detected``.

    People on their own bodies, cameras like Human3.6M's, COCO's points of the surface exactly
    (simulated: where they lie on a person is a table's), some with feet and some without, as
    detectors have them. Every frame of ``motion``.

    Args:
        lift: From views to positions, sigmas and fronts, camera axes.
        motion: Of people it was not trained on.

    Returns:
        ``mpjpe_mm`` and ``p_mpjpe_mm`` of Human3.6M's 16 joints; ``pelvis_deg``, ``chest_deg``
        and ``head_deg``, the mean angle between the front that was lifted and the true one; and
        ``feet_deg``, the same of the line from heel to big toe. Heads and feet are left out where
        their turns were estimated.
    """
    rng = np.random.default_rng(SEED)
    figures, activity = figures_as_recorded(motion, rng)
    views = view_figures(figures, activity, DETECTED, EXACT, rng, rig=H36M_LIKE_RIG)
    positions, _, fronts, _ = lift(views)
    scores = CompleteScores(
        positions, views.targets, activity, PROTOCOLS["h36m-like"], BODY_28
    ).overall()

    def degrees(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.degrees(np.nanmean(angles_between(one, other))))

    at = np.array([BODY_28.index(*foot) for foot in FEET])
    soles = [poses[:, at[:, 0]] - poses[:, at[:, 1]] for poses in (positions, views.targets)]
    faced = {
        f"{name.lower()}_deg": degrees(
            fronts[:, FRONTS.index(name)], views.fronts[:, FRONTS.index(name)]
        )
        for name in ("Pelvis", "Chest", "Head")[: 2 if motion.estimated.any() else 3]
    }
    if not motion.estimated.any():
        faced["feet_deg"] = degrees(*soles)
    return {
        "protocol": "detected",
        "frames": len(views),
        "mpjpe_mm": scores["mpjpe"],
        "p_mpjpe_mm": scores["p_mpjpe"],
        **faced,
    }
