"""Left and right put back: on walks of which every true side is known."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from helpers.walker import film, keypoints_of, walk
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.motion import left_right, mend_sides
from graphlift.sequences import keypoints_from
from graphlift.skeletons import H36M_17

FPS = 30.0


def confuse(keypoints, frames):
    """Exchange the names of left and right in some frames."""
    positions, confidence = keypoints.positions.copy(), keypoints.confidence.copy()
    positions[frames] = positions[frames][:, :, H36M_17.mirror]
    confidence[frames] = confidence[frames][:, :, H36M_17.mirror]
    return replace(keypoints, positions=positions, confidence=confidence)


@pytest.fixture(scope="module", params=[0.0, 0.7, np.pi / 2])
def keypoints(request):
    """Somebody who walks, seen from aside, askew and from behind."""
    return keypoints_of(walk(90, FPS, heading=request.param), film(), FPS)


@settings(max_examples=40, deadline=None)
@given(start=st.integers(1, 80), length=st.integers(1, 15))
def test_short_confusions_are_mended_and_nothing_else(keypoints, start, length):
    wrong = np.zeros(90, dtype=bool)
    wrong[start : min(start + length, 89)] = True

    mended, where = mend_sides(confuse(keypoints, wrong))

    # Seen exactly from aside, left and right hip are one point: who is who is open for a moment.
    assert (where[:, 0] != wrong).sum() <= 2
    same = where[:, 0] == wrong
    np.testing.assert_array_equal(mended.positions[same], keypoints.positions[same])


def test_what_is_right_is_left_alone(keypoints):
    mended, where = mend_sides(keypoints)

    assert not where.any()
    np.testing.assert_array_equal(mended.positions, keypoints.positions)
    np.testing.assert_array_equal(mended.confidence, keypoints.confidence)


def test_sides_that_stay_changed_are_believed():
    keypoints = keypoints_of(walk(280, FPS, heading=0.7), film(), FPS)
    wrong = np.arange(280) >= 140  # nearly five seconds each way

    _, where = mend_sides(confuse(keypoints, wrong))

    # When exactly they changed is open by half a stride: it costs least where joints are close.
    assert where.mean() < 0.1


def test_somebody_who_turns_round_is_not_mended():
    """The hips cross in the image, slowly: that is a turn, not a mistake."""
    angle = np.linspace(0, np.pi, 60)
    turning = np.stack([walk(1, FPS, heading=a)[0] for a in angle])

    _, where = mend_sides(keypoints_of(turning, film(), FPS))

    assert not where.any()


def test_frames_with_nobody_and_people_by_themselves():
    keypoints = keypoints_of(walk(60, FPS, heading=0.7), film(), FPS)
    two = np.concatenate([keypoints.positions, keypoints.positions + 5], axis=1)
    two[20:25, 0] = np.nan
    pair = keypoints_from(two, H36M_17, fps=FPS)
    wrong = np.zeros(60, dtype=bool)
    wrong[30:34] = True
    confused = confuse(pair, wrong)
    half = replace(
        confused,
        positions=np.stack([pair.positions[:, 0], confused.positions[:, 1]], axis=1),
        confidence=np.stack([pair.confidence[:, 0], confused.confidence[:, 1]], axis=1),
    )

    mended, where = mend_sides(half)

    assert not where[:, 0].any()
    np.testing.assert_array_equal(where[:, 1], wrong)
    np.testing.assert_array_equal(mended.positions, pair.positions)
    nobody = keypoints_from(np.full((4, 17, 2), np.nan), H36M_17, fps=FPS)
    assert not mend_sides(nobody)[1].any()


def cost(courses, keep, change, price):
    """What courses cost, of which frames are mirrored; that of the first frame is free."""
    steps = np.where(courses[..., 1:] == courses[..., :-1], keep, change).sum(axis=-1)
    return steps + price * courses[..., 1:].sum(axis=-1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=9))
def test_no_course_is_cheaper(steps):
    keep, change = np.transpose(steps)
    numbered = ((n, *step) for n, step in enumerate([(0.0, 0.0), *steps]))

    course = np.zeros(len(steps) + 1, dtype=bool)
    course[list(left_right._mirrored(numbered, 0.03))] = True

    every = np.array(list(product([False, True], repeat=len(course))))
    least = cost(every, keep, change, 0.03).min()
    assert cost(course, keep, change, 0.03) == pytest.approx(least, abs=1e-12)


def test_a_long_clip_is_mended_across_blocks_and_gaps():
    once = keypoints_of(walk(90, FPS, heading=0.7), film(), FPS)
    at = np.abs((np.arange(9000) + 89) % 178 - 89)  # to and fro, without a jump
    clip = replace(once, positions=once.positions[at], confidence=once.confidence[at])
    wrong = np.zeros(9000, dtype=bool)
    wrong[[4093, 4094, 4095, 4096, 4097, 8190, 8191, 8192, 8995]] = True
    gone = slice(4050, 4080)
    clip.positions[gone], clip.confidence[gone] = np.nan, 0

    mended, where = mend_sides(confuse(clip, wrong))

    np.testing.assert_array_equal(np.flatnonzero(where[:, 0]), np.flatnonzero(wrong))
    np.testing.assert_array_equal(mended.positions, clip.positions)
