"""Alignment against planted similarities, scipy's rotations and nearby rivals; bones and turns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from graphlift.geometry import (
    align_scale,
    align_similarity,
    bone_vectors,
    chain_bones,
    every,
    frames_last,
    turn_about_z,
)
from graphlift.skeletons import SKELETONS

PATIENT = settings(deadline=None, max_examples=50)
SEEDS = st.integers(0, 2**32 - 1)
EVERY = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))


def poses(seed, *batch, joints=17):
    return np.random.default_rng(seed).normal(scale=0.5, size=(*batch, joints, 3))


def squares(one, other):
    return ((one - other) ** 2).sum(axis=(-1, -2))


# Similarity


@PATIENT
@given(SEEDS, st.floats(0.01, 100), st.floats(-10, 10))
def test_a_planted_similarity_is_undone(seed, scale, offset):
    target = poses(seed, 4)
    R = Rotation.random(4, rng=np.random.default_rng(seed)).as_matrix()
    moved = scale * np.einsum("bij,bkj->bki", R, target) + offset

    np.testing.assert_allclose(align_similarity(moved, target), target, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-9, 1e-5, 1e9])
def test_no_pose_is_too_small_or_too_large_to_be_recovered(scale):
    target = poses(0)

    np.testing.assert_allclose(align_similarity(scale * target, target), target, atol=1e-9)
    np.testing.assert_allclose(align_scale(scale * target, target), target, atol=1e-9)


@PATIENT
@given(SEEDS, st.sampled_from([1e-2, 1e-5, 1e-9, 0.0]), st.sampled_from([1, 2]))
def test_nearly_on_a_line_or_in_a_plane_the_turn_before_does_not_matter(seed, thin, flat):
    """Condition: which turn it is about the line is open, where the joints end up is not."""
    points, onto = poses(seed), poses(seed + 1)
    points[:, -flat:] *= thin
    R = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()

    aligned, turned = align_similarity(points, onto), align_similarity(3 * points @ R.T + 2, onto)

    assert squares(turned, onto) == pytest.approx(squares(aligned, onto), rel=1e-6)
    if thin in (1e-2, 0.0):  # in between, a turn that rounding decides shows in the thin axes
        np.testing.assert_allclose(turned, aligned, atol=1e-6)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_joints_that_coincide_but_for_rounding_are_only_moved(kind):
    """Far from the origin, the mean of equal numbers is a rounding off them."""
    points = np.full((17, 3), [5.3, -2.1, 0.7], dtype=kind)
    points[3:9] *= 1 + np.finfo(kind).eps
    onto = poses(1).astype(kind)

    aligned = align_similarity(points, onto)

    np.testing.assert_allclose(aligned, np.tile(onto.mean(axis=0), (17, 1)), atol=1e-5)


@PATIENT
@given(SEEDS)
def test_the_turn_is_the_one_scipy_finds(seed):
    points, onto = poses(seed, 3), poses(seed + 1, 3)

    aligned = align_similarity(points, onto)

    for one, other, got in zip(points, onto, aligned, strict=True):
        x, y = one - one.mean(axis=0), other - other.mean(axis=0)
        turned = Rotation.align_vectors(y, x)[0].apply(
            x
        )  # scipy's own solution of Wahba's problem
        scale = (turned * y).sum() / (x * x).sum()
        np.testing.assert_allclose(got, scale * turned + other.mean(axis=0), atol=1e-8)


@PATIENT
@given(SEEDS)
def test_no_similarity_nearby_does_better(seed):
    rng = np.random.default_rng(seed)
    points, onto = poses(seed), poses(seed + 1)
    best = align_similarity(points, onto)
    centre = best.mean(axis=0)

    for step in (1e-3, 1e-2, 1e-1, 1.0):
        R = Rotation.from_rotvec(rng.normal(scale=step, size=3)).as_matrix()
        scale, offset = np.exp(rng.normal(scale=step)), rng.normal(scale=step, size=3)
        rival = scale * (best - centre) @ R.T + centre + offset
        assert squares(best, onto) <= squares(rival, onto) + 1e-12


@PATIENT
@given(SEEDS)
def test_a_mirror_image_is_turned_but_never_reflected(seed):
    target = poses(seed)
    mirrored = target * [-1, 1, 1]

    aligned = align_similarity(mirrored, target)

    # The volume that four joints span keeps its sign under any similarity without reflection.
    corners = [np.linalg.det(pose[1:4] - pose[0]) for pose in (mirrored, aligned)]
    assert np.sign(corners[0]) == np.sign(corners[1])
    assert squares(aligned, target) > 1e-3


@PATIENT
@given(SEEDS, st.floats(0.01, 100))
def test_where_how_large_and_how_turned_the_points_are_does_not_matter(seed, scale):
    points, onto = poses(seed, 2), poses(seed + 1, 2)
    R = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()

    moved = scale * points @ R.T + [1.0, -2.0, 3.0]

    np.testing.assert_allclose(
        align_similarity(moved, onto), align_similarity(points, onto), atol=1e-8
    )


def test_batches_are_aligned_one_by_one():
    points, onto = poses(0, 2, 3), poses(1, 2, 3)

    aligned = align_similarity(points, onto)

    for i in range(2):
        for j in range(3):
            np.testing.assert_allclose(aligned[i, j], align_similarity(points[i, j], onto[i, j]))


DEGENERATE = {
    "coinciding": np.full((17, 3), 0.1),
    "at the origin": np.zeros((17, 3)),
    "collinear": np.linspace(0, 1, 17)[:, None] * [1.0, 2.0, -1.0],
    "planar": poses(3) * [1.0, 1.0, 0.0],
    "tiny": poses(4) * 1e-150,
}


@pytest.mark.parametrize("points", DEGENERATE.values(), ids=list(DEGENERATE))
@pytest.mark.parametrize("onto", DEGENERATE.values(), ids=list(DEGENERATE))
def test_degenerate_poses_stay_finite(points, onto):
    aligned = align_similarity(points, onto)

    assert np.isfinite(aligned).all()
    np.testing.assert_allclose(aligned.mean(axis=0), onto.mean(axis=0), atol=1e-12)
    shifted = points - points.mean(axis=0) + onto.mean(axis=0)  # a similarity without turn or size
    assert squares(aligned, onto) <= squares(shifted, onto) + 1e-12


@pytest.mark.parametrize("name", ["coinciding", "at the origin"])
def test_joints_that_coincide_are_only_moved(name):
    onto = poses(0)

    aligned = align_similarity(DEGENERATE[name], onto)

    np.testing.assert_allclose(aligned, np.tile(onto.mean(axis=0), (17, 1)), atol=1e-12)


@pytest.mark.parametrize("name", ["collinear", "planar"])
def test_flat_poses_are_recovered_too(name):
    onto = DEGENERATE[name]
    R = Rotation.from_euler("xyz", [0.3, -1.1, 2.0]).as_matrix()

    np.testing.assert_allclose(align_similarity(2 * onto @ R.T + 5, onto), onto, atol=1e-9)


# Scale


def test_scaling_by_hand():
    # Least squares: (1·2 + 2·1) / (1 + 4) = 4/5.
    points = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    onto = np.array([[2.0, 0.0, 5.0], [0.0, 1.0, 0.0]])

    np.testing.assert_allclose(align_scale(points, onto), 0.8 * points)


@PATIENT
@given(SEEDS)
def test_no_other_scale_does_better(seed):
    points, onto = poses(seed, 3), poses(seed + 1, 3)

    best = squares(align_scale(points, onto), onto)

    for scale in np.linspace(-3, 3, 61):
        assert (best <= squares(scale * points, onto) + 1e-12).all()


@PATIENT
@given(SEEDS, st.floats(0.01, 100))
def test_scaling_forgives_size_and_does_not_move_the_root(seed, scale):
    onto = poses(seed, 3)
    onto -= onto[:, :1]

    aligned = align_scale(scale * onto, onto)

    np.testing.assert_allclose(aligned, onto, atol=1e-12)
    np.testing.assert_array_equal(aligned[:, 0], 0)


def test_a_pose_of_no_size_is_not_scaled():
    assert not align_scale(np.zeros((2, 17, 3)), poses(0, 2)).any()


# Bones


def test_bone_vectors_by_hand():
    positions = np.array([[1.0, 0.0, 0.0], [1.0, 2.0, 0.0], [4.0, 2.0, 0.0]])

    vectors = bone_vectors(positions, (1, 2, -1))  # children before parents

    np.testing.assert_array_equal(vectors, [[0, -2, 0], [-3, 0, 0], [0, 0, 0]])


@EVERY
def test_chained_bones_are_the_root_relative_pose(skeleton):
    positions = poses(0, 2, 5, joints=len(skeleton))

    chained = chain_bones(
        bone_vectors(positions, skeleton.parents), skeleton.parents, skeleton.order
    )

    np.testing.assert_allclose(chained, positions - positions[..., [skeleton.root], :], atol=1e-12)


@EVERY
def test_bones_of_a_chained_pose_are_the_bones(skeleton):
    vectors = poses(0, 2, joints=len(skeleton))
    vectors[:, skeleton.root] = 0
    before = vectors.copy()

    chained = chain_bones(vectors, skeleton.parents, np.array(skeleton.order))

    np.testing.assert_allclose(bone_vectors(chained, skeleton.parents), vectors, atol=1e-12)
    np.testing.assert_array_equal(vectors, before)  # the argument is left alone


# Turns


def test_a_quarter_turn_takes_x_to_y_and_leaves_z():
    pose = np.array([[1.0, 0.0, 7.0], [0.0, 1.0, 8.0]])

    turned = turn_about_z(pose, np.array(np.pi / 2))

    np.testing.assert_allclose(turned, [[0, 1, 7], [-1, 0, 8]], atol=1e-15)


@PATIENT
@given(SEEDS)
def test_turns_are_scipys_and_one_a_pose(seed):
    positions = poses(seed, 4)
    angle = np.random.default_rng(seed).uniform(-7, 7, size=4)

    turned = turn_about_z(positions, angle)

    for before, about, after in zip(positions, angle, turned, strict=True):
        np.testing.assert_allclose(
            Rotation.from_euler("z", about).apply(before), after, atol=1e-12
        )


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_every_is_all_along_the_last_axis(seed, d):
    flags = np.random.default_rng(seed).random((5, 3, d)) < 0.7

    np.testing.assert_array_equal(every(flags), flags.all(axis=-1))
    assert every(flags[0, 0]) == flags[0, 0].all()


@pytest.mark.parametrize("shape", [(4, 3), (6, 4, 3), (6, 2, 4, 2)])
def test_frames_that_lie_side_by_side_are_the_same_poses(rng, shape):
    poses = rng.standard_normal(shape).astype(np.float32)
    copy = frames_last(poses, np.float64)

    np.testing.assert_array_equal(copy, poses)
    assert copy.dtype == np.float64
    assert copy.ndim < 3 or copy.strides[0] == 8 * np.prod(shape[1:-2], dtype=int)
    copy[...] = 0
    assert poses.any()
