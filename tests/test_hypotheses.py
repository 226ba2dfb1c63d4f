"""Several poses for one: their mean, their choice, and whose they are."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.readback import moving

from graphlift.errors import ShapeError
from graphlift.hypotheses import Hypotheses


def drawn(*batch, count=5, joints=17, seed=0):
    rng = np.random.default_rng(seed)
    return Hypotheses(
        rng.normal(size=(*batch, count, joints, 3)),
        rng.dirichlet(np.ones(count), batch),
        rng.uniform(0.05, 0.5, (*batch, count)),
    )


def test_the_mean_and_the_choices_are_those_of_each_frame():
    given = drawn(4, 2)

    for frame in range(4):
        for person in range(2):
            poses, weights = given.positions[frame, person], given.weights[frame, person]
            mean = sum(w * pose for w, pose in zip(weights, poses, strict=True))
            np.testing.assert_allclose(given.mean()[frame, person], mean)
            likely = poses[weights.argmax()]
            np.testing.assert_array_equal(given.most_likely()[frame, person], likely)
            chosen = given.choose(np.full((4, 2), 3))[frame, person]
            np.testing.assert_array_equal(chosen, poses[3])


def test_nobody_has_no_mean_and_no_likely_pose():
    given = drawn(3, 1)
    given.positions[1], given.weights[1], given.sigma[1] = np.nan, np.nan, np.nan

    for pose in (given.mean(), given.most_likely()):
        assert np.isnan(pose[1]).all()
        assert np.isfinite(pose[[0, 2]]).all()


def test_hypotheses_stay_with_their_people():
    poses = replace(moving(frames=4, people=("Ada", "Bo")), hypotheses=drawn(4, 2))

    kept = poses.of_people([1])

    np.testing.assert_array_equal(kept.hypotheses.positions, poses.hypotheses.positions[:, [1]])
    np.testing.assert_array_equal(kept.hypotheses.weights, poses.hypotheses.weights[:, [1]])
    np.testing.assert_array_equal(kept.hypotheses.sigma, poses.hypotheses.sigma[:, [1]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": np.zeros((4, 2, 17, 3, 2))}, r"should be \(\.\.\., hypothesis, joint, 3\)"),
        ({"positions": np.zeros((4, 2, 0, 17, 3))}, "at least one of them"),
        (
            {"weights": np.zeros((4, 2))},
            r"weights \(4, 2\) of hypotheses should be one",
        ),
        ({"sigma": np.full((4, 2, 5), -1.0)}, "sigma of hypotheses are infinite or negative"),
        ({"weights": np.full((4, 2, 5), np.inf)}, "weights of hypotheses are infinite"),
        ({"positions": np.full((4, 2, 5, 17, 3), np.inf)}, "hypotheses are infinite somewhere"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    with pytest.raises(ShapeError, match=message):
        replace(drawn(4, 2), **change)


@pytest.mark.parametrize("others", [drawn(4, 1), drawn(3, 2), drawn(4, 2, joints=16)])
def test_hypotheses_of_others_are_refused(others):
    with pytest.raises(ShapeError, match=r"do not belong to poses of \(4, 2, 17\)"):
        replace(moving(frames=4, people=("Ada", "Bo")), hypotheses=others)
