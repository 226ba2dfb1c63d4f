"""Feet: when they stand, that they then stand still, and that no bone pays for it."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.walker import ANKLE, film, lifted, stance, walk
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.errors import ModelError, SkeletonError
from graphlift.geometry import bone_vectors
from graphlift.motion import find_contacts, plant_feet
from graphlift.motion.feet import BLEND, bend_leg
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17, Skeleton

LEFT, RIGHT = 6, 3


def upright(world, fps=30.0):
    return Poses(world[:, None], H36M_17, axes="world", rooted=False, fps=fps)


def lengths(poses):
    return np.linalg.norm(bone_vectors(poses.positions, poses.skeleton.parents), axis=-1)


def sliding(seed=0, frames=90, drift=0.15):
    """A walk through which everything drifts slowly, feet included."""
    t = np.arange(frames)[:, None, None] / 30
    phase = np.random.default_rng(seed).uniform(0, 6, size=3)
    return walk(frames) + drift * np.sin(1.5 * t + phase) * [1.0, 1.0, 0.2]


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0, 120.0])
def test_contacts_are_when_the_feet_stand(fps):
    frames = int(4 * fps)

    found = find_contacts(upright(walk(frames, fps=fps), fps))[:, 0, [LEFT, RIGHT]]

    true = stance(frames, fps)
    assert (found & true).sum() > 0.95 * true.sum()
    # A foot that has just left or is about to land is slow, too.
    assert (found & true).sum() > 0.85 * found.sum()
    others = np.delete(find_contacts(upright(walk(frames, fps=fps), fps)), [LEFT, RIGHT], axis=2)
    assert not others.any()


def test_nobody_stands_in_the_air_or_for_a_blink():
    high = walk(90) + np.array([0, 0, 0.5])
    quick = walk(90)
    quick[:, [LEFT, RIGHT]] += 0.2 * np.arange(90)[:, None, None] * [1.0, 0.0, 0.0]

    assert not find_contacts(upright(high)).any()
    assert not find_contacts(upright(quick)).any()
    assert not find_contacts(upright(walk(1))).any()
    # Three frames of 30 fps are a tenth of a second, which is too short.
    assert not find_contacts(upright(walk(3))).any()
    assert find_contacts(upright(walk(4)))[:, 0, LEFT].all()


def test_a_standing_foot_stands_still_at_an_ankles_height():
    poses = upright(sliding(drift=0.05))  # more would take the stretched legs out of reach

    held = plant_feet(poses)

    for ankle in (LEFT, RIGHT):
        stands = held.contacts[:, 0, ankle]
        both = stands[1:] & stands[:-1]
        steps = np.diff(held.positions[:, 0, ankle], axis=0)[both]
        assert np.abs(steps).max() < 1e-9
        np.testing.assert_allclose(held.positions[stands, 0, ankle, 2], ANKLE, atol=1e-9)
        assert np.abs(np.diff(poses.positions[:, 0, ankle], axis=0)[both]).max() > 1e-3


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.3))
@settings(deadline=None, max_examples=30)
def test_no_bone_changes_its_length_and_only_legs_move(seed, drift):
    poses = upright(sliding(seed, frames=45, drift=drift))

    held = plant_feet(poses)

    np.testing.assert_allclose(lengths(held), lengths(poses), atol=1e-9)
    rest = np.delete(np.arange(17), [2, 3, 5, 6])
    np.testing.assert_array_equal(held.positions[:, :, rest], poses.positions[:, :, rest])
    assert np.isfinite(held.positions).all()


def test_a_foot_is_led_to_its_place_and_back_within_the_blend():
    poses = upright(sliding())
    one = np.zeros((90, 1, 17), dtype=bool)
    one[32:46, 0, LEFT] = True

    held = plant_feet(poses, one)

    moved = np.linalg.norm(held.positions - poses.positions, axis=-1)[:, 0]
    blend = round(BLEND * 30)
    assert not moved[: 32 - blend].any()
    assert not moved[46 + blend :].any()
    assert not moved[:, [0, 1, 2, 3, 4, 7, 8]].any()
    # Never a jump: as the foot itself moves slowly there, so does what is added.
    assert np.abs(np.diff(moved[:, LEFT])).max() < 0.35 * moved[:, LEFT].max()
    np.testing.assert_array_equal(held.contacts, one)


def test_a_walk_that_does_not_slide_hardly_changes():
    world = walk(120)

    held = plant_feet(upright(world))

    true = stance(120, 30.0)
    for ankle, stands in zip((LEFT, RIGHT), true.T, strict=True):
        off = np.linalg.norm(held.positions[:, 0, ankle] - world[:, ankle], axis=-1)
        assert off[stands].max() < 0.05  # the first and last slow frames of a step pull a little


POINT = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array)


@given(POINT, POINT, POINT, POINT)
@settings(deadline=None)
def test_a_leg_keeps_its_bones_and_reaches_what_it_can(thigh, shin, target, forward):
    a, b = np.linalg.norm(thigh), np.linalg.norm(shin)
    if min(a, b) < 0.05 or np.linalg.norm(target) < 1e-6:
        return  # no leg, or an ankle in the hip, which is in no direction
    hip = np.array([0.3, -0.2, 0.9])
    leg = np.stack([hip, hip + thigh, hip + thigh + shin])[None]

    knee, ankle = (x[0] for x in bend_leg(leg, (hip + target)[None], forward[None]))

    assert np.linalg.norm(knee - hip) == pytest.approx(a, abs=1e-9)
    assert np.linalg.norm(ankle - knee) == pytest.approx(b, abs=1e-9)
    if abs(a - b) + 1e-3 < np.linalg.norm(target) < a + b - 1e-3:
        np.testing.assert_allclose(ankle, hip + target, atol=1e-9)


def test_the_knee_stays_on_its_side_and_a_straight_one_bends_forward():
    hip = np.array([0.0, 0.0, 0.9])
    forward = np.array([[1.0, 0.0, 0.0]])
    straight = np.stack([hip, hip - [0, 0, 0.4], hip - [0, 0, 0.8]])[None]
    backward = np.stack([hip, hip + np.array([-0.2, 0, -0.34641]), hip - [0, 0, 0.69282]])[None]
    target = (hip - [0, 0, 0.6])[None]

    ahead, _ = bend_leg(straight, target, forward)
    behind, _ = bend_leg(backward, target, forward)

    # By Pythagoras: half of 0.6 along, √(0.4² - 0.3²) to the side.
    np.testing.assert_allclose(ahead[0], [np.sqrt(0.07), 0, 0.6], atol=1e-9)
    assert behind[0, 0] < 0


@pytest.mark.parametrize(
    ("leg", "facing", "side"),
    [((1, 0, 0), (1, 0, 0), (0, 0, 1)), ((0, 0, -1), (0, 0, 0), (1, 0, 0))],
    ids=["stretched out ahead: upward", "hanging, facing unknown: somewhere"],
)
def test_a_straight_leg_whose_knee_has_no_side_keeps_its_bones(leg, facing, side):
    hip, along = np.array([0.3, -0.2, 0.9]), np.array(leg, dtype=float)
    straight = np.stack([hip, hip + 0.4 * along, hip + 0.8 * along])[None]

    knee, ankle = bend_leg(straight, (hip + 0.6 * along)[None], np.array([facing], dtype=float))

    # By Pythagoras: half of 0.6 along, √(0.4² - 0.3²) to the side.
    np.testing.assert_allclose(knee[0], hip + 0.3 * along + np.sqrt(0.07) * np.array(side))
    np.testing.assert_allclose(ankle[0], hip + 0.6 * along)


def test_what_hangs_on_the_ankle_moves_with_it():
    with_toes = Skeleton(
        "toes", (*H36M_17.joints, "LToe", "LToeTip"), (*H36M_17.parents, LEFT, 17), "Spine"
    )
    world = sliding()
    toes = world[:, [LEFT]] + [[0.12, 0, -0.06], [0.2, 0, -0.06]]
    poses = Poses(np.concatenate([world, toes], axis=1)[:, None], with_toes, "world", fps=30.0)

    held = plant_feet(poses)

    np.testing.assert_allclose(lengths(held), lengths(poses), atol=1e-9)


def test_missing_people_stay_missing_and_do_not_end_in_a_contact():
    world = np.stack([sliding(0), sliding(1)], axis=1)
    world[30:50, 0] = np.nan
    poses = Poses(world, H36M_17, "world", rooted=False, fps=30.0, people=("a", "b"))

    held = plant_feet(poses)

    np.testing.assert_array_equal(held.valid, poses.valid)
    assert not held.contacts[30:50, 0].any()
    alone = plant_feet(
        replace(poses, positions=world[:, 1:], seen=None, sigma=None, people=("b",))
    )
    np.testing.assert_array_equal(held.positions[:, 1], alone.positions[:, 0])


def test_what_has_no_feet_on_a_floor_is_said():
    with pytest.raises(
        ModelError, match=r"finding contacts needs poses in world axes, .*to_world"
    ):
        find_contacts(lifted(walk(5), film()))
    with pytest.raises(ModelError, match="holding feet needs poses in world axes"):
        plant_feet(lifted(walk(5), film()))
    stick = Skeleton("stick", ("Root", "Tip"), (-1, 0), "Root")
    with pytest.raises(SkeletonError, match="stick has no joint"):
        plant_feet(Poses(np.zeros((5, 1, 2, 3)), stick, "world"))
