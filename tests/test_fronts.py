"""Fronts of segments: they turn as the body turns, and go where its poses go."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.moving import CAMERA, poses_of, standing
from helpers.walker import walk
from scipy.spatial.transform import Rotation

from graphlift.errors import ShapeError
from graphlift.formats import read_poses, write_poses
from graphlift.formats.to_xarray import to_xarray
from graphlift.motion import fill_poses, plant_feet, smooth, stand, to_world
from graphlift.sequences import FRONTS, Poses
from graphlift.skeletons import H36M_17

PELVIS, LEFT_THIGH = FRONTS.index("Pelvis"), FRONTS.index("LThigh")


def turning(frames=40, people=2, degrees=3.0):
    """Fronts that turn about z, each segment from its own start: unit vectors."""
    angle = np.radians(degrees) * np.arange(frames)[:, None, None]
    angle = angle + np.arange(people)[:, None] + 0.3 * np.arange(len(FRONTS))
    return np.stack([np.sin(angle), -np.cos(angle), np.zeros_like(angle)], axis=-1)


def people_with(fronts, **fields):
    frames, people = fronts.shape[:2]
    joints = standing(frames, people)
    return replace(poses_of(joints, keypoints=False), fronts=fronts, **fields)


def lengths(fronts):
    return np.linalg.norm(fronts, axis=-1)


def test_the_segments_are_in_this_order():
    assert FRONTS == ("Pelvis", "Chest", "Head", "LUpperArm", "RUpperArm", "LThigh", "RThigh")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fronts": np.zeros((4, 2, 6, 3))}, r"fronts \(4, 2, 6, 3\) should be \(4, 2, 7, 3\)"),
        ({"fronts": turning(4), "front_sigma": np.ones((4, 7))}, r"front_sigma .* \(4, 2, 7\)"),
        ({"front_sigma": np.ones((4, 2, 7))}, "front_sigma is given without fronts"),
    ],
)
def test_other_shapes_are_refused(fields, message):
    with pytest.raises(ShapeError, match=message):
        replace(people_with(turning(4)), **{"fronts": None, **fields})


def test_an_infinite_front_is_named_and_an_unknown_one_is_not_a_number():
    fronts = turning(4)
    fronts[2, 1, 3] = np.nan
    poses = people_with(fronts)
    assert poses.valid.all()

    fronts[2, 1, 3, 0] = np.inf
    with pytest.raises(ShapeError, match="frame 2, person p1, LUpperArm: a front that is unknown"):
        replace(poses, fronts=fronts)


def test_they_stay_with_their_person():
    fronts, sigma = turning(5, people=3), np.arange(105.0).reshape(5, 3, 7)
    poses = people_with(fronts, front_sigma=sigma)
    absent = poses.positions.copy()
    absent[:, 0] = np.nan

    swapped = poses.of_people([2, 0])
    left = replace(poses, positions=absent).without_absent()

    np.testing.assert_array_equal(swapped.fronts, fronts[:, [2, 0]])
    np.testing.assert_array_equal(swapped.front_sigma, sigma[:, [2, 0]])
    np.testing.assert_array_equal(left.fronts, fronts[:, [1, 2]])
    np.testing.assert_array_equal(left.noting("x").fronts, left.fronts)


@pytest.mark.parametrize("rooted", [False, True])
def test_the_cameras_turn_turns_them(rooted):
    world = turning(6)
    joints = standing(6, 2)
    poses = poses_of(joints, axes="camera", rooted=rooted, keypoints=False)
    seen = replace(poses, fronts=world @ CAMERA.R.T)

    np.testing.assert_allclose(stand(seen).fronts, world, atol=1e-12)


def test_gravity_found_from_the_motion_turns_bodies_and_fronts_alike():
    joints = walk(60)[:, None]
    tilted = Rotation.from_euler("x", 100, degrees=True).as_matrix()
    across = joints[..., H36M_17.index("LHip")[0], :] - joints[..., H36M_17.index("RHip")[0], :]
    front = np.cross(across, [0.0, 0.0, 1.0])
    front /= np.linalg.norm(front, axis=-1, keepdims=True)
    fronts = np.repeat(front[:, :, None], len(FRONTS), axis=2)
    poses = Poses(joints @ tilted.T, H36M_17, rooted=False, fps=30.0, fronts=fronts @ tilted.T)

    found = stand(poses)

    left, right = H36M_17.index("LHip", "RHip")
    across = found.positions[..., left, :] - found.positions[..., right, :]
    np.testing.assert_allclose((found.fronts[:, :, PELVIS] * across).sum(-1), 0, atol=1e-9)
    np.testing.assert_allclose(lengths(found.fronts), 1)
    assert abs(found.fronts[..., 2]).max() < 0.05  # level, as far as gravity was found


@pytest.mark.parametrize("method", ["savgol", "one-euro"])
def test_smoothing_keeps_them_unit_vectors_and_takes_noise_off(method):
    rng, true = np.random.default_rng(0), turning(90, degrees=1.0)
    noisy = true + rng.normal(0, 0.05, true.shape)
    noisy /= lengths(noisy)[..., None]
    noisy[40, 1, 2] = np.nan

    smoothed = smooth(people_with(noisy), method).fronts

    known = np.isfinite(smoothed).all(axis=-1)
    assert not known[40, 1, 2]
    assert known.sum() == known.size - 1
    np.testing.assert_allclose(lengths(smoothed[known]), 1)
    off = [np.arccos(np.clip((f * true).sum(-1)[known], -1, 1)).mean() for f in (noisy, smoothed)]
    assert off[1] < 0.7 * off[0]


def test_a_steady_turn_is_not_changed_by_smoothing():
    true = turning(60, degrees=2.0)

    smoothed = smooth(people_with(true)).fronts

    assert np.arccos(np.clip((smoothed * true).sum(-1), -1, 1)).max() < np.radians(0.1)


def test_short_gaps_are_filled_along_the_turn():
    true, sigma = turning(40), np.full((40, 2, 7), 0.1)
    holes = true.copy()
    holes[10:16, 0, 1] = np.nan
    holes[10:35, 1, 4] = np.nan  # longer than is filled

    filled = fill_poses(people_with(holes, front_sigma=sigma), frames=8)

    np.testing.assert_allclose(filled.fronts[:, 0, 1], true[:, 0, 1], atol=0.01)
    np.testing.assert_allclose(lengths(filled.fronts[:, 0]), 1)
    assert np.isnan(filled.fronts[10:35, 1, 4]).all()
    assert np.isnan(filled.front_sigma[10:16, 0, 1]).all()
    assert np.isfinite(filled.front_sigma).sum() == filled.front_sigma.size - 6


def test_thighs_turn_with_the_knees_that_follow_planted_feet():
    t = np.arange(90)[:, None, None] / 30
    joints = (walk(90) + 0.15 * np.sin(1.5 * t) * [1.0, 1.0, 0.2])[:, None]
    hip, knee = H36M_17.index("LHip", "LKnee")
    thigh = joints[..., knee, :] - joints[..., hip, :]
    ahead = np.cross([0.0, 1.0, 0.3], thigh)
    fronts = turning(90, people=1)
    fronts[:, :, LEFT_THIGH] = ahead / lengths(ahead)[..., None]
    poses = Poses(joints, H36M_17, axes="world", rooted=False, fps=30.0, fronts=fronts)

    planted = plant_feet(poses)

    after = planted.positions[..., knee, :] - planted.positions[..., hip, :]
    assert np.abs(after - thigh).max() > 0.01
    ahead = planted.fronts[:, :, LEFT_THIGH]
    np.testing.assert_allclose((ahead * after).sum(-1), 0, atol=1e-9)
    np.testing.assert_allclose(lengths(ahead), 1)
    others = np.arange(len(FRONTS)) < LEFT_THIGH
    np.testing.assert_array_equal(planted.fronts[:, :, others], fronts[:, :, others])


def test_all_steps_together_bring_them_to_the_world():
    joints = standing(30, 2)
    poses = poses_of(joints, axes="camera", rooted=True)
    world = np.tile(turning(1), (30, 1, 1, 1))

    found = to_world(replace(poses, fronts=world @ CAMERA.R.T))

    arms = [FRONTS.index(name) for name in ("Pelvis", "Chest", "Head", "LUpperArm", "RUpperArm")]
    np.testing.assert_allclose(found.fronts[:, :, arms], world[:, :, arms], atol=1e-9)


@pytest.mark.parametrize(("suffix", "within"), [("npz", 0), ("json", 5e-7)])
def test_files_keep_them(tmp_path, suffix, within):
    fronts, sigma = turning(5), np.random.default_rng(1).uniform(0, 1, (5, 2, 7))
    fronts[1, 0, 2], sigma[1, 0, 2] = np.nan, np.nan
    poses = people_with(fronts, front_sigma=sigma)

    write_poses(tmp_path / f"x.{suffix}", poses)
    write_poses(tmp_path / f"y.{suffix}", replace(poses, fronts=None, front_sigma=None))

    back = read_poses(tmp_path / f"x.{suffix}")
    np.testing.assert_allclose(back.fronts, fronts, rtol=0, atol=within)
    np.testing.assert_allclose(back.front_sigma, sigma, rtol=0, atol=within)
    assert read_poses(tmp_path / f"y.{suffix}").fronts is None


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_say_that_they_hold_none(tmp_path, suffix):
    remarks = write_poses(tmp_path / f"x.{suffix}", people_with(turning(3)))

    assert "Fronts are only in .npz and .json." in remarks
    assert read_poses(tmp_path / f"x.{suffix}").fronts is None


def test_xarray_labels_them():
    fronts, sigma = turning(5), np.random.default_rng(1).uniform(0, 1, (5, 2, 7))

    data = to_xarray(people_with(fronts, front_sigma=sigma))

    assert data["front"].dims == ("time", "space", "segments", "individuals")
    one = data["front"].sel(segments="Head", individuals="p1", space="y")
    np.testing.assert_array_equal(one, fronts[:, 1, FRONTS.index("Head"), 1])
    other = data["front_sigma"].sel(segments="LThigh", individuals="p0")
    np.testing.assert_array_equal(other, sigma[:, 0, LEFT_THIGH])
