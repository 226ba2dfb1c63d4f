"""Skeletons drawn on images."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.moving import CAMERA, POSITION, poses_of, standing
from hypothesis import given
from hypothesis import strategies as st

from graphlift.cameras import Camera
from graphlift.errors import ShapeError
from graphlift.sequences import Poses, keypoints_from
from graphlift.skeletons import H36M_17
from graphlift.view.draw import draw_frame, project
from graphlift.view.palette import LEFT, PEOPLE, RIGHT

cv2 = pytest.importorskip("cv2")

GREY = 200


def blank(width=960, height=640):
    return np.full((height, width, 3), GREY, dtype=np.uint8)


def changed(image):
    return (image != GREY).any(axis=-1)


def line_of(joints, **more):
    """Keypoints of named joints in one frame; the others are missing."""
    positions = np.full((1, 1, 17, 2), np.nan)
    for name, at in joints.items():
        positions[0, 0, H36M_17.joints.index(name)] = at
    return keypoints_from(positions, H36M_17, **more)


def test_a_bone_has_the_colour_of_its_side():
    limbs = {"LElbow": (200, 100), "LWrist": (200, 200), "RElbow": (400, 100)}
    trunk = {"RWrist": (400, 200), "Spine": (300, 100), "Thorax": (300, 200)}

    image = draw_frame(blank(), line_of(limbs | trunk), 0)

    for x, colour in ((200, LEFT), (400, RIGHT), (300, PEOPLE[0])):
        assert tuple(image[150, x]) == colour[::-1]  # OpenCV's order: blue, green, red


def test_only_bones_with_both_ends_are_drawn():
    image = draw_frame(blank(), line_of({"LElbow": (200, 100), "LWrist": (200, 200)}), 0)

    rows, columns = np.nonzero(changed(image))
    assert (rows.min(), rows.max()) == pytest.approx((100, 200), abs=5)
    assert (columns.min(), columns.max()) == pytest.approx((200, 200), abs=5)
    assert changed(image)[110:190, 200].all()


def test_a_lonely_joint_is_a_dot():
    image = draw_frame(blank(), line_of({"LKnee": (200, 100)}), 0)

    rows, columns = np.nonzero(changed(image))
    assert (rows.mean(), columns.mean()) == pytest.approx((100, 200), abs=0.1)
    assert np.ptp(rows) < 9
    assert tuple(image[100, 200]) == PEOPLE[0]


def test_nobody_leaves_the_image_as_it_is():
    poses = poses_of(np.full((1, 2, 17, 3), np.nan))

    assert not changed(draw_frame(blank(), poses, 0, sigma=True)).any()


@pytest.mark.parametrize("far", [1e9, -1e300, 20_000.0, np.inf])
def test_joints_far_outside_are_left_out(far):
    joints = {"LHip": (500, 300), "LKnee": (200, 100), "LFoot": (far, 200)}

    image = draw_frame(blank(), line_of({"LKnee": (200, 100)}), 0)
    lost = draw_frame(blank(), line_of({n: at for n, at in joints.items() if n != "LHip"}), 0)

    np.testing.assert_array_equal(lost, image)
    draw_frame(blank(), line_of(joints), 0)


def test_a_bone_that_leaves_the_image_is_cut_off_at_its_edge():
    image = draw_frame(blank(), line_of({"LKnee": (900, 100), "LFoot": (1300, 100)}), 0)

    assert changed(image)[100, 905:].all()


def test_keypoints_of_a_larger_image_are_scaled_to_the_smaller():
    keypoints = line_of({"LKnee": (200, 100), "LFoot": (200, 200)}, image_size=(960, 640))

    image = draw_frame(blank(480, 320), keypoints, 0)

    rows, columns = np.nonzero(changed(image))
    assert (rows.mean(), columns.mean()) == pytest.approx((75, 100), abs=0.5)


def test_the_3d_lies_on_the_2d_that_it_was_seen_as():
    poses = poses_of(standing())

    image = draw_frame(blank(), poses, 0)

    # Its thin, pale line runs along the middle of the thick one: three fifths of the way to white.
    knee, foot = poses.keypoints.positions[0, 0, [5, 6]]
    x, y = np.rint((knee + foot) / 2).astype(int)
    pale = np.rint(0.4 * np.array(LEFT) + 0.6 * 255)[::-1]
    patch = image[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3)
    assert np.abs(patch - pale).max(axis=-1).min() < 40
    with_3d = changed(image).sum()
    assert with_3d < 1.1 * changed(draw_frame(blank(), poses.keypoints, 0)).sum()


def test_poses_without_keypoints_are_drawn_through_their_camera():
    poses = poses_of(standing(), keypoints=False)

    image = draw_frame(blank(), poses, 0)
    same = draw_frame(blank(), poses_of(standing()).keypoints, 0)

    np.testing.assert_array_equal(image, same)


@given(
    at=st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.floats(0.2, 9)),
    sigma=st.floats(0.001, 0.2),
)
def test_projection_is_focal_length_times_the_tangent(at, sigma):
    camera = Camera((800.0, 900.0), (320.0, 240.0), (640, 480), np.eye(3), np.zeros(3))
    x, y, z = at
    joints = np.full((1, 1, 17, 3), np.nan)
    joints[0, 0, 3] = at
    poses = Poses(
        *(joints, H36M_17, "camera", False),
        camera=camera,
        sigma=np.full((1, 1, 17), sigma),
    )

    seen, spread = project(poses, 0)

    assert seen[0, 3] == pytest.approx([800 * x / z + 320, 900 * y / z + 240])
    assert spread[0, 3] == pytest.approx(850 * sigma / z)
    assert np.isnan(np.delete(seen[0], 3, axis=0)).all()


def test_what_is_behind_the_camera_is_not_seen():
    joints = standing()
    joints[0, 0, 4] = POSITION - 2 * CAMERA.R[2]

    seen, _ = project(poses_of(joints, keypoints=False), 0)

    assert np.isnan(seen[0, 4]).all()
    assert np.isfinite(np.delete(seen[0], 4, axis=0)).all()


def test_camera_and_world_axes_are_seen_alike():
    world, camera = (poses_of(standing(), axes=axes) for axes in ("world", "camera"))

    np.testing.assert_allclose(project(world, 0)[0], project(camera, 0)[0])
    np.testing.assert_allclose(project(world, 0)[0], world.keypoints.positions[0], atol=1e-9)


def test_a_ring_is_one_standard_deviation_wide():
    poses = poses_of(standing(), sigma=np.full((1, 1, 17), 0.1))
    at, spread = (values[0, 0] for values in project(poses, 0))  # the hip

    rings = changed(draw_frame(blank(), poses, 0, sigma=True))
    plain = changed(draw_frame(blank(), poses, 0))

    rows, columns = np.nonzero(rings & ~plain)
    distance = np.hypot(columns - at[0], rows - at[1])
    assert np.abs(distance - spread).min() < 0.5
    assert (np.abs(distance - spread) < 1.5).sum() > 50


def test_several_people_have_names_and_hues():
    poses = poses_of(standing(people=2))
    alone = poses_of(standing(people=1))

    two, one = (draw_frame(blank(), p, 0) for p in (poses.keypoints, alone.keypoints))

    first, second = poses.keypoints.positions[0, :, 7]  # the spine, where bones meet in a dot
    for image, at, own in ((two, first, 0), (two, second, 1), (one, first, 0)):
        x, y = np.rint(at).astype(int)
        assert tuple(image[y, x][::-1]) == PEOPLE[own]
    top = np.nanmin(poses.keypoints.positions[0, 0], axis=0)[1]
    x = int(poses.keypoints.positions[0, 0, :, 0].min())
    above = np.s_[int(top) - 22 : int(top) - 4, x : x + 30]
    assert changed(two)[above].any()
    assert not changed(one)[above].any()


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((4, 4), np.uint8), r"an image \(4, 4\), uint8, should be \(height, width, 3\)"),
        (np.zeros((4, 4, 3)), r"an image \(4, 4, 3\), float64, should be"),
        (
            blank(640, 960),
            "of images 960x640, which do not fit into one of 640x960: give the video",
        ),
    ],
)
def test_an_image_that_is_none_or_another_is_refused(image, words):
    with pytest.raises(ShapeError, match=words):
        draw_frame(image, poses_of(standing()), 0)


def test_a_frame_that_is_not_there_is_refused():
    for frame in (-1, 3):
        with pytest.raises(ShapeError, match=rf"no frame {frame}: the motion has 3, counted"):
            draw_frame(blank(), poses_of(standing(3)), frame)


@pytest.mark.parametrize("change", [{"camera": None}, {"rooted": True}])
def test_poses_that_nobody_saw_cannot_be_drawn(change):
    poses = replace(poses_of(standing(), keypoints=False), **change)

    with pytest.raises(ShapeError, match=r"nothing to draw: .* give the keypoints that it was"):
        draw_frame(blank(), poses, 0)
