"""Smoothing against SciPy, the paper's formula written out, and motions that must pass."""

import math

import numpy as np
import pytest
from helpers.walker import film, lifted, walk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import savgol_filter
from scipy.spatial.transform import Rotation

from graphlift.errors import ModelError, ShapeError
from graphlift.motion import OneEuro, one_euro, savgol, smooth

FINITE = st.floats(-10, 10)


@pytest.mark.parametrize(
    ("fps", "window", "taps"), [(30.0, 0.35, 11), (50.0, 0.28, 15), (8.0, 1, 9)]
)
def test_savgol_is_the_textbooks_filter(rng, fps, window, taps):
    values = rng.standard_normal((80, 3, 2))

    for degree in (1, 2, 3):
        smoothed = savgol(values, fps, window=window, degree=degree)

        np.testing.assert_allclose(
            smoothed, savgol_filter(values, taps, degree, axis=0, mode="interp"), atol=1e-12
        )


def fitted_one_by_one(values, half, degree):
    """Least squares with numpy.polyfit around every frame, where something is known."""
    out = values.copy()
    for frame in range(len(values)):
        middle = min(max(frame, half), len(values) - 1 - half)
        at = np.arange(middle - half, middle + half + 1)
        at = at[np.isfinite(values[at])]
        if np.isfinite(values[frame]) and len(at) > degree + 1:
            out[frame] = np.polyval(np.polyfit(at - middle, values[at], degree), frame - middle)
    return out


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.7))
@settings(deadline=None)
def test_savgol_fits_what_is_known_where_something_is_missing(seed, missing):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(40)
    values[rng.random(40) < missing] = np.nan

    smoothed = savgol(values[:, None], 30.0, window=0.35)[:, 0]

    np.testing.assert_array_equal(np.isnan(smoothed), np.isnan(values))
    np.testing.assert_allclose(smoothed, fitted_one_by_one(values, 5, 2), atol=1e-6)


@pytest.mark.parametrize("fps", [30.0, 240.0, 1000.0, 10_000.0])
@pytest.mark.parametrize("degree", [2, 3])
def test_savgol_keeps_a_polynomial_of_which_few_frames_are_known(fps, degree):
    """Some neighbours at the edge of a window of 0.35 s: the worst condition there is."""
    count = 3 * round(0.175 * fps) + 8
    time = np.arange(count) / fps
    values = 1 + 2 * time - 3 * time**2
    known = np.zeros(count, dtype=bool)
    known[: degree + 3] = known[-degree - 3 :] = True
    gappy = np.where(known, values, np.nan)

    smoothed = savgol(gappy[:, None], fps, window=0.35, degree=degree)[:, 0]

    np.testing.assert_allclose(smoothed, gappy, atol=1e-9)


@given(arrays(float, (3, 4), elements=FINITE), st.floats(12, 240), st.integers(1, 90))
@settings(deadline=None)
def test_savgol_lets_constant_acceleration_pass(coefficients, fps, frames):
    t = np.arange(frames)[:, None] / fps
    values = coefficients[0] + coefficients[1] * t + coefficients[2] * t**2

    np.testing.assert_allclose(savgol(values, fps), values, atol=1e-6)


@pytest.mark.parametrize("missing", [[], [3, 4, 20]])
def test_savgol_smooths_seconds_not_frames(missing):
    # 3 Hz, seen at 60 and at 120 fps: the same moments come out alike.
    fast = np.sin(2 * np.pi * 3 * np.arange(240) / 120)[:, None]
    slow = fast[::2].copy()
    slow[missing] = np.nan

    at_60, at_120 = savgol(slow, 60.0)[20:-20, 0], savgol(fast, 120.0)[::2][20:-20, 0]

    known = np.isfinite(at_60)
    np.testing.assert_allclose(at_60[known], at_120[known], atol=0.05 + 0.05 * len(missing))
    assert np.abs(at_60[known]).max() < 0.9  # it was smoothed


def test_savgol_takes_white_noise_down_as_its_weights_say(rng):
    # The variance left is the sum of the squared weights: for a parabola through 11 points
    # 3 (3 m² + 3 m - 1) / ((2 m + 3)(4 m² - 1)) with m = 5, which is 0.2075.
    noise = rng.standard_normal((20_000, 1))

    left = savgol(noise, 30.0, window=0.35).var()

    assert left == pytest.approx(3 * (75 + 15 - 1) / (13 * 99), rel=0.05)


def by_the_paper(x, fps, min_cutoff, beta, speed_cutoff):
    """Casiez et al.'s Algorithm 1 for one number, in plain floats."""

    def alpha(cutoff):
        tau = 1 / (2 * math.pi * cutoff)
        return 1 / (1 + tau * fps)

    smoothed, speed, out = x[0], 0.0, [x[0]]
    for value in x[1:]:
        # The reference compares with the last smoothed value.
        derivative = (value - smoothed) * fps
        speed = alpha(speed_cutoff) * derivative + (1 - alpha(speed_cutoff)) * speed
        a = alpha(min_cutoff + beta * abs(speed))
        smoothed = a * value + (1 - a) * smoothed
        out.append(smoothed)
    return out


def test_one_euro_is_the_papers_formula(rng):
    x = rng.standard_normal(100).cumsum()

    smoothed = one_euro(x[:, None], 50.0, min_cutoff=0.8, beta=0.3, speed_cutoff=1.2)[:, 0]

    np.testing.assert_allclose(smoothed, by_the_paper(x.tolist(), 50.0, 0.8, 0.3, 1.2), rtol=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.9))
@settings(deadline=None, max_examples=30)
def test_a_stream_gets_bitwise_what_a_batch_gets(seed, missing):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((50, 2, 5, 3))
    values[rng.random((50, 2, 5)) < missing] = np.nan
    stream = OneEuro(30.0)

    one_by_one = np.stack([stream(frame) for frame in values])

    np.testing.assert_array_equal(one_by_one, one_euro(values, 30.0))
    np.testing.assert_array_equal(np.isnan(one_by_one), np.isnan(values))


def test_one_euro_never_looks_ahead(rng):
    values = rng.standard_normal((40, 3, 3))
    other = values.copy()
    other[25:] = 7

    np.testing.assert_array_equal(one_euro(values, 30.0)[:25], one_euro(other, 30.0)[:25])


def test_one_euro_lets_a_standing_point_stand_and_follows_a_steady_one():
    still = np.full((50, 1, 3), 0.7)
    np.testing.assert_array_equal(one_euro(still, 30.0), still)

    steady = (np.arange(300)[:, None, None] / 30) * [1.0, 0.0, 0.0]
    late = steady - one_euro(steady, 30.0)
    # A first-order low-pass is late by τ = 1 / (2π cutoff), here of at least 1.5 + 4 · 1 Hz: the
    # speed it reckons with, from its own late value to the new one, is at least the true 1 m/s.
    assert 0 < late[-1, 0, 0] < 1 / (2 * np.pi * 5.5)
    np.testing.assert_allclose(late[-1], late[-30], atol=1e-6)


def test_one_euro_does_not_depend_on_how_the_axes_are_turned(rng):
    values = rng.standard_normal((60, 4, 3)).cumsum(axis=0)
    R = Rotation.random(random_state=1).as_matrix()

    np.testing.assert_allclose(
        one_euro(values @ R.T, 30.0), one_euro(values, 30.0) @ R.T, atol=1e-9
    )


def test_one_euro_counts_the_time_of_missing_frames_and_forgets_after_half_a_second():
    # A step from 0 to 1 while away: the longer away, the more of the new value counts.
    def back_after(missed):
        values = np.full((20 + missed, 1, 1), np.nan)
        values[:10], values[10 + missed :] = 0.0, 1.0
        return one_euro(values, 30.0, beta=0.0)[10 + missed, 0, 0]

    one, five, fifteen, sixteen = map(back_after, (1, 5, 15, 16))

    assert one == pytest.approx(1 / (1 + 1 / (2 * np.pi * 1.5 * 2 / 30)))
    assert one < five < fifteen < 1
    assert sixteen == 1


def test_smoothing_poses_keeps_the_root_at_the_origin_and_says_what_it_did():
    poses = lifted(walk(60), film())

    for method, words in (("savgol", "Savitzky-Golay, 0.35 s"), ("one-euro", "One-Euro, 1.5 Hz")):
        smoothed = smooth(poses, method)

        assert not smoothed.positions[:, :, 0].any()
        assert words in smoothed.notes[-1]
        assert np.abs(smoothed.positions - poses.positions).max() < 0.2
    assert "30 fps is assumed" in smooth(lifted(walk(60), film(), fps=None)).notes[0]


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
@pytest.mark.parametrize("method", ["savgol", "one-euro"])
def test_clips_too_short_to_smooth_come_back(frames, method):
    poses = lifted(walk(frames), film())

    assert len(smooth(poses, method)) == frames
    if method == "savgol":
        np.testing.assert_allclose(smooth(poses, method).positions, poses.positions, atol=1e-12)


def test_what_cannot_be_smoothed_is_said():
    poses = lifted(walk(10), film())

    with pytest.raises(
        ModelError, match="no smoothing 'kalman': take 'savgol', 'one-euro' or none"
    ):
        smooth(poses, "kalman")
    with pytest.raises(ModelError, match="window of 0 s and degree 2: give a window above 0 s"):
        smooth(poses, window=0)
    with pytest.raises(ModelError, match="cut-offs must be above 0 Hz"):
        OneEuro(30.0, min_cutoff=0)
    with pytest.raises(ShapeError, match="fps is nan"):
        OneEuro(math.nan)
    stream = OneEuro(30.0)
    stream(np.zeros((17, 3)))
    with pytest.raises(ShapeError, match=r"\(16, 3\) after frames of \(17, 3\): start another"):
        stream(np.zeros((16, 3)))
