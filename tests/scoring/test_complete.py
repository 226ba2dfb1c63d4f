"""Scores of predictions that lack nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.scoring import mean_over_activities


def test_the_mean_over_activities_by_hand():
    # walk: (10 + 20 + 60) / 3 = 30; jump: 100. Their plain mean is 65, not the frames' 47.5.
    activity = np.array(["walk", "jump", "walk", "walk"])

    assert mean_over_activities(np.array([10.0, 100, 20, 60]), activity) == pytest.approx(65)
    np.testing.assert_allclose(  # each joint by itself
        mean_over_activities(np.array([[10.0, 1], [100, 2], [20, 1], [60, 4]]), activity), [65, 2]
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1)), min_size=1), st.integers(1, 4))
def test_the_mean_over_activities_does_not_care_how_often_an_activity_was_recorded(frames, times):
    activity, values = (np.array(column) for column in zip(*frames, strict=True))
    more = activity == activity[0]

    again = mean_over_activities(
        np.concatenate([values, *[values[more]] * times]),
        np.concatenate([activity, *[activity[more]] * times]),
    )

    assert again == pytest.approx(mean_over_activities(values, activity))
