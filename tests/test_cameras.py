"""Cameras against points projected by hand, scalar by scalar, and there and back again."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from graphlift.cameras import (
    H36M_DISTORTION,
    H36M_TANGENTIAL,
    Camera,
    camera_to_image,
    distort,
    image_to_rays,
    image_to_screen,
    look_at,
    reproject,
    world_to_camera,
)
from graphlift.errors import ShapeError

PATIENT = settings(deadline=None)
LENGTH = st.floats(-10, 10, allow_subnormal=False)
PLACE = arrays(np.float64, 3, elements=LENGTH)


def camera(**changes):
    """Human3.6M-like; stands at the world's origin with the world's own axes."""
    like = {
        "focal": (1145.0, 1143.0),
        "centre": (512.5, 515.5),
        "size": (1000, 1002),
        "R": np.eye(3),
        "position": np.zeros(3),
        "radial": H36M_DISTORTION,
        "tangential": H36M_TANGENTIAL,
    }
    return Camera(**(like | changes))


PLAIN = {"radial": (0.0, 0.0, 0.0), "tangential": (0.0, 0.0)}


# World and camera


def test_a_camera_that_looks_along_x_sees_y_to_its_left_and_z_upwards():
    seen_from = camera(
        position=np.array([-5.0, 0.0, 1.0]),
        R=look_at(np.array([-5.0, 0, 1]), np.array([0.0, 0, 1])),
    )

    np.testing.assert_allclose(seen_from.R, [[0, -1, 0], [0, 0, -1], [1, 0, 0]], atol=1e-15)
    np.testing.assert_allclose(
        world_to_camera(np.array([[0.0, 2.0, 1.0], [1.0, 0.0, 4.0]]), seen_from),
        [[-2, 0, 5], [0, -3, 6]],  # 2 m to the left; 3 m up
        atol=1e-15,
    )


@PATIENT
@given(PLACE, PLACE, st.floats(-3, 3))
def test_looking_is_a_proper_rotation_with_the_target_straight_ahead(position, target, roll):
    sideways = np.hypot(*(target - position)[:2])
    if sideways < 0.1:
        target = target + np.array([1.0, 0.0, 0.0])

    R = look_at(position, target, roll=roll)

    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(R) == pytest.approx(1)
    ahead = R @ (target - position)
    np.testing.assert_allclose(ahead, [0, 0, np.linalg.norm(target - position)], atol=1e-9)


@PATIENT
@given(PLACE, st.floats(0, 6.28), st.floats(1, 9))
def test_what_is_above_is_higher_in_the_image_and_the_horizon_is_level(target, azimuth, distance):
    position = target + distance * np.array([np.cos(azimuth), np.sin(azimuth), 0.3])
    R = look_at(position, target)
    sees = camera(position=position, R=R, **PLAIN)

    at, above = target, target + np.array([0, 0, 0.2])
    (u, v), (u_above, v_above) = camera_to_image(
        world_to_camera(np.stack([at, above]), sees), sees
    )

    assert v_above < v == pytest.approx(515.5)
    assert u_above == pytest.approx(u) == pytest.approx(512.5)
    assert R[0, 2] == pytest.approx(0)  # the image's x axis is level


def test_a_camera_rolled_clockwise_sees_the_world_turned_the_other_way():
    position, target = np.array([5.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0])
    level, rolled = (look_at(position, target, roll=roll) for roll in (0.0, np.pi / 2))

    # From there the world's z is up and its y to the right; rolled, up is left and right is up.
    np.testing.assert_allclose(level @ [0.0, 0, 1], [0, -1, 0], atol=1e-15)
    np.testing.assert_allclose(level @ [0.0, 1, 0], [1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(rolled @ [0.0, 0, 1], [-1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(rolled @ [0.0, 1, 0], [0, -1, 0], atol=1e-15)


@PATIENT
@given(PLACE, arrays(np.float64, (4, 5, 3), elements=LENGTH), st.integers(0, 99))
def test_world_to_camera_and_back(position, positions, seed):
    R = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    sees = camera(position=position, R=R)

    there = world_to_camera(positions, sees)

    np.testing.assert_allclose(there @ R + position, positions, atol=1e-9)
    np.testing.assert_allclose(  # lengths do not change
        np.linalg.norm(there, axis=-1), np.linalg.norm(positions - position, axis=-1), atol=1e-9
    )


@pytest.mark.parametrize("axes", [np.diag([1.0, 1, -1]), np.eye(3)[[1, 0, 2]], 2 * np.eye(3)])
def test_what_mirrors_or_stretches_is_no_camera(axes):
    with pytest.raises(ShapeError, match=r"R .* no rotation"):
        camera(R=axes)


# Image


def test_a_point_projected_by_hand():
    # x / z = 0.25 and y / z = -0.5: u = 512.5 + 1145 · 0.25, v = 515.5 − 1143 · 0.5.
    at = camera_to_image(np.array([[1.0, -2.0, 4.0]]), camera(**PLAIN))

    np.testing.assert_allclose(at, [[798.75, -56.0]])  # outside the image, and kept


def test_a_distorted_point_by_hand():
    # (0.5, 0), k = (0.1, 0.2, 0.4), p = (0.03, 0.02): r² = 0.25, radial = 1 + 0.025 + 0.0125
    # + 0.00625 = 1.04375; tangential = p1·0 + p2·0.5 = 0.01; x' = 0.5·1.05375 + 0.25·p2, and
    # y' = 0 + 0.25·p1.
    lens = camera(radial=(0.1, 0.2, 0.4), tangential=(0.03, 0.02))

    np.testing.assert_allclose(distort(np.array([0.5, 0.0]), lens), [0.531875, 0.0075])


def h36m_projection(point, lens):
    """One point, scalar by scalar, in the form of the code published with Human3.6M:
    r2 = x² + y²; radial = 1 + k1 r2 + k2 r2² + k3 r2³; tan = p1 y + p2 x;
    (x, y) · (radial + tan) + (p2, p1) · r2; then focal length and centre."""
    x, y = point[0] / point[2], point[1] / point[2]
    (k1, k2, k3), (p1, p2) = lens.radial, lens.tangential
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    tan = p1 * y + p2 * x
    return (
        lens.focal[0] * (x * (radial + tan) + p2 * r2) + lens.centre[0],
        lens.focal[1] * (y * (radial + tan) + p1 * r2) + lens.centre[1],
    )


@PATIENT
@given(arrays(np.float64, (2, 3, 3), elements=st.floats(-2, 2)), st.integers(0, 99))
def test_projection_is_human36ms_written_out(points, seed):
    rng = np.random.default_rng(seed)
    points[..., 2] += 4
    lens = camera(radial=tuple(rng.normal(scale=0.2, size=3)),
                  tangential=tuple(rng.normal(scale=0.01, size=2)))  # fmt: skip

    projected = camera_to_image(points, lens)

    for where, at in zip(points.reshape(-1, 3), projected.reshape(-1, 2), strict=True):
        np.testing.assert_allclose(at, h36m_projection(where, lens), atol=1e-9)


@PATIENT
@given(arrays(np.float64, (3, 3), elements=st.floats(-2, 2)), st.integers(0, 99))
def test_opencvs_form_is_opencvs(points, seed):
    points[..., 2] += 4
    rng = np.random.default_rng(seed)
    k, p = rng.normal(scale=0.2, size=3), rng.normal(scale=0.01, size=2)
    lens = camera(radial=tuple(k), tangential=tuple(p), distortion="opencv")
    K = np.array(
        [[lens.focal[0], 0, lens.centre[0]], [0, lens.focal[1], lens.centre[1]], [0, 0, 1]]
    )
    theirs, _ = cv2.projectPoints(
        points, np.zeros(3), np.zeros(3), K, np.array([*k[:2], *p, k[2]])
    )

    np.testing.assert_allclose(camera_to_image(points, lens), theirs[:, 0], atol=1e-6)


@PATIENT
@given(PLACE, st.floats(0.2, 10))
def test_how_far_along_its_ray_a_point_lies_does_not_show(point, further):
    point[2] = abs(point[2]) + 1
    lens = camera()

    np.testing.assert_allclose(
        camera_to_image(point * further, lens), camera_to_image(point, lens), rtol=1e-9
    )


@PATIENT
@given(arrays(np.float64, (5, 2), elements=st.floats(0, 1000)))
def test_rays_of_the_image_are_found_again_to_a_millionth(keypoints):
    lens = camera(size=(1000, 1000), centre=(500.0, 500.0), focal=(1145.0, 1145.0))

    rays = image_to_rays(keypoints, lens)

    again = camera_to_image(np.concatenate([rays, np.ones((5, 1))], axis=-1), lens)
    np.testing.assert_allclose(again, keypoints, atol=1145e-6)
    np.testing.assert_allclose(image_to_rays(again, lens), rays, atol=1e-6)


@PATIENT
@given(arrays(np.float64, (5, 2), elements=st.floats(-0.43, 0.43)))
def test_projected_rays_are_found_again_to_a_millionth(rays):
    lens = camera()

    at = camera_to_image(np.concatenate([rays, np.ones((5, 1))], axis=-1), lens)

    np.testing.assert_allclose(image_to_rays(at, lens), rays, atol=1e-6)


@PATIENT
@given(
    arrays(np.float64, (6, 2), elements=st.floats(-1e6, 1e6)),
    st.tuples(*[st.floats(-0.6, 0.6)] * 3),
)
def test_a_joint_far_outside_has_a_finite_ray_near_where_it_is_seen(keypoints, radial):
    """A detector guesses joints outside the image, where no ray fits a bent lens."""
    lens = camera(radial=radial)
    straight = (keypoints - lens.centre) / lens.focal

    rays = image_to_rays(keypoints, lens)

    assert np.isfinite(rays).all()
    again = distort(rays, lens) * lens.focal + lens.centre
    fits = (np.abs(again - keypoints) < 1.001).all(axis=-1)
    np.testing.assert_array_equal(rays[~fits], straight[~fits])


def test_a_missing_joint_stays_missing_behind_any_lens():
    for lens in (camera(), camera(radial=(0.0, 0.0, 0.0), tangential=(0.0, 0.0))):
        assert np.isnan(image_to_rays(np.full((2, 2), np.nan), lens)).all()


@pytest.mark.parametrize("depth", [-2.0, 0.0, 0.05, 0.1, np.nan])
def test_a_point_behind_the_camera_has_no_image(depth):
    points = np.array([[0.0, 0.0, 3.0], [0.0, 0.0, depth]])

    with pytest.raises(ShapeError, match=rf"{depth:.2f} m in front .*; move the camera or leave"):
        camera_to_image(points, camera())


def test_no_points_have_no_images():
    assert camera_to_image(np.zeros((0, 17, 3)), camera()).shape == (0, 17, 2)


# Screen


def test_keypoints_through_another_lens_are_what_that_camera_sees(rng):
    lens, other = (
        camera(radial=(0.0, 0.0, 0.0), tangential=(0.0, 0.0)),
        camera(
            focal=(1500.0, 1490.0),
            centre=(960.0, 540.0),
            radial=(0.0, 0.0, 0.0),
            tangential=(0.0, 0.0),
        ),
    )
    points = rng.normal(size=(6, 17, 3)) + np.array([0, 0, 5])

    np.testing.assert_allclose(
        reproject(camera_to_image(points, lens), lens, other), camera_to_image(points, other)
    )


def test_the_corners_of_a_human36m_image_on_the_screen():
    # Pavllo et al.: X / w · 2 − (1, h / w), with w = 1000 and h = 1002.
    corners = np.array([[0.0, 0.0], [1000.0, 1002.0], [500.0, 501.0], [1000.0, 0.0]])

    np.testing.assert_allclose(
        image_to_screen(corners, (1000, 1002)),
        [[-1, -1.002], [1, 1.002], [0, 0], [1, -1.002]],
        atol=1e-15,
    )


@PATIENT
@given(
    arrays(np.float64, (3, 2), elements=st.floats(-2000, 4000)),
    st.integers(1, 4000),
    st.integers(1, 4000),
)
def test_image_to_screen_and_back_keeps_the_aspect(keypoints, width, height):
    screen = image_to_screen(keypoints, (width, height))

    back = (screen + np.array([1, height / width])) * width / 2
    np.testing.assert_allclose(back, keypoints, atol=1e-6)
    one_px = image_to_screen(keypoints + 1.0, (width, height)) - screen
    np.testing.assert_allclose(one_px, 2 / width, rtol=1e-6)  # the same sideways and downwards
