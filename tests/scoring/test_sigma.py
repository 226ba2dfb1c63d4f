"""What sigma covers: the stated density drawn, and the scale that makes sigma fit."""

import numpy as np
import pytest

from graphlift.scoring.sigma import front_scale, sigma_coverage, sigma_scale

MANY = 40_000


def drawn(sigma, rng):
    """Vectors of density ∝ exp(-2d/σ): their length is of the gamma distribution of shape 3."""
    direction = rng.normal(size=(*sigma.shape, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return direction * (rng.gamma(3, 1, sigma.shape) * sigma / 2)[..., None]


def test_a_coordinate_of_the_stated_density_has_the_standard_deviation_sigma():
    offsets = drawn(np.full((MANY, 3), 0.05), np.random.default_rng(0))

    assert offsets.std() == pytest.approx(0.05, rel=0.02)


def test_sigma_of_the_stated_density_covers_what_it_says():
    rng = np.random.default_rng(1)
    sigma = rng.uniform(0.01, 0.1, (MANY, 3))

    covered = sigma_coverage(drawn(sigma, rng), np.zeros((MANY, 3, 3)), sigma)

    for level, share in covered.items():
        assert share == pytest.approx(level, abs=0.7)


def test_the_scale_makes_good_what_sigma_is_off_by():
    rng = np.random.default_rng(2)
    sigma = rng.uniform(0.01, 0.1, (MANY, 3))
    offsets = drawn(sigma, rng)

    assert sigma_scale(offsets, np.zeros_like(offsets), sigma / 1.7) == pytest.approx(
        1.7, rel=0.02
    )


def test_the_scale_of_fronts_gives_the_standard_deviation_across():
    """Small turns of density ∝ exp(-e/s) about a direction; unknown fronts do not count."""
    rng = np.random.default_rng(3)
    s = rng.uniform(0.005, 0.02, MANY)
    angle = rng.uniform(0, 2 * np.pi, MANY)
    e = rng.gamma(2, 1, MANY) * s
    across = np.stack([e * np.cos(angle), e * np.sin(angle), np.zeros(MANY)], axis=1)
    found = across + np.array([0.0, 0, 1])
    truth = np.tile([0.0, 0, 1], (MANY, 1))
    truth[::5] = np.nan

    scale = front_scale(found[:, None], truth[:, None], s[:, None])

    assert scale == pytest.approx(np.sqrt(3), rel=0.02)
    assert (across[:, 0] / (scale * s)).std() == pytest.approx(1, rel=0.02)
