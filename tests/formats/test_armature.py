import numpy as np
import pytest
from helpers.readback import moving, t_pose
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from graphlift.formats import armature
from graphlift.formats.turns import solve_rotations
from graphlift.skeletons import H36M_17

NAMES = [node.name for node in armature.NODES]


def y_up(poses):
    return poses.positions[:, 0][..., [0, 2, 1]] * [1, 1, -1]


def turn(positions, name):
    """Turn of a node against its parent, as a rotation vector in degrees."""
    local = armature.local_rotations(solve_rotations(positions, 30))[0, NAMES.index(name)]
    return Rotation.from_matrix(local).as_rotvec(degrees=True)


def test_the_t_pose_has_no_turns():
    np.testing.assert_allclose(
        solve_rotations(t_pose(), 30),
        np.broadcast_to(np.eye(3), (1, len(NAMES), 3, 3)),
        atol=1e-12,
    )


def test_rest_offsets_are_the_t_pose():
    offsets = armature.rest_offsets(armature.bone_lengths(t_pose()))

    places = armature.follow(
        np.array([[0, 0.92, 0]]), offsets, np.tile(np.eye(3), (1, len(NAMES), 1, 1))
    )
    np.testing.assert_allclose(places[0], t_pose()[0, list(armature.AT)], atol=1e-12)
    head = NAMES.index("Head")
    np.testing.assert_allclose(
        armature.end_offset(head, armature.bone_lengths(t_pose())), [0, 0.1, 0]
    )


@pytest.mark.parametrize("side", ["L", "R"])
def test_a_bent_knee_is_a_turn_about_its_hinge_alone(side):
    x = 0.1 if side == "L" else -0.1
    name = "LeftLeg" if side == "L" else "RightLeg"

    bent = t_pose(**{f"{side}Foot": (x, 0.5, -0.42)})

    # The shin from -y to -z, behind: a quarter turn about +x, right-handed, on both sides.
    np.testing.assert_allclose(turn(bent, name), [90, 0, 0], atol=1e-6)


@pytest.mark.parametrize(("side", "sign"), [("L", -1), ("R", 1)])
def test_a_bent_elbow_is_a_turn_about_its_hinge_alone(side, sign):
    name = "LeftForeArm" if side == "L" else "RightForeArm"

    bent = t_pose(**{f"{side}Wrist": (-sign * 0.46, 1.38, 0.24)})

    np.testing.assert_allclose(turn(bent, name), [0, sign * 90, 0], atol=1e-6)


def test_the_bend_of_the_knee_shows_the_twist_of_the_thigh():
    # A foot swung out to the left, on a thigh that hangs: the thigh has turned by 90° inwards.
    out = t_pose(LFoot=(0.52, 0.5, 0))

    np.testing.assert_allclose(turn(out, "LeftUpLeg"), [0, -90, 0], atol=0.3)
    np.testing.assert_allclose(turn(out, "LeftLeg"), [90, 0, 0], atol=0.5)


def test_a_straight_limb_has_no_twist_of_its_own():
    # Bent by 2° outwards: noise, by which the thigh must not turn by a quarter.
    straight = t_pose(LFoot=(0.1 + 0.42 * np.sin(0.035), 0.5 - 0.42 * np.cos(0.035), 0))

    assert np.linalg.norm(turn(straight, "LeftUpLeg")) < 0.1


def test_raising_an_arm_turns_the_arm_and_nothing_else():
    raised = t_pose(LElbow=(0.18, 1.66, 0), LWrist=(0.18, 1.9, 0))

    np.testing.assert_allclose(turn(raised, "LeftArm"), [0, 0, 90], atol=1e-9)
    for name in set(NAMES) - {"LeftArm"}:
        np.testing.assert_allclose(turn(raised, name), 0, atol=1e-9, err_msg=name)


def test_looking_down_turns_the_neck_and_not_the_chest():
    down = t_pose(**{"Neck/Nose": (0, 1.38, 0.2), "Head": (0, 1.38, 0.3)})

    np.testing.assert_allclose(turn(down, "Neck"), [90, 0, 0], atol=1e-9)
    np.testing.assert_allclose(turn(down, "Spine2"), 0, atol=1e-9)


def test_shoulders_that_turn_turn_the_chest():
    angle = np.radians(30)
    x, z = 0.18 * np.cos(angle), 0.18 * np.sin(angle)

    twisted = t_pose(LShoulder=(x, 1.38, -z), RShoulder=(-x, 1.38, z))

    np.testing.assert_allclose(turn(twisted, "Spine2"), [0, 30, 0], atol=1e-9)
    np.testing.assert_allclose(turn(twisted, "LeftShoulder"), 0, atol=1e-9)


def test_constant_bones_are_followed_exactly():
    positions = y_up(moving(frames=80))

    offsets = armature.rest_offsets(armature.bone_lengths(positions))
    places = armature.follow(positions[:, 0], offsets, solve_rotations(positions, 30))

    np.testing.assert_allclose(
        places, positions[:, list(armature.AT)], atol=1e-6
    )  # they are float32


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
@example(304933)  # a thigh less than 4e-5 rad from straight up, opposite to its rest pose
@example(9199)
def test_any_bones_however_they_point_are_followed_exactly(seed):
    """Directions no body has: opposite to the rest pose, pelvis folded, limbs straight."""
    rng = np.random.default_rng(seed)
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    positions = np.zeros((5, 17, 3))
    for joint in H36M_17.order[1:]:
        random = rng.normal(size=(5, 3))
        along = axes[rng.integers(6, size=5)]
        direction = np.where(rng.random((5, 1)) < 0.5, along, random)
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        parent = H36M_17.parents[joint]
        positions[:, joint] = positions[:, parent] + direction * (0.1 + 0.02 * joint)

    world = solve_rotations(positions, 30)

    np.testing.assert_allclose(np.linalg.det(world), 1, atol=1e-9)
    np.testing.assert_allclose(
        world @ world.swapaxes(-1, -2), np.broadcast_to(np.eye(3), world.shape), atol=1e-9
    )
    offsets = armature.rest_offsets(armature.bone_lengths(positions))
    places = armature.follow(positions[:, 0], offsets, world)
    np.testing.assert_allclose(places, positions[:, list(armature.AT)], atol=1e-7)


@pytest.mark.parametrize("angle", [1e-3, 4.5e-5, 4.4e-5, 1e-5, 1e-7, 1e-12, 0])
@pytest.mark.parametrize("tip", ["LKnee", "LElbow", "Head"])
def test_a_bone_that_points_nearly_straight_back_points_just_there(tip, angle):
    """Near half a turn, a smallest rotation's axis is all but undetermined; its end is not."""
    node = next(node for node in armature.NODES if node.tip == tip)
    start, end = H36M_17.index(node.at, tip)
    back, across = -np.array(node.rest), np.array([0, 0, 1.0])  # z is across every bone at rest
    positions = t_pose()
    positions[:, end] = positions[:, start] + np.cos(angle) * back + np.sin(angle) * across

    world = solve_rotations(positions, 30)[0, armature.NODES.index(node)]

    bone = positions[0, end] - positions[0, start]
    np.testing.assert_allclose(world @ node.rest, bone, atol=1e-11)


def test_turning_the_whole_person_turns_only_the_hips(rng):
    positions = y_up(moving(frames=20))
    R = Rotation.random(rng=rng).as_matrix()

    before = armature.local_rotations(solve_rotations(positions, 30))
    after = armature.local_rotations(solve_rotations(positions @ R.T, 30))

    np.testing.assert_allclose(after[:, 1:], before[:, 1:], atol=1e-9)
    np.testing.assert_allclose(after[:, 0], R @ before[:, 0], atol=1e-9)


def test_mirroring_the_person_mirrors_the_turns():
    positions = y_up(moving(frames=20))
    swapped = [
        NAMES.index(
            name.replace("Left", "Right")
            if name.startswith("Left")
            else name.replace("Right", "Left")
            if name.startswith("Right")
            else {"LHipJoint": "RHipJoint", "RHipJoint": "LHipJoint"}.get(name, name)
        )
        for name in NAMES
    ]

    mirrored = positions[:, H36M_17.mirror] * [-1, 1, 1]

    M = np.diag([-1.0, 1, 1])
    expected = M @ solve_rotations(positions, 30)[:, swapped] @ M
    np.testing.assert_allclose(solve_rotations(mirrored, 30), expected, atol=1e-9)


def test_joints_that_coincide_give_rotations_all_the_same():
    world = solve_rotations(np.zeros((1, 17, 3)), 30)

    np.testing.assert_allclose(np.linalg.det(world), 1)


def test_parents_come_first_and_every_joint_has_a_node():
    assert all(parent < i for i, parent in enumerate(armature.PARENTS))
    assert sorted(armature.DEPTH_FIRST) == list(range(len(armature.NODES)))
    heads = set(armature.AT) | {armature.TIPS[NAMES.index("Head")]}
    assert heads == set(range(17))
