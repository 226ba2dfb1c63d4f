"""How well the standard deviations that a network states fit its errors."""

import numpy as np
from jaxtyping import Float

from graphlift.geometry import best_scale
from graphlift.metrics import angles_between, joint_errors

BALL = {50: 1.3370, 80: 2.1395, 95: 3.1479}
"""Radius, in standard deviations of a coordinate, of the ball that holds so many per cent by the
density that networks learn, ∝ exp(-2d/σ) of the distance d
(:func:`graphlift.training.losses.loss_of`): half the quantiles of the gamma distribution of shape
3. A normal density would have 1.5382, 2.1544 and 2.7955; errors of lifters have heavier tails."""
CIRCLE_80 = 1.7288
"""Radius, in standard deviations of a coordinate, of the circle that holds 80 % of fronts by the
density that networks learn, ∝ exp(-e/s) of the distance e of unit vectors
(:func:`graphlift.training.losses.body_loss`): the quantile of the gamma distribution of shape 2,
over √3, because each coordinate's variance is 3 s²."""


def sigma_scale(
    predicted: Float[np.ndarray, "frame joint 3"],
    target: Float[np.ndarray, "frame joint 3"],
    sigma: Float[np.ndarray, "frame joint"],
) -> float:
    """Find the factor on sigma at which 80 % of joints lie within the 80 % ball.

    Args:
        predicted: Root-relative, m, on validation subjects; the root is joint 0 and left out.
        target: The same frames and joints, m.
        sigma: As the network gives it, m.
    """
    errors = joint_errors(predicted, target)
    return float(np.quantile(errors[:, 1:] / sigma[:, 1:], 0.8) / BALL[80])


def front_scale(
    predicted: Float[np.ndarray, "frame front 3"],
    target: Float[np.ndarray, "frame front 3"],
    sigma: Float[np.ndarray, "frame front"],
) -> float:
    """Find the factor on the sigma of fronts at which 80 % lie within the 80 % circle.

    Args:
        predicted: Unit vectors, on validation subjects.
        target: The same, NaN where not known.
        sigma: As the network gives it, rad.
    """
    angles = angles_between(predicted, target)
    return float(np.nanquantile(angles / sigma, 0.8) / CIRCLE_80)


INTERVAL_80 = 1.2816
"""Half width, in standard deviations, of the interval that holds 80 % of a normal variable."""
_LEAST_SCALE = 1e-6


def size_spread(
    predicted: Float[np.ndarray, "frame joint 3"], target: Float[np.ndarray, "frame joint 3"]
) -> float:
    """Find the standard deviation of sizes at which 80 % lie within the 80 % interval.

    A size is the factor by which least squares scale the prediction to the truth
    (:func:`graphlift.geometry.best_scale`), and counts by its logarithm, from 0: what all people
    are too small or too large is part of the spread. A factor that is not positive, of a pose
    that is upside down, is beyond any interval.

    Args:
        predicted: Root-relative, m, on validation subjects.
        target: The same frames and joints, m.
    """
    scale = best_scale(predicted, target)
    return float(np.quantile(np.abs(np.log(np.maximum(scale, _LEAST_SCALE))), 0.8) / INTERVAL_80)


def sigma_coverage(
    predicted: Float[np.ndarray, "frame joint 3"],
    target: Float[np.ndarray, "frame joint 3"],
    sigma: Float[np.ndarray, "frame joint"],
) -> dict[int, float]:
    """Share of joints, per cent, within the 50, 80 and 95 % balls around their predictions.

    Arguments are those of :func:`sigma_scale`.
    """
    errors = joint_errors(predicted, target)[:, 1:]
    return {
        level: 100 * float((errors < radius * sigma[:, 1:]).mean())
        for level, radius in BALL.items()
    }
