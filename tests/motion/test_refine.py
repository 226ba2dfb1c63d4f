"""Refinement: what it must not change, and what it must mend."""

import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from helpers.guessed_walk import PARENTS, SIGMA, TWO, error, guessed, lengths, sure
from helpers.walker import keypoints_of, lens, lifted, walk
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.cameras import camera_to_image, world_to_camera
from graphlift.errors import ModelError, SkeletonError
from graphlift.metrics import p_mpjpe
from graphlift.motion import refine, to_world
from graphlift.sequences import Poses, keypoints_from
from graphlift.skeletons import COCO_17, H36M_17, Skeleton

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
@settings(deadline=None, max_examples=10)
def test_turning_the_image_by_a_quarter_turns_the_poses(seed):
    poses, _ = guessed(seed % 1000, frames=20, noise=3.0)
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    px = (poses.keypoints.positions - 500) @ quarter[:2, :2].T + 500
    keypoints = replace(poses.keypoints, positions=px)

    other = replace(poses, positions=poses.positions @ quarter.T, keypoints=keypoints)

    turned = refine(other, feet=False)  # which way is up, a camera held level helps to tell

    plain = refine(poses, feet=False)
    np.testing.assert_allclose(turned.positions, plain.positions @ quarter.T, atol=1e-9)
    np.testing.assert_allclose(turned.sigma, plain.sigma, atol=1e-6)


def test_turning_the_camera_turns_the_poses():
    # Not exactly: a px at the border of an image is a smaller angle than one in its middle.
    poses, _ = guessed(3)
    angle = np.deg2rad(12)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    rays = np.concatenate([(poses.keypoints.positions - 500) / TWO.focal[0],
                           np.ones((*poses.positions.shape[:-1], 1))], axis=-1)  # fmt: skip
    px = camera_to_image(rays @ turn.T, lens(TWO))
    other = replace(poses, positions=poses.positions @ turn.T,
                    keypoints=replace(poses.keypoints, positions=px))  # fmt: skip

    turned, plain = refine(other), refine(poses)

    assert error(turned.positions, plain.positions @ turn.T) < 0.002
    assert error(plain.positions, poses.positions) > 0.02


def test_the_mirror_image_gives_the_mirrored_poses():
    poses, _ = guessed(4, frames=20, noise=3.0)
    mirror = H36M_17.mirror
    px = poses.keypoints.positions[:, :, mirror] * [-1, 1] + [1000, 0]
    other = replace(poses, positions=poses.positions[:, :, mirror] * [-1, 1, 1],
                    sigma=poses.sigma[..., mirror],
                    keypoints=replace(poses.keypoints, positions=px))  # fmt: skip

    plain = refine(poses).positions
    np.testing.assert_allclose(
        refine(other).positions, plain[:, :, mirror] * [-1, 1, 1], atol=1e-9
    )


def test_poses_that_agree_with_everything_stay():
    poses = sure(lifted(walk(60, heading=0.5), TWO), sigma=0.001)

    refined = refine(poses)

    np.testing.assert_allclose(refined.positions, poses.positions, atol=0.003)
    assert error(refined.positions, poses.positions) < 5e-4


def test_frames_without_a_person_stay_empty_and_change_no_other():
    poses, _ = guessed(5, frames=30)
    gone = np.isin(np.arange(30), [0, 7, 8, 29])
    positions, px = poses.positions.copy(), poses.keypoints.positions.copy()
    positions[gone], px[gone] = np.nan, np.nan
    keypoints = keypoints_from(px, H36M_17, image_size=TWO.size, fps=30.0)
    holey = replace(poses, positions=positions, keypoints=keypoints)

    refined = refine(holey, feet=False)  # without the gaps, other feet would seem to stand

    assert np.isnan(refined.positions[gone]).all()
    kept = replace(poses.of_people([0]), positions=poses.positions[~gone], seen=poses.seen[~gone],
                   sigma=poses.sigma[~gone],
                   keypoints=keypoints_from(px[~gone], H36M_17, image_size=TWO.size,
                                            fps=30.0))  # fmt: skip
    # The jitter alone is measured over gaps otherwise: third differences do not cross them.
    np.testing.assert_allclose(
        refined.positions[~gone], refine(kept, feet=False).positions, atol=0.003
    )


@pytest.mark.parametrize(("end", "counted"), [(6, "2 frames"), (5, "1 frame")])
def test_frames_that_show_too_little_stay_and_are_counted(end, counted):
    poses, _ = guessed(6, frames=20)
    px = poses.keypoints.positions.copy()
    px[4:end, :, 3:] = np.nan
    keypoints = keypoints_from(px, H36M_17, image_size=TWO.size, fps=30.0)

    refined = refine(replace(poses, keypoints=keypoints))

    np.testing.assert_array_equal(refined.positions[4:end], poses.positions[4:end])
    np.testing.assert_array_equal(refined.sigma[4:end], poses.sigma[4:end])
    assert (np.abs(refined.positions[[3, 6]] - poses.positions[[3, 6]]) > 1e-3).any()
    note = f"; {counted} left as lifted, as nothing there shows where a person is"
    assert note in refined.notes[-1]


@pytest.mark.parametrize("lost", ["keypoints", "sigma", "frames"])
def test_nothing_to_go_by_changes_nothing(lost):
    poses, _ = guessed(7, frames=5)
    if lost == "keypoints":
        px = np.full_like(poses.keypoints.positions, np.nan)
        keypoints = keypoints_from(px, H36M_17, image_size=TWO.size, fps=30.0)
        poses = replace(poses, keypoints=keypoints)
    elif lost == "sigma":
        poses = replace(poses, sigma=np.full_like(poses.sigma, np.nan))
    else:
        none = replace(poses.keypoints, positions=poses.keypoints.positions[:0],
                       confidence=poses.keypoints.confidence[:0])  # fmt: skip
        poses = Poses(poses.positions[:0], H36M_17, keypoints=none, camera=poses.camera)

    assert refine(poses) is poses


# What must become better


@pytest.mark.parametrize(("frames", "gain"), [(1, 1.0), (2, 0.95), (26, 0.9), (600, 0.9)])
def test_errors_in_depth_become_smaller(frames, gain):
    poses, truth = guessed(8, frames=frames)

    refined = refine(poses)

    assert error(refined.positions, truth) < gain * error(poses.positions, truth)
    assert refined.positions.dtype == poses.positions.dtype
    assert refined.notes[-1].startswith("Poses were refined to agree with the keypoints, by the")


def test_bones_become_nearly_constant_and_left_as_long_as_right():
    poses, _ = guessed(9)

    refined = refine(poses)

    assert lengths(poses.positions).std(axis=0).max() > 0.02
    assert lengths(refined.positions).std(axis=0).max() < 0.005
    mean = lengths(refined.positions).mean(axis=(0, 1))
    np.testing.assert_allclose(mean, mean[H36M_17.mirror[1:] - 1], atol=0.005)


def test_joints_come_to_lie_where_they_are_seen():
    poses, _ = guessed(10)
    across = poses.positions + [[[[0.03, -0.02, 0]]]] * (np.arange(17) == 13)[:, None]

    refined = refine(replace(poses, positions=across))

    world = walk(60, heading=0.5, start=(-0.5, 0.3))
    away = world_to_camera(world, TWO)[:, :1]
    off = (
        camera_to_image(refined.positions[:, 0] + away, lens(TWO))
        - keypoints_of(world, TWO).positions[:, 0]
    )
    was = (
        camera_to_image(across[:, 0] + away, lens(TWO)) - keypoints_of(world, TWO).positions[:, 0]
    )
    assert np.abs(off[:, 13]).mean() < 0.5 * np.abs(was[:, 13]).mean()


def test_a_confident_keypoint_counts_more():
    poses, truth = guessed(11, frames=10)
    px = poses.keypoints.positions.copy()
    px[:, :, 13] += 15.0
    found = []
    for confidence in (1.0, 0.1):
        sure_of = np.ones(px.shape[:-1])
        sure_of[..., 13] = confidence
        keypoints = keypoints_from(px, H36M_17, confidence=sure_of, image_size=TWO.size, fps=30.0)
        refined = refine(replace(poses, keypoints=keypoints)).positions
        found.append(np.linalg.norm((refined - truth)[:, :, 13, :2], axis=-1).mean())

    assert found[1] < 0.5 * found[0]


def test_another_definition_of_shoulders_is_learnt_while_the_person_turns():
    # The keypoints' shoulders are 4 cm further back; seen from the side this shows, seen from
    # the front only in what was learnt from the side.
    frames = 120
    turn = np.linspace(0, np.pi, frames)
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    rest = walk(1)[0] - [0.0, 0.0, 0.0]
    x, y, z = (np.broadcast_to(rest[:, i], (frames, 17)) for i in range(3))
    world = np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=-1)
    back = np.stack([-cos[:, 0], -sin[:, 0], 0 * turn], axis=-1)
    shoulders = H36M_17.index("LShoulder", "RShoulder")
    moved = world.copy()
    moved[:, shoulders] += 0.04 * back[:, None]
    truth, lifter = lifted(moved, TWO), lifted(world, TWO)

    refined = refine(sure(replace(truth, positions=lifter.positions)))

    def off(positions):
        gap = (positions - truth.positions)[:, 0, shoulders]
        return np.abs(gap[abs(back @ TWO.R[2]) > 0.8, :, 2]).mean()  # depth, where it is depth

    assert off(lifter.positions) == pytest.approx(0.036, abs=0.004)
    assert off(refined.positions) < 0.65 * off(lifter.positions)


def test_sigma_shrinks_but_less_than_to_nothing():
    poses, _ = guessed(12)

    refined = refine(poses)

    share = refined.sigma[..., 1:] / poses.sigma[..., 1:]
    assert refined.sigma[..., 0].max() == 0
    assert (share > 0.2).all()
    assert share.mean() < 1


# Whose joints and keypoints they are


def test_a_skeleton_with_more_joints_is_refined_alike():
    face = Skeleton(
        "h36m-17-face", (*H36M_17.joints, "Nose", "LEar", "REar", "LHeel", "RHeel"),
        (*PARENTS, 10, 17, 17, 6, 3), "Spine",
    )  # fmt: skip
    poses, truth = guessed(13)
    extra = np.array([[0.0, 0.05, 0.08], [0.07, 0.0, 0.02], [-0.07, 0.0, 0.02]])

    def grow(positions):
        nose = positions[..., [10], :] + extra[0]
        return np.concatenate(
            [positions, nose, nose + extra[1:], positions[..., [6, 3], :] + extra[:1]], axis=-2
        )

    world = lifted(walk(60, heading=0.5, start=(-0.5, 0.3)), TWO)
    place = world_to_camera(walk(60, heading=0.5, start=(-0.5, 0.3)), TWO)[:, None, :1]
    px = camera_to_image(grow(truth) + place, lens(TWO))
    keypoints = keypoints_from(px, face, image_size=TWO.size, fps=30.0)
    more = Poses(grow(poses.positions), face, keypoints=keypoints, fps=30.0)
    more = sure(more, sigma=np.append(SIGMA, [0.05] * 5))

    refined = refine(more)

    assert error(refined.positions, grow(truth)) < 0.9 * error(more.positions, grow(truth))
    both = refined.positions[:, :, :17], refine(poses).positions
    assert error(*both) < 0.01
    assert len(world) == len(refined)


def test_keypoints_of_another_skeleton_count_where_they_are_the_same_joints():
    poses, truth = guessed(14)
    seen = poses.keypoints.positions
    px = np.full((60, 1, 17, 2), np.nan)
    for name in COCO_17.joints:
        twin = name.replace("Ankle", "Foot")
        if twin in H36M_17.joints:
            px[:, :, COCO_17.joints.index(name)] = seen[:, :, H36M_17.joints.index(twin)]
    px[:, :, 0] = seen[:, :, 9] + 30.0  # the nose is not the neck
    keypoints = keypoints_from(px, COCO_17, image_size=TWO.size, fps=30.0)

    refined = refine(replace(poses, keypoints=keypoints))

    assert error(refined.positions, truth) < 0.9 * error(poses.positions, truth)
    # Were the nose taken for the neck, the neck would be drawn to it, 30 px or 0.2 m away.
    neck = np.linalg.norm((refined.positions - truth)[:, :, 9, :2], axis=-1)
    assert neck.mean() < 0.03


def test_people_are_refined_one_by_one():
    one, other = guessed(15)[0], guessed(16)[0]
    both = Poses(
        np.concatenate([one.positions, other.positions], axis=1), H36M_17, people=("a", "b"),
        fps=30.0, sigma=np.concatenate([one.sigma, other.sigma], axis=1), camera=one.camera,
        keypoints=keypoints_from(
            np.concatenate([one.keypoints.positions, other.keypoints.positions], axis=1), H36M_17,
            image_size=TWO.size, fps=30.0, people=("a", "b"),
        ),
    )  # fmt: skip

    refined = refine(both)

    for place, alone in enumerate((one, other)):
        np.testing.assert_allclose(
            refined.positions[:, place], refine(alone).positions[:, 0], atol=1e-9
        )


# Cost, errors and the way to the world


def long(frames):
    poses, _ = guessed(17, frames=frames)
    return replace(poses, positions=poses.positions.astype(np.float32))


def test_cost_grows_as_the_number_of_frames_and_memory_hardly():
    seconds, peaks = [], []
    for poses in (long(1500), long(6000)):
        refine(poses)
        begun = time.process_time()
        refine(poses)
        seconds.append(time.process_time() - begun)
        tracemalloc.start()
        refine(poses)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert seconds[1] < 8 * seconds[0]  # four times the frames
    # Of each frame: the resulting positions and sigma in float32, a translation, some flags.
    assert peaks[1] - peaks[0] < 4500 * (17 * 4 * 4 + 3 * 8 + 40)


def test_of_many_people_memory_holds_one_at_a_time():
    one, count = long(1500), 7
    names = tuple("abcdefg")
    seen = one.keypoints
    many = replace(
        one,
        positions=np.repeat(one.positions, count, axis=1),
        sigma=np.repeat(one.sigma, count, axis=1),
        seen=np.repeat(one.seen, count, axis=1),
        size_sigma=None,
        people=names,
        keypoints=replace(
            seen,
            positions=np.repeat(seen.positions, count, axis=1),
            confidence=np.repeat(seen.confidence, count, axis=1),
            people=names,
        ),
    )
    peaks = []
    for poses in (one, many):
        tracemalloc.start()
        refine(poses)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    # Results of each in float32 and a few flags; once, a copy of one person in the lifter's types.
    own = one.positions.nbytes + one.sigma.nbytes + one.seen.nbytes
    alone = own + seen.positions.nbytes + seen.confidence.nbytes
    assert peaks[1] - peaks[0] < (count - 1) * (one.positions.nbytes + 8 * 17 * 1500) + 1.2 * alone


def test_refinement_is_a_step_to_the_world_that_can_be_left_out():
    poses, truth = guessed(18)

    plain, refined = (to_world(poses, refine=on, trajectory=False) for on in (False, True))

    assert any("refined" in note for note in refined.notes)
    assert not any("refined" in note for note in plain.notes)
    errors = [p_mpjpe(p.positions[:, 0], truth[:, 0]) for p in (plain, refined)]
    assert errors[1] < 0.95 * errors[0]
    unseen = replace(poses, keypoints=None)
    assert to_world(unseen, trajectory=False).valid.all()


def test_poses_that_cannot_be_refined_are_refused():
    poses, _ = guessed(19, frames=5)
    with pytest.raises(ModelError, match=r"refinement needs poses in camera axes"):
        refine(to_world(poses))
    with pytest.raises(ModelError, match=r"refinement .* have no keypoints: .*refine=False"):
        refine(replace(poses, keypoints=None))
    with pytest.raises(ModelError, match=r"refinement .* move through space already"):
        refine(replace(poses, rooted=False))
    armless = Skeleton("legs", ("Hip", "LHip", "RHip"), (-1, 0, 0), "Hip")
    legs = Poses(poses.positions[:, :, :3], armless, keypoints=poses.keypoints, camera=lens(TWO))
    with pytest.raises(SkeletonError, match="legs has no joint 'LShoulder'"):
        refine(legs)
