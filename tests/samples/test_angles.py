"""Joint angles near recorded ones: how far they go, and what they leave alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from graphlift.bodies import SEGMENTS
from graphlift.samples.anatomy import Anatomy
from graphlift.samples.angles import MOST_BENT, vary_angles

SEEDS = st.integers(0, 2**31 - 1)
LIMBS = {
    "LUpperArm": ("Chest", "LForearm", "LHand", (1, 0, 0)),
    "RUpperArm": ("Chest", "RForearm", "RHand", (-1, 0, 0)),
    "LThigh": ("Pelvis", "LShin", "LFoot", (0, 0, -1)),
    "RThigh": ("Pelvis", "RShin", "RFoot", (0, 0, -1)),
}


def people(count, seed=0, *, turned=0.6):
    """People with every segment turned anyhow against the world."""
    vectors = np.random.default_rng(seed).normal(0, turned, (count * len(SEGMENTS), 3))
    return Rotation.from_rotvec(vectors).as_matrix().reshape(count, len(SEGMENTS), 3, 3)


def of(turns, name):
    return turns[:, SEGMENTS.index(name)]


def against(turns, parent, child):
    return of(turns, parent).swapaxes(-1, -2) @ of(turns, child)


def degrees_between(a, b):
    return np.degrees(Rotation.from_matrix(a.swapaxes(-1, -2) @ b).magnitude())


def bend(turns, upper, lower, along):
    """Degrees, and the axis of the bend in the upper segment's own axes."""
    here = np.einsum("fab,b->fa", against(turns, upper, lower), along)
    return np.degrees(np.arccos(np.clip(here @ along, -1, 1))), np.cross(along, here)


def vary(turns, degrees, seed=1, **more):
    return vary_angles(turns, degrees, np.random.default_rng(seed), **more)


def test_nobody_is_varied_by_no_degrees():
    turns = people(20)
    np.testing.assert_allclose(vary(turns, 0.0), turns, atol=1e-12)


@pytest.mark.parametrize(
    ("parent", "child", "share"),
    [("Pelvis", "Chest", 0.5), ("Chest", "Head", 1), *((up[0], n, 1) for n, up in LIMBS.items())],
)
def test_turns_at_a_joint_have_the_spread_that_is_stated(parent, child, share):
    """Three axes of variance a², a uniform to A: the mean square of the angle is 3 A² / 3."""
    turns = people(20_000)
    moved = vary(turns, 10.0)
    angle = degrees_between(against(turns, parent, child), against(moved, parent, child))
    assert np.sqrt((angle**2).mean()) == pytest.approx(10 * share, rel=0.03)


@pytest.mark.parametrize("upper", LIMBS)
def test_elbows_and_knees_keep_their_plane_and_are_bent_by_a_factor(upper):
    """Its logarithm has mean 0 and variance A² / 3, in radians."""
    _, lower, end, along = LIMBS[upper]
    turns = people(20_000, turned=0.3)
    moved = vary(turns, 12.0)
    before, axis = bend(turns, upper, lower, along)
    after, axis_after = bend(moved, upper, lower, along)
    counted = before > 5
    assert (np.einsum("fa,fa->f", axis, axis_after)[counted] > 0).all()
    apart = np.cross(axis, axis_after)[counted]
    assert np.abs(apart).max() < 1e-9
    log = np.log(after / before)[counted]
    assert log.mean() == pytest.approx(0, abs=0.01)
    assert log.std() == pytest.approx(np.radians(12) / np.sqrt(3), rel=0.05)
    kept = degrees_between(against(turns, lower, end), against(moved, lower, end))
    assert kept.max() < 1e-4


def test_straight_limbs_stay_straight_and_folded_ones_are_not_folded_further():
    turns = people(2_000)
    for upper, (_, lower, _, _along) in LIMBS.items():
        axis = (0, 1, 0)
        fold = Rotation.from_rotvec(np.radians(170) * np.array(axis)).as_matrix()
        turns[:1_000, SEGMENTS.index(lower)] = of(turns, upper)[:1_000]
        turns[1_000:, SEGMENTS.index(lower)] = of(turns, upper)[1_000:] @ fold
    moved = vary(turns, 20.0)
    for upper, (_, lower, _, along) in LIMBS.items():
        angle, _ = bend(moved, upper, lower, along)
        assert angle[:1_000].max() < 1e-3
        assert angle[1_000:].max() <= 170 + 1e-6
        assert np.degrees(MOST_BENT) < 170


@settings(deadline=None, max_examples=20)
@given(SEEDS)
def test_it_does_not_matter_where_people_face(seed):
    turns = people(10, seed)
    R = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    np.testing.assert_allclose(vary(R @ turns, 15.0), R @ vary(turns, 15.0), atol=1e-9)


def test_frames_of_one_person_are_varied_alike():
    turns = people(12)
    moved = vary(turns, 15.0, frames=4)
    for child, (parent, *_) in LIMBS.items():
        by = against(moved, parent, child) @ against(turns, parent, child).swapaxes(-1, -2)
        for first in range(0, 12, 4):
            np.testing.assert_allclose(by[first : first + 4], by[[first] * 4], atol=1e-9)
    assert np.abs(by[0] - by[4]).max() > 1e-3


def test_more_than_45_degrees_are_refused():
    with pytest.raises(ValueError, match="angles must be from 0 to 45"):
        Anatomy(angles=60.0)
