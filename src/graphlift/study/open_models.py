"""What the open models score: people they have not seen, through cameras they have not seen.

Protocols (:data:`graphlift.protocols.PROTOCOLS` has joints and frames). ``unseen-17``: every frame
through a camera of its own from :data:`graphlift.samples.random_views.UNSEEN_RIG` (field of view
30° to 90°).
``h36m-like``: cameras like Human3.6M's. In both 2D is exact and intrinsics are known.
"""

from collections.abc import Callable

import numpy as np

from graphlift.datasets import MotionCapture
from graphlift.protocols import PROTOCOLS
from graphlift.samples.random_views import (
    H36M_LIKE_RIG,
    UNSEEN_RIG,
    Views,
    exact_views,
    hide,
    people_of,
)
from graphlift.scoring import CompleteScores
from graphlift.skeletons import H36M_17

Lift = Callable[[Views, np.ndarray], np.ndarray]
"""From views and confidences, (frame, joint), to root-relative poses, m, camera axes."""

RIGS = {"unseen-17": UNSEEN_RIG, "h36m-like": H36M_LIKE_RIG}
SEED = 7
"""Of the cameras and of the missing joints; training and validation have others."""
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
