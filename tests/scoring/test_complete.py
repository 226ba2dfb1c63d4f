"""Scores of predictions that lack nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.protocols import PROTOCOLS
from graphlift.scoring import CompleteScores, mean_over_activities, score_poses


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


@pytest.mark.parametrize("name", ["h36m-17", "h36m-16", "open-16", "cross-14", "unseen-17"])
def test_complete_scores_are_those_of_the_same_arrays_in_chunks(name, rng):
    protocol = PROTOCOLS[name]
    skeleton = protocol.skeletons[0]
    target = rng.normal(scale=0.4, size=(60, len(skeleton), 3))
    target -= target[:, [skeleton.root]]
    predicted = target + rng.normal(scale=0.08, size=target.shape)
    predicted -= predicted[:, [skeleton.root]]
    activity = np.array(["Eating", "Walking", "Walking"]).repeat(20)

    ours = CompleteScores(predicted, target, activity, protocol, skeleton)
    theirs = score_poses(predicted, target, protocol, activity=activity)

    for metric, mean in ours.overall().items():
        assert mean == pytest.approx(getattr(theirs.overall, f"{metric}_mm"))
    for joint, mean in ours.per_joint().items():
        assert mean == pytest.approx(theirs.per_joint[joint].mpjpe_mm)
    correct = ours.correct()
    assert correct.pop("")[0] == 60
    for each, (frames, pck, auc) in correct.items():
        score = theirs.per_activity[each]
        assert frames == score.frames
        assert (pck, auc) == pytest.approx((score.pck, score.auc))
        assert ours.per_activity()[each][1] == pytest.approx(score.mpjpe_mm)
