from pathlib import Path

import numpy as np
import pytest
from helpers.readback import moving, t_pose
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from graphlift.formats import armature, twist
from graphlift.formats.guides import SURE, SUREST
from graphlift.formats.retarget import rigged_people
from graphlift.formats.turns import solve_rotations
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17

NAMES = [node.name for node in armature.NODES]
JOINT = {name: H36M_17.index(name)[0] for name in H36M_17.joints}
UPPER, LOWER = 0.28, 0.24


def angle(turns):
    return Rotation.from_matrix(turns).magnitude()


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def smallest_turn(before, after):
    """Matrices of the smallest rotations, by their rotation vectors."""
    across = np.cross(before, after)
    sine = np.linalg.norm(across, axis=-1, keepdims=True)
    cosine = (before * after).sum(axis=-1, keepdims=True)
    axis = np.divide(across, sine, out=np.zeros_like(across), where=sine > 0)
    return Rotation.from_rotvec(axis * np.arctan2(sine, cosine)).as_matrix()


def wave(rng, frames, fps, size, slowest=0.3, fastest=3.0):
    """Smooth noise of three axes: a few sines between those frequencies, Hz."""
    seconds = np.arange(frames)[:, None, None] / fps
    frequency = rng.uniform(slowest, fastest, (3, 5))
    phase, height = rng.uniform(0, 2 * np.pi, (3, 5)), rng.normal(size=(3, 5))
    return size * (height * np.sin(2 * np.pi * frequency * seconds + phase)).sum(axis=-1)


def anybody(rng, frames, fps, straight):
    """A body whose every bone wanders by smooth rotations, its limbs as straight as is said.

    Bones pass by every direction, also straight back against their parent.
    """
    rest = t_pose()[0]
    positions = np.zeros((frames, 17, 3))
    turns = {-1: Rotation.identity(frames)}
    for joint in H36M_17.order:
        parent = H36M_17.parents[joint]
        name = H36M_17.joints[joint]
        size = straight if name[1:] in ("Foot", "Wrist") else 0.6
        turns[joint] = turns[parent] * Rotation.from_rotvec(wave(rng, frames, fps, size))
        if parent >= 0:
            bone = turns[joint].apply(rest[joint] - rest[parent])
            positions[:, joint] = positions[:, parent] + bone
    return positions


def arm(frames, *, shoulder=None, bend=None):
    """The T-pose with a left arm: a rotation of the shoulder, and the elbow bent by its hinge."""
    positions = np.repeat(t_pose(), frames, axis=0)
    shoulder = shoulder or Rotation.identity(frames)
    hinge = Rotation.from_rotvec(np.outer(np.zeros(frames) if bend is None else bend, [0, -1, 0]))
    at = positions[:, JOINT["LShoulder"]]
    elbow = at + shoulder.apply([UPPER, 0, 0])
    positions[:, JOINT["LElbow"]] = elbow
    positions[:, JOINT["LWrist"]] = elbow + (shoulder * hinge).apply([LOWER, 0, 0])
    return positions


def left_arm(positions, fps=30.0):
    return solve_rotations(positions, fps)[:, NAMES.index("LeftArm")]


def check_no_step_is_unexplained(positions, fps):
    """The bound: a node turns against its parent by no more than its bone and its hinge say."""
    world = solve_rotations(positions, fps)
    local = armature.local_rotations(world)
    for i, node in enumerate(armature.NODES):
        if not node.tip:
            continue
        step = angle(local[:-1, i].swapaxes(-1, -2) @ local[1:, i])
        bone = unit(local[:, i] @ np.array(node.rest))
        carry = smallest_turn(bone[:-1], bone[1:])
        swing = angle(carry)
        allowed = 2 * swing + twist.PULL / fps
        if node.bend:
            parent = world[:, armature.PARENTS[i]]
            beyond = positions[:, JOINT[node.bend]] - positions[:, armature.TIPS[i]]
            beyond = unit(np.einsum("fji,fj->fi", parent, beyond))
            axis = np.cross(bone, beyond)  # as long as the sine of the bend
            carried = np.einsum("fij,fj->fi", carry, axis[:-1])
            allowed += np.linalg.norm(axis[1:] - carried, axis=-1)
        # 1e-5: what rounding makes of a bone that points straight back.
        assert not np.flatnonzero(step > allowed + 1e-5).size, node.name


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 90),
    st.sampled_from([12.0, 30.0, 59.94, 240.0]),
    st.sampled_from([0.0, 0.02, 0.2, 1.0]),
)
@example(0, 1, 30.0, 0.0)
@example(1, 2, 30.0, 1.0)
def test_no_segment_turns_faster_than_its_bone_and_its_hinge_explain(seed, frames, fps, straight):
    rng = np.random.default_rng(seed)

    check_no_step_is_unexplained(anybody(rng, frames, fps, straight), fps)


def test_nor_does_it_in_noise_that_jumps(rng):
    check_no_step_is_unexplained(rng.normal(size=(60, 17, 3)), 30.0)


@pytest.mark.parametrize("fps", [25.0, 120.0])
def test_nor_does_it_where_frames_are_missing_and_filled(fps, rng):
    positions = anybody(rng, 50, fps, 0.2)[:, None]
    positions[[0, 1, 20, 21, 22, 49]] = np.nan
    positions[30:35, 0, JOINT["LWrist"]] = np.nan
    poses = Poses(positions, H36M_17, axes="world", rooted=False, fps=fps)

    (person,), _ = rigged_people(Path("x.bvh"), poses)

    check_no_step_is_unexplained(person.positions, fps)


@pytest.mark.parametrize("hub", ["Hips", "Spine2"])
def test_hubs_turn_little_more_than_their_neighbours(hub, rng):
    """First order of the Procrustes rotation: angle <= sqrt(2) |dA| / (s2 + s3) (Mathias, 1993).

    s are the singular values of A, the sum of outer products of the directions; s3 is nearly 0,
    and s2 nearly 1 in any body whose spine does not lie along its shoulders or hips.
    """
    positions = moving(frames=60).positions[:, 0][..., [0, 2, 1]] * [1, 1, -1]
    moved = positions + rng.normal(0, 1e-6, positions.shape)

    before, after = (solve_rotations(p, 30.0)[:, NAMES.index(hub)] for p in (positions, moved))

    neighbours, centre = list(H36M_17.index(*armature.HUBS[hub])), armature.AT[NAMES.index(hub)]
    was, now = (unit(p[:, neighbours] - p[:, [centre]]) for p in (positions, moved))
    change = np.linalg.norm(now - was, axis=-1).sum(axis=-1)
    A = np.einsum("fbi,bj->fij", was, np.array(list(armature.HUBS[hub].values())))
    s = np.linalg.svd(A, compute_uv=False)
    gap = s[:, 1] + np.sign(np.linalg.det(A)) * s[:, 2]
    assert gap.min() > 0.7
    angles = np.linalg.norm(after - before, axis=(1, 2)) / np.sqrt(2)
    assert (angles <= 1.01 * np.sqrt(2) * change / gap).all()


def test_a_straight_arm_in_noise_does_not_roll(rng):
    """Jumping jacks: an arm waved up and down while noise bends its elbow to every side."""
    frames, fps = 120, 30.0
    lift = np.radians(80) * np.sin(2 * np.pi * np.arange(frames) / fps)
    positions = arm(frames, shoulder=Rotation.from_rotvec(np.outer(lift, [0, 0, 1])))
    positions[:, JOINT["LWrist"]] += rng.normal(0, LOWER * np.tan(np.radians(10)), (frames, 3))

    turns = left_arm(positions)

    bone = unit(positions[:, JOINT["LElbow"]] - positions[:, JOINT["LShoulder"]])
    swing = angle(smallest_turn(bone[:-1], bone[1:]))
    roll = np.degrees(angle(turns[:-1].swapaxes(-1, -2) @ turns[1:]) - swing)
    assert roll.max() < 25


def test_an_elbow_that_is_bent_shows_the_twist_also_through_moments_when_it_is_straight(rng):
    """Known truth: the shoulder turns smoothly in all ways, the elbow opens fully each second."""
    frames, fps = 240, 60.0
    shoulder = Rotation.from_rotvec(wave(rng, frames, fps, 0.25, fastest=1.0))
    bend = np.radians(45) * (1 - np.cos(2 * np.pi * np.arange(frames) / fps))

    turns = left_arm(arm(frames, shoulder=shoulder, bend=bend), fps)

    off = np.degrees(angle(shoulder.as_matrix().swapaxes(-1, -2) @ turns))
    assert off[np.sin(bend) > np.sin(np.radians(40))].max() < 5
    assert off.max() < 20


def test_the_frame_rate_does_not_matter(rng):
    def turns(fps):
        own, frames = np.random.default_rng(5), int(3 * fps) + 1
        shoulder = Rotation.from_rotvec(wave(own, frames, fps, 0.4, fastest=1.5))
        bend = np.radians(40) * np.sin(2 * np.pi * np.arange(frames) / fps)  # both ways: noise
        return left_arm(arm(frames, shoulder=shoulder, bend=bend), fps)

    slow, fast = turns(30.0), turns(240.0)[::8]

    assert np.degrees(angle(slow.swapaxes(-1, -2) @ fast)).max() < 15


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_backwards_is_the_same(seed):
    positions = anybody(np.random.default_rng(seed), 40, 30.0, 0.2)

    forwards = solve_rotations(positions, 30.0)
    backwards = solve_rotations(positions[::-1], 30.0)[::-1]

    np.testing.assert_allclose(backwards, forwards, atol=1e-6)


def test_a_straight_arm_that_circles_winds_up_no_twist():
    """Parallel transport alone would add a share of a turn in every circle."""
    frames, fps = 600, 30.0
    around = 2 * np.pi * np.arange(frames) / fps  # one circle a second, 60° about the T-pose
    axis = np.stack([np.zeros(frames), -np.sin(around), np.cos(around)], axis=-1)
    shoulder = Rotation.from_rotvec(np.radians(60) * axis)

    turns = left_arm(arm(frames, shoulder=shoulder))

    off = np.degrees(angle(shoulder.as_matrix().swapaxes(-1, -2) @ turns))
    assert off.max() < 60
    np.testing.assert_allclose(off[60:-60], 0, atol=1)


def test_a_limb_that_straightens_comes_back_to_rest_gently():
    """Bent to the wrong side, then straight: back in about a second, never faster than allowed."""
    fps = 30.0
    bend = np.concatenate([np.full(30, -np.pi / 2), np.zeros(60)])

    turns = left_arm(arm(90, bend=bend), fps)

    off = np.degrees(angle(turns))
    np.testing.assert_allclose(off[:20], 180, atol=8)
    np.testing.assert_allclose(off[-15:], 0, atol=8)
    assert (
        np.degrees(angle(turns[:-1].swapaxes(-1, -2) @ turns[1:])).max() < 70
    )  # the bend's frame
    steps = np.degrees(angle(turns[30:-1].swapaxes(-1, -2) @ turns[31:]))
    assert steps.max() <= np.degrees(twist.PULL) / fps + 1e-6


def test_a_bone_without_length_in_a_frame_points_as_before():
    positions = arm(5, shoulder=Rotation.from_rotvec(np.outer(np.full(5, 1.0), [0, 0, 1])))
    positions[[0, 3], JOINT["LElbow"]] = positions[[0, 3], JOINT["LShoulder"]]

    turns = left_arm(positions)

    bone = turns @ [1.0, 0, 0]
    np.testing.assert_allclose(bone, np.repeat(bone[[1]], 5, axis=0), atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 25))
def test_limited_angles_are_the_mean_of_the_two_extreme_curves(seed, frames):
    """McShane's two extensions written out, frame against frame."""
    rng = np.random.default_rng(seed)
    angles, steps = 3 * rng.normal(size=frames), rng.uniform(0, 1, frames - 1)

    limited = twist.limit_steps(angles, steps)

    apart = np.array(
        [[steps[min(i, j) : max(i, j)].sum() for j in range(frames)] for i in range(frames)]
    )
    expected = ((angles - apart).max(axis=1) + (angles + apart).min(axis=1)) / 2
    np.testing.assert_allclose(limited, expected, atol=1e-9)
    assert (np.abs(np.diff(limited)) <= steps + 1e-9).all()
    np.testing.assert_allclose(twist.limit_steps(limited, steps), limited, atol=1e-9)


@pytest.mark.parametrize("weight", [0.25, 1.0, (SURE / SUREST) ** 2])
def test_a_front_that_steps_is_followed_the_faster_the_surer_it_is(weight):
    """The smoothing in continuous time, w (x - p) = r² x'', for p = ±a: x = ±a (1 - e^(-√w t/r)).

    a is so small that no step is limited; the pull to the rest pose takes off up to 2 %.
    """
    a, fps, rest = 0.04, 1000.0, np.array([1.0, 0.0, 0.0])
    time = (np.arange(1000) - 499.5) / fps
    angles = a * np.sign(time)
    front = weight * np.stack([0 * time, -np.sin(angles), np.cos(angles)], axis=-1)
    still = np.broadcast_to(np.eye(3), (len(time), 3, 3))

    bend = np.zeros((len(time), 3))
    shown = twist.show_twist(rest, np.array([0.0, -1.0, 0.0]), still, bend, front)

    solved = twist.solve_twist(shown, fps)

    lag = np.exp(-np.sqrt(weight) * np.abs(time) / twist.FRONT_RESPONSE)
    np.testing.assert_allclose(solved, angles * (1 - lag), atol=0.03 * a)


@pytest.mark.parametrize("fps", [1.0, 30.0, 1000.0])
def test_smoothing_solves_its_least_squares(rng, fps):
    """The same problem as whitened rows, solved by an orthogonal factorisation."""
    frames, stiffness = 40, (twist.RESPONSE * fps) ** 2
    weight = np.sin(np.radians(15)) ** 4 * 10 ** rng.uniform(-3, 2, frames)
    values = rng.normal(size=frames)
    rows = np.concatenate(
        [np.diag(np.sqrt(weight)), np.sqrt(stiffness) * np.diff(np.eye(frames), axis=0)]
    )
    right = np.concatenate([np.sqrt(weight) * values, np.zeros(frames - 1)])

    expected = np.linalg.lstsq(rows, right, rcond=None)[0]

    smooth = twist.smooth_over_time(weight, weight * values, stiffness)
    np.testing.assert_allclose(smooth, expected, atol=1e-7)  # condition 3e8, of the squares
