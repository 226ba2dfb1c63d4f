"""Shares of correct keypoints, by hand and against slow loops."""

import numpy as np
import pytest
from helpers import slow_metrics as slow
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphlift.metrics import (
    AUC_THRESHOLDS,
    PCK_THRESHOLD,
    auc,
    joint_errors,
    pck,
    thresholds_above,
)

ERRORS = arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(1, 5)),
    elements=st.one_of(st.floats(0, 0.3), st.integers(0, 40).map(lambda n: n / 200)),
)


def test_pck_is_strict_at_150_mm():
    at = 0.150
    errors = np.array([[0.0, np.nextafter(at, 0)], [at, np.nextafter(at, 1)]])

    assert pck(errors) == pck(errors, threshold=PCK_THRESHOLD) == 50.0
    assert pck(errors, threshold=np.nextafter(at, 1)) == 75.0


def test_an_error_of_exactly_150_mm_along_an_axis_is_not_correct():
    # √(0.15²) is 0.15 in floating point, so no noise decides.
    target = np.zeros((1, 2, 3))
    predicted = np.array([[[0.15, 0.0, 0.0], [0.0, 0.0, -0.149]]])

    assert pck(joint_errors(predicted, target)) == 50.0


def test_auc_of_a_perfect_prediction_is_30_thresholds_of_31():
    # Nothing is nearer than 0 mm, the first threshold: 30 / 31 = 96.774... %.
    assert auc(np.zeros((3, 14))) == pytest.approx(100 * 30 / 31)
    assert auc(np.zeros((3, 14))) == pytest.approx(96.774, abs=1e-3)


def test_auc_by_hand():
    # 12 mm is below 15, 20, ..., 150: 28 thresholds; 150 mm is below none.
    assert auc(np.array([[0.012, 0.150]])) == pytest.approx(100 * (28 + 0) / 2 / 31)


@given(ERRORS)
def test_shares_are_those_of_the_slow_twin(errors):
    assert pck(errors) == pytest.approx(slow.pck(errors.ravel()))
    assert auc(errors) == pytest.approx(slow.auc(errors.ravel()))


def test_an_error_that_is_not_known_is_below_no_threshold():
    assert thresholds_above(np.array([np.nan, 0.150, 0.149, 0.0])).tolist() == [0, 0, 1, 30]
    assert pck(np.array([np.nan, 0.149])) == 50


@given(ERRORS)
def test_auc_is_the_mean_of_pck_over_its_thresholds(errors):
    total = 0.0
    for millimetres in range(0, 155, 5):
        correct = 0
        for error in errors.ravel():
            correct += error < millimetres / 1000
        total += 100 * correct / errors.size

    assert auc(errors) == pytest.approx(total / 31)
    assert auc(errors) == pytest.approx(
        np.mean([pck(errors, threshold=t) for t in AUC_THRESHOLDS])
    )


@given(ERRORS, st.randoms(use_true_random=False))
def test_shares_do_not_depend_on_order_and_fall_with_the_error(errors, random):
    shuffled = errors.ravel().tolist()
    random.shuffle(shuffled)

    for share in (pck, auc):
        assert share(np.array(shuffled)) == pytest.approx(share(errors))
        assert share(errors + 0.01) <= share(errors) <= 100
