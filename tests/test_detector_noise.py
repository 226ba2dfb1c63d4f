"""Simulated detections of clips: the single-frame model's errors, and how long they last."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.detector_noise import (
    BURST_SECONDS,
    CONFIDENCE_SLOPE,
    DROP,
    JITTER_SECONDS,
    LIMB,
    LIMB_SECONDS,
    MISS_SECONDS,
    SWAP_SECONDS,
    SWAP_SHARE,
    SWAP_TOGETHER,
    jitter_correlation,
    simulate_clip,
)
from graphlift.errors import ConfigError
from graphlift.simulated_detector import (
    JITTER,
    MISS,
    MISS_SPREAD,
    REFERENCE_SIZE,
    SWAP,
    joint_factors,
    limb_pairs,
    simulate,
)
from graphlift.skeletons import BODY_28, H36M_16, H36M_17

BODIES = pytest.mark.parametrize("skeleton", [H36M_16, H36M_17, BODY_28], ids=lambda b: b.name)
RATES = pytest.mark.parametrize("fps", [15.0, 60.0])
FAINT = 1e-6  # a level at which there is jitter but, within any sample here, no other mistake
SIZE = 360.0


def still(skeleton=H36M_17, clips=60, frames=400, hidden=False):
    """People who do not move, of reference size, no two joints in the same place."""
    rng = np.random.default_rng(0)
    places = rng.uniform(0, SIZE, size=(len(skeleton), 2))
    places[:2] = [[0, 0], [SIZE, SIZE]]
    keypoints = np.broadcast_to(places, (clips, frames, len(skeleton), 2))
    return keypoints, np.full(keypoints.shape[:-1], hidden)


@cache
def jittering(fps, *, clips=60, frames=400):
    """Jitter alone, as multiples of the mean length that the model states for each joint."""
    keypoints, hidden = still(clips=clips, frames=frames)
    found = simulate_clip(keypoints, hidden, H36M_17, fps=fps, level=FAINT, seed=0)
    width = FAINT * JITTER * joint_factors(H36M_17) * SIZE / REFERENCE_SIZE
    return (found.keypoints - keypoints) / width[:, None]


@cache
def mistaken(fps, *, hidden, seed=1, skeleton=H36M_17, clips=60, frames=600):
    """Which joints are swapped, missed and lost: what is left once the jitter is taken off.

    The same seed draws the same jitter at any level, in proportion to it.
    """
    keypoints, hiding = still(skeleton, clips, frames, hidden)
    faint = simulate_clip(keypoints, hiding, skeleton, fps=fps, level=FAINT, seed=seed).keypoints
    found = simulate_clip(keypoints, hiding, skeleton, fps=fps, level=1.0, seed=seed).keypoints
    left = found - (faint - keypoints) / FAINT

    def at(places):
        with np.errstate(invalid="ignore"):
            return np.linalg.norm(left - places, axis=-1) < 1e-2

    lost = np.isnan(found).any(axis=-1)
    paired = skeleton.mirror != np.arange(len(skeleton))
    swapped = at(keypoints[:, :, skeleton.mirror]) & paired & ~lost
    return swapped, ~at(keypoints) & ~swapped & ~lost, lost, found


def persistence(mistakes, lag):
    """Chance that a mistake is made ``lag`` frames after one, less its share, over 1 less it."""
    share = mistakes.mean()
    again = (mistakes[:, lag:] & mistakes[:, :-lag]).mean() / share
    return (again - share) / (1 - share)


# One frame at a time


@BODIES
@pytest.mark.parametrize("hide", [False, True], ids=["visible", "hidden"])
def test_the_mean_error_is_that_of_the_single_frame_model(skeleton, hide):
    keypoints, hidden = still(skeleton, clips=400, frames=60, hidden=hide)

    over_time = simulate_clip(keypoints, hidden, skeleton, fps=5.0, level=1.0, seed=0).error
    flat = (keypoints.reshape(-1, len(skeleton), 2), hidden.reshape(-1, len(skeleton)))
    single = simulate(*flat, skeleton, level=1.0, seed=0).error

    assert np.nanmean(over_time) == pytest.approx(single.mean(), rel=0.03)
    for quantile in (0.25, 0.5, 0.75, 0.9):
        assert np.nanquantile(over_time, quantile) == pytest.approx(
            np.quantile(single, quantile), rel=0.02
        )


@RATES
def test_jitter_in_any_frame_is_students_t_of_the_stated_mean(fps):
    length = np.linalg.norm(jittering(fps, clips=200), axis=-1)

    # A planar t of 3 degrees of freedom exceeds √3 a with probability (1 + a²)^-3/2: mean 1.
    assert length.mean() == pytest.approx(1, abs=0.02)
    for a in (0.5, 1, 2, 5):
        assert (length > a).mean() == pytest.approx((1 + a**2) ** -1.5, rel=0.06)


def test_the_first_frames_of_a_clip_err_as_much_as_any():
    length = np.linalg.norm(jittering(60.0, clips=3000, frames=3), axis=-1)

    np.testing.assert_allclose(np.median(length, axis=(0, 2)), np.median(length), rtol=0.02)
    half = np.sqrt(2 ** (2 / 3) - 1)  # as above, (1 + a²)^-3/2 = 1/2
    assert np.median(length[:, 0]) == pytest.approx(half, rel=0.02)


@pytest.mark.parametrize("hide", ["visible", "hidden"])
def test_mistakes_are_as_frequent_as_in_single_frames(hide):
    swapped, missed, lost, _ = mistaken(4.0, hidden=hide == "hidden", clips=400, frames=200)
    left_knee = swapped[..., H36M_17.index("LKnee")[0]] & ~missed[..., 5]

    seen = (1 - DROP[hide]) * (1 - LIMB[hide])  # a swapped joint may be missed or lost besides
    assert left_knee.mean() == pytest.approx(SWAP[hide] * seen * (1 - MISS[hide]), rel=0.15)
    trunk = H36M_17.index("Hip", "Thorax", "LHip", "RShoulder")  # is lost joint by joint
    assert missed[..., trunk].mean() == pytest.approx(MISS[hide] * (1 - DROP[hide]), rel=0.05)
    assert lost[..., trunk].mean() == pytest.approx(DROP[hide], rel=0.05)
    for name, limbs in (("LWrist", 1), ("LKnee", 1), ("RFoot", 2)):  # a foot is a limb in a leg
        reported = (1 - DROP[hide]) * (1 - LIMB[hide]) ** limbs
        at = H36M_17.index(name)
        assert lost[..., at].mean() == pytest.approx(1 - reported, rel=0.1)


def test_a_missed_joint_is_found_near_its_parent():
    keypoints, _ = still(clips=60, frames=600)
    _, missed, _, found = mistaken(30.0, hidden=True, skeleton=H36M_17)
    parents = [max(parent, 0) for parent in H36M_17.parents]

    away = (found - keypoints[..., parents, :])[missed] / SIZE

    np.testing.assert_allclose(away.mean(axis=0), 0, atol=0.003)
    np.testing.assert_allclose(away.std(axis=0), MISS_SPREAD, rtol=0.05)


# Over time


@RATES
def test_jitter_is_correlated_over_time_as_stated(fps):
    jitter = jittering(fps, clips=300, frames=int(4 * fps))
    lags = np.unique((np.array([1 / fps, 1 / 15, 0.2, 0.4]) * fps).astype(int))

    # Products have no variance under this t, signs have: two normals of correlation ρ have the
    # same sign so often that the mean of its product is 2/π arcsin ρ, whatever their widths are.
    for lag in lags:
        same_sign = (np.sign(jitter[:, lag:]) * np.sign(jitter[:, :-lag])).mean()
        drift = np.exp(-lag / fps / JITTER_SECONDS)
        assert same_sign == pytest.approx(2 / np.pi * np.arcsin(drift), abs=0.015)


@RATES
def test_the_width_of_jitter_lasts_as_long_as_stated(fps):
    """Log lengths: var log |normal| = π²/24 in the plane, that of log √χ²₃ is ψ'(3/2)/4."""
    log = np.log(np.linalg.norm(jittering(fps, clips=300, frames=int(4 * fps)), axis=-1))
    log -= log.mean()
    assert log.var() == pytest.approx(np.pi**2 / 24 + (np.pi**2 / 2 - 4) / 4, rel=0.02)

    for lag in np.unique((np.array([1 / fps, 1 / 15, 0.2]) * fps).astype(int)):
        shared = (log[:, lag:] * log[:, :-lag]).mean() - lengths_alike(lag / fps)
        width = (np.pi**2 / 2 - 4) / 4 * np.exp(-lag / fps / BURST_SECONDS)
        assert shared == pytest.approx(width, abs=0.01)


def lengths_alike(seconds):
    """Covariance of log |x| and log |y| of planar normals of correlation ρ: Li₂(ρ²) / 4."""
    rho = np.exp(-seconds / JITTER_SECONDS)
    return sum(rho ** (2 * k) / k**2 for k in range(1, 200)) / 4


def test_the_stated_correlation_is_that_of_a_t_whose_width_is_drawn_anew():
    """By hand for χ² of 3: E c^-1 = 1 and E c^-1/2 = √(2/π)."""
    lag = np.array([0.0, BURST_SECONDS, 100.0])

    same = np.exp(-lag / BURST_SECONDS)
    expected = np.exp(-lag / JITTER_SECONDS) * (same + (1 - same) * 2 / np.pi)

    np.testing.assert_allclose(jitter_correlation(lag), expected, atol=1e-12)
    assert jitter_correlation(np.array([1 / 30]))[0] == pytest.approx(0.752, abs=0.002)


@RATES
def test_jitter_within_its_bulk_has_the_stated_correlation(fps):
    """Covariance over many clips: with so heavy a tail, a sample of this size tells a tenth."""
    jitter = jittering(fps, clips=300, frames=int(4 * fps))
    for lag in (int(fps / 15), int(fps / 5)):
        of_two = (jitter[:, lag:] * jitter[:, :-lag]).mean() / (jitter**2).mean()
        assert of_two == pytest.approx(jitter_correlation(np.array([lag / fps]))[0], abs=0.1)


@RATES
def test_misses_and_losses_of_limbs_last_as_long_as_stated(fps):
    _, missed, lost, _ = mistaken(fps, hidden=True, clips=400, frames=int(5 * fps))
    trunk = H36M_17.index("Hip", "Thorax", "LHip", "RShoulder")
    elbow = H36M_17.index("LElbow", "RElbow")

    for lag in (1, 2):
        expected = np.exp(-lag / fps / MISS_SECONDS)
        assert persistence(missed[..., trunk], lag) == pytest.approx(expected, abs=0.03)
    both = lost[..., elbow] & lost[..., H36M_17.index("LWrist", "RWrist")]  # the arm as a whole
    for seconds in (0.2, 0.4):
        expected = np.exp(-seconds / LIMB_SECONDS)
        assert persistence(both, int(seconds * fps)) == pytest.approx(expected, abs=0.06)


@RATES
def test_swaps_come_in_episodes_of_the_stated_duration(fps):
    swapped, *_ = mistaken(fps, hidden=True, clips=400, frames=int(5 * fps))
    knee = swapped[..., H36M_17.index("LKnee", "RKnee")].any(axis=-1)

    # In an episode each frame is swapped with SWAP_SHARE, whether its neighbour is or not.
    share = knee.mean()
    for seconds in (0.2, 0.4):
        lag = int(seconds * fps)
        again = (knee[:, lag:] & knee[:, :-lag]).mean() / share
        still_on = np.exp(-lag / fps / SWAP_SECONDS)
        assert again == pytest.approx(SWAP_SHARE * still_on + share * (1 - still_on), abs=0.05)


def test_legs_and_arms_are_often_swapped_together():
    swapped, *_ = mistaken(4.0, hidden=True, clips=400, frames=200)
    legs, arms = (swapped[..., np.concatenate(pair)].any(-1) for pair in limb_pairs(H36M_17))

    assert (legs & arms).mean() / legs.mean() == pytest.approx(SWAP_TOGETHER, abs=0.06)


@BODIES
def test_a_swap_exchanges_whole_limbs_and_a_lost_limb_has_no_joint(skeleton):
    swapped, missed, lost, _ = mistaken(30.0, hidden=True, skeleton=skeleton)
    for left, right in limb_pairs(skeleton):
        limb = np.concatenate([left, right])
        at = swapped[..., limb].any(axis=-1)
        assert at.sum() > 100
        assert (swapped | missed | lost)[..., limb][at].all()
    rest = np.setdiff1d(np.arange(len(skeleton)), np.concatenate(sum(limb_pairs(skeleton), ())))
    assert not swapped[..., rest].any()
    if skeleton is BODY_28:
        foot = skeleton.index("LFoot", "LBigToe", "LSmallToe", "LHeel")
        gone = lost[..., foot].all(axis=-1)
        assert gone.mean() > LIMB["hidden"]


def test_what_is_drawn_at_sixty_frames_a_second_and_thinned_is_what_is_drawn_at_fifteen():
    """How often a joint has moved by more than a given distance within 1/15 s."""
    thinned, drawn = jittering(60.0, frames=1200)[:, ::4], jittering(15.0, frames=300)

    for distance in (0.3, 1.0, 3.0):
        moved = [
            (np.linalg.norm(np.diff(each, axis=1), axis=-1) > distance).mean()
            for each in (thinned, drawn)
        ]
        assert moved[0] == pytest.approx(moved[1], rel=0.04)


# What goes in and comes out


@BODIES
def test_level_0_is_the_truth(skeleton):
    keypoints, hidden = still(skeleton, clips=3, frames=20, hidden=True)

    found = simulate_clip(keypoints, hidden, skeleton, fps=30.0, level=0.0, seed=0)

    np.testing.assert_array_equal(found.keypoints, keypoints)
    assert not found.error.any()
    assert (found.confidence == 1).all()


def test_each_clip_can_have_its_own_level():
    keypoints, hidden = still(clips=3, frames=200, hidden=True)
    levels = np.array([0.0, 0.5, 1.5])

    found = simulate_clip(keypoints, hidden, H36M_17, fps=30.0, level=levels, seed=3)

    for clip, level in enumerate(levels):
        alone = simulate_clip(keypoints, hidden, H36M_17, fps=30.0, level=level, seed=3)
        np.testing.assert_array_equal(found.keypoints[clip], alone.keypoints[clip])
        np.testing.assert_array_equal(found.confidence[clip], alone.confidence[clip])
    assert (np.diff(np.nanmean(found.error, axis=(1, 2))) > 0).all()


@pytest.mark.parametrize("seed", [0, [3, 1]])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(seed):
    keypoints, hidden = still(clips=2, frames=20)
    other = 5 if seed == 0 else [3, 2]

    one, again, different = (
        simulate_clip(keypoints, hidden, H36M_17, fps=30.0, level=1.0, seed=s).keypoints
        for s in (seed, seed, other)
    )

    np.testing.assert_array_equal(one, again)
    assert (one != different).all()


def test_a_higher_level_makes_the_mistakes_of_a_lower_one_and_more():
    keypoints, hidden = still(hidden=True)
    few, many = (
        np.isnan(simulate_clip(keypoints, hidden, H36M_17, fps=30.0, level=x, seed=0).error)
        for x in (0.5, 1.0)
    )

    assert many[few].all()
    assert many.sum() > 1.5 * few.sum()


@settings(deadline=None, max_examples=20)
@given(st.floats(0.01, 10), st.floats(-500, 500), st.integers(0, 99))
def test_errors_grow_with_the_person_and_do_not_depend_on_where_it_is(scale, offset, seed):
    keypoints, hidden = still(clips=2, frames=20)
    near = simulate_clip(keypoints, hidden, H36M_17, fps=30.0, level=3.0, seed=seed)

    far = simulate_clip(
        scale * keypoints + offset, hidden, H36M_17, fps=30.0, level=3.0, seed=seed
    )

    np.testing.assert_allclose(far.error, scale * near.error, atol=1e-6)
    np.testing.assert_allclose(far.keypoints, scale * near.keypoints + offset, atol=1e-6)
    np.testing.assert_allclose(far.confidence, near.confidence, atol=1e-6)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)], ids=len)
@pytest.mark.parametrize("frames", [0, 1, 5])
def test_clips_may_have_any_axes_before_the_frames(shape, frames):
    keypoints = np.random.default_rng(0).uniform(0, 300, size=(*shape, frames, 28, 2))
    hidden = np.zeros((*shape, frames, 28), dtype=bool)

    found = simulate_clip(keypoints, hidden, BODY_28, fps=25.0, level=1.0, seed=0)

    assert found.keypoints.shape == keypoints.shape
    assert found.error.shape == found.confidence.shape == hidden.shape


def test_lost_joints_are_nan_of_confidence_0_and_no_others_are():
    keypoints, hidden = still(hidden=True)
    found = simulate_clip(keypoints, hidden, H36M_17, fps=30.0, level=1.0, seed=0)

    lost = found.confidence == 0

    assert 0.03 < lost.mean() < 0.2
    np.testing.assert_array_equal(np.isnan(found.keypoints), np.stack([lost, lost], axis=-1))
    np.testing.assert_array_equal(np.isnan(found.error), lost)
    assert (found.confidence[~lost] >= 0.05).all()
    np.testing.assert_allclose(
        found.error[~lost], np.linalg.norm((found.keypoints - keypoints)[~lost], axis=-1)
    )


def test_confidence_falls_with_the_error():
    keypoints, hidden = still(clips=400, frames=100)
    found = simulate_clip(keypoints, hidden, H36M_17, fps=30.0, level=1.5, seed=0)
    error, confidence = found.error / SIZE, found.confidence

    for low, high in ((0.03, 0.06), (0.06, 0.1), (0.1, 0.15)):
        at = (error > low) & (error < high)
        slopes = np.linspace(*CONFIDENCE_SLOPE, 101)
        expected = np.exp(-slopes * error[at].mean()).mean()
        assert confidence[at].mean() == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize("fps", [0.0, -30.0, np.inf, np.nan])
def test_a_frame_rate_that_is_none_is_refused(fps):
    with pytest.raises(ConfigError, match="frames a second are a positive number"):
        simulate_clip(*still(clips=1, frames=2), H36M_17, fps=fps, level=1.0, seed=0)
