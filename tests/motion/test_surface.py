"""Points of the surface against joints: bodies of the table, and what turning must not change."""

import numpy as np
import pytest
from helpers.turned_people import turned_capture
from scipy.spatial.transform import Rotation

from graphlift.bodies import load_bodies
from graphlift.bodies.segments import POINTS
from graphlift.datasets.mocap.turns import motion_of
from graphlift.motion.surface import surface_offsets
from graphlift.samples.anatomy import Anatomy, draw_figures
from graphlift.skeletons import BODY_28, COCO_17, H36M_17, MEDIAPIPE_33

PAIRS = {
    **{f"{s}{n}": f"{s}{n}" for s in "LR" for n in ("Shoulder", "Hip", "Elbow", "Knee")},
    **{f"{s}Foot": f"{s}Ankle" for s in "LR"},
}


@pytest.fixture(scope="module")
def people():
    """Adults and children of the table: 28 joints, and the points that detectors find, m."""
    capture, quat = turned_capture(("a", "b", "c"), frames=40)
    turns = Rotation.from_quat(quat.reshape(-1, 4)).as_matrix().reshape(-1, 15, 3, 3)
    motion = motion_of(capture, turns.astype(np.float32), "abc")
    everybody = np.full(len(motion), 1 / len(motion))
    figures = draw_figures(
        motion, np.arange(len(motion)), Anatomy(bodies=1, recombine=0, tilted=0.3), everybody,
        np.random.default_rng(0),
    )  # fmt: skip
    extra = [POINTS.index(name) for name in BODY_28.joints[17:]]
    return np.concatenate([figures.joints, figures.points[:, extra]], axis=1), figures.points


def test_most_of_the_difference_is_explained(people):
    joints, points = people
    shown = joints + surface_offsets(joints, BODY_28, COCO_17)

    before, after = [], []
    for joint, point in PAIRS.items():
        truth = points[:, POINTS.index(point)]
        at = BODY_28.joints.index(joint)
        before.append(np.linalg.norm(joints[:, at] - truth, axis=-1).mean())
        after.append(np.linalg.norm(shown[:, at] - truth, axis=-1).mean())
    assert np.mean(before) > 0.018
    assert np.mean(after) < 0.5 * np.mean(before)
    assert max(after) < 0.015


def test_shoulders_are_found_above_their_joints_and_ankles_too():
    """A T-pose of 1.75 m: the table's mean offsets, straight along its axes."""
    body = load_bodies()
    adult = body.points[body.age >= 18].mean(axis=0)
    pose = np.zeros((28, 3))
    at = BODY_28.joints.index
    for side, x in (("L", 1), ("R", -1)):
        pose[at(f"{side}Hip")] = 0.09 * x, 0, 0
        pose[at(f"{side}Knee")] = 0.09 * x, 0, -0.4145
        pose[at(f"{side}Foot")] = 0.09 * x, 0, -0.829
        pose[at(f"{side}Shoulder")] = 0.18 * x, 0, 0.53425
        pose[at(f"{side}Elbow")] = 0.47 * x, 0, 0.53425
        pose[at(f"{side}Wrist")] = 0.72 * x, 0, 0.53425
    stature = (0.829 + 0.53425) / 0.779

    offsets = surface_offsets(pose, BODY_28, COCO_17)

    np.testing.assert_allclose(offsets[at("LShoulder")], stature * adult[3], atol=1e-9)
    np.testing.assert_allclose(
        offsets[at("RShoulder")], stature * adult[3] * [-1, 1, 1], atol=1e-9
    )
    np.testing.assert_allclose(offsets[at("LFoot")], [0, 0, stature * adult[8, 2]], atol=1e-9)
    np.testing.assert_allclose(offsets[at("RElbow")], [-stature * adult[4, 0], 0, 0], atol=1e-9)
    middle = (offsets[at("LHip")] + offsets[at("RHip")]) / 2
    np.testing.assert_allclose(offsets[at("Hip")], middle, atol=1e-9)
    assert (offsets[17:] == 0).all()


def test_offsets_turn_and_grow_with_the_person(people):
    joints, _ = people
    R = Rotation.from_rotvec([0.3, -1.0, 0.4]).as_matrix()

    plain = surface_offsets(joints, BODY_28, MEDIAPIPE_33)
    moved = surface_offsets(0.7 * joints @ R.T + [1, 2, 3], BODY_28, MEDIAPIPE_33)

    np.testing.assert_allclose(moved, 0.7 * plain @ R.T, atol=1e-12)


def test_a_clip_has_the_offsets_of_its_poses_one_by_one(people):
    joints, _ = people
    whole = surface_offsets(joints[:6].reshape(3, 2, 28, 3), BODY_28, COCO_17)

    for offsets, pose in zip(whole.reshape(6, 28, 3), joints[:6], strict=True):
        np.testing.assert_allclose(offsets, surface_offsets(pose, BODY_28, COCO_17), atol=1e-12)


@pytest.mark.parametrize(("skeleton", "seen"), [(BODY_28, H36M_17), (H36M_17, COCO_17)])
def test_joints_of_motion_capture_and_models_of_17_joints_have_none(people, skeleton, seen):
    joints, _ = people

    assert (surface_offsets(joints[:, : len(skeleton)], skeleton, seen) == 0).all()
