"""What steps compute block by block against the same of the whole clip at once."""

from itertools import pairwise

import numpy as np
import pytest

from graphlift.motion.feet import standing_feet
from graphlift.motion.requirements import runs
from graphlift.motion.trajectory import MEMORY, SPEED, STEADY, _root, _steps, _still

LENGTHS = [2, 3, 511, 512, 513, 1024, 1025, 1500]
"""Frames: a block has 512."""
UP = np.array([0.1, -0.9, 0.2]) / np.linalg.norm([0.1, -0.9, 0.2])


def stepping(frames, seed):
    """Two people's ankles, each still for a while and then elsewhere, sometimes not there."""
    rng = np.random.default_rng(seed)
    places = rng.normal(0, 0.3, (frames // 20 + 1, 2, 2, 3)).repeat(20, axis=0)[:frames]
    moved = np.cumsum(rng.normal(0, 2e-3, places.shape), axis=0) + places
    moved[rng.random(places.shape[:3]) < 0.03] = np.nan
    return moved


@pytest.mark.parametrize("frames", LENGTHS)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_feet_stand_as_when_the_whole_clip_is_looked_at(frames, kind):
    feet = stepping(frames, frames).astype(kind)

    found = standing_feet(feet, UP, 50.0)

    speed = np.linalg.norm(np.gradient(feet, axis=0), axis=-1) * 50.0
    height = feet @ UP
    slow = (speed < 0.5) & (height - np.fmin.reduce(height, axis=-1, keepdims=True) < 0.12)
    expected = np.zeros_like(slow)
    for person, side in np.ndindex(2, 2):
        for start, end in runs(slow[:, person, side]):
            rests = (speed[start:end, person, side] < 0.4).any()
            expected[start:end, person, side] = rests and end - start > 5
    np.testing.assert_array_equal(found, expected)
    assert frames < 20 or 0 < expected.mean() < 1


@pytest.mark.parametrize("frames", LENGTHS)
def test_feet_hold_the_root_as_when_all_steps_are_taken_at_once(frames):
    rng = np.random.default_rng(frames)
    positions = rng.normal(0, 1, (frames, 5, 3)).astype(np.float32)
    positions[rng.random((frames, 5)) < 0.1] = np.nan
    feet = rng.random((frames, 5)) < 0.7
    feet[:, [0, 3]] = False

    weights, moves = _still(positions, feet, 30.0)

    steps = np.diff(positions.astype(np.float64), axis=0)
    both = feet[1:] & feet[:-1] & np.isfinite(steps).all(axis=-1)
    count = both.sum(axis=1)
    total = np.where(both[..., None], steps, 0).sum(axis=1)
    np.testing.assert_allclose(weights, count * (30 / STEADY) ** 2 / (2 * MEMORY * 30), rtol=1e-12)
    np.testing.assert_allclose(moves, -total / np.maximum(count, 1)[:, None], atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 700])
@pytest.mark.parametrize("held", [False, True])
def test_steps_of_a_path_are_the_same_in_parts(count, held):
    rng = np.random.default_rng(count)
    still = (rng.uniform(0, 9, count), rng.normal(0, 1, (count, 3))) if held else None

    cuts = sorted({0, 1, count // 2, count})
    parts = [_steps(slice(*ends), count, 60.0, still) for ends in pairwise(cuts)]

    weights, values = (np.zeros(count), np.zeros((count, 3))) if still is None else still
    ends = np.zeros(count)
    ends[0] += (60 / SPEED) ** 2
    ends[-1] += (60 / SPEED) ** 2
    found, goal = (np.concatenate(each) for each in zip(*parts, strict=True))
    np.testing.assert_allclose(found**2, weights + ends, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found[:, None] * goal, weights[:, None] * values, atol=1e-9)


def test_a_root_of_what_is_known_gives_it_back():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 3, 3)) * [1e3, 1e3, 3.0]
    rows[::4, 1:] = 0  # known along one line only
    rows[::5] = 0
    information = rows.swapaxes(1, 2) @ rows

    R = _root(information)

    size = np.abs(information).max(axis=(1, 2), keepdims=True, initial=1.0)
    np.testing.assert_allclose(R.swapaxes(1, 2) @ R / size, information / size, atol=1e-14)
    assert (np.tril(R, -1) == 0).all()
    assert (R[::5] == 0).all()
