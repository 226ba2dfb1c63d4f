"""Metrics against errors worked out by hand, slow loops, and changes that must not matter."""

import numpy as np
import pytest
from helpers import slow_metrics as slow
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from graphlift.errors import ShapeError
from graphlift.metrics import (
    AUC_THRESHOLDS,
    PCK_THRESHOLD,
    auc,
    by_activity,
    joint_errors,
    mpjpe,
    mpjve,
    n_mpjpe,
    p_mpjpe,
    pck,
    thresholds_above,
)

PATIENT = settings(deadline=None)
METRICS = {"mpjpe": mpjpe, "p_mpjpe": p_mpjpe, "n_mpjpe": n_mpjpe, "mpjve": mpjve}
EVERY = pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
ERRORS = arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(1, 5)),
    elements=st.one_of(st.floats(0, 0.3), st.integers(0, 40).map(lambda n: n / 200)),
)


@pytest.fixture
def target():
    """Seven root-relative poses of 17 joints, m."""
    poses = np.random.default_rng(0).normal(scale=0.3, size=(7, 17, 3))
    return poses - poses[:, :1]


@pytest.fixture
def predicted(target):
    return target + np.random.default_rng(1).normal(scale=0.04, size=target.shape)


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


@EVERY
def test_a_perfect_prediction_has_no_error(metric, target):
    assert metric(target, target) == pytest.approx(0, abs=1e-12)


@EVERY
def test_the_order_of_joints_does_not_matter(metric, predicted, target):
    shuffled = np.random.default_rng(3).permutation(17)

    assert metric(predicted[:, shuffled], target[:, shuffled]) == pytest.approx(
        metric(predicted, target)
    )


@pytest.mark.parametrize("metric", [mpjpe, p_mpjpe, n_mpjpe])
def test_the_order_of_frames_does_not_matter(metric, predicted, target):
    shuffled = np.random.default_rng(3).permutation(7)

    assert metric(predicted[shuffled], target[shuffled]) == pytest.approx(
        metric(predicted, target)
    )


@EVERY
def test_a_metric_is_in_the_unit_of_its_inputs(metric, predicted, target):
    assert metric(1000 * predicted, 1000 * target) == pytest.approx(
        1000 * metric(predicted, target)
    )


@EVERY
def test_how_the_world_is_turned_does_not_matter(metric, predicted, target):
    turn = Rotation.from_euler("xyz", [0.4, 1.5, -2.0]).as_matrix().T

    assert metric(predicted @ turn, target @ turn) == pytest.approx(metric(predicted, target))


SEEDS = st.integers(0, 2**32 - 1)
TURNS = st.tuples(*[st.floats(-3.2, 3.2)] * 3)
ALIGNED = {"none": mpjpe, "scale": n_mpjpe, "similarity": p_mpjpe}


def people(seed):
    """Seven bodies that fill space, so that the best turn onto them is one alone."""
    rng = np.random.default_rng(seed)
    poses = rng.normal(scale=0.3, size=(7, 17, 3))
    truth = poses - poses[:, :1]
    return truth + rng.normal(scale=0.05, size=truth.shape), truth


def turned(poses, turn):
    return poses @ Rotation.from_euler("xyz", turn).as_matrix().T


@PATIENT
@given(SEEDS, TURNS, st.floats(0.01, 100), st.permutations(range(17)), st.booleans())
def test_what_is_done_to_both_alike_only_scales_every_metric(seed, turn, scale, order, mirror):
    predicted, target = people(seed)

    both = [
        scale * turned(poses * [-1 if mirror else 1, 1, 1], turn)[:, list(order)]
        for poses in (predicted, target)
    ]

    for metric in METRICS.values():
        assert metric(*both) == pytest.approx(scale * metric(predicted, target))


@PATIENT
@given(SEEDS, TURNS, st.floats(0.01, 100), st.tuples(*[st.floats(-5, 5)] * 3))
def test_what_is_done_to_the_prediction_is_forgiven_as_far_as_named(seed, turn, scale, shift):
    predicted, target = people(seed)
    moved = scale * turned(predicted, turn) + np.array(shift)

    assert p_mpjpe(moved, target) == pytest.approx(p_mpjpe(predicted, target))
    assert n_mpjpe(scale * predicted, target) == pytest.approx(n_mpjpe(predicted, target))
    assert mpjve(predicted + np.array(shift), target) == pytest.approx(mpjve(predicted, target))


@PATIENT
@given(SEEDS, st.integers(0, 2))
def test_a_mirror_image_is_never_forgiven(seed, axis):
    _, target = people(seed)
    mirrored = target * np.where(np.arange(3) == axis, -1, 1)

    assert min(metric(mirrored, target) for metric in ALIGNED.values()) > 0.02
    # Which axis it is mirrored along is a matter of turning.
    other = target * np.where(np.arange(3) == (axis + 1) % 3, -1, 1)
    assert p_mpjpe(mirrored, target) == pytest.approx(p_mpjpe(other, target))


@PATIENT
@given(SEEDS, st.floats(0, 3))
def test_more_freedom_never_leaves_more_squares(seed, noise):
    _, target = people(seed)
    predicted = target + np.random.default_rng(seed).normal(scale=noise, size=target.shape)

    free = [
        (joint_errors(predicted, target, alignment=alignment) ** 2).sum(axis=1)
        for alignment in ALIGNED
    ]

    assert (free[0] >= free[1] - 1e-9).all()
    assert (free[1] >= free[2] - 1e-9).all()


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


@pytest.mark.parametrize(("frames", "starts"), [(1, (0,)), (3, (0, 1, 2))])
def test_single_frames_have_no_velocity(target, frames, starts):
    with pytest.raises(ShapeError, match=f"{frames} frames of {len(starts)} clips: a clip needs"):
        mpjve(target[:frames], target[:frames], starts=starts)


# Shares of correct keypoints


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


@PATIENT
@given(ERRORS)
def test_shares_are_those_of_the_slow_twin(errors):
    assert pck(errors) == pytest.approx(slow.pck(errors.ravel()))
    assert auc(errors) == pytest.approx(slow.auc(errors.ravel()))


def test_an_error_that_is_not_known_is_below_no_threshold():
    assert thresholds_above(np.array([np.nan, 0.150, 0.149, 0.0])).tolist() == [0, 0, 1, 30]
    assert pck(np.array([np.nan, 0.149])) == 50


@PATIENT
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


@PATIENT
@given(ERRORS, st.randoms(use_true_random=False))
def test_shares_do_not_depend_on_order_and_fall_with_the_error(errors, random):
    shuffled = errors.ravel().tolist()
    random.shuffle(shuffled)

    for share in (pck, auc):
        assert share(np.array(shuffled)) == pytest.approx(share(errors))
        assert share(errors + 0.01) <= share(errors) <= 100


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
