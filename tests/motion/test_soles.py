"""Feet with heels and toes: the sole stands on the floor, whatever the height of the ankle."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.walker import film, lens, walk
from helpers.whole_body import ANKLE, whole_body

from graphlift.cameras import camera_to_image, world_to_camera
from graphlift.geometry import bone_vectors
from graphlift.motion import find_contacts, hold_bones, plant_feet, statures, to_world
from graphlift.motion.requirements import sole_heights, soles
from graphlift.motion.supports import clearances, find_levels, raise_sunk
from graphlift.sequences import Poses, keypoints_from
from graphlift.skeletons import BODY_28, COCO_17, H36M_17, MEDIAPIPE_33, SOLE_HEIGHTS

UP = np.array([0.0, 0.0, 1.0])
LEFT = {part: BODY_28.index(f"L{part}")[0] for part in ("Heel", "BigToe", "SmallToe", "Foot")}
CAMERA = film()


def walker(frames=90, **way):
    """The walker, with a face and with feet that stay level; ankles are 10 cm above the floor."""
    body, _, _ = whole_body()
    joints = np.zeros((frames, len(BODY_28), 3))
    joints[:, :17] = walk(frames, **way) + np.array([0, 0, ANKLE - 0.08])
    towards = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]).T  # from facing -y to facing +x
    for joint in range(17, len(BODY_28)):
        carrier = joint
        while carrier >= 17:
            carrier = BODY_28.parents[carrier]
        joints[:, joint] = joints[:, carrier] + towards @ (body[0, joint] - body[0, carrier])
    return joints


def world_of(joints, fps=30.0):
    return Poses(joints[:, None], BODY_28, axes="world", rooted=False, fps=fps)


def test_a_sole_is_heel_and_toes_where_there_are_any():
    joints, heights = soles(BODY_28)

    assert [[BODY_28.joints[joint] for joint in side] for side in joints] == [
        ["LHeel", "LBigToe", "LSmallToe"],
        ["RHeel", "RBigToe", "RSmallToe"],
    ]
    assert list(heights) == [SOLE_HEIGHTS[part] for part in ("Heel", "BigToe", "SmallToe")]
    assert [MEDIAPIPE_33.joints[joint] for joint in soles(MEDIAPIPE_33)[0][0]] == [
        "LHeel", "LFootIndex"
    ]  # fmt: skip
    for skeleton, ankle in ((H36M_17, "LFoot"), (COCO_17, "LAnkle")):
        (left, _), heights = soles(skeleton)
        assert ([skeleton.joints[joint] for joint in left], list(heights)) == ([ankle], [0.08])


def test_the_ankle_does_not_stand_where_heel_and_toes_do():
    parts, heights = clearances(BODY_28)
    names = [{BODY_28.joints[joint] for joint in part} for part in parts]

    assert names[-2:] == [{f"{s}Heel", f"{s}BigToe", f"{s}SmallToe"} for s in "LR"]
    np.testing.assert_allclose(heights[-2:], (0.04 + 0.02 + 0.02) / 3)
    assert all(len(part) == 1 for part in names[:-2])
    assert {"LKnee", "RWrist", "Hip"} <= set.union(*names)
    assert not set.union(*names) & {"LFoot", "RFoot", "Nose", "LEar"}
    assert {"LFoot", "RFoot"} <= {H36M_17.joints[joint] for joint in clearances(H36M_17)[0][:, 0]}


def test_the_floor_is_under_the_soles_and_not_8_cm_below_the_ankles():
    poses = world_of(walker())
    seventeen = replace(
        poses, positions=poses.positions[:, :, :17], skeleton=H36M_17, seen=None, sigma=None
    )

    assert find_levels(poses, UP)["0"].height == pytest.approx(0.0, abs=1e-9)
    assert find_levels(seventeen, UP)["0"].height == pytest.approx(ANKLE - 0.08, abs=1e-9)


def test_contacts_are_those_of_the_ankles():
    poses = world_of(walker())
    lifted = world_of(walker() + np.array([0, 0, 0.25]))

    found = find_contacts(poses)

    assert 0.5 < found[..., LEFT["Foot"]].mean() < 0.8
    np.testing.assert_array_equal(np.flatnonzero(found.any(axis=(0, 1))), [3, 6])
    assert not find_contacts(lifted).any()


@pytest.mark.parametrize("sunk", [0.0, 0.03, -0.01])  # not out of the leg's reach
def test_planted_feet_stand_with_their_soles_on_the_floor(sunk):
    t = np.arange(90)[:, None, None] / 30
    joints = walker() + 0.1 * np.sin(1.5 * t) * [1.0, 1.0, 0.0] - [0, 0, sunk]
    poses = world_of(joints)

    planted = plant_feet(poses)

    standing = planted.contacts[:, 0, LEFT["Foot"]]
    heights = sole_heights(planted.positions, BODY_28, UP)[:, 0, 0]
    np.testing.assert_allclose(heights[standing], 0, atol=1e-3)
    speed = np.linalg.norm(np.diff(planted.positions[:, 0, LEFT["Heel"]], axis=0), axis=-1)
    assert speed[standing[1:] & standing[:-1]].max() < 1e-3
    before, after = (
        np.linalg.norm(bone_vectors(p.positions, BODY_28.parents), axis=-1)
        for p in (poses, planted)
    )
    np.testing.assert_allclose(after, before, atol=1e-9)


def test_planted_toes_of_one_on_tiptoe_touch_the_floor():
    joints, _, _ = whole_body(60, LFoot=[0.6, 0, 0], RFoot=[0.6, 0, 0])
    toes, noise = BODY_28.index("LBigToe", "LSmallToe"), np.random.default_rng(0)
    sunk = joints - [0, 0, joints[0, toes, 2].min() - 0.02 + 0.03]  # by 3 cm

    planted = plant_feet(world_of(sunk + noise.normal(0, 0.002, sunk.shape)))

    assert planted.contacts[..., LEFT["Foot"]].all()
    heights = planted.positions[:, 0, toes, 2].mean(axis=0)
    np.testing.assert_allclose(heights.min(), 0.02, atol=0.002)
    assert planted.positions[:, 0, LEFT["Heel"], 2].min() > 0.1


def test_noise_of_heel_and_toes_does_not_lower_the_floor_and_who_sank_is_raised():
    joints = walker(300)
    noise = np.random.default_rng(1).normal(0, 0.02, joints.shape) * [0, 0, 1]
    noise[:, :17] = 0
    noisy = world_of(joints + noise)

    level = find_levels(noisy, UP)["0"]

    lowest = (noisy.positions[..., soles(BODY_28)[0], 2] - soles(BODY_28)[1]).min(axis=(-1, -2))
    assert abs(level.height) < 0.01 < 0.015 < -np.median(lowest)
    sunk = raise_sunk(world_of(joints - [0, 0, 0.1]))
    heights = sole_heights(sunk.positions, BODY_28, UP).min(axis=-1)
    np.testing.assert_allclose(heights, -0.02, atol=1e-9)  # MAX_SUNK


def test_stature_and_bones_are_those_of_the_seventeen():
    noise = np.random.default_rng(0).normal(0, 0.01, (60, len(BODY_28), 3))
    poses = world_of(walker(60) + noise)
    seventeen = replace(
        poses, positions=poses.positions[:, :, :17], skeleton=H36M_17, seen=None, sigma=None
    )

    held, other = hold_bones(poses), hold_bones(seventeen)

    np.testing.assert_allclose(statures(poses), statures(seventeen))
    np.testing.assert_allclose(held.positions[:, :, :17], other.positions, atol=1e-12)
    length = np.linalg.norm(bone_vectors(held.positions, BODY_28.parents), axis=-1)
    np.testing.assert_allclose(length, np.broadcast_to(length[0], length.shape), atol=1e-9)
    mirror = BODY_28.mirror
    np.testing.assert_allclose(length[0], length[0][:, mirror], atol=1e-9)


@pytest.mark.parametrize("known", [True, False])
def test_all_steps_bring_a_whole_body_to_the_floor(known):
    joints = walker(120)[:, None]
    camera = world_to_camera(joints, CAMERA)
    image = camera_to_image(camera, CAMERA)
    keypoints = keypoints_from(image, BODY_28, image_size=CAMERA.size, fps=30.0)
    poses = Poses(camera - camera[:, :, :1], BODY_28, fps=30.0, keypoints=keypoints)

    found = to_world(poses, camera=CAMERA if known else lens(CAMERA))

    heights = sole_heights(found.positions, BODY_28, UP)
    standing = found.contacts[..., [6, 3]]
    assert standing.mean() > 0.4
    np.testing.assert_allclose(heights[standing], 0, atol=0.005)
    if known:
        off = np.linalg.norm(found.positions - joints, axis=-1)
        assert off.mean() < 0.02
