"""Rigs against positions worked out by hand and ranges that every drawn camera must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.cameras import camera_to_image, world_to_camera
from graphlift.virtual_cameras import RandomRig, aimed_camera, cross_rig, open_rig

PATIENT = settings(deadline=None)
SEEDS = st.integers(0, 2**32 - 1)


def seen(points, camera):
    return camera_to_image(world_to_camera(np.asarray(points, dtype=float), camera), camera)


# The rig of open-16


def test_the_open_rig_stands_at_the_corners_of_a_square():
    # 5.5 m / √2 = 3.889 m along each axis, counter-clockwise from the corner of +x and +y.
    a = 5.5 / 2**0.5

    positions = [camera.position for camera in open_rig()]

    np.testing.assert_allclose(
        positions, [[a, a, 1.55], [-a, a, 1.55], [-a, -a, 1.55], [a, -a, 1.55]]
    )


def test_the_open_rig_has_the_lens_the_protocol_states():
    for camera in open_rig():
        assert camera.focal == (1145.0, 1145.0)
        assert camera.centre == (500.0, 500.0)
        assert camera.size == (1000, 1000)
        assert any(camera.radial)
        assert any(camera.tangential)


@pytest.mark.parametrize("rig", [open_rig, cross_rig])
def test_a_rig_aims_a_metre_above_the_centre_of_the_floor(rig):
    for camera in rig():
        np.testing.assert_allclose(seen([0.0, 0.0, 1.0], camera), [500, 500], atol=1e-9)


@pytest.mark.parametrize("rig", [open_rig, cross_rig])
def test_a_rig_looks_from_four_sides_90_degrees_apart(rig):
    views = [camera.R[2, :2] / np.linalg.norm(camera.R[2, :2]) for camera in rig()]

    for number, view in enumerate(views):
        following = views[(number + 1) % 4]
        assert view @ following == pytest.approx(0, abs=1e-12)
        assert np.linalg.det([view, following]) == pytest.approx(1)  # counter-clockwise


def test_a_person_at_the_centre_is_seen_as_large_as_in_human36m():
    # 1.6 m from ankle to head at 5.5 m and 1145 px: 333 px upright in the middle of the image.
    for camera in open_rig():
        ankle, head = seen([[0, 0, 0.05], [0, 0, 1.65]], camera)

        assert 0 < head[1] < ankle[1] < 1000
        assert ankle[1] - head[1] == pytest.approx(1145 * 1.6 / 5.5, rel=0.03)
        assert head[0] == pytest.approx(500, abs=2)


# The rig of cross-14


def test_the_cross_rig_is_the_stated_one():
    stated = [(10, 4.2, 0.9, 1000), (100, 5.0, 1.3, 1080), (190, 6.0, 2.0, 1250),
              (280, 7.0, 2.6, 1400)]  # fmt: skip

    for camera, (azimuth, distance, height, focal) in zip(cross_rig(), stated, strict=True):
        x, y, z = camera.position
        assert np.degrees(np.arctan2(y, x)) % 360 == pytest.approx(azimuth)
        assert (np.hypot(x, y), z) == pytest.approx((distance, height))
        assert camera.focal == (focal, focal)


def test_no_camera_of_one_rig_is_like_one_of_the_other():
    for ours in open_rig():
        for theirs in cross_rig():
            assert ours.focal != theirs.focal
            assert ours.position[2] != theirs.position[2]
            assert np.hypot(*ours.position[:2]) != pytest.approx(np.hypot(*theirs.position[:2]))
            assert theirs.radial == (0, 0, 0)
            assert theirs.tangential == (0, 0)


# Random cameras


def draw(rig, seed, count=1):
    """The cameras that a rig places around a person at the origin."""
    placed = rig.draw_many(np.random.default_rng(seed), count)
    return [
        aimed_camera(
            azimuth=placed.azimuth[at],
            distance=placed.distance[at],
            height=placed.height[at],
            focal=500 / np.tan(placed.field_of_view[at] / 2),
            target=tuple(placed.target[at]),
            roll=placed.roll[at],
            distorted=False,
        )
        for at in range(count)
    ]


@PATIENT
@given(SEEDS)
def test_a_drawn_camera_keeps_to_its_ranges(seed):
    (camera,) = draw(RandomRig(), seed)

    away = np.hypot(*camera.position[:2])
    assert 2.5 - 0.5 <= away <= 8.0 + 0.5  # the aim is up to 0.5 m beside the subject
    assert 0.4 <= camera.position[2] <= 2.8
    # Half the image's width over the focal length is the tangent of half the field of view.
    assert 30 <= 2 * np.degrees(np.arctan(500 / camera.focal[0])) <= 90
    assert abs(camera.R[0, 2]) <= np.sin(np.deg2rad(5)) + 1e-12  # as far as x leaves the horizon


@PATIENT
@given(SEEDS)
def test_a_drawn_camera_has_the_subject_in_front_and_its_aim_beside_it(seed):
    (camera,) = draw(RandomRig(), seed)

    depth = world_to_camera(np.array([[0, 0, 0.0], [0, 0, 1.0], [0, 0, 2.0]]), camera)[:, 2]
    assert (depth > 1).all()
    forward = camera.R[2, :2] / np.linalg.norm(camera.R[2, :2])
    beside = np.linalg.det([forward, -np.asarray(camera.position[:2])])
    assert abs(beside) <= 0.5 + 1e-9


def test_ranges_of_no_width_leave_nothing_to_chance():
    # 3 m away, level, 90°: the focal length is half the image's width, 500 px.
    rig = RandomRig(distance=(3, 3), height=(1.1, 1.1), roll=(0, 0), field_of_view=(90, 90),
                    aim_height=(1.1, 1.1), off_centre=0.0)  # fmt: skip

    (camera,) = draw(rig, 0)

    assert np.hypot(*camera.position[:2]) == pytest.approx(3)
    assert camera.focal == pytest.approx((500, 500))
    np.testing.assert_allclose(camera.R[2, 2], 0, atol=1e-12)
    # A metre higher and 3 m away is 500 / 3 px higher in the image.
    np.testing.assert_allclose(seen([0.0, 0.0, 1.1], camera), [500, 500], atol=1e-9)
    np.testing.assert_allclose(seen([0.0, 0.0, 2.1], camera), [500, 500 - 500 / 3], atol=1e-9)


def test_many_draws_fill_their_ranges():
    cameras = draw(RandomRig(), 0, count=500)
    heights = np.array([camera.position[2] for camera in cameras])
    angles = np.array([2 * np.degrees(np.arctan(500 / camera.focal[0])) for camera in cameras])

    assert heights.min() < 0.45
    assert heights.max() > 2.75
    assert heights.mean() == pytest.approx((0.4 + 2.8) / 2, abs=0.1)
    assert angles.mean() == pytest.approx((30 + 90) / 2, abs=3)  # the angle is uniform, not f


@PATIENT
@given(st.floats(0, 6.28), st.floats(1, 9), st.floats(0, 3), st.floats(-0.5, 0.5))
def test_a_placed_camera_shows_its_target_in_the_middle(azimuth, distance, height, roll):
    camera = aimed_camera(azimuth=azimuth, distance=distance, height=height, focal=900.0,
                   target=(1.0, 2.0, 0.9), roll=roll)  # fmt: skip

    np.testing.assert_allclose(seen([1.0, 2.0, 0.9], camera), [500, 500], atol=1e-9)
    assert np.hypot(*(camera.position[:2] - (1.0, 2.0))) == pytest.approx(distance)
    assert camera.position[2] == height
