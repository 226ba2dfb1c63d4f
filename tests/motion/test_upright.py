"""Gravity and floor: exact from a camera, and from a walk whose vertical is known."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.walker import angle, film, lens, lifted, walk
from scipy.spatial.transform import Rotation

from graphlift.cameras import camera_to_image, world_to_camera
from graphlift.errors import ModelError
from graphlift.geometry import turn_about_z
from graphlift.metrics import p_mpjpe
from graphlift.motion import locate, stand
from graphlift.motion.sizes import scale_to_floor
from graphlift.motion.upright import CAMERA_UP, find_floor, find_up
from graphlift.sequences import Poses
from graphlift.skeletons import COCO_17, H36M_17, joint_map


def moving(world, camera, fps=30.0):
    """What locate() returns from exact input, in camera axes."""
    world = world[:, None] if world.ndim == 3 else world
    return Poses(
        world_to_camera(world, camera), H36M_17, rooted=False, fps=fps, camera=lens(camera),
        people=tuple(map(str, range(world.shape[1]))),
    )  # fmt: skip


CAMERAS = [
    film(),
    film(roll=np.deg2rad(4)),
    film(position=(1.0, -4.0, 2.8), target=(0.5, 0.0, 0.8), roll=np.deg2rad(-3)),  # 27° down
    film(position=(2.0, -4.0, 0.4), target=(0.5, 0.0, 1.0)),
]


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_camera_whose_place_is_known_gives_the_world_exactly(camera):
    world = walk(30, heading=0.4)

    for placed, given in ((moving(world, camera), camera),
                          (replace(moving(world, camera), camera=camera), None)):  # fmt: skip
        upright = stand(placed, given)

        np.testing.assert_allclose(upright.positions[:, 0], world, atol=1e-12)
        assert upright.axes == "world"
        assert upright.camera is camera


@pytest.mark.parametrize("camera", CAMERAS)
def test_up_and_floor_are_found_from_a_walk(camera):
    poses = moving(walk(150, heading=0.3, start=(-2.0, 0.0)), camera)

    gravity = find_up(poses)
    up, note = gravity.up, gravity.note

    assert angle(up, camera.R[:, 2]) < 1.5
    assert angle(up, camera.R[:, 2]) <= angle(CAMERA_UP, camera.R[:, 2]) + 0.1
    assert np.linalg.norm(up) == pytest.approx(1)
    assert "Gravity follows from 150 poses of standing people" in note
    # The floor is as far below the camera as the camera is high, for the true vertical.
    assert find_floor(poses, camera.R[:, 2]) == pytest.approx(-camera.position[2], abs=1e-3)


def test_people_lean_on_average_yet_footholds_put_the_floor_level():
    """Everybody leans 8° forward: the body alone would tilt the world by as much."""
    world = walk(240, speed=1.0, start=(-4.0, 0.0))
    ankles = world[:, [3, 6]].mean(axis=1, keepdims=True)
    lean = Rotation.from_euler("y", 8, degrees=True).as_matrix()
    upper = [j for j in range(17) if j not in (2, 3, 5, 6)]
    leaning = world.copy()
    leaning[:, upper] = ankles + (world[:, upper] - ankles) @ lean.T
    camera = film(position=(0.0, -6.0, 1.5), target=(0.0, 0.0, 0.9))

    poses = moving(leaning, camera)
    true = camera.R[:, 2]

    assert angle(find_up(poses).up, true) < 2.5
    assert angle(find_up(replace(poses, rooted=True)).up, true) > 4  # the body, and no footholds


def test_the_world_has_its_floor_at_zero_y_along_the_view_and_starts_at_the_origin():
    camera = CAMERAS[2]
    world = walk(120, heading=1.1)

    upright = stand(moving(world, camera))

    np.testing.assert_allclose(upright.positions[0, 0, 0, :2], 0, atol=1e-9)
    np.testing.assert_allclose(upright.positions[..., 2], world[:, None, :, 2], atol=0.05)
    view = upright.camera.R[2]
    assert view[0] == pytest.approx(0, abs=1e-9)
    assert view[1] > 0.8
    assert upright.camera.position[2] == pytest.approx(camera.position[2], abs=0.1)


def test_the_camera_found_shows_the_people_where_they_were_seen():
    camera = CAMERAS[1]
    poses = moving(walk(60), camera)

    upright = stand(poses)

    there = world_to_camera(upright.positions, upright.camera)
    np.testing.assert_allclose(there, poses.positions, atol=1e-9)
    np.testing.assert_allclose(
        camera_to_image(there, upright.camera), camera_to_image(poses.positions, camera), atol=1e-6
    )


@pytest.mark.parametrize("camera", CAMERAS)
def test_nobody_is_mirrored(camera):
    world = walk(90, heading=0.5)

    upright = stand(moving(world, camera))

    assert np.linalg.det(upright.camera.R) == pytest.approx(1)
    assert p_mpjpe(upright.positions[:, 0], world) < 1e-6
    assert p_mpjpe(upright.positions[:, 0] * [-1, 1, 1], world) > 0.02
    # Facing ahead with up above, the right hip is on the right.
    ahead = upright.positions[-1, 0, 0] - upright.positions[0, 0, 0]
    right = upright.positions[0, 0, 1] - upright.positions[0, 0, 4]
    assert np.cross(ahead, [0, 0, 1]) @ right > 0


@pytest.mark.parametrize("pan", [-0.4, 0.2, 1.0])
def test_panning_the_camera_only_turns_the_world_about_its_vertical(pan):
    camera, world = CAMERAS[2], walk(90)
    turned = replace(camera, R=camera.R @ Rotation.from_euler("z", -pan).as_matrix())

    exact = [stand(moving(world, c), c).positions for c in (camera, turned)]
    found = [stand(moving(world, c)).positions[:, 0] for c in (camera, turned)]

    np.testing.assert_allclose(exact[0], exact[1], atol=1e-12)
    # Without the camera's place, as far as gravity is found: y lies along another view.
    back = turn_about_z(found[1], np.full(90, pan))
    np.testing.assert_allclose(back, found[0], atol=0.08)


def test_people_share_one_gravity_and_one_floor():
    camera = CAMERAS[3]
    two = np.stack([walk(90), walk(90, heading=2.0, start=(1.0, 1.5))], axis=1)

    upright = stand(moving(two, camera))

    apart = upright.positions[:, 1] - upright.positions[:, 0]
    np.testing.assert_allclose(
        np.linalg.norm(apart, axis=-1), np.linalg.norm(two[:, 1] - two[:, 0], axis=-1), atol=1e-9
    )
    np.testing.assert_allclose(upright.positions[..., 2], two[..., 2], atol=0.06)


def test_a_lying_person_says_nothing_about_gravity():
    camera = CAMERAS[0]
    lying = walk(60) @ Rotation.from_euler("y", 90, degrees=True).as_matrix().T + [0, 0, 0.1]

    gravity = find_up(moving(lying, camera))
    up, note = gravity.up, gravity.note

    np.testing.assert_array_equal(up, CAMERA_UP)
    assert note.startswith("Nobody stands or sits upright for long: the camera's own vertical")
    assert np.isfinite(stand(moving(lying, camera)).positions).all()


def test_stairs_are_not_taken_for_a_tilted_floor():
    """Up 31°: feet still stand still and bodies upright if every point rises with its own x."""
    camera = film(position=(1.0, -7.0, 2.0), target=(1.0, 0.0, 1.5))
    world = walk(120)
    world[..., 2] += 0.6 * world[..., 0]
    poses = moving(world, camera)

    gravity = find_up(poses)
    up, note = gravity.up, gravity.note

    assert angle(up, camera.R[:, 2]) < 2
    assert "and 0 footholds" in note
    lowest = world[:, [3, 6], 2].min() - 0.08
    # A stride of 0.5 m rises by 0.3 m: the floor is that of one of the two lowest steps.
    assert -0.01 < find_floor(poses, camera.R[:, 2]) + camera.position[2] - lowest < 0.31


def test_a_person_seen_to_the_waist_is_upright_by_the_trunk():
    camera = film(roll=np.deg2rad(4))
    poses = moving(walk(60), camera)
    poses.seen[..., [2, 3, 5, 6]] = False

    gravity = find_up(poses)
    up, note = gravity.up, gravity.note

    assert "60 poses of sitting people and 0 footholds" in note
    assert angle(up, camera.R[:, 2]) < angle(CAMERA_UP, camera.R[:, 2])


def test_frames_without_anybody_do_not_matter():
    camera = CAMERAS[1]
    poses = moving(walk(90), camera)
    gaps = poses.positions.copy()
    gaps[[0, 1, *range(30, 40)]] = np.nan
    missing = replace(poses, positions=gaps, seen=np.isfinite(gaps).all(axis=-1))

    upright = stand(missing)

    np.testing.assert_array_equal(upright.valid, missing.valid)
    assert angle(find_up(missing).up, camera.R[:, 2]) < 1
    nobody = replace(poses, positions=np.full_like(gaps, np.nan))
    assert not stand(nobody).valid.any()
    assert len(stand(Poses(np.zeros((0, 1, 17, 3)), H36M_17, rooted=False))) == 0


def test_a_single_frame_is_put_on_the_floor():
    camera = CAMERAS[1]
    world = walk(1)

    upright = stand(moving(world, camera))

    assert upright.positions[0, 0, [3, 6], 2].min() == pytest.approx(0.08)
    assert angle(upright.positions[0, 0, 8] - upright.positions[0, 0, 0], np.array([0, 0, 1])) < 4


def test_rooted_poses_stay_in_place_with_the_lower_foot_on_the_floor():
    camera = film()
    poses = lifted(walk(60), camera)

    for upright in (stand(poses), stand(poses, camera)):
        np.testing.assert_allclose(upright.positions[..., [3, 6], 2].min(axis=-1), 0.08)
        np.testing.assert_allclose(upright.positions[..., 0, :2], 0, atol=1e-12)
        assert "stay in place" in upright.notes[-1]


def test_other_skeletons_stand_too():
    camera = CAMERAS[1]
    world = joint_map(H36M_17, COCO_17)(walk(60))
    world[:, 1:5] = world[:, :1] + 0.05  # eyes and ears, which Human3.6M lacks
    poses = Poses(world_to_camera(world, camera)[:, None], COCO_17, rooted=False, fps=30.0)

    assert angle(find_up(poses).up, camera.R[:, 2]) < 1
    np.testing.assert_allclose(stand(poses).positions[:, 0, :, 2], world[..., 2], atol=0.05)


def test_a_known_floor_tells_how_large_people_are():
    """Lifted 6 % too large, people are placed 6 % too far away and below the floor."""
    camera = CAMERAS[2]
    poses = lifted(walk(120), camera)
    large = replace(poses, positions=poses.positions * 1.06)

    sized = scale_to_floor(large, locate(large, camera), camera)

    scale = sized.positions[0, 0, 16] / poses.positions[0, 0, 16]
    np.testing.assert_allclose(scale, scale[0])
    assert 0.995 < scale[0] < 1.02
    assert "reach the given camera's floor (0: 0.9" in sized.notes[-1]


@pytest.mark.parametrize("height", [0.02, 0.08, 0.3])
def test_a_camera_on_the_floor_does_not_tell_how_large_people_are(height):
    camera = film(position=(0.5, -5.0, height), target=(0.5, 0.0, 0.9))
    poses = lifted(walk(90), camera)
    large = replace(poses, positions=poses.positions * 1.2)

    sized = scale_to_floor(large, locate(large, camera), camera)

    scale = np.linalg.norm(sized.positions[0, 0, 16]) / np.linalg.norm(large.positions[0, 0, 16])
    assert 0.9 < scale <= 1.001


def test_poses_in_the_world_are_not_turned_again():
    upright = stand(moving(walk(10), film()))

    with pytest.raises(ModelError, match=r"needs poses in camera axes, these are in world"):
        stand(upright)
