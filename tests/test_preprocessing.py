"""Canonical input: who stands where, and through which lens, must not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.preprocessing import MIN_KEYPOINTS, canonical, turn_back, turn_to_z

SEEDS = st.integers(0, 2**32 - 1)
PATIENT = settings(deadline=None, max_examples=40)


def person(rng, frames=5, joints=17):
    """Points about 1 m around somebody 4 m away, camera axes."""
    return rng.normal([0, 0, 4], 0.4, (frames, joints, 3))


def rays_of(points):
    return points[..., :2] / points[..., 2:]


def turn(axis, angle):
    """Rodrigues' formula, written out."""
    x, y, z = axis / np.linalg.norm(axis)
    K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K


@PATIENT
@given(SEEDS)
def test_turn_to_z_is_the_smallest_rotation(seed):
    rng = np.random.default_rng(seed)
    d = rng.normal(size=3)
    d[2] = abs(d[2]) + 0.1
    d /= np.linalg.norm(d)
    angle = np.arccos(np.clip(d[2], -1, 1))
    expected = turn(np.cross(d, [0, 0, 1]), angle) if angle > 1e-6 else np.eye(3)

    (R,) = turn_to_z(d[None])

    np.testing.assert_allclose(R, expected, atol=1e-7)
    np.testing.assert_allclose(R @ d, [0, 0, 1], atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)


@PATIENT
@given(SEEDS, st.floats(0.01, 0.7), st.floats(0, 2 * np.pi))
def test_a_person_anywhere_in_the_image_gives_the_same_input(seed, angle, bearing):
    """The camera turns in place, from straight at the person to somewhere else."""
    rng = np.random.default_rng(seed)
    points = person(rng)
    centred = canonical(rays_of(points), np.ones(points.shape[:-1]))
    straight = points @ centred.R[0].T  # frame 0 is now in the middle of the image
    R = turn(np.array([np.cos(bearing), np.sin(bearing), 0]), angle)

    before = canonical(rays_of(straight[:1]), np.ones((1, 17)))
    after = canonical(rays_of(straight[:1] @ R.T), np.ones((1, 17)))

    np.testing.assert_allclose(after.inputs, before.inputs, atol=1e-9)
    np.testing.assert_allclose(after.R[0] @ R, before.R[0], atol=1e-9)


@PATIENT
@given(SEEDS)
def test_the_virtual_camera_looks_at_the_mean_ray_of_what_is_seen(seed):
    rng = np.random.default_rng(seed)
    rays, seen = rays_of(person(rng)), rng.random((5, 17)) < 0.7
    seen[:, :4] = True

    made = canonical(rays, seen.astype(float))

    for frame in range(5):
        units = [np.array([*ray, 1]) / np.linalg.norm([*ray, 1]) for ray in rays[frame]]
        aim = sum(u for u, there in zip(units, seen[frame], strict=True) if there)
        np.testing.assert_allclose(
            made.R[frame] @ (aim / np.linalg.norm(aim)), [0, 0, 1], atol=1e-9
        )
        size2 = [(made.inputs[frame, j, :2] ** 2).sum() for j in range(17) if seen[frame, j]]
        assert np.mean(size2) == pytest.approx(1)


def test_a_longer_lens_changes_nothing():
    """Rays are what a lens of any focal length sees: px over focal length."""
    rng = np.random.default_rng(0)
    rays = rays_of(person(rng))
    images = [(rays * focal + 500, focal) for focal in (600, 2400)]
    made = [canonical((px - 500) / focal, np.ones((5, 17))) for px, focal in images]

    np.testing.assert_allclose(made[0].inputs, made[1].inputs, atol=1e-12)


def test_missing_joints_are_zero_and_do_not_move_the_others():
    rng = np.random.default_rng(1)
    rays, confidence = rays_of(person(rng)), np.full((5, 17), 0.5)
    confidence[:, [3, 9]] = 0
    elsewhere = rays.copy()
    elsewhere[:, [3, 9]] = 77.0

    one, other = canonical(rays, confidence), canonical(elsewhere, confidence)

    np.testing.assert_array_equal(one.inputs, other.inputs)
    assert not one.inputs[:, [3, 9]].any()
    assert (one.inputs[:, 0, 2] == 0.5).all()


@pytest.mark.parametrize("seen", range(MIN_KEYPOINTS))
def test_too_few_joints_are_no_pose(seen):
    confidence = np.zeros((1, 17))
    confidence[:, :seen] = 1

    made = canonical(rays_of(person(np.random.default_rng(2), frames=1)), confidence)

    assert not made.valid.any()
    assert not made.inputs.any()
    np.testing.assert_array_equal(made.R, np.eye(3)[None])


def test_joints_on_one_point_are_no_pose():
    assert not canonical(np.full((1, 17, 2), 0.3), np.ones((1, 17))).valid.any()


@PATIENT
@given(SEEDS)
def test_predictions_are_turned_back_into_the_camera(seed):
    rng = np.random.default_rng(seed)
    points = person(rng)
    made = canonical(rays_of(points), np.ones((5, 17)))
    virtual = np.einsum("fij,fkj->fki", made.R, points)

    np.testing.assert_allclose(turn_back(virtual, made), points, atol=1e-12)
