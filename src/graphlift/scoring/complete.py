"""Scores of predictions without missing joints, such as a network's, also of parts of them.

Everything is computed in the precision of the arrays. For files, and for arrays in which joints
may be missing or not valid, use :func:`graphlift.scoring.score_poses`.
"""

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.metrics import auc, by_activity, joint_errors, pck
from graphlift.protocols.named import Protocol
from graphlift.scoring.pose_errors import ALIGNMENTS
from graphlift.skeletons import Skeleton


class CompleteScores:
    """Scores of root-relative poses, for the joints that a protocol scores.

    Args:
        predicted: All joints of the skeleton, m.
        target: The same frames and joints, m.
        activity: Name of what the person does, per frame.
        protocol: Which joints are scored, and which of them PCK and AUC count.
        skeleton: Of the arrays.
    """

    def __init__(
        self,
        predicted: Float[np.ndarray, "frame joint 3"],
        target: Float[np.ndarray, "frame joint 3"],
        activity: np.ndarray,
        protocol: Protocol,
        skeleton: Skeleton,
    ) -> None:
        if protocol.scored != skeleton.joints:
            joints = skeleton.index(*protocol.scored)
            predicted, target = predicted[:, joints], target[:, joints]
        self.predicted, self.target = predicted, target
        self.activity, self.protocol = activity, protocol
        self.metres = joint_errors(predicted, target)
        self.joints = self.metres * 1000
        """MPJPE of each joint in each frame, mm."""

    @cached_property
    def frames(self) -> dict[str, Float[np.ndarray, " frame"]]:
        """Mean over the joints of each frame, mm, by name of metric."""
        return {
            name: (joint_errors(self.predicted, self.target, alignment=how) * 1000).mean(axis=1)
            for name, how in ALIGNMENTS.items()
        }

    def overall(self) -> dict[str, float]:
        """Average each metric, mm, over activities or frames, as the protocol does."""
        return {name: float(self._mean(values)) for name, values in self.frames.items()}

    def _mean(self, values: np.ndarray) -> np.ndarray:
        if self.protocol.average == "frames":
            return np.asarray(values.mean(axis=0))
        return mean_over_activities(values, self.activity)

    def per_activity(self) -> dict[str, tuple[int, float, float]]:
        """Count the frames of each activity, and average MPJPE and P-MPJPE, mm, over them."""
        both = np.stack([self.frames["mpjpe"], self.frames["p_mpjpe"]], axis=1)
        means = by_activity(both, self.activity)
        return {name: (int((self.activity == name).sum()), *mean) for name, mean in means.items()}

    def per_joint(self) -> dict[str, float]:
        """Average MPJPE of each joint, mm, as :meth:`overall` does."""
        means = self._mean(self.joints).tolist()
        return dict(zip(self.protocol.scored, means, strict=True))

    def over(self, where: Bool[np.ndarray, " joint"] | Bool[np.ndarray, "frame joint"]) -> float:
        """Average MPJPE, mm, over some joints, or over some of them in each frame."""
        return float((self.joints[:, where] if where.ndim == 1 else self.joints[where]).mean())

    def per_group(
        self, group: Int[np.ndarray, " frame"]
    ) -> tuple[Int[np.ndarray, " group"], Float[np.ndarray, "2 group"]]:
        """Count the frames of each group, and average MPJPE and P-MPJPE, mm, over them."""
        frames = np.bincount(group)
        sums = [np.bincount(group, weights=self.frames[m]) for m in ("mpjpe", "p_mpjpe")]
        return frames, np.array(sums) / frames

    def correct(self) -> dict[str, tuple[int, float, float]]:
        """Count frames, and find PCK and AUC, per cent: ``""`` for all, then by activity."""
        counted = self.metres[:, np.isin(self.protocol.scored, self.protocol.correct)]
        parts = {"": counted}
        parts |= {str(a): counted[self.activity == a] for a in np.unique(self.activity)}
        return {name: (len(each), pck(each), auc(each)) for name, each in parts.items()}


def mpjpe_over_activities(
    predicted: Float[np.ndarray, "frame joint 3"],
    target: Float[np.ndarray, "frame joint 3"],
    activity: np.ndarray,
) -> float:
    """Score root-relative poses, m, by their MPJPE, mm, averaged over activities."""
    errors = joint_errors(predicted, target).mean(axis=1)
    return float(mean_over_activities(errors, activity)) * 1000


def mean_over_activities(
    values: Float[np.ndarray, " frame *rest"], activity: np.ndarray
) -> np.ndarray:
    """Average values over the frames of each activity, then over activities."""
    return np.asarray(np.mean(list(by_activity(values, activity).values()), axis=0))
