"""Gaps: how long, between what, by which curve; and that a filled joint says so."""

from itertools import pairwise

import numpy as np
import pytest
from helpers.walker import film, lifted, walk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.interpolate import PchipInterpolator

from graphlift.errors import ModelError
from graphlift.geometry import bone_vectors
from graphlift.motion import fill_keypoints, fill_poses
from graphlift.motion.gaps import bridgeable, fill
from graphlift.sequences import Poses, keypoints_from
from graphlift.skeletons import H36M_17


def moving(frames=40, fps=20.0):
    """Every joint on its own straight line, confidence 0.8."""
    t = np.arange(frames)[:, None, None]
    positions = 100 + 10.0 * np.arange(17)[:, None] + t * np.array([3.0, -2.0])
    return keypoints_from(
        positions, H36M_17, confidence=np.full((frames, 17), 0.8), fps=fps, source="made up"
    )


def without(keypoints, frames, joints=slice(None)):
    positions, confidence = keypoints.positions.copy(), keypoints.confidence.copy()
    positions[frames, :, joints] = np.nan
    confidence[frames, :, joints] = 0
    return keypoints_from(
        positions, H36M_17, confidence=confidence, fps=keypoints.fps, source=keypoints.source
    )


@pytest.mark.parametrize("method", ["linear", "pchip"])
def test_a_straight_line_is_found_again(method):
    whole = moving()

    filled = fill_keypoints(without(whole, slice(10, 20)), method=method)

    np.testing.assert_allclose(filled.positions, whole.positions, rtol=1e-12)


def test_gaps_are_filled_up_to_the_stated_length_and_no_further():
    # At 20 fps half a second is 10 frames; seconds count, not frames.
    ten, eleven = slice(5, 15), slice(20, 31)

    filled = fill_keypoints(without(without(moving(), ten), eleven), seconds=0.5).seen[:, 0]

    assert filled[ten].all()
    assert not filled[eleven].any()
    slower = without(without(moving(fps=10.0), ten), eleven)
    assert not fill_keypoints(slower, seconds=0.5).seen[ten].any()
    assert fill_keypoints(slower, frames=11).seen.all()


def test_what_lies_before_the_first_or_after_the_last_value_is_no_gap():
    cut = without(without(moving(), slice(0, 3)), slice(37, 40))

    assert fill_keypoints(cut, seconds=10) is cut


def test_a_filled_keypoint_has_half_its_ends_lower_confidence_and_the_source_says_so():
    whole = moving()
    whole.confidence[9] = 0.4
    cut = without(whole, slice(10, 12), joints=[3])

    filled = fill_keypoints(cut)

    np.testing.assert_allclose(filled.confidence[10:12, 0, 3], 0.2)
    kept = np.ones(filled.confidence.shape, dtype=bool)
    kept[10:12, 0, 3] = False
    np.testing.assert_array_equal(filled.confidence[kept], cut.confidence[kept])
    assert filled.source == "made up; 2 joints filled over gaps of up to 0.5 s (pchip)"


def test_a_bone_turns_through_a_gap_without_shrinking():
    # A wrist circles its elbow; across a quarter turn a straight line would cut the corner.
    angle = np.deg2rad(6.0 * np.arange(30))
    positions = np.zeros((30, 17, 3)) + np.arange(17)[:, None] * [0.1, 0.2, 0.3]
    circle = 0.3 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=-1)
    positions[:, 16] = positions[:, 15] + circle
    poses = Poses(positions[:, None].copy(), H36M_17, fps=30.0)
    poses.positions[8:22, 0] = np.nan

    for method in ("pchip", "linear"):
        filled = fill_poses(poses, method=method)

        np.testing.assert_allclose(filled.positions[:, 0], positions, atol=0.03)
        bones = np.linalg.norm(bone_vectors(filled.positions[:, 0], H36M_17.parents), axis=-1)
        np.testing.assert_allclose(bones[:, 16], 0.3, atol=1e-12)


def test_filled_poses_are_not_seen_have_no_sigma_and_say_so():
    poses = lifted(walk(60), film())
    poses.positions[20:25] = np.nan
    poses = Poses(poses.positions, H36M_17, fps=30.0, sigma=np.full((60, 1, 17), 0.02))

    filled = fill_poses(poses)

    assert filled.valid.all()
    assert not filled.seen[20:25].any()
    assert filled.seen[[*range(20), *range(25, 60)]].all()
    assert np.isnan(filled.sigma[20:25]).all()
    assert filled.notes == ("Gaps of up to 0.5 s were filled (pchip): 85 joints in 5 frames.",)
    assert fill_poses(filled) is filled


def test_the_root_of_moving_poses_is_carried_through_a_gap():
    world = walk(40)
    poses = Poses(world[:, None].copy(), H36M_17, axes="world", rooted=False, fps=30.0)
    poses.positions[10:16] = np.nan

    filled = fill_poses(poses)

    np.testing.assert_allclose(filled.positions[:, 0, 0], world[:, 0], atol=1e-12)
    np.testing.assert_allclose(filled.positions[:, 0], world, atol=0.12)  # a swinging foot


def test_joints_that_were_known_stay_where_they_were():
    poses = lifted(walk(30), film())
    before = poses.positions.copy()
    poses.positions[10:14, 0, [2, 5]] = np.nan  # a knee of each leg, not the feet

    filled = fill_poses(poses)

    kept = np.isfinite(poses.positions)
    np.testing.assert_array_equal(filled.positions[kept], before[kept])
    np.testing.assert_allclose(filled.positions, before, atol=0.06)


KNOWN = arrays(bool, st.tuples(st.integers(1, 30), st.just(2)))


@given(KNOWN, st.integers(0, 8))
@settings(deadline=None)
def test_gaps_are_those_counted_one_by_one(known, longest):
    marked = bridgeable(known, longest)

    for column in range(2):
        line = known[:, column]
        for frame in range(len(line)):
            left = [f for f in range(frame) if line[f]]
            right = [f for f in range(frame, len(line)) if line[f]]
            gap = bool(not line[frame] and left and right and right[0] - left[-1] - 1 <= longest)
            assert marked[frame, column] == gap


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
@settings(deadline=None, max_examples=60)
def test_gaps_are_as_scipy_fills_them_from_all_values(seed, share):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((30, 2, 3)).cumsum(axis=0)
    known = rng.random((30, 2)) < share
    holes, gaps = np.where(known[..., None], values, np.nan), bridgeable(known, 6)
    filled = fill(holes, longest=6)

    for column in np.flatnonzero(gaps.any(axis=0)):
        at = np.flatnonzero(known[:, column])
        whole = PchipInterpolator(at, values[at, column])(np.arange(30))
        expected = np.where(gaps[:, [column]], whole, holes[:, column])
        np.testing.assert_allclose(filled[:, column], expected, atol=1e-12)


@given(KNOWN, st.sampled_from(["linear", "pchip"]), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_filling_keeps_known_values_and_never_overshoots(known, method, seed):
    values = np.random.default_rng(seed).standard_normal((*known.shape, 3))
    values[~known] = np.nan

    filled = fill(values, longest=len(known), method=method)

    np.testing.assert_array_equal(filled[known], values[known])
    for column in range(2):
        at = np.flatnonzero(known[:, column])
        for left, right in pairwise(at):
            ends = values[[left, right], column]
            within = filled[left : right + 1, column]
            assert (within >= ends.min(axis=0) - 1e-12).all()
            assert (within <= ends.max(axis=0) + 1e-12).all()


@pytest.mark.parametrize("fill_in", [fill_keypoints, fill_poses])
def test_a_clip_of_no_frames_has_no_gaps(fill_in):
    empty = {fill_keypoints: moving(0), fill_poses: Poses(np.zeros((0, 1, 17, 3)), H36M_17)}[
        fill_in
    ]

    assert len(fill_in(empty)) == 0


def test_what_cannot_be_filled_is_said():
    with pytest.raises(ModelError, match=r"no way 'cubic' to fill gaps: take 'pchip' or 'linear'"):
        fill_keypoints(moving(), method="cubic")
    with pytest.raises(ModelError, match=r"longest gap to fill is -1: give 0 \(none\) or more"):
        fill_keypoints(moving(), frames=-1)
    with pytest.raises(ModelError, match="longest gap to fill is nan"):
        fill_poses(lifted(walk(5), film()), seconds=float("nan"))


def test_an_unknown_frame_rate_is_assumed_and_said():
    cut = without(moving(fps=None), slice(5, 20))  # 15 frames: half a second at 30 fps

    filled = fill_keypoints(cut)

    assert filled.seen.all()
    assert "frame rate is unknown: 30 fps is assumed" in filled.source
