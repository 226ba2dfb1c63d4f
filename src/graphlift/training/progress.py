"""How far a run has come. Without torch, because the parent process of a study only reads it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Args:
        step: Steps done.
        steps: Steps in all.
        loss: Mean training loss since the last evaluation, in the loss's own unit.
        validation_mpjpe_mm: Error at the last evaluation; NaN before the first.
        poses_per_second: Training throughput so far, evaluations left out.
    """

    step: int
    steps: int
    loss: float
    validation_mpjpe_mm: float
    poses_per_second: float
