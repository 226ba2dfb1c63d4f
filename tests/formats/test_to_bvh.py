from dataclasses import replace
from pathlib import Path

import numpy as np
import pybvh
import pytest
from helpers.command import here
from helpers.readback import OUTSIDE_READERS, moving, standing
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from graphlift.datasets.mocap.prepare import read_bvh_clip
from graphlift.errors import FormatError
from graphlift.formats import armature
from graphlift.formats.to_bvh import choose_nearer, matrix_to_zxy, write_bvh
from graphlift.geometry import turn_about_z
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17

DATA = Path(__file__).parents[1] / "data"

angles = st.floats(-180, 180).map(lambda value: round(value, 2))


def read(path):
    return pybvh.read_bvh_file(path, world_up="+y")


def test_the_rest_pose_is_a_t_pose_that_faces_z(tmp_path):
    write_bvh(tmp_path / "x.bvh", moving(frames=30))

    file = read(tmp_path / "x.bvh")
    rest = {name: file.rest_pose_positions()[i] for name, i in file.node_index.items()}
    for side, left in (("Left", 1), ("Right", -1)):
        arm = rest[f"{side}Hand"] - rest[f"{side}Arm"]
        np.testing.assert_allclose(arm / np.linalg.norm(arm), [left, 0, 0], atol=1e-6)
        leg = rest[f"{side}Foot"] - rest[f"{side}UpLeg"]
        np.testing.assert_allclose(leg / np.linalg.norm(leg), [0, -1, 0], atol=1e-6)
        toes = rest[f"EndSite{side}Foot"] - rest[f"{side}Foot"]
        np.testing.assert_allclose(toes, [0, -8, 15], atol=1e-6)
    trunk = rest["EndSiteHead"] - rest["Hips"]
    np.testing.assert_allclose(trunk / np.linalg.norm(trunk), [0, 1, 0], atol=1e-6)
    assert 30 < np.linalg.norm(rest["LeftLeg"] - rest["LeftUpLeg"]) < 60  # cm
    assert file.lr_mapping["LeftArm"] == "RightArm"


def test_frames_and_frame_time_are_kept(tmp_path):
    write_bvh(tmp_path / "x.bvh", replace(moving(frames=7), fps=29.97))

    file = read(tmp_path / "x.bvh")
    assert (file.frame_count, round(file.fps, 4)) == (7, 29.97)


def test_bones_of_varying_length_get_their_median_and_the_error_is_said(tmp_path):
    poses = moving(frames=31)
    positions = poses.positions.copy()
    wrist, elbow = H36M_17.index("LWrist", "LElbow")
    stretch = np.linspace(0.9, 1.1, 31)[:, None, None]
    positions[:, :, wrist] = positions[:, :, elbow] + stretch * (
        positions[:, :, wrist] - positions[:, :, elbow]
    )

    remarks = write_bvh(tmp_path / "x.bvh", replace(poses, positions=positions))

    (person,), _ = OUTSIDE_READERS["bvh"](tmp_path / "x.bvh")
    length = np.linalg.norm(person["LWrist"] - person["LElbow"], axis=-1)
    usual = np.linalg.norm(poses.positions[0, 0, wrist] - poses.positions[0, 0, elbow])
    np.testing.assert_allclose(length, usual, atol=1e-4)
    moved = f"{usual * 100:.1f} mm at most."
    assert remarks[-1].startswith("Bone lengths of person 0 are their medians over the clip")
    assert remarks[-1].endswith(moved)


def test_our_own_reader_gets_the_same_person(tmp_path):
    poses = moving(frames=40)  # unrelated poses: on the spot, lest the hip be too fast to be true
    poses = replace(poses, positions=poses.positions - poses.positions[:, :, :1])

    write_bvh(tmp_path / "x.bvh", poses)

    clip = read_bvh_clip(tmp_path / "x.bvh")
    assert clip.provenance == "graphlift-bvh, 0.01 m a unit"
    assert clip.fps == 30
    shift = clip.positions - poses.positions[:, 0]
    np.testing.assert_allclose(shift[..., :2], 0, atol=1e-5)
    np.testing.assert_allclose(shift[..., 2], shift[0, 0, 2], atol=1e-5)  # put on the floor


def test_who_turns_round_and_round_has_no_jump_in_any_channel(tmp_path):
    still = moving(frames=1).positions[0]
    heading = np.radians(np.arange(0, 3 * 360, 15))
    turning = np.stack([turn_about_z(still, np.full(1, a)) for a in heading])

    write_bvh(tmp_path / "x.bvh", Poses(turning, H36M_17, axes="world", rooted=False, fps=30.0))

    file = read(tmp_path / "x.bvh")
    assert np.abs(np.degrees(np.diff(file.joint_angles, axis=0))).max() < 60
    hips = np.degrees(file.joint_angles[:, file.joint_index["Hips"]])
    assert np.ptp(hips, axis=0).max() == pytest.approx(3 * 360 - 15, abs=45)


def test_a_knee_that_folds_beyond_a_right_angle_has_no_jump(tmp_path):
    base = standing(frames=1).positions[0, 0]
    knee, foot = H36M_17.index("RKnee", "RFoot")
    frames = []
    for bend in np.radians(np.arange(2, 150, 5)):
        pose = base.copy()
        pose[foot] = pose[knee] + 0.42 * np.array([-np.sin(bend), 0.01, -np.cos(bend)])
        frames.append(pose[None])

    write_bvh(tmp_path / "x.bvh", replace(standing(frames=30), positions=np.array(frames)))

    file = read(tmp_path / "x.bvh")
    knee = np.degrees(file.joint_angles[:, file.joint_index["RightLeg"]])
    assert np.abs(np.diff(knee, axis=0)).max() < 20


def test_arms_of_one_who_does_jumping_jacks_do_not_roll(tmp_path):
    """Simulated keypoints with noise, in AlphaPose's JSON: straight arms that are waved quickly.

    Decided frame by frame, an upper arm turns by 179° here while its bone swings by 35°.
    """
    file = tmp_path / "x.bvh"
    size = ("--image-size", "1280x720", "--fps", 30)
    assert here("lift", DATA / "jumping_jacks.json", *size, "-o", file).status == 0

    motion = read(file)
    joints = {name: motion.joint_angles[:, i] for name, i in motion.joint_index.items()}
    world = {"": Rotation.identity(motion.frame_count)}
    for node in armature.NODES:
        world[node.name] = world[node.parent] * Rotation.from_euler("ZXY", joints[node.name])
    for node in armature.NODES:
        if node.tip:
            bone = world[node.name].apply(node.rest)
            swing = np.arccos(np.clip((bone[1:] * bone[:-1]).sum(axis=-1), -1, 1))
            step = (world[node.name][:-1].inv() * world[node.name][1:]).magnitude()
            assert np.degrees(step - swing).max() < 30, node.name


@settings(max_examples=200, deadline=None)
@given(angles, angles | st.sampled_from([90.0, -90.0]), angles)
def test_angles_and_matrices_mean_the_same_turn(a, b, c):
    R = Rotation.from_euler("ZXY", [a, b, c], degrees=True).as_matrix()

    again = Rotation.from_euler("ZXY", matrix_to_zxy(R)).as_matrix()

    np.testing.assert_allclose(again, R, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(angles, angles, angles), min_size=2, max_size=20))
def test_continuous_angles_are_the_same_turns_and_change_no_more(triples):
    given_ = np.radians(np.array(triples))

    chosen = np.unwrap(choose_nearer(given_), axis=0)

    np.testing.assert_allclose(
        Rotation.from_euler("ZXY", chosen).as_matrix(),
        Rotation.from_euler("ZXY", given_).as_matrix(),
        atol=1e-9,
    )
    assert np.abs(np.diff(chosen, axis=0)).max() <= np.pi + 1e-9
    before = np.abs(np.diff(np.unwrap(given_, axis=0), axis=0)).sum(axis=-1)
    assert (np.abs(np.diff(chosen, axis=0)).sum(axis=-1) <= before + 1e-9).all()


def test_gaps_are_filled_and_said(tmp_path):
    poses = moving(frames=12)
    holes = poses.positions.copy()
    holes[[0, 5, 6, 11]] = np.nan

    remarks = write_bvh(tmp_path / "x.bvh", replace(poses, positions=holes))

    said = "Person 0 has no whole pose in 4 of 12 frames (0, 5-6, 11): filled by interpolation."
    assert said in remarks
    file = read(tmp_path / "x.bvh")
    assert file.frame_count == 12
    (person,), _ = OUTSIDE_READERS["bvh"](tmp_path / "x.bvh")
    x, y, z = poses.positions[:, 0].transpose(2, 0, 1)
    truth = np.stack([x, z, -y], axis=-1)
    there = [1, 2, 3, 4, 7, 8, 9, 10]
    for i, joint in enumerate(H36M_17.joints):
        np.testing.assert_allclose(person[joint][there], truth[there, i], atol=1e-3)
        np.testing.assert_allclose(person[joint][[0, 11]], person[joint][[1, 10]], atol=1e-5)
    np.testing.assert_allclose(person["Hip"][5], (2 * truth[4, 0] + truth[7, 0]) / 3, atol=1e-5)


def test_one_missing_joint_does_not_cost_the_frame(tmp_path):
    poses = moving(frames=9)
    holes = poses.positions.copy()
    holes[4, 0, H36M_17.index("LWrist")] = np.nan

    write_bvh(tmp_path / "x.bvh", replace(poses, positions=holes))

    (person,), _ = OUTSIDE_READERS["bvh"](tmp_path / "x.bvh")
    x, y, z = poses.positions[:, 0, H36M_17.index("RFoot")[0]].T
    np.testing.assert_allclose(person["RFoot"], np.stack([x, z, -y], axis=-1), atol=1e-3)
    assert np.isfinite(person["LWrist"]).all()


def test_a_joint_that_is_never_there_is_named(tmp_path):
    poses = moving(frames=4)
    holes = poses.positions.copy()
    holes[:, 0, H36M_17.index("LWrist", "Head")] = np.nan

    with pytest.raises(FormatError, match=r"x\.bvh: Head, LWrist of person 0 .* \.npz"):
        write_bvh(tmp_path / "x.bvh", replace(poses, positions=holes))

    assert not list(tmp_path.iterdir())


def test_who_is_never_there_is_left_out_and_that_is_said(tmp_path):
    poses = moving(frames=4, people=("Ada", "Bo"))
    holes = poses.positions.copy()
    holes[:, 0] = np.nan

    remarks = write_bvh(tmp_path / "x.bvh", replace(poses, positions=holes))

    assert "Person Ada is in no frame: left out." in remarks
    assert [path.name for path in tmp_path.iterdir()] == ["x.bvh"]


def test_what_is_rooted_stays_at_the_origin(tmp_path):
    poses = moving(frames=5)
    rooted = poses.positions - poses.positions[:, :, :1]

    write_bvh(tmp_path / "x.bvh", replace(poses, positions=rooted, rooted=True))

    np.testing.assert_allclose(read(tmp_path / "x.bvh").root_pos, 0, atol=1e-9)
