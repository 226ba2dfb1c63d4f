"""From turns and a body to joints: against bones followed one by one."""

import numpy as np
import pytest
from helpers.turned_people import BONES, positions_of, standing_turns
from scipy.spatial.transform import Rotation

from graphlift.bodies import SEGMENTS, Body, fronts, load_bodies, place_joints, place_points
from graphlift.bodies.segments import (
    ALONG,
    CARRIERS,
    FIXED,
    POINT_JOINTS,
    POINT_SEGMENTS,
    POINTS,
)
from graphlift.skeletons import H36M_17

FRAMES = 7


@pytest.fixture(scope="module")
def turned():
    quat = standing_turns(FRAMES, spread=1.5)
    turns = Rotation.from_quat(quat.reshape(-1, 4)).as_matrix().reshape(FRAMES, -1, 3, 3)
    vectors = np.array(
        [BONES[joint][1] if joint in BONES else (0, 0, 0) for joint in H36M_17.joints]
    )
    lengths = np.linalg.norm(vectors, axis=-1)
    directions = vectors / np.maximum(lengths, 1e-9)[:, None]
    return quat, turns, np.tile(directions, (FRAMES, 1, 1)), np.tile(lengths, (FRAMES, 1))


def test_joints_are_where_bones_followed_one_by_one_lead(turned):
    quat, turns, directions, lengths = turned
    body = Body(lengths, np.zeros((FRAMES, len(POINTS), 3)))

    joints = place_joints(turns, directions, body)

    expected = positions_of(quat)
    np.testing.assert_allclose(joints, expected - expected[:, :1], atol=1e-12)


def test_limbs_point_in_fixed_directions_of_their_segments():
    for joint, (segment, vector) in BONES.items():
        at = H36M_17.joints.index(joint)
        assert SEGMENTS[CARRIERS[at]] == segment
        if FIXED[at]:
            np.testing.assert_allclose(ALONG[at], vector / np.linalg.norm(vector))
    assert [j for j, fixed in zip(H36M_17.joints, FIXED, strict=True) if not fixed] == [
        "Hip", "Spine", "Thorax", "Neck/Nose", "Head", "LShoulder", "RShoulder",
    ]  # fmt: skip


def test_a_points_offset_turns_with_its_segment(turned):
    _, turns, directions, lengths = turned
    rng = np.random.default_rng(1)
    body = Body(lengths, rng.normal(0, 0.1, (FRAMES, len(POINTS), 3)))
    joints = place_joints(turns, directions, body)

    points = place_points(turns, joints, body)

    for p, name in enumerate(POINTS):
        for f in range(FRAMES):
            R = turns[f, POINT_SEGMENTS[p]]
            expected = joints[f, POINT_JOINTS[p]] + R @ body.points[f, p]
            np.testing.assert_allclose(points[f, p], expected, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("point", "joint", "segment"),
    [
        ("Nose", "Neck/Nose", "Head"), ("LEar", "Neck/Nose", "Head"), ("RHip", "RHip", "Pelvis"),
        ("LShoulder", "LShoulder", "Chest"), ("RElbow", "RElbow", "RUpperArm"),
        ("LWrist", "LWrist", "LForearm"), ("LKnee", "LKnee", "LThigh"),
        ("RAnkle", "RFoot", "RShin"), ("LHeel", "LFoot", "LFoot"), ("RBigToe", "RFoot", "RFoot"),
    ],
)  # fmt: skip
def test_points_sit_on_their_own_side(point, joint, segment):
    at = POINTS.index(point)

    assert H36M_17.joints[POINT_JOINTS[at]] == joint
    assert SEGMENTS[POINT_SEGMENTS[at]] == segment


def test_a_t_pose_faces_minus_y():
    still = np.broadcast_to(np.eye(3), (1, len(SEGMENTS), 3, 3))
    quarter = Rotation.from_euler("z", 90, degrees=True).as_matrix() @ still

    np.testing.assert_allclose(fronts(still, "Head", "LThigh"), [[[0, -1, 0], [0, -1, 0]]])
    np.testing.assert_allclose(fronts(quarter, "Pelvis"), [[[1, 0, 0]]], atol=1e-12)


def t_pose(person):
    body = load_bodies().of(np.array([person]))
    turns = np.broadcast_to(np.eye(3), (1, len(SEGMENTS), 3, 3))
    up = np.tile([0.0, 0, 1], (1, 17, 1))
    up[:, FIXED] = ALONG[FIXED]
    up[:, H36M_17.index("LShoulder", "RShoulder")] = [[0.95, 0, 0.31], [-0.95, 0, 0.31]]
    joints = place_joints(turns, up, body)
    return joints[0], dict(zip(POINTS, place_points(turns, joints, body)[0], strict=True))


@pytest.mark.parametrize("person", range(0, 4096, 373))
def test_every_body_of_the_table_is_a_persons(person):
    joints, points = t_pose(person)
    at = dict(zip(H36M_17.joints, joints, strict=True))
    stature = load_bodies().stature[person]

    assert points["Nose"][1] < points["LEye"][1] < points["LEar"][1]  # -y is forward
    assert points["LEye"][2] > points["Nose"][2] > at["Neck/Nose"][2]
    assert points["LBigToe"][1] < points["LSmallToe"][1] < at["LFoot"][1] < points["LHeel"][1]
    assert points["LSmallToe"][0] > points["LBigToe"][0] > 0 > points["RBigToe"][0]
    assert points["LHeel"][2] < at["LFoot"][2]
    for name, mirrored in (("LHeel", "RHeel"), ("LEar", "REar"), ("LWrist", "RWrist")):
        np.testing.assert_allclose(points[name] * [-1, 1, 1], points[mirrored], atol=1e-6)
    sole = min(points["LHeel"][2], points["LBigToe"][2])
    assert 0.82 * stature < at["Head"][2] - sole < 1.02 * stature


def test_the_table_has_women_men_and_children_of_people_s_size():
    bodies = load_bodies()
    adult = bodies.age >= 18

    assert 0.2 < 1 - adult.mean() < 0.3
    assert 1.72 < bodies.stature[adult & ~bodies.female].mean() < 1.82
    assert 1.57 < bodies.stature[adult & bodies.female].mean() < 1.67
    assert bodies.stature[~adult].min() > 0.8
    assert bodies.stature.max() < 2.2
