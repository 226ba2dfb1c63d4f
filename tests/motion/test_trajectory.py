"""The root's path: projected and found again, against dense least squares, and what it refuses."""

import numpy as np
import pytest
from helpers.walker import film, keypoints_of, lens, lifted, walk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from graphlift.cameras import (
    Camera,
    assumed_camera,
    camera_to_image,
    image_to_rays,
    world_to_camera,
)
from graphlift.errors import ModelError, ShapeError
from graphlift.motion import locate
from graphlift.motion.placing import find_translations
from graphlift.motion.trajectory import (
    choose_camera,
    sightings,
)
from graphlift.sequences import Poses, keypoints_from
from graphlift.skeletons import COCO_17, H36M_17, joint_map
from graphlift.virtual_cameras import open_rig

SEEDS = st.integers(0, 2**32 - 1)
FOCAL = (1100.0, 1050.0)


def scene(seed, frames=6):
    rng = np.random.default_rng(seed)
    poses = 0.4 * rng.standard_normal((frames, 17, 3)).clip(-2, 2)
    path = np.stack([rng.uniform(-1.5, 1.5, frames), rng.uniform(-1, 1, frames),
                     rng.uniform(2, 12, frames)], axis=-1)  # fmt: skip
    at = poses + path[:, None]
    return rng, poses, path, at[..., :2] / at[..., 2:]


# Single frames


@given(SEEDS, st.floats(0, 0.7))
@settings(deadline=None)
def test_a_projected_person_is_found_where_it_stood(seed, missing):
    rng, poses, path, rays = scene(seed)
    weights = np.where(rng.random(rays.shape[:2]) < missing, 0.0, rng.uniform(0.1, 1, (6, 17)))

    placed = find_translations(poses, rays, weights, FOCAL)

    np.testing.assert_array_equal(placed.known[(weights > 0).sum(axis=1) < 4], False)
    np.testing.assert_allclose(placed.translation[placed.known], path[placed.known], atol=1e-6)
    assert placed.known[(weights > 0).sum(axis=1) > 8].all()
    assert np.isnan(placed.translation[~placed.known]).all()
    assert not placed.information[~placed.known].any()


def test_the_place_has_the_least_reprojection_error():
    """Against SciPy's general least squares, with noise small enough that nothing is robust."""
    rng, poses, _, rays = scene(3, frames=1)
    rays = rays + rng.standard_normal(rays.shape) * 0.3 / 1000  # below 1 px: Huber is quadratic
    weights = rng.uniform(0.1, 1, (1, 17))

    def errors(t):
        at = poses[0] + t
        error = (at[:, :2] / at[:, 2:] - rays[0]) * FOCAL
        return (np.sqrt(weights[0])[:, None] * error).ravel()

    best = least_squares(errors, [0.0, 0.0, 5.0], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    placed = find_translations(poses, rays, weights, FOCAL, iterations=10)

    np.testing.assert_allclose(placed.translation[0], best.x, atol=1e-6)
    np.testing.assert_allclose(placed.information[0], best.jac.T @ best.jac, rtol=1e-4)


def test_joints_that_are_never_seen_are_as_if_they_were_not_there():
    rng, poses, _, rays = scene(7)
    rays = rays + rng.standard_normal(rays.shape) * 2 / 1000
    unseen, sigma = np.isin(np.arange(17), [2, 9, 16]), rng.uniform(0.01, 0.1, (6, 17))
    weights = np.where(unseen, 0.0, 1.0) * np.ones((6, 1))
    rays[:, unseen] = np.nan

    whole = find_translations(poses, rays, weights, FOCAL, sigma=sigma)
    rest = find_translations(
        poses[:, ~unseen], rays[:, ~unseen], weights[:, ~unseen], FOCAL, sigma=sigma[:, ~unseen]
    )

    assert whole.known.any()
    np.testing.assert_array_equal(whole.known, rest.known)
    np.testing.assert_allclose(whole.translation, rest.translation, atol=1e-12)
    np.testing.assert_allclose(whole.information, rest.information, rtol=1e-9)


def test_one_joint_far_off_does_not_carry_the_person_away():
    _, poses, path, rays = scene(4)
    rays[:, 16] += 0.2  # 220 px

    placed = find_translations(poses, rays, np.ones((6, 17)), FOCAL, iterations=20)

    assert np.abs(placed.translation - path)[:, :2].max() < 0.01
    assert (np.abs(placed.translation - path)[:, 2] / path[:, 2]).max() < 0.02


def test_frames_that_do_not_tell_the_distance_are_not_believed():
    _, poses, _, rays = scene(5)
    together = np.broadcast_to(rays[:, :1], rays.shape)
    three = np.zeros((6, 17))
    three[:, :3] = 1

    assert not find_translations(poses, together, np.ones((6, 17)), FOCAL).known.any()
    assert not find_translations(poses, rays, three, FOCAL).known.any()
    assert not find_translations(
        poses, np.full_like(rays, np.nan), np.ones((6, 17)), FOCAL
    ).known.any()
    # Turned by half in the image, the person would have to be behind the camera.
    behind = find_translations(poses, -rays, np.ones((6, 17)), FOCAL)
    assert (poses[..., 2] + behind.translation[:, None, 2])[behind.known].min(initial=1) > 0.1
    assert len(find_translations(poses[:0], rays[:0], three[:0], FOCAL).known) == 0


@given(SEEDS, st.floats(0.01, 0.1), st.sampled_from([4, 8, 17]))
@settings(deadline=None, max_examples=15)
def test_the_doubt_in_a_distance_is_how_far_errors_of_poses_move_it(seed, sigma, joints):
    """Drawn errors: the distance spreads as they say, and what spreads by 30 % is not used."""
    _, poses, _, _ = scene(seed, frames=1)
    poses = np.repeat(poses, 600, axis=0)
    weights = np.zeros((600, 17))
    weights[:, :joints] = 1
    far = poses + np.array([0.0, 0.0, 40.0])  # so that errors along the view do not count
    rays = far[..., :2] / far[..., 2:]
    wrong = poses + sigma * np.random.default_rng(seed).standard_normal(poses.shape)

    placed = find_translations(wrong, rays, weights, (20_000.0, 20_000.0))
    own = find_translations(
        poses[:1], rays[:1], weights[:1], (20_000.0, 20_000.0), sigma=np.full((1, 17), sigma)
    )

    spread = np.log(placed.translation[placed.known, 2] / 40.0).std()
    across = poses[0, :joints, :2] - poses[0, :joints, :2].mean(axis=0)
    expected = sigma / np.linalg.norm(across)
    if expected < 0.1:  # errors also make people larger, by what they add to the squares
        larger = np.sqrt(1 + 2 * (joints - 1) * expected**2)
        assert spread == pytest.approx(expected / larger, rel=0.15)
    assert own.known[0] == (expected < 0.3)


def test_unknown_deviations_leave_a_distance_as_it_was():
    _, poses, _, rays = scene(3)
    weights = np.ones((6, 17))

    plain = find_translations(poses, rays, weights, FOCAL)
    unknown = find_translations(poses, rays, weights, FOCAL, sigma=np.full((6, 17), np.nan))

    np.testing.assert_array_equal(plain.translation, unknown.translation)
    assert not find_translations(
        poses, rays, weights, FOCAL, sigma=np.full((6, 17), 5.0)
    ).known.any()


@pytest.mark.parametrize("size", [1.0, 1e-2, 1e-4, 1e-5])
def test_people_so_small_that_rays_nearly_coincide_are_placed_as_well(size):
    """A person of 1 m down to one of 10 µm, 5 m away: the spread of the rays is the condition."""
    _, poses, path, _ = scene(7)
    poses, path = poses * size, path * [0.2, 0.2, 0] + [0, 0, 5.0]
    at = poses + path[:, None]
    scaled = (FOCAL[0] / size, FOCAL[1] / size)  # a lens in which they look as large

    placed = find_translations(poses, at[..., :2] / at[..., 2:], np.ones((6, 17)), scaled)

    assert placed.known.all()
    np.testing.assert_allclose(placed.translation, path, atol=1e-13 / size + 1e-9)


def test_many_frames_are_placed_like_each_alone():
    _, poses, _, rays = scene(6, frames=1100)  # more than two blocks

    together = find_translations(poses, rays, np.ones((1100, 17)), FOCAL)

    for frame in (0, 511, 512, 1099):
        alone = find_translations(poses[[frame]], rays[[frame]], np.ones((1, 17)), FOCAL)
        np.testing.assert_allclose(together.translation[frame], alone.translation[0], atol=1e-12)


# Everything that has keypoints


@pytest.mark.parametrize("camera", [film(), film(roll=0.1, focal=600.0), open_rig()[1]])
def test_a_walk_is_found_again_to_a_tenth_of_a_millimetre(camera):
    world = walk(45, heading=0.7)

    for smooth, error in ((False, 1e-4), (True, 1e-3)):
        found = locate(lifted(world, camera), camera, smooth=smooth)

        truth = world_to_camera(world, camera)
        np.testing.assert_allclose(found.positions[:, 0], truth, atol=error)
        assert not found.rooted
        assert found.axes == "camera"


def test_a_missing_detection_is_bridged_marked_and_counted():
    world, camera = walk(60), film()
    poses = lifted(world, camera)
    poses.keypoints.positions[20:30] = np.nan
    poses.keypoints.positions[40, 0, 3:] = np.nan  # three joints are too few

    found = locate(poses, camera)

    np.testing.assert_allclose(found.positions[:, 0], world_to_camera(world, camera), atol=1e-3)
    seen = found.seen.any(axis=(1, 2))
    np.testing.assert_array_equal(np.flatnonzero(~seen), [*range(20, 30), 40])
    assert "in 11 frames from those around them" in found.notes[-1]


def test_contacts_steady_a_path_that_jitters():
    world, camera = walk(90), film()
    poses = lifted(world, camera)
    poses.keypoints.positions[:] += np.random.default_rng(0).normal(size=(90, 1, 17, 2)) * 6
    truth = world_to_camera(world, camera)[:, 0]
    feet = np.zeros((90, 1, 17), dtype=bool)
    feet[..., 6] = (np.arange(90)[:, None] / 30 % 1) < 0.6
    feet[..., 3] = ((np.arange(90)[:, None] / 30 + 0.5) % 1) < 0.6

    def wobble(**options):
        path = locate(poses, camera, **options).positions[:, 0, 0]
        return np.linalg.norm(np.diff(path - truth, axis=0), axis=-1).mean()

    assert wobble(contacts=feet) < 0.7 * wobble() < 0.3 * wobble(smooth=False)


def test_people_who_cannot_be_placed_are_named_and_left_empty_the_others_stay():
    camera = film()
    two = np.stack([walk(20), walk(20, start=(0.0, 1.0))], axis=1)
    poses = lifted(two, camera)
    poses.keypoints.positions[:, 1, 3:] = np.nan

    found = locate(poses, camera)

    assert found.valid[:, 0].all()
    assert not found.valid[:, 1].any()
    assert "person 1 cannot be placed in 20 frames: left empty" in found.notes[-1]


def test_two_visits_are_two_paths():
    """Somebody leaves on the right and comes back on the left: nothing is drawn between."""
    camera = film()
    world = np.concatenate([walk(30), walk(30, start=(-1.0, 0.0))])
    poses = lifted(world, camera)
    apart = np.concatenate([poses.positions[:30], np.full((60, 1, 17, 3), np.nan),
                            poses.positions[30:]])  # fmt: skip
    keypoints = np.concatenate([poses.keypoints.positions[:30], np.full((60, 1, 17, 2), np.nan),
                                poses.keypoints.positions[30:]])  # fmt: skip
    seen = keypoints_from(keypoints, H36M_17, image_size=camera.size, fps=30.0)

    found = locate(Poses(apart, H36M_17, fps=30.0, keypoints=seen), camera)

    assert not found.valid[30:90].any()
    truth = world_to_camera(world, camera)
    np.testing.assert_allclose(found.positions[:30, 0], truth[:30], atol=1e-3)
    np.testing.assert_allclose(found.positions[90:, 0], truth[30:], atol=1e-3)


def test_keypoints_of_another_skeleton_serve_where_joints_agree():
    world, camera = walk(30), film()
    poses = lifted(world, camera)
    as_coco = joint_map(H36M_17, COCO_17)(poses.keypoints.positions)
    coco = keypoints_from(as_coco, COCO_17, image_size=camera.size, fps=30.0)

    found = locate(Poses(poses.positions, H36M_17, fps=30.0, keypoints=coco), camera)

    # Hips, knees, ankles, shoulders, elbows and wrists are the same points of the body.
    np.testing.assert_allclose(found.positions[:, 0], world_to_camera(world, camera), atol=0.02)


def test_derived_keypoints_weigh_less_and_missing_ones_nothing():
    keypoints = keypoints_from(np.full((1, 17, 2), 300.0), COCO_17, image_size=(1000, 1000))

    _, weights = sightings(keypoints, H36M_17, film())

    by_name = dict(zip(H36M_17.joints, weights[0, 0], strict=True))
    assert by_name["LKnee"] == by_name["RFoot"] == 1.0
    assert by_name["Hip"] == by_name["Head"] == pytest.approx(0.3)


def test_joints_with_a_large_sigma_weigh_less():
    world, camera = walk(10), film()
    poses = lifted(world, camera)
    poses.positions[..., 10, :] += [0.3, 0.0, 0.0]  # a head that the lifter got wrong
    sigma = np.full((10, 1, 17), 0.02)
    sure = Poses(poses.positions, H36M_17, sigma=sigma, fps=30.0, keypoints=poses.keypoints)
    sigma = sigma.copy()
    sigma[..., 10] = 0.3
    unsure = Poses(poses.positions, H36M_17, sigma=sigma, fps=30.0, keypoints=poses.keypoints)
    truth = world_to_camera(world, camera)[:, 0]

    errors = [
        np.linalg.norm(locate(p, camera).positions[:, 0, 0] - truth, axis=-1).mean()
        for p in (sure, unsure)
    ]

    assert errors[1] < 0.2 * errors[0]


# Lenses


def test_an_assumed_lens_sees_55_degrees_along_the_longer_side():
    for size in ((1920, 1080), (1080, 1920)):
        camera = assumed_camera(size)

        edges = image_to_rays(np.array([[0.0, 0.0], [*map(float, size)]]), camera)
        across = np.degrees(np.arctan(edges[1]) - np.arctan(edges[0]))
        assert across.max() == pytest.approx(55)
        assert not camera.placed
    assert assumed_camera((640, 480), field_of_view=90.0).focal == pytest.approx((320, 320))


def test_the_given_lens_goes_before_the_poses_own_before_an_assumed_one():
    own, given = film(focal=700.0), film(focal=800.0)
    poses = lifted(walk(5), film())
    with_own = Poses(poses.positions, H36M_17, keypoints=poses.keypoints, camera=own)

    for who, camera, degrees, focal, words in (
        (poses, None, None, 500 / np.tan(np.deg2rad(27.5)), "an assumed field of view of 55°"),
        (poses, None, 90.0, 500, "the given field of view of 90°"),
        (with_own, None, None, 700, "the poses' own camera's lens"),
        (with_own, given, None, 800, "the given camera's lens"),
    ):
        chosen, said = choose_camera(who, camera, degrees)
        assert chosen.focal[0] == pytest.approx(focal)
        assert said == words
    kept, _ = choose_camera(with_own, None, 90.0)
    np.testing.assert_array_equal(kept.position, own.position)  # only the lens was stated anew


def test_another_lens_only_moves_people_away():
    """Twice the focal length: twice the distance, about the same place across the view."""
    world, camera = walk(20), film(position=(0.3, -8.0, 1.0), target=(0.3, 0.0, 1.0))
    poses = lifted(world, camera)
    longer = Camera((1800.0, 1800.0), camera.centre, camera.size, np.eye(3), np.zeros(3))

    near, far = (locate(poses, c).positions[:, 0, 0] for c in (lens(camera), longer))

    np.testing.assert_allclose(far[:, 2] / near[:, 2], 2, atol=0.02)
    np.testing.assert_allclose(far[:, :2], near[:, :2], atol=0.02)


def test_what_cannot_be_placed_is_said():
    poses = lifted(walk(8), film())
    bare = Poses(poses.positions, H36M_17, fps=30.0)
    sizeless = keypoints_from(poses.keypoints.positions, H36M_17, fps=30.0)
    blind = keypoints_from(np.full((8, 17, 2), np.nan), H36M_17, image_size=(1000, 1000))

    with pytest.raises(ModelError, match="have no keypoints: give what the lifter returned"):
        locate(bare, film())
    with pytest.raises(
        ModelError, match=r"neither a camera nor the image size is known: give cam"
    ):
        locate(Poses(poses.positions, H36M_17, keypoints=sizeless))
    with pytest.raises(ModelError, match=r"no person can be placed: no frame shows 4 joints"):
        locate(Poses(poses.positions, H36M_17, keypoints=blind))
    with pytest.raises(ModelError, match="move through space already"):
        locate(locate(poses, film()), film())
    small = keypoints_from(poses.keypoints.positions, H36M_17, image_size=(640, 480))
    with pytest.raises(
        ShapeError, match="camera's image is 1000 x 1000 px, but the keypoints' 64"
    ):
        locate(Poses(poses.positions, H36M_17, keypoints=small), film())
    for degrees in (0.0, 180.0, float("nan")):
        with pytest.raises(ShapeError, match="give degrees from 1 to below 180"):
            locate(poses, field_of_view=degrees)


def test_far_outside_a_distorted_image_nothing_overflows():
    camera = open_rig()[0]
    poses = lifted(walk(5), camera)
    poses.keypoints.positions[:, :, 12] = 1e5

    found = locate(poses, camera)

    np.testing.assert_allclose(found.positions[:, 0], world_to_camera(walk(5), camera), atol=0.01)
    assert np.isfinite(camera_to_image(found.positions, camera)).all()
    assert keypoints_of(walk(5), camera).seen.all()
