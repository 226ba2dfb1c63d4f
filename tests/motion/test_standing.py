"""Feet that stand in refinement: on one level, however high that is."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from helpers.guessed_walk import TWO, error, guessed, sure
from helpers.walker import lens, lifted, stance, walk
from helpers.whole_body import whole_body

from graphlift.cameras import camera_to_image, world_to_camera
from graphlift.geometry import bone_vectors
from graphlift.motion import refine
from graphlift.motion.placing import Translations
from graphlift.motion.requirements import legs
from graphlift.motion.standing import LEVEL, Standing, find_standing, on_one_level
from graphlift.motion.trajectory import find_path
from graphlift.motion.tree import full
from graphlift.sequences import Poses, frame_rate, keypoints_from
from graphlift.skeletons import BODY_28, H36M_17

ANKLES = legs(H36M_17)[:, 2]


def scattered(seed, tilt=0.05, frames=7):
    rng = np.random.default_rng(seed)
    up = rng.standard_normal(3)
    feet = rng.random((frames, 2)) < 0.6
    feet[:2] = True
    ankles = rng.standard_normal((3, 2, frames)) * 0.2
    return Standing(feet, up / np.linalg.norm(up), tilt), ankles


def loss(standing, ankles, level, variance):
    """Huber's, of the heights from a given level, written out foot by foot."""
    total = 0.0
    for frame, side in np.argwhere(standing.feet):
        off = abs(standing.up @ ankles[:, side, frame] - level) / np.sqrt(variance[side, frame])
        total += off**2 / 2 if off < 2 else 2 * off - 2
    return total


@pytest.mark.parametrize("seed", range(5))
def test_the_right_side_is_the_slope_of_hubers_loss(seed):
    standing, ankles = scattered(seed)
    on = standing.feet.T
    heights = np.einsum("i,isf->sf", standing.up, ankles)
    flat = ankles - standing.up[:, None, None] * heights
    middle = np.median(flat[:, on], axis=1)
    apart = np.linalg.norm(flat - middle[:, None, None], axis=0)
    variance, level = LEVEL**2 + (0.05 * apart) ** 2, np.median(heights[on])

    information, right = on_one_level(standing, np.arange(7), ankles)

    for place in np.ndindex(ankles.shape):
        step = np.zeros_like(ankles)
        step[place] = 1e-6
        ends = [loss(standing, ankles + sign * step, level, variance) for sign in (1, -1)]
        assert right[place] == pytest.approx((ends[1] - ends[0]) / 2e-6, abs=1e-3)
    # A step across up costs nothing, and one along it the same as the right side says.
    matrices = np.moveaxis(full(information).reshape(3, 3, 2, 7), (0, 1), (-2, -1))
    np.testing.assert_allclose(
        matrices @ standing.up * (level - heights)[..., None], np.moveaxis(right, 0, -1), atol=1e-9
    )
    assert np.linalg.matrix_rank(matrices[0, 0]) == 1
    assert (information[:, ~on] == 0).all()


def test_how_high_the_level_is_does_not_count():
    standing, ankles = scattered(3)
    shift = np.array([0.3, -2.0, 5.0])[:, None, None]

    found = on_one_level(standing, np.arange(7), ankles + shift)

    for each, other in zip(found, on_one_level(standing, np.arange(7), ankles), strict=True):
        np.testing.assert_allclose(each, other, rtol=1e-6, atol=1e-9)


def test_no_foot_stands_and_nothing_is_known():
    standing, ankles = scattered(4)

    found = on_one_level(
        replace(standing, feet=np.zeros((7, 2), dtype=bool)), np.arange(7), ankles
    )

    assert not any(each.any() for each in found)


@pytest.mark.parametrize("known", [True, False])
def test_a_walkers_feet_are_seen_to_stand(known):
    world = walk(90, heading=0.5, start=(-0.5, 0.3))
    poses = sure(lifted(world, TWO), sigma=0.01)
    root = world_to_camera(world, TWO)[:, 0]
    exact = Translations(root, np.tile(1e6 * np.eye(3), (90, 1, 1)), np.ones(90, dtype=bool))
    path = find_path(exact, poses.positions[:, 0], frame_rate(poses)[0])
    poses.seen[40:, 0, ANKLES[0]] = False

    found = find_standing(poses, path, TWO if known else lens(TWO))

    off = np.degrees(np.arccos(found.up @ TWO.R[:, 2]))
    assert off < (1e-4 if known else 4.0)
    assert (found.tilt == 0) == known
    true = stance(90, 30.0)
    assert (found.feet == true)[:, 1].mean() > 0.85
    assert found.feet[true[:, 1], 1].mean() > 0.85
    assert not found.feet[40:, 0].any()


def test_standing_feet_come_to_one_level():
    poses, truth = guessed(21, frames=90)
    true = stance(90, 30.0)

    free, held = (refine(poses, TWO, feet=feet).positions[:, 0] for feet in (False, True))

    place = world_to_camera(walk(90, heading=0.5, start=(-0.5, 0.3)), TWO)[:, :1]

    def spread(positions):
        heights = (positions + place)[:, ANKLES] @ TWO.R[:, 2]
        return heights[true].std()

    assert spread(held) < 0.95 * spread(free)
    assert error(held, truth[:, 0]) < error(free, truth[:, 0])


def test_soles_keep_the_lengths_that_the_lifter_gives_them():
    body, _, _ = whole_body()
    rng = np.random.default_rng(0)
    world = np.repeat(body, 60, axis=0).astype(float)
    truth = world_to_camera(world, TWO)
    px = camera_to_image(truth, TWO)[:, :17]
    rooted = truth - truth[:, :1]
    parts = ("Heel", "BigToe", "SmallToe")
    soles = BODY_28.index(*(side + part for side in "LR" for part in parts))
    rooted[:, soles] += 0.01 * rng.standard_normal((60, len(soles), 3))
    keypoints = keypoints_from(px, H36M_17, image_size=TWO.size, fps=30.0)
    poses = Poses(rooted[:, None], BODY_28, keypoints=keypoints, fps=30.0)
    sigma = np.full(28, 0.03)
    sigma[soles] = 0.08  # as uncertain as they are long
    poses = sure(poses, sigma=sigma)

    refined = refine(poses)

    before, after = (
        np.linalg.norm(bone_vectors(p.positions[:, 0], BODY_28.parents), axis=-1)[:, soles]
        for p in (poses, refined)
    )
    np.testing.assert_allclose(after.mean(axis=0), before.mean(axis=0), rtol=0.06)


def test_of_a_long_clip_one_copy_is_smoothed_and_little_beside():
    frames = 12_000
    world = np.resize(walk(90), (frames, 17, 3))
    poses = sure(lifted(world, TWO), sigma=0.01)
    poses = replace(poses, positions=poses.positions.astype(np.float32))
    path = world_to_camera(world, TWO)[:, 0]
    find_standing(poses, path, lens(TWO))

    tracemalloc.start()
    find_standing(poses, path, lens(TWO))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    # Of each frame: positions in float32, and a dozen numbers in float64.
    assert peak < frames * (17 * 3 * 4 + 14 * 8)
