"""Refinement: what it must not change, what it must mend, and a slow twin of all its sums."""

import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from helpers.walker import film, keypoints_of, lens, lifted, walk
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.cameras import camera_to_image, world_to_camera
from graphlift.errors import ModelError, SkeletonError
from graphlift.geometry import bone_vectors, chain_bones
from graphlift.metrics import p_mpjpe
from graphlift.motion import refine, to_world
from graphlift.motion.placing import find_translations
from graphlift.motion.tree import eliminate, full, levels_of
from graphlift.sequences import Poses, keypoints_from
from graphlift.skeletons import COCO_17, H36M_17, Skeleton

SEEDS = st.integers(0, 2**32 - 1)
TWO = film(position=(0.5, -6.0, 1.6), target=(0.5, 0.0, 0.9))
PARENTS = H36M_17.parents
BONES = np.array([0, 0.1, 0.44, 0.44, 0.1, 0.44, 0.44, 0.25, 0.25, 0.1, 0.12, 0.17, 0.28, 0.28,
                  0.17, 0.28, 0.28])  # fmt: skip
WRONG = 0.15 * BONES
"""m; how far off a lifter's bones are in depth (standard deviation)."""
SIGMA = np.zeros(17)
for _joint in H36M_17.order[1:]:  # errors add up along the tree
    SIGMA[_joint] = np.hypot(SIGMA[PARENTS[_joint]], WRONG[_joint])


def sure(poses, sigma=SIGMA, camera=TWO):
    """The same, of known sigma, lifted through the camera's lens."""
    stated = np.broadcast_to(sigma, poses.positions.shape[:-1]).astype(np.float32)
    return replace(poses, sigma=stated, camera=lens(camera))


def guessed(seed, frames=60, noise=0.0, turn=0.5):
    """A walk whose lifter errs in the depth of every bone, and its truth, root-relative."""
    rng = np.random.default_rng(seed)
    world = walk(frames, heading=turn, start=(-0.5, 0.3))
    truth = lifted(world, TWO)
    vectors = bone_vectors(truth.positions[:, 0], PARENTS)
    vectors[..., 2] += WRONG * rng.standard_normal(vectors.shape[:2])
    positions = chain_bones(vectors, PARENTS, H36M_17.order)[:, None]
    seen = truth.keypoints.positions + noise * rng.standard_normal((frames, 1, 17, 2))
    keypoints = keypoints_from(seen, H36M_17, image_size=TWO.size, fps=30.0)
    return sure(replace(truth, positions=positions, keypoints=keypoints)), truth.positions


def lengths(positions):
    return np.linalg.norm(bone_vectors(positions, PARENTS), axis=-1)[..., 1:]


def error(positions, truth):
    return np.linalg.norm(positions - truth, axis=-1).mean()


# The elimination


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_elimination_along_the_tree_solves_the_whole_system(seed):
    rng = np.random.default_rng(seed)
    tree, count = levels_of(H36M_17), 3
    own, links = (
        (root := rng.standard_normal((count, 17, 3, 3))) @ root.swapaxes(-1, -2) + 0.1 * np.eye(3)
        for _ in range(2)
    )
    right = rng.standard_normal((count, 17, 3))
    H = np.zeros((count, 17, 3, 17, 3))
    for joint, parent in enumerate(tree.parents):
        H[:, joint, :, joint] += own[:, joint]
        if joint:
            for a, b, sign in ((joint, joint, 1), (parent, parent, 1), (joint, parent, -1),
                               (parent, joint, -1)):  # fmt: skip
                H[:, a, :, b] += sign * links[:, joint]
    covariance = np.linalg.inv(H.reshape(count, 51, 51))

    known = eliminate(tree, _symmetric(own), _symmetric(links))

    expected = (covariance @ right.reshape(count, 51, 1)).reshape(count, 17, 3)
    found = known.solve(np.moveaxis(right, 0, -1).swapaxes(0, 1))
    np.testing.assert_allclose(found.T, expected, atol=1e-10)
    bones, spread = full(known.bone_covariances()), known.spread()
    covariance = covariance.reshape(count, 17, 3, 17, 3)
    for joint, parent in enumerate(tree.parents):
        for other, check in ((parent, "bone"), (0, "root")):
            less = (
                covariance[:, joint, :, joint]
                + covariance[:, other, :, other]
                - covariance[:, joint, :, other]
                - covariance[:, other, :, joint]
            )
            if check == "bone":
                matrix = bones[:, joint].T.reshape(count, 3, 3)
                np.testing.assert_allclose(matrix, less, atol=1e-9)
            else:
                np.testing.assert_allclose(spread[joint], np.trace(less.T), atol=1e-9)


def _symmetric(matrices):
    return np.stack([matrices[..., i, k].T for i, k in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2),
                                                        (1, 2))])  # fmt: skip


# The slow twin


def test_refinement_is_gauss_newton_on_every_rows_written_out():
    poses, _ = guessed(1, frames=2, noise=2.0)
    rays = (poses.keypoints.positions[:, 0] - 500) / TWO.focal[0]
    lifted = poses.positions[:, 0]
    start = find_translations(lifted, rays, np.ones((2, 17)), TWO.focal, iterations=2).translation
    noise = np.hypot(0.013, 0.8 * 0.025)  # two frames show no jitter: the usual is taken
    own = np.maximum(SIGMA**2 - SIGMA[np.maximum(PARENTS, 0)] ** 2, SIGMA**2 / 16)
    sd = np.sqrt((1.4**2 * own + 0.01**2)[1:, None])
    ends = [[joint, PARENTS[joint]] for joint in range(1, 17)]

    def rows(points, frame, weights, bones, length):
        """Whitened residuals; weights are Huber's, the square root."""
        z = start[frame, 2]
        sight = weights * (points[:, :2] / points[:, 2:] - rays[frame]) * z / noise
        vectors = np.array([points[a] - points[b] for a, b in ends])
        found = [sight.ravel(), ((vectors - bones) / sd).ravel()]
        if length is not None:
            found.append((np.linalg.norm(vectors, axis=-1) - length) / 0.01)
        return np.concatenate(found)

    def step(points, frame, bones, length=None):
        off = np.linalg.norm(points[:, :2] / points[:, 2:] - rays[frame], axis=-1)
        off *= start[frame, 2] / noise
        weights = np.sqrt(1 / np.maximum(off, 1))[:, None]
        at, eps = rows(points, frame, weights, bones, length), 1e-6
        slopes = []
        for place in range(51):
            moved = points.copy()
            moved.flat[place] += eps
            before = points.copy()
            before.flat[place] -= eps
            slopes.append((rows(moved, frame, weights, bones, length)
                           - rows(before, frame, weights, bones, length)) / (2 * eps))  # fmt: skip
        J = np.array(slopes).T
        covariance = np.linalg.inv(J.T @ J + 1e-3 * np.eye(51))
        return points - (covariance @ J.T @ at).reshape(17, 3), covariance

    first = [lifted[f] + start[f] for f in range(2)]
    bones = [np.array([points[a] - points[b] for a, b in ends]) for points in first]
    weighted, weight = np.zeros(17), np.zeros(17)
    names = ("LHip", "RHip", "Spine", "Thorax", "Neck/Nose", "Head", "LShoulder", "RShoulder")
    known = {name: np.zeros((3, 4)) for name in names}
    axes = [_body_axes(points) for points in first]
    for f in range(2):
        points, covariance = step(first[f], f, bones[f])
        blocks = covariance.reshape(17, 3, 17, 3)
        for a, b in ends:
            C = blocks[a, :, a] + blocks[b, :, b] - blocks[a, :, b] - blocks[b, :, a]
            vector = points[a] - points[b]
            along = vector @ C @ vector / (vector @ vector)
            length = np.sqrt(vector @ vector + np.trace(C) - along)
            weighted[a] += length / (along + 0.02**2)
            weight[a] += 1 / (along + 0.02**2)
            name = H36M_17.joints[a]
            if name in names:
                R = axes[f][0 if "Hip" in name or name == "Spine" else 1]
                v = sd[a - 1, 0] ** 2
                known[name][:, :3] += R @ (np.eye(3) - C / v) @ R.T / v
                known[name][:, 3] += R @ (vector - bones[f][a - 1]) / v
    mirror = H36M_17.mirror
    length = (weighted + weighted[mirror])[1:] / (weight + weight[mirror])[1:]
    flip = np.diag([-1.0, 1, 1])
    for name in names:
        both = known[name].copy()
        if name[0] in "LR" and name[1:] in ("Hip", "Shoulder"):
            other = known[("R" if name[0] == "L" else "L") + name[1:]]
            both += np.column_stack([flip @ other[:, :3] @ flip, flip @ other[:, 3]])
        both /= 2 * 0.3 * 30
        offset = np.linalg.solve(both[:, :3] + np.eye(3) / 0.015**2, both[:, 3])
        joint = H36M_17.joints.index(name)
        for f in range(2):
            part = 0 if "Hip" in name or name == "Spine" else 1
            bones[f][joint - 1] = bones[f][joint - 1] + axes[f][part].T @ offset

    found = refine(poses)

    for f in range(2):
        points, _ = step(first[f], f, bones[f], length)
        points, covariance = step(points, f, bones[f], length)
        np.testing.assert_allclose(found.positions[f, 0], points - points[0], atol=1e-6)
        blocks = covariance.reshape(17, 3, 17, 3)
        spread = [
            np.trace(blocks[j, :, j] + blocks[0, :, 0] - blocks[j, :, 0] - blocks[0, :, j])
            for j in range(17)
        ]
        np.testing.assert_allclose(found.sigma[f, 0], 1.1 * np.sqrt(np.array(spread) / 3),
                                   atol=1e-5)  # fmt: skip


def _body_axes(points):
    """Rows: left, backward, up; of the pelvis and of the chest."""
    left_hip, right_hip, left, right = points[H36M_17.index("LHip", "RHip", "LShoulder",
                                                            "RShoulder")]  # fmt: skip
    up = left + right - left_hip - right_hip
    found = []
    for across in (left_hip - right_hip, left - right):
        x = across / np.linalg.norm(across)
        z = up - (up @ x) * x
        z /= np.linalg.norm(z)
        found.append(np.array([x, np.cross(z, x), z]))
    return found


# What must not change


@given(SEEDS)
@settings(deadline=None, max_examples=10)
def test_turning_the_image_by_a_quarter_turns_the_poses(seed):
    poses, _ = guessed(seed % 1000, frames=20, noise=3.0)
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    px = (poses.keypoints.positions - 500) @ quarter[:2, :2].T + 500
    keypoints = replace(poses.keypoints, positions=px)

    turned = refine(replace(poses, positions=poses.positions @ quarter.T, keypoints=keypoints))

    plain = refine(poses)
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

    refined = refine(holey)

    assert np.isnan(refined.positions[gone]).all()
    kept = replace(poses.of_people([0]), positions=poses.positions[~gone], seen=poses.seen[~gone],
                   sigma=poses.sigma[~gone],
                   keypoints=keypoints_from(px[~gone], H36M_17, image_size=TWO.size,
                                            fps=30.0))  # fmt: skip
    # The jitter alone is measured over gaps otherwise: third differences do not cross them.
    np.testing.assert_allclose(refined.positions[~gone], refine(kept).positions, atol=0.003)


def test_frames_that_show_too_little_stay_and_are_counted():
    poses, _ = guessed(6, frames=20)
    px = poses.keypoints.positions.copy()
    px[4:6, :, 3:] = np.nan
    keypoints = keypoints_from(px, H36M_17, image_size=TWO.size, fps=30.0)

    refined = refine(replace(poses, keypoints=keypoints))

    np.testing.assert_array_equal(refined.positions[4:6], poses.positions[4:6])
    np.testing.assert_array_equal(refined.sigma[4:6], poses.sigma[4:6])
    assert (np.abs(refined.positions[[3, 6]] - poses.positions[[3, 6]]) > 1e-3).any()
    assert "; 2 frames, which do not show where a person is" in refined.notes[-1]


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
