"""Several poses that a model holds possible for the same keypoints, and how likely each is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from graphlift.errors import ShapeError
from graphlift.geometry import has_infinite


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """Poses that a model holds possible, with their weights and spreads.

    Each frame is by itself: the first hypothesis of one need not continue the first of the frame
    before.

    Args:
        positions: Root-relative, m, always in the camera's axes; NaN where a person is absent.
        weights: How likely each is; they sum to 1. NaN where a person is absent.
        sigma: Standard deviation of each coordinate of a hypothesis, m.

    Raises:
        ShapeError: If shapes do not fit each other, a position is infinite, or a weight or a
            deviation is infinite or negative.
    """

    positions: Float[np.ndarray, "*batch hypothesis joint 3"]
    weights: Float[np.ndarray, "*batch hypothesis"]
    sigma: Float[np.ndarray, "*batch hypothesis"]

    def __post_init__(self) -> None:
        shape = self.positions.shape
        if len(shape) < 3 or shape[-1] != 3 or shape[-3] == 0:
            raise ShapeError(
                f"hypotheses {shape} should be (..., hypothesis, joint, 3), at least one of them"
            )
        for name in ("weights", "sigma"):
            values = getattr(self, name)
            if values.shape != shape[:-2]:
                raise ShapeError(
                    f"{name} {values.shape} of hypotheses should be one value each, {shape[:-2]}"
                )
            if has_infinite(values) or (values < 0).any():
                raise ShapeError(
                    f"{name} of hypotheses are infinite or negative: one that is unknown is NaN"
                )
        if has_infinite(self.positions):
            raise ShapeError("hypotheses are infinite somewhere: one that is unknown is NaN")

    def check_of(self, joints: tuple[int, ...]) -> None:
        """Refuse hypotheses of others than these frames, people and joints.

        Raises:
            ShapeError: If frames, people or joints are others.
        """
        *before, _, last, _ = self.positions.shape
        if (*before, last) != joints:
            raise ShapeError(
                f"hypotheses {self.positions.shape} do not belong to poses of {joints}: frames, "
                "people and joints"
            )

    def of_people(self, kept: Sequence[int]) -> "Hypotheses":
        """Copy with only the people at these places of the person axis, the second."""
        places = list(kept)
        return Hypotheses(
            self.positions[:, places], self.weights[:, places], self.sigma[:, places]
        )

    def mean(self) -> Float[np.ndarray, "*batch joint 3"]:
        """Average the hypotheses by their weights: the pose of least expected square error."""
        return np.asarray((self.weights[..., None, None] * self.positions).sum(axis=-3))

    def most_likely(self) -> Float[np.ndarray, "*batch joint 3"]:
        """Take the hypothesis of the largest weight."""
        return self.choose(np.nan_to_num(self.weights).argmax(axis=-1))

    def choose(self, which: np.ndarray) -> Float[np.ndarray, "*batch joint 3"]:
        """Take one hypothesis of each frame, by number."""
        at = which[..., None, None, None]
        return np.asarray(np.take_along_axis(self.positions, at, axis=-3).squeeze(axis=-3))
