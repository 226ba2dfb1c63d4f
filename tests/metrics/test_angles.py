"""Angles between directions, against what is drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.metrics import angles_between


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31 - 1), st.floats(1e-8, np.pi - 1e-8))
def test_a_vector_that_was_turned_by_an_angle_is_at_that_angle(seed, angle):
    rng = np.random.default_rng(seed)
    one = rng.normal(size=3)
    across = np.cross(one, rng.normal(size=3))
    across *= np.linalg.norm(one) / np.linalg.norm(across)
    turned = np.cos(angle) * one + np.sin(angle) * across

    assert angles_between(one, 3.0 * turned) == pytest.approx(angle, rel=1e-6, abs=1e-12)


def test_unknown_directions_have_no_angle():
    one = np.array([[1.0, 0, 0], [0, 1, 0]])
    other = np.array([[np.nan] * 3, [0, -2, 0]])

    np.testing.assert_allclose(angles_between(one, other), [np.nan, np.pi])
