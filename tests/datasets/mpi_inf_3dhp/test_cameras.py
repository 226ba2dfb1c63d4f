"""The lens of a test sequence, from its 3D and 2D: by SciPy's optimiser too; wrong joints."""

import numpy as np
import pytest
from helpers import tiny_3dhp as tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from graphlift.cameras import camera_to_image
from graphlift.datasets.mpi_inf_3dhp.cameras import fit_lens
from graphlift.errors import FormatError

TAKE = tiny.take(3, 20)
SIZE = TAKE.camera.size


def test_exact_2d_gives_back_the_lens():
    lens, left = fit_lens(TAKE.keypoints, TAKE.positions, SIZE)

    assert lens.focal == pytest.approx(TAKE.camera.focal)
    assert lens.centre == pytest.approx(TAKE.camera.centre)
    assert left < 1e-6


@settings(deadline=None, max_examples=20)
@given(scale=st.floats(0.01, 1e4))
def test_the_unit_of_the_3d_does_not_matter(scale):
    lens, _ = fit_lens(TAKE.keypoints, TAKE.positions * scale, SIZE)

    assert lens.focal == pytest.approx(TAKE.camera.focal)


def test_noisy_2d_gives_what_a_general_optimiser_finds():
    noisy = TAKE.keypoints + np.random.default_rng(0).uniform(-2, 2, TAKE.keypoints.shape)

    def residual(four):
        x, y, z = np.moveaxis(TAKE.positions, -1, 0)
        u, v = four[0] * x / z + four[2], four[1] * y / z + four[3]
        return np.concatenate([(u - noisy[..., 0]).ravel(), (v - noisy[..., 1]).ravel()])

    best = least_squares(residual, [1000, 1000, 500, 500], x_scale=[1000] * 4).x
    lens, left = fit_lens(noisy, TAKE.positions, SIZE)

    # No distance is three medians off, so nothing is left out and both solve the same problem.
    np.testing.assert_allclose([*lens.focal, *lens.centre], best, rtol=1e-5)
    assert left == pytest.approx(np.sqrt((residual(best) ** 2).sum() / (20 * 17)), rel=1e-6)


def test_a_few_wrong_joints_do_not_bend_it():
    wrong = TAKE.keypoints + np.random.default_rng(0).normal(size=TAKE.keypoints.shape)
    wrong[::5, 4] += [900, -600]

    lens, left = fit_lens(wrong, TAKE.positions, SIZE)

    assert lens.focal == pytest.approx(TAKE.camera.focal, rel=0.005)
    assert left < 5


def test_a_joint_without_a_number_or_behind_the_camera_is_not_used():
    keypoints, positions = TAKE.keypoints.copy(), TAKE.positions.copy()
    keypoints[0, 0] = np.nan
    positions[1, 1] *= -1

    lens, _ = fit_lens(keypoints, positions, SIZE)

    assert lens.focal == pytest.approx(TAKE.camera.focal)
    assert np.isnan(keypoints[0, 0]).all()


def test_the_published_lens_projects_within_a_pixel_of_its_own_figures():
    """MeTRAbs' numbers: focal length and offsets on a sensor of 10 units, in px."""
    from graphlift.datasets.mpi_inf_3dhp.facts import TEST_LENSES

    (fx, fy), (cx, cy) = TEST_LENSES["TS1"]
    assert fx == pytest.approx(7.32506 / 10 * 2048, abs=0.01)
    assert fy == pytest.approx(7.32506 / 10 * 2048 * 1.00044, abs=0.01)
    assert (cx, cy) == pytest.approx(((5 - 0.0322884) * 204.8, (5 + 0.0929296) * 204.8), abs=0.01)
    (fx, fy), (cx, cy) = TEST_LENSES["TS6"]
    assert fx == pytest.approx(8.770747185 / 10 * 1920, abs=0.01)
    assert fy == pytest.approx(8.770747185 / 10 * 1920 * 0.993236423, abs=0.01)
    assert (cx, cy) == pytest.approx(
        ((5 - 0.104908645) * 192, (5.625 / 2 + 0.104899704) * 192), abs=0.01
    )


@pytest.mark.parametrize(
    ("keypoints", "positions", "message"),
    [
        (TAKE.keypoints[:0], TAKE.positions[:0], "TS1: .* from 0 joints .* too short"),
        (TAKE.keypoints, TAKE.positions * [1, 1, -1], "not in the camera's axes"),
        (TAKE.keypoints, TAKE.positions * [-1, 1, 1], "do not belong together"),
        (TAKE.keypoints[::-1] * [3, 1], TAKE.positions[:, ::-1], "do not belong together"),
    ],
)
def test_what_has_no_lens_is_refused(keypoints, positions, message):
    with pytest.raises(FormatError, match=message):
        fit_lens(keypoints, positions, SIZE, where="TS1")


def test_the_fitted_lens_is_one_that_cameras_know():
    lens, _ = fit_lens(TAKE.keypoints, TAKE.positions, SIZE)

    np.testing.assert_allclose(camera_to_image(TAKE.positions, lens), TAKE.keypoints, atol=1e-6)
    assert not lens.placed
    assert lens.size == SIZE
