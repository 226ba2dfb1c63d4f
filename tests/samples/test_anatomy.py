"""People put together: bones keep their lengths, limbs their joint angles, bodies their shape."""

import numpy as np
import pytest
from helpers.turned_people import turned_capture
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from graphlift.bodies import SEGMENTS, load_bodies
from graphlift.bodies.segments import ALONG, CARRIERS, FIXED
from graphlift.datasets.mocap.turns import motion_of
from graphlift.geometry import bone_vectors
from graphlift.samples.anatomy import Anatomy, draw_figures, turn_about_level
from graphlift.skeletons import H36M_17

SEEDS = st.integers(0, 2**31 - 1)
PATIENT = settings(deadline=None, max_examples=10)
PLAIN = Anatomy(bodies=0, size=0, bones=0, recombine=0, tilted=0)


def made_motion():
    capture, quat = turned_capture(("a", "b", "c"), frames=30)
    turns = Rotation.from_quat(quat.reshape(-1, 4)).as_matrix().reshape(-1, 15, 3, 3)
    return motion_of(capture, turns.astype(np.float32), "abc"), capture


MOTION, CAPTURE = made_motion()
ALL = np.arange(len(MOTION))
ALIKE = np.full(len(MOTION), 1 / len(MOTION))


def drawn(anatomy, seed=0, **settings):
    return draw_figures(MOTION, ALL, anatomy, ALIKE, np.random.default_rng(seed), **settings)


def test_without_variation_people_are_as_recorded():
    figures = drawn(PLAIN)

    recorded = np.concatenate([clip.positions for clip in CAPTURE.clips])
    recorded = recorded - recorded[:, :1] * [1, 1, 0]
    np.testing.assert_allclose(figures.joints, recorded, atol=1e-5)
    np.testing.assert_allclose(figures.turns, MOTION.turns, atol=1e-6)


@PATIENT
@given(SEEDS)
def test_recombined_limbs_keep_their_bones_on_their_turns_and_their_lengths(seed):
    figures = drawn(Anatomy(bodies=0, size=0, bones=0, recombine=1, tilted=0.5), seed)

    vectors = bone_vectors(figures.joints, H36M_17.parents)
    lengths = np.linalg.norm(vectors, axis=-1)
    np.testing.assert_allclose(lengths, MOTION.lengths, atol=1e-5)
    along = np.einsum("fjab,jb->fja", figures.turns[:, CARRIERS], ALONG)
    limbs = vectors[:, FIXED] / lengths[:, FIXED, None]
    np.testing.assert_allclose(limbs, along[:, FIXED], atol=1e-4)
    orthogonal = figures.turns @ figures.turns.swapaxes(-1, -2)
    np.testing.assert_allclose(orthogonal, np.broadcast_to(np.eye(3), orthogonal.shape), atol=1e-5)


@PATIENT
@given(SEEDS)
def test_every_joint_angle_of_recombined_people_was_recorded(seed):
    """Relative turns are somebody's own: limits of joints are those of the motion capture."""
    figures = drawn(Anatomy(bodies=0, size=0, bones=0, recombine=1, tilted=0.5), seed)

    for child, parent in (("LForearm", "LUpperArm"), ("RUpperArm", "Chest"), ("LThigh", "Pelvis"),
                          ("RShin", "RThigh"), ("Chest", "Pelvis"), ("Head", "Chest")):  # fmt: skip
        c, p = SEGMENTS.index(child), SEGMENTS.index(parent)
        ours = figures.turns[:, p].swapaxes(-1, -2) @ figures.turns[:, c]
        theirs = MOTION.turns[:, p].swapaxes(-1, -2) @ MOTION.turns[:, c]
        apart = np.abs(ours[:, None] - theirs[None]).max(axis=(-1, -2)).min(axis=1)
        assert apart.max() < 1e-5, child


def test_upper_bodies_alone_are_exchanged_if_asked():
    figures = drawn(Anatomy(bodies=0, size=0, bones=0, recombine=1, tilted=0), upper=True)

    legs = [SEGMENTS.index(name) for name in ("Pelvis", "LThigh", "RFoot")]
    np.testing.assert_allclose(figures.turns[:, legs], MOTION.turns[:, legs], atol=1e-6)
    assert (np.abs(figures.turns - MOTION.turns).max(axis=(1, 2, 3)) > 0.01).mean() > 0.5


def test_bodies_of_the_table_have_its_lengths():
    figures = drawn(Anatomy(bodies=1, recombine=0, tilted=0))

    lengths = np.linalg.norm(bone_vectors(figures.joints, H36M_17.parents), axis=-1)
    thigh, shin = lengths[:, H36M_17.index("LKnee", "LFoot")].T
    right = lengths[:, H36M_17.index("RKnee", "RFoot")].T
    np.testing.assert_allclose(right, [thigh, shin], atol=1e-6)
    table = load_bodies()
    legs = (table.lengths[:, 1:3] * table.stature[:, None]).round(5)
    for person in np.stack([thigh, shin], axis=1):
        assert np.abs(legs - person).max(axis=1).min() < 1e-4


def test_tilted_people_lie_on_or_above_the_floor_and_point_every_way():
    figures = drawn(Anatomy(tilted=1, recombine=0))

    lowest = np.minimum(figures.joints[..., 2].min(axis=1), figures.points[..., 2].min(axis=1))
    assert lowest.min() > -1e-6
    assert lowest.max() <= 1 + 1e-6
    up = figures.turns[:, SEGMENTS.index("Pelvis"), 2, 2]
    assert (np.abs(up) < 0.5).mean() > 0.3
    assert (up < -0.5).any()


def test_no_limb_is_put_through_the_trunk():
    """Only people who were recorded so are nearer to their own trunk than is allowed."""
    figures = drawn(Anatomy(bodies=0, size=0, bones=0, recombine=1, tilted=0), seed=3)
    as_recorded = drawn(PLAIN)

    def nearest(joints):
        hip, thorax = (joints[:, [j]] for j in H36M_17.index("Hip", "Thorax"))
        line = hip + (thorax - hip) * np.linspace(0, 1, 200)[:, None]
        ends = joints[:, H36M_17.index("LElbow", "LWrist", "RElbow", "RWrist")]
        return np.linalg.norm(ends[:, :, None] - line[:, None], axis=-1).min(axis=(1, 2))

    allowed = np.minimum(nearest(as_recorded.joints), 0.09) - 1e-3
    assert (nearest(figures.joints) >= allowed).all()


@PATIENT
@given(SEEDS)
def test_turns_about_a_level_axis_are_scipys(seed):
    rng = np.random.default_rng(seed)
    bearing, angle = rng.uniform(-7, 7, (2, 5))

    found = turn_about_level(bearing, angle)

    axis = np.stack([np.cos(bearing), np.sin(bearing), np.zeros(5)], axis=1)
    expected = Rotation.from_rotvec(axis * angle[:, None]).as_matrix()
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_same_seed_draws_the_same_people():
    one, two, other = (drawn(Anatomy(), seed) for seed in (4, 4, 5))

    np.testing.assert_array_equal(one.points, two.points)
    assert not np.array_equal(one.points, other.points)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bodies": 1.1}, "bodies must be from 0 to 1"),
        ({"shifts": -1}, "shifts must be from 0 to 5"),
        ({"detectors": 1}, "detectors must be from 0 to 0.05"),
    ],
)
def test_shares_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Anatomy(**settings)
