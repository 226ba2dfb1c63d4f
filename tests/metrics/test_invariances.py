"""Changes that must not matter to a metric, and those that must."""

import numpy as np
import pytest
from helpers.every_metric import EVERY, METRICS
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from graphlift.metrics import joint_errors, mpjpe, mpjve, n_mpjpe, p_mpjpe


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


@given(SEEDS, TURNS, st.floats(0.01, 100), st.permutations(range(17)), st.booleans())
def test_what_is_done_to_both_alike_only_scales_every_metric(seed, turn, scale, order, mirror):
    predicted, target = people(seed)

    both = [
        scale * turned(poses * [-1 if mirror else 1, 1, 1], turn)[:, list(order)]
        for poses in (predicted, target)
    ]

    for metric in METRICS.values():
        assert metric(*both) == pytest.approx(scale * metric(predicted, target))


@given(SEEDS, TURNS, st.floats(0.01, 100), st.tuples(*[st.floats(-5, 5)] * 3))
def test_what_is_done_to_the_prediction_is_forgiven_as_far_as_named(seed, turn, scale, shift):
    predicted, target = people(seed)
    moved = scale * turned(predicted, turn) + np.array(shift)

    assert p_mpjpe(moved, target) == pytest.approx(p_mpjpe(predicted, target))
    assert n_mpjpe(scale * predicted, target) == pytest.approx(n_mpjpe(predicted, target))
    assert mpjve(predicted + np.array(shift), target) == pytest.approx(mpjve(predicted, target))


@given(SEEDS, st.integers(0, 2))
def test_a_mirror_image_is_never_forgiven(seed, axis):
    _, target = people(seed)
    mirrored = target * np.where(np.arange(3) == axis, -1, 1)

    assert min(metric(mirrored, target) for metric in ALIGNED.values()) > 0.02
    # Which axis it is mirrored along is a matter of turning.
    other = target * np.where(np.arange(3) == (axis + 1) % 3, -1, 1)
    assert p_mpjpe(mirrored, target) == pytest.approx(p_mpjpe(other, target))


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
