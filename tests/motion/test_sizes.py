"""How sure sizes are: drawn ones lie where the posterior says, and every step says so."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.walker import film, lens, lifted, walk

from graphlift.bodies.table import BONES, load_bodies
from graphlift.motion import locate, refine, scale_to_floor, scale_to_height, share_floor, to_world
from graphlift.motion.bones import PROPORTIONS, SIZES
from graphlift.motion.sizes import describe_sizes, find_sizes
from graphlift.motion.supports import Level, find_levels
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17

HIGH = film(position=(0.5, -6.0, 2.2), target=(0.5, 0.0, 0.8))
DRAWS = 1500


def two(**fields):
    world = np.stack([walk(120), walk(120, heading=2.0, start=(1.0, 1.5))], axis=1)
    return replace(lifted(world, HIGH), **fields)


def level(height, spread=0.03, postures=9.0):
    return Level(height, spread, np.array([0.0, 0.0, height]), postures, 1.0)


# The posterior


def drawn(rng, expected, floor, *, stated=(), postures=9.0, known=False):
    """Draw people's true sizes and the floors under them; return errors in deviations.

    Who is larger than the model has them is further away than they seem: their floor seems too
    near by their size, and is off by the error of a level.
    """
    names = list(expected)
    true = {name: rng.normal(0, expected[name]) for name in names}
    levels = {}
    for name in names:
        rest = postures[name] if isinstance(postures, dict) else postures
        depth = floor * np.exp(-true[name])
        depth += level(-depth, postures=rest).error * rng.standard_normal()
        levels[name] = level(-depth, postures=rest)
    sizes = find_sizes(levels, expected, height=floor if known else None, stated=stated)
    return {n: ((true[n] - np.log(s.factor)) / s.sigma, s.sigma) for n, s in sizes.items()}


@pytest.mark.parametrize(
    ("expected", "options"),
    [
        ({"a": 0.07}, {"known": True}),
        ({"a": 0.07, "b": 0.12}, {"known": True}),
        ({"a": 0.07, "b": 0.07}, {}),
        ({"a": 0.04, "b": 0.08, "c": 0.08, "d": 0.08, "e": 0.08}, {}),
        ({"a": 0.04, "b": 0.07}, {"stated": ("a",)}),
        ({"a": 0.06, "b": 0.06, "c": 0.06}, {"postures": {"a": 20.0, "b": 9.0, "c": 1.0}}),
    ],
    ids=["camera", "two and a camera", "two", "five", "one stated", "one only for a moment"],
)
def test_drawn_sizes_lie_within_the_deviations_that_are_stated(expected, options):
    rng = np.random.default_rng(0)

    scenes = [drawn(rng, expected, 2.5, **options) for _ in range(DRAWS)]

    for name in expected:
        off = np.array([scene[name][0] for scene in scenes if name in scene])
        assert len(off) > 0.97 * DRAWS
        assert (np.abs(off) < 1).mean() == pytest.approx(0.683, abs=0.035)
        assert (np.abs(off) < 1.96).mean() == pytest.approx(0.95, abs=0.02)


def test_the_scale_of_all_together_is_not_learnt():
    """On a floor without errors: everybody's deviation is the one of the mean of all."""
    far = {name: level(-3000.0) for name in "abcd"}

    alone = find_sizes({"a": far["a"]}, {"a": 0.08}, height=3000.0)["a"].sigma
    shared = find_sizes(far, dict.fromkeys(far, 0.08))

    assert alone < 1e-4
    for size in shared.values():
        assert size.sigma == pytest.approx(0.08 / np.sqrt(4), rel=1e-3)


def test_a_floor_that_says_little_leaves_what_was_known():
    rough = level(-1.0, spread=5.0, postures=1.0)

    found = find_sizes({"a": rough}, {"a": 0.07}, height=1.0)["a"]

    assert found.factor == pytest.approx(1, abs=1e-3)
    assert found.sigma == pytest.approx(0.07, rel=1e-3)


# Steps


def test_a_stated_height_leaves_how_proportions_differ():
    poses = two(size_sigma=np.array([0.1, 0.12]))

    one = scale_to_height(poses, {"1": 1.8})
    both = scale_to_height(poses, 1.8)

    np.testing.assert_array_equal(one.size_sigma, [0.1, PROPORTIONS])
    np.testing.assert_array_equal(both.size_sigma, [PROPORTIONS, PROPORTIONS])
    unknown = scale_to_height(two(), {"1": 1.8}).size_sigma
    np.testing.assert_array_equal(unknown, [np.nan, PROPORTIONS])
    assert poses.size_sigma.tolist() == [0.1, 0.12]


def test_proportions_are_at_least_as_uncertain_as_those_of_the_bodies_that_ship():
    bodies = load_bodies()
    bones = [BONES.index(bone) for bone in ("Knee", "Foot", "Spine", "Thorax")]

    spread = np.log(bodies.lengths[:, bones].sum(axis=1)).std()

    assert spread < PROPORTIONS < 2 * spread


def test_a_shared_floor_makes_sizes_surer_and_a_camera_makes_them_surer_still():
    poses = two(size_sigma=np.full(2, 0.1))
    moving = locate(poses, lens(HIGH))

    shared, _ = share_floor(poses, moving)
    placed = scale_to_floor(poses, locate(poses, HIGH), HIGH)

    assert (shared.size_sigma < 0.1).all()
    assert (shared.size_sigma > 0.1 / np.sqrt(2)).all()  # errors of the floor come on top
    assert (placed.size_sigma < 0.03).all()
    np.testing.assert_allclose(placed.positions, poses.positions, rtol=0.03, atol=0.02)


def test_feet_that_were_never_seen_say_little_of_a_size():
    """From the knees down everything was inferred, no more surely than sigma says."""
    poses = two(size_sigma=np.full(2, 0.1))
    below = [j for j, name in enumerate(H36M_17.joints) if "Knee" in name or "Foot" in name]
    hidden = poses.seen.copy()
    hidden[..., below] = False
    sure = replace(poses, sigma=np.full(poses.sigma.shape, 0.03))
    vague = replace(sure, seen=hidden, sigma=np.where(hidden, 0.03, 0.25))

    seen_feet = scale_to_floor(sure, locate(sure, HIGH), HIGH)
    inferred = scale_to_floor(vague, replace(locate(sure, HIGH), seen=hidden, sigma=vague.sigma),
                              HIGH)  # fmt: skip

    assert (seen_feet.size_sigma < 0.03).all()
    # Of 2.1 m below the camera 0.25 m are 12 %: two sources, 12 and 10 %, leave 7.7 %.
    np.testing.assert_allclose(inferred.size_sigma, 0.077, atol=0.012)


@pytest.mark.parametrize("apart", [0.5, 3.0])
def test_people_far_from_each_other_are_measured_by_gravity_too(apart):
    """The angle that is stated, times how far they stand from their middle, on top."""
    world = np.stack([walk(120), walk(120, start=(0.0, apart))], axis=1)
    poses = replace(lifted(world, HIGH), size_sigma=np.full(2, 0.3))
    moving = locate(poses, lens(HIGH))

    sized, gravity = share_floor(poses, moving)

    levels = find_levels(moving, gravity.up)
    alone = find_sizes(levels, {"0": 0.3, "1": 0.3})
    for name, sigma in zip("01", sized.size_sigma, strict=True):
        tilt = gravity.sigma * apart / 2 / -levels[name].height
        assert sigma == pytest.approx(min(0.3, np.hypot(alone[name].sigma, tilt)), rel=0.05)
    assert 0 < gravity.sigma < np.radians(6)


def test_a_person_who_stands_elsewhere_keeps_what_was_known():
    poses = two(size_sigma=np.array([0.08, 0.09]))
    stage = replace(poses, keypoints=None)
    moving = locate(poses, lens(HIGH))
    raised = moving.positions.copy()
    raised[:, 1] += 3.0 * -HIGH.R[:, 2].astype(raised.dtype) * [[[1.0]]]

    sized, _ = share_floor(stage, replace(moving, positions=raised))

    assert sized is stage


def test_a_size_that_is_known_to_a_hair_stays():
    poses = two(size_sigma=np.array([0.0, 0.1]))
    poses.positions[:, 1] *= 1.1
    moving = locate(poses, lens(HIGH))

    sized, _ = share_floor(poses, moving)

    np.testing.assert_allclose(sized.positions[:, 0], poses.positions[:, 0], rtol=1e-6)
    assert sized.size_sigma[0] < 1e-6
    assert sized.size_sigma[1] < 0.05


def test_refinement_learns_nothing_of_size():
    poses = lifted(walk(20), HIGH)
    sure = replace(poses, size_sigma=np.array([0.09]), sigma=np.full(poses.sigma.shape, 0.03))

    np.testing.assert_array_equal(refine(sure, lens(HIGH)).size_sigma, [0.09])


# What is said


@pytest.mark.parametrize(
    ("people", "options", "words"),
    [
        (1, {}, "are the model's own and uncertain by 7 % (standard deviation); a stated height"),
        (1, {"height": 1.7}, "follow from the stated height and are uncertain by 4 % (standard"),
        (1, {"trajectory": False}, "are the model's own and uncertain by 7 %"),
        (2, {"camera": lens(HIGH)}, "follow from the model and the floor and are uncertain by"),
        (2, {"camera": lens(HIGH), "height": {"0": 1.7}},
         "follow from the model and the floor and stated heights and are uncertain by 4 to "),
        (2, {"camera": lens(HIGH), "height": 1.7}, "follow from the stated height and are"),
    ],
)  # fmt: skip
def test_a_run_says_once_how_sure_sizes_are(people, options, words):
    poses = two(size_sigma=np.full(2, 0.07)).of_people(list(range(people)))

    notes = to_world(poses, **options).notes

    said = [note for note in notes if note.startswith("People's sizes ")]
    assert len(said) == 1
    assert said[0].startswith(f"People's sizes {words}")


def test_nothing_is_said_of_sizes_that_nobody_knows_or_nobody_has():
    assert describe_sizes(two()) == ()
    empty = Poses(np.full((5, 1, 17, 3), np.nan), H36M_17, size_sigma=np.array([SIZES]))
    assert describe_sizes(empty) == ()
    half = two(size_sigma=np.array([0.07, np.nan]))
    assert "uncertain by 7 %" in describe_sizes(half)[0]
