"""Errors of positions and velocities, by hand and against slow loops."""

import numpy as np
import pytest
from helpers import slow_metrics as slow
from helpers.every_metric import EVERY
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from graphlift.errors import ShapeError
from graphlift.metrics import (
    by_activity,
    joint_errors,
    mpjpe,
    mpjve,
    n_mpjpe,
    p_mpjpe,
)

# Position errors


def test_mpjpe_of_a_known_offset(target):
    assert mpjpe(target + np.array([0.003, 0.004, 0.0]), target) == pytest.approx(0.005)


def test_mpjpe_is_the_plain_mean_over_frames_and_joints():
    # Distances 3-4-5, 0; 12, 5-12-13: their mean is (5 + 0 + 12 + 13) / 4.
    target = np.zeros((2, 2, 3))
    predicted = np.array([[[3.0, 4, 0], [0, 0, 0]], [[0, 0, -12], [-5, 0, 12]]])

    np.testing.assert_allclose(joint_errors(predicted, target), [[5, 0], [12, 13]])
    assert mpjpe(predicted, target) == pytest.approx(7.5)


@pytest.mark.parametrize("alignment", ["none", "scale", "similarity"])
def test_frame_and_joint_forms_average_to_the_metric(predicted, target, alignment):
    metric = {"none": mpjpe, "scale": n_mpjpe, "similarity": p_mpjpe}[alignment]

    errors = joint_errors(predicted, target, alignment=alignment)

    frames = [metric(predicted[[f]], target[[f]]) for f in range(7)]
    np.testing.assert_allclose(errors.mean(axis=1), frames)
    assert errors.mean(axis=0).mean() == pytest.approx(metric(predicted, target))


def test_p_mpjpe_forgives_a_similarity_of_every_frame_but_not_reflection(target):
    rng = np.random.default_rng(2)
    turns = Rotation.random(7, rng=rng).as_matrix()
    scale, offset = rng.uniform(0.1, 9, size=(7, 1, 1)), rng.normal(size=(7, 1, 3))

    moved = scale * target @ turns.swapaxes(1, 2) + offset

    assert p_mpjpe(moved, target) == pytest.approx(0, abs=1e-9)
    assert mpjpe(moved, target) > 0.1
    assert p_mpjpe(target * [-1, 1, 1], target) > 0.01


def test_n_mpjpe_forgives_a_scale_of_every_frame_and_nothing_else(target):
    scale = np.random.default_rng(2).uniform(0.1, 9, size=(7, 1, 1))
    turn = Rotation.from_euler("y", 0.5).as_matrix()

    assert n_mpjpe(scale * target, target) == pytest.approx(0, abs=1e-12)
    assert n_mpjpe(target @ turn.T, target) > 0.01
    assert n_mpjpe(target + 0.1, target) > 0.01


def test_n_mpjpe_by_hand():
    # Best scale (1·2 + 2·1) / (1² + 2²) = 0.8: distances |0.8 − 2| and |1.6 − 1|.
    predicted = np.array([[[1.0, 0, 0], [0, 2, 0]]])
    target = np.array([[[2.0, 0, 0], [0, 1, 0]]])

    assert n_mpjpe(predicted, target) == pytest.approx((1.2 + 0.6) / 2)


def test_p_mpjpe_by_hand():
    # Three joints on a line at −1, 0, 2 for −1, 0, 1. From their mean, −4/3, −1/3, 5/3: the best
    # scale is (4/3 + 5/3) / (42/9) = 9/14, so they come to lie at −12/14, −3/14, 15/14.
    predicted = np.array([[[-1.0, 0, 0], [0, 0, 0], [2, 0, 0]]])
    target = np.array([[[-1.0, 0, 0], [0, 0, 0], [1, 0, 0]]])

    errors = joint_errors(predicted, target, alignment="similarity")

    np.testing.assert_allclose(errors, [[2 / 14, 3 / 14, 1 / 14]])
    assert p_mpjpe(predicted, target) == pytest.approx(1 / 7)


def test_p_mpjpe_of_a_mirror_image_by_hand():
    # Six joints on three axes at ±3, ±2, ±1, the last axis mirrored. The best turn is none, the
    # best scale (18 + 8 − 2) / (18 + 8 + 2) = 6/7: off by 3/7, 2/7 and 1 + 6/7. A reflection
    # would make all of them 0.
    target = np.zeros((1, 6, 3))
    for axis, size in enumerate((3.0, 2.0, 1.0)):
        target[0, 2 * axis, axis], target[0, 2 * axis + 1, axis] = size, -size
    mirrored = target * [1, 1, -1]

    errors = joint_errors(mirrored, target, alignment="similarity")

    np.testing.assert_allclose(errors, [[3 / 7, 3 / 7, 2 / 7, 2 / 7, 13 / 7, 13 / 7]])
    assert p_mpjpe(mirrored, target) == pytest.approx(6 / 7)


POSES = arrays(
    np.float64,
    st.tuples(st.integers(1, 3), st.integers(4, 8), st.just(3)),
    elements=st.floats(-2, 2, width=32).map(lambda x: round(x, 3)),
)


@settings(deadline=None, max_examples=30)
@given(POSES, st.integers(0, 2**32 - 1))
def test_every_position_error_is_that_of_the_slow_twin(target, seed):
    rng = np.random.default_rng(seed)
    predicted = rng.normal(size=target.shape)
    flipped = predicted * rng.choice([-1, 1], size=3)  # half of them left-handed

    for pose in (predicted, flipped, target + 0.05 * predicted):
        want = [slow.aligned(p, t) for p, t in zip(pose, target, strict=True)]
        by_scale = [slow.scaled(p, t) for p, t in zip(pose, target, strict=True)]
        assert mpjpe(pose, target) == pytest.approx(np.mean(slow.distances(pose, target)))
        # Where two turns are equally good, their joints differ, and the sum of squares does not.
        got = joint_errors(pose, target, alignment="similarity")
        np.testing.assert_allclose(
            (got**2).sum(axis=1), (np.array(slow.distances(want, target)) ** 2).sum(axis=1),
            atol=1e-9,
        )  # fmt: skip
        assert n_mpjpe(pose, target) == pytest.approx(np.mean(slow.distances(by_scale, target)))


def test_p_mpjpe_of_poses_is_that_of_the_slow_twin(predicted, target):
    noisy = predicted + np.random.default_rng(5).normal(size=target.shape)

    for pose in (predicted, noisy, predicted * [1, 1, -1]):
        want = [slow.aligned(p, t) for p, t in zip(pose, target, strict=True)]
        np.testing.assert_allclose(
            joint_errors(pose, target, alignment="similarity"),
            slow.distances(want, target),
            rtol=1e-9,
        )


def test_mpjve_is_that_of_the_slow_twin(predicted, target):
    sequence = ["a"] * 3 + ["b"] + ["c"] * 3

    errors = slow.velocity_errors(predicted, target, sequence)

    assert mpjve(predicted, target, starts=(0, 3, 4)) == pytest.approx(
        np.mean(list(errors.values()))
    )


def test_more_frames_than_are_taken_at_once_are_all_scored():
    rng = np.random.default_rng(0)
    target = rng.normal(size=(5000, 4, 3))
    predicted = target + rng.normal(scale=0.1, size=target.shape)

    for alignment in ("none", "scale", "similarity"):
        errors = joint_errors(predicted, target, alignment=alignment)
        some = [0, 4095, 4096, 4999]
        np.testing.assert_allclose(
            errors[some], joint_errors(predicted[some], target[some], alignment=alignment)
        )
        assert errors.shape == (5000, 4)


# Joints that are not there


@pytest.mark.parametrize("alignment", ["none", "scale", "similarity"])
def test_absent_joints_have_no_part_in_an_alignment(predicted, target, alignment):
    present = np.random.default_rng(4).random((7, 17)) < 0.6
    broken, unknown = predicted.copy(), target.copy()
    broken[~present] = np.nan
    unknown[~present] = np.inf

    errors = joint_errors(broken, unknown, alignment=alignment, present=present)

    for f, there in enumerate(present):
        alone = joint_errors(predicted[[f]][:, there], target[[f]][:, there], alignment=alignment)
        np.testing.assert_allclose(errors[f, there], alone[0], rtol=1e-9)
    assert np.isnan(errors[~present]).all()


def test_a_frame_without_any_joint_has_no_errors(predicted, target):
    present = np.ones((7, 17), dtype=bool)
    present[2] = False

    errors = joint_errors(predicted, target, alignment="similarity", present=present)

    assert np.isnan(errors[2]).all()
    assert np.isfinite(errors[[0, 1, 3, 4, 5, 6]]).all()


def test_presence_of_another_shape_is_refused(predicted, target):
    with pytest.raises(ShapeError, match=r"present \(7, 16\) should be \(7, 17\): one for each"):
        joint_errors(predicted, target, present=np.ones((7, 16), dtype=bool))


# Velocity errors


def test_mpjve_of_a_constant_offset_is_zero(target):
    assert mpjve(target + 0.25, target) == pytest.approx(0, abs=1e-15)


def test_mpjve_by_hand():
    # One joint stands still in truth; predicted at x = 0, 3, 3, 7: steps 3, 0, 4.
    predicted = np.zeros((4, 1, 3))
    predicted[:, 0, 0] = [0, 3, 3, 7]
    target = np.zeros((4, 1, 3))

    assert mpjve(predicted, target) == pytest.approx(7 / 3)
    assert mpjve(predicted, target, starts=(0, 1)) == pytest.approx(4 / 2)
    assert mpjve(predicted, target, starts=(0, 3)) == pytest.approx(3 / 2)


def test_mpjve_takes_no_step_from_one_clip_to_the_next(target):
    still = target.copy()
    still[:3] += 1.0  # each clip is off by a constant of its own
    still[3:] -= 2.0

    assert mpjve(still, target, starts=(0, 3)) == pytest.approx(0, abs=1e-15)
    assert mpjve(still, target) > 0.1


@pytest.mark.parametrize(
    ("frames", "starts", "said"),
    [(1, (0,), "1 frame of 1 clip"), (3, (0, 1, 2), "3 frames of 3 clips")],
)
def test_single_frames_have_no_velocity(target, frames, starts, said):
    with pytest.raises(ShapeError, match=f"no velocity in {said}: a clip needs"):
        mpjve(target[:frames], target[:frames], starts=starts)


# Activities


def test_errors_by_activity_by_hand():
    values = np.array([[1.0, 10.0], [2.0, 20.0], [6.0, 60.0], [4.0, 40.0]])

    means = by_activity(values, ["walk", "jump", "walk", "walk"])

    assert list(means) == ["jump", "walk"]
    np.testing.assert_allclose(means["jump"], [2, 20])
    np.testing.assert_allclose(means["walk"], [11 / 3, 110 / 3])


def test_errors_by_activity_of_one_number_a_frame():
    assert by_activity(np.array([1.0, 2.0, 4.0]), np.array(["a", "b", "b"])) == {"a": 1, "b": 3}


def test_activities_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match=r"\(2,\) activities for \(3,\) frames: give one each"):
        by_activity(np.zeros((3, 17)), ["walk", "jump"])


# Refusals


@EVERY
@pytest.mark.parametrize(
    ("one", "other"),
    [((6, 17, 3), (7, 17, 3)), ((7, 16, 3), (7, 17, 3)), ((7, 17, 2),) * 2, ((17, 3),) * 2,
     ((0, 17, 3),) * 2],
)  # fmt: skip
def test_arrays_that_are_not_two_sets_of_the_same_poses_are_refused(metric, one, other):
    with pytest.raises(ShapeError) as refused:
        metric(np.zeros(one), np.zeros(other))

    assert f"predicted {one} and target {other} must be the same non-empty" in str(refused.value)
    assert "check the joint map and that both cover the same frames" in str(refused.value)


@EVERY
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("which", ["predicted", "target"])
def test_what_is_not_a_number_is_refused_naming_frame_and_joint(metric, target, which, bad):
    pair = {"predicted": target.copy(), "target": target.copy()}
    pair[which][4, 11, 2] = bad
    pair[which][5, 2, 0] = bad

    with pytest.raises(
        ShapeError, match=f"{which} is not finite at frame 4, joint 11: leave such"
    ):
        metric(pair["predicted"], pair["target"])
