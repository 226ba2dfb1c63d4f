"""What the curve of one run says: where it was still going, and what choosing by it is worth.

A number is None where a run's curve does not have it.
"""

import numpy as np

from graphlift.study.results import Result


def last_quarter_slope(run: Result) -> float | None:
    """Fit a line to the validation errors of the last quarter of a run; mm per 1,000 steps.

    Below zero the error was still falling. None with fewer than three evaluations there.
    """
    points = [point for point in run.curve if point.step >= 0.75 * run.steps]
    if len(points) < 3:
        return None
    steps = np.array([point.step for point in points]) / 1000
    steps -= steps.mean()
    errors = np.array([point.validation_mpjpe_mm for point in points])
    return float(steps @ errors / (steps @ steps))


def chosen_on_validation(run: Result) -> float | None:
    """Test error on the curve at the step whose weights were kept, mm."""
    return next((p.test_mpjpe_mm for p in run.curve if p.step == run.best_step), None)


def chosen_on_test(run: Result) -> float | None:
    """Lowest test error on the curve, mm: what the published code would report."""
    errors = [p.test_mpjpe_mm for p in run.curve if p.test_mpjpe_mm is not None]
    return min(errors, default=None)


def flattered(run: Result) -> float | None:
    """How much lower the error would look if the step were chosen on test subjects, mm."""
    honest, best = chosen_on_validation(run), chosen_on_test(run)
    return None if honest is None or best is None else honest - best
