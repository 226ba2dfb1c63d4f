"""What measures detectors' errors: on errors of which the answer is known."""

import numpy as np
import pytest
from detector_errors import (
    BODY,
    FACE,
    autocovariance,
    burst_correlation,
    chain_seconds,
    compare,
    fit_decay,
    fit_jitter,
    join,
    measure_jitter,
    runs,
    tail_index,
    three_cornered,
)

from graphlift.detector_noise import MISS_SECONDS
from graphlift.simulated_detector import REFERENCE_SIZE

JOINTS = (*BODY, *FACE)


def drifting(rng, seconds, *, fps=60, frames=100, joints=4000, scale=1.0):
    """Normal noise (frame, joint, 2) of correlation exp(-τ / seconds), frame by frame."""
    kept = np.exp(-1 / (fps * seconds))
    noise = [rng.standard_normal((joints, 2))]
    for _ in range(frames - 1):
        noise.append(kept * noise[-1] + np.sqrt(1 - kept**2) * rng.standard_normal((joints, 2)))
    return scale * np.array(noise)


def seen_as(error, joints=JOINTS):
    """Errors, px of a person of reference size, of a person of twice that size."""
    truth = np.random.default_rng(9).uniform(0, 2 * REFERENCE_SIZE, size=(len(joints), 2))
    truth[:2] = [[0, 0], [2 * REFERENCE_SIZE, 2 * REFERENCE_SIZE]]
    truth = np.broadcast_to(truth, error.shape)
    return compare(truth + 2 * error, np.ones(error.shape[:2]), truth, joints)


def test_errors_are_px_of_a_person_of_reference_size(rng):
    error = rng.normal(0, 3, size=(20, len(JOINTS), 2))

    seen = seen_as(error)

    np.testing.assert_allclose(seen.error, error, atol=1e-9)
    assert not seen.swapped.any()
    assert not seen.gross.any()


def test_legs_that_change_sides_are_swapped_and_a_joint_far_off_is_missed(rng):
    error = rng.normal(0, 3, size=(10, len(JOINTS), 2))
    plain = seen_as(error)
    truth = plain.error * 0 + np.random.default_rng(1).uniform(0, 360, size=(len(JOINTS), 2))
    truth[:, :2] = [[0, 0], [360, 360]]
    found = truth + error
    legs = [JOINTS.index(f"{s}{n}") for n in ("Hip", "Knee", "Ankle") for s in "LR"]
    other = [JOINTS.index(f"{s}{n}") for n in ("Hip", "Knee", "Ankle") for s in "RL"]
    found[3:6, legs] = found[3:6, other]
    found[8, JOINTS.index("LWrist")] += 50

    seen = compare(found, np.ones(found.shape[:2]), truth, JOINTS)

    assert np.flatnonzero(seen.swapped[:, 0]).tolist() == [3, 4, 5]
    assert not seen.swapped[:, 1].any()
    assert np.argwhere(seen.gross).tolist() == [[8, JOINTS.index("LWrist")]]
    assert np.isnan(seen.jitter[3:6, legs]).all()
    assert np.isnan(seen.jitter).sum() == 2 * (3 * 6 + 1)
    assert np.isnan(seen.length).sum() == 3 * 6


def test_autocovariance_is_that_of_known_noise_with_its_offset(rng):
    errors = drifting(rng, 0.2) + np.array([1.0, -2.0])

    found = autocovariance(errors, (0, 6, 12))

    expected = 2 * np.exp(-np.array([0, 6, 12]) / 60 / 0.2) + 5
    np.testing.assert_allclose(found, expected, rtol=0.03)


def test_three_cornered_gives_each_ones_own_errors(rng):
    """BlazePose's, MoveNet's and the reference's, of 3, 2 and 4 px and times of their own."""
    lags = (0, 3, 12)
    times, scales = (0.3, 0.1, 2.0), (3.0, 2.0, 4.0)
    own = [drifting(rng, t, joints=12 * 400, scale=s) for t, s in zip(times, scales, strict=True)]
    cut = [np.split(each, 400, axis=1) for each in own]

    found = np.mean(
        [
            three_cornered(*(seen_as(each - shared, BODY) for each in (a, b)), lags)
            for a, b, shared in zip(*cut, strict=True)
        ],
        axis=0,
    )

    for each, seconds, scale in zip(found, times, scales, strict=True):
        expected = 2 * scale**2 * np.exp(-np.array(lags) / 60 / seconds)
        np.testing.assert_allclose(each, expected, atol=1.0)


def test_the_times_of_simulated_jitter_are_found_again(rng):
    """Jitter of another level and other times, written out with a loop over frames."""
    level, drift, burst, people = 1.2, 0.12, 0.2, 400
    keep = np.exp(-1 / (60 * burst))
    normal = drifting(rng, drift, joints=people * len(BODY))
    chi = rng.chisquare(3, size=normal.shape[:2])
    for frame in range(1, len(chi)):
        kept = rng.random(chi.shape[1]) < keep
        chi[frame, kept] = chi[frame - 1, kept]
    factors = np.tile([0.9, 0.9, 1.2, 1.2, 1.5, 1.5, 0.9, 0.9, 1.0, 1.0, 1.2, 1.2], people)
    errors = normal / np.sqrt(chi)[..., None] * (3.79 * level * factors)[:, None]
    lags = (1, 2, 5, 10)

    found = fit_jitter(*measure_jitter(errors, lags, (2, 5)), lags, (2, 5), 60)

    np.testing.assert_allclose(found, [level, drift, burst], rtol=0.1)


def test_joints_of_different_widths_are_no_bursts(rng):
    steps = rng.standard_normal((200, 3000, 2)) / np.sqrt(rng.chisquare(3, 3000))[:, None]
    walk = np.cumsum(steps, axis=0)

    assert np.abs(burst_correlation(walk, (2, 5))).max() < 0.05


def test_a_decay_is_found_again():
    seconds = np.array([0.02, 0.1, 0.4])

    assert fit_decay(np.exp(-seconds / 0.3), seconds) == pytest.approx(0.3, rel=1e-3)


def test_runs_and_gaps():
    mask = np.array([1, 0, 1, 1, 0, 0, 0, 1], dtype=bool)

    assert runs(mask).tolist() == [1, 2, 1]
    assert runs(~mask).tolist() == [1, 3]
    assert runs(join(mask, 2)).tolist() == [4, 1]
    assert runs(join(mask, 4)).tolist() == [8]
    assert not join(np.zeros(3, dtype=bool), 2).any()


def test_the_duration_of_a_chain_is_found_from_its_runs_at_any_frame_rate(rng):
    for fps in (30, 60, 120):
        stay = np.exp(-1 / (fps * MISS_SECONDS))
        assert chain_seconds(rng.geometric(1 - stay, size=20_000), fps) == pytest.approx(
            MISS_SECONDS, rel=0.03
        )
    assert chain_seconds(np.array([1, 1]), 60) == 0


@pytest.mark.parametrize("index", [2.0, 3.0, 6.0])
def test_the_tail_index_of_a_power_law_is_its_own(rng, index):
    assert tail_index(1 + rng.pareto(index, size=50_000)) == pytest.approx(index, rel=0.1)
