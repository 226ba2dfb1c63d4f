"""What a run's curve says, against curves whose answer is known."""

from dataclasses import replace

import pytest
from helpers.fake_results import fake_result

from graphlift.study.curves import (
    chosen_on_test,
    chosen_on_validation,
    flattered,
    last_quarter_slope,
)
from graphlift.study.results import CurvePoint


def with_curve(validation, test=None, best_step=None):
    """A run of 1,200 steps with evaluations spread over it evenly."""
    every = 1200 // len(validation)
    tests = test or [None] * len(validation)
    curve = [
        CurvePoint(every * (n + 1), 0.1, error, other)
        for n, (error, other) in enumerate(zip(validation, tests, strict=True))
    ]
    return replace(fake_result(), curve=curve, steps=1200, best_step=best_step or 1200)


def test_the_slope_is_that_of_the_last_quarter_alone():
    # Level at 90 mm until step 900, then 2 mm less every 100 steps.
    run = with_curve([90.0] * 9 + [88.0, 86.0, 84.0])

    assert last_quarter_slope(run) == pytest.approx(-20.0)


def test_the_slope_is_what_least_squares_give():
    # By hand: steps 900 to 1200, centred -1.5 to 1.5 hundreds; sum of products 2.5, of squares 5.
    run = with_curve([99.0] * 8 + [50.0, 53.0, 50.0, 52.0])

    assert last_quarter_slope(run) == pytest.approx(1000 * (1.5 * 2 - 0.5 * 3) / 5 / 100)


def test_two_evaluations_make_no_slope():
    assert last_quarter_slope(with_curve([60.0, 50.0, 49.0, 48.0])) is None


def test_what_choosing_on_test_subjects_gains():
    run = with_curve([50.0, 48.0, 49.0], test=[61.0, 62.5, 60.0], best_step=800)

    assert chosen_on_validation(run) == 62.5
    assert chosen_on_test(run) == 60.0
    assert flattered(run) == 2.5


def test_a_curve_without_test_subjects_tells_nothing_of_them():
    run = with_curve([50.0, 48.0, 49.0], best_step=800)

    assert chosen_on_validation(run) is None
    assert chosen_on_test(run) is None
    assert flattered(run) is None
