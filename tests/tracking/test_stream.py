"""Ids from the past alone: people whose paths are known, listed in a shuffled order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.errors import ShapeError
from graphlift.tracking import Tracker, gather

STANDING = np.array(
    [[0, -80], [-5, -85], [5, -85], [-20, -60], [20, -60], [-30, -30], [30, -30], [-32, 0],
     [32, 0], [-12, 0], [12, 0], [-13, 40], [13, 40], [-14, 80], [14, 80]], dtype=float,
)  # fmt: skip
"""Fifteen joints of somebody 165 px high."""


def track(frames):
    """Ids as frames come."""
    tracker = Tracker()
    return [tracker.update(people) for people in frames]


def walkers(starts, speeds, frames, *, noise=1.0, seed=0):
    """People who walk straight on: (frame, person, joint, 3)."""
    rng = np.random.default_rng(seed)
    starts, speeds = np.array(starts, float), np.array(speeds, float)
    time = np.arange(frames)[:, None, None]
    places = starts + time * speeds
    xy = places[:, :, None] + STANDING + rng.normal(0, noise, (frames, len(starts), 15, 2))
    return np.concatenate([xy, rng.uniform(0.5, 1, (*xy.shape[:-1], 1))], axis=-1)


def shuffled(people, seed=0):
    """The people of each frame in random order, and which one is where."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(people.shape[1]) for _ in people]
    return [frame[order] for frame, order in zip(people, orders, strict=True)], orders


def assert_nobody_is_swapped(ids, orders):
    """Every person has one id in all frames, and no two have the same."""
    whose = {}
    for frame, order in zip(ids, orders, strict=True):
        for one, person in zip(frame, order, strict=True):
            whose.setdefault(int(person), set()).add(one)
    assert all(len(each) == 1 for each in whose.values()), whose
    assert len({next(iter(each)) for each in whose.values()}) == len(whose)


def test_people_who_stand_about_keep_their_ids_in_whatever_order_they_come():
    people = walkers([(200, 300), (400, 300), (600, 310)], [(0, 0)] * 3, 60, noise=3)
    frames, orders = shuffled(people)

    assert_nobody_is_swapped(track(frames), orders)


def test_people_who_walk_past_each_other_are_not_swapped():
    # In frame 40 the one hides the other, all but ten pixels.
    people = walkers([(200, 300), (600, 310)], [(5, 0), (-5, 0)], 80)
    frames, orders = shuffled(people)

    assert_nobody_is_swapped(track(frames), orders)


def test_a_runner_is_followed_from_the_first_frame():
    # 0.11 of a body's height a frame: 5 m/s at 25 frames per second.
    people = walkers([(100, 300), (900, 300)], [(18, 0), (-18, 0)], 40)
    frames, orders = shuffled(people)

    assert_nobody_is_swapped(track(frames), orders)


def test_joints_missing_at_random_do_not_matter():
    people = walkers([(200, 300), (330, 320), (460, 340)], [(3, 0), (3, 0), (-3, 0)], 60)
    people[np.random.default_rng(1).random(people.shape[:-1]) < 0.5] = 0
    frames, orders = shuffled(people)

    assert_nobody_is_swapped(track(frames), orders)


@pytest.mark.parametrize(("away", "same"), [(1, True), (10, True), (11, False)])
def test_somebody_hidden_keeps_the_id_for_as_many_frames_as_stated(away, same):
    seen = walkers([(200, 300)], [(0, 0)], 1)[0]
    tracker = Tracker(patience=10)
    first = tracker.update(seen)
    for _ in range(away):
        assert tracker.update(np.zeros((0, 15, 3))) == ()

    assert (tracker.update(seen) == first) is same


def test_somebody_hidden_is_expected_further_on():
    people = walkers([(100, 300)], [(8, 0)], 30)
    frames = [
        frame if number not in (12, 13) else frame[:0] for number, frame in enumerate(people)
    ]

    assert {one for frame in track(frames) for one in frame} == {0}


def test_somebody_who_comes_later_is_new_and_somebody_far_away_too():
    here, there = walkers([(200, 300), (700, 300)], [(0, 0)] * 2, 1)[0]

    ids = track([here[None], np.stack([there, here]), there[None]])

    assert ids == [(0,), (1, 0), (1,)]


def test_a_scrap_of_a_person_is_a_duplicate_and_does_not_take_the_id():
    # Detectors leave an elbow here and there, exactly where the person is.
    person = walkers([(200, 300)], [(0, 0)], 2, noise=4)
    scrap = np.zeros((15, 3))
    scrap[5] = person[0, 0, 5]

    ids = track([person[0], np.stack([scrap, person[1, 0]])])

    assert ids == [(0,), (-1, 0)]


def test_one_duplicate_never_splits_a_person():
    # A poor copy of the person in frame 8; afterwards there is one detection a frame, as before.
    person = walkers([(200, 300)], [(2, 0)], 60, noise=2)
    frames = list(person)
    poor = person[5] + np.random.default_rng(1).normal(0, 10, person[5].shape) * [1, 1, 0]
    frames[8] = np.concatenate([person[8], poor * [1, 1, 0.5]])

    ids = track(frames)

    assert [ids_of[0] for ids_of in ids] == [0] * 60
    assert ids[8] == (0, -1)


@pytest.mark.parametrize("away", [2, 10, 25])
def test_who_is_seen_never_loses_to_who_is_not(away):
    # One stands where another was last seen; the longer that is ago, the more it would tolerate.
    stays, leaves = walkers([(240, 300), (200, 300)], [(0, 0)] * 2, 2 * away, noise=3).swapaxes(
        0, 1
    )
    frames = [np.stack([stays[0], leaves[0]]), *(each[None] for each in stays[1:])]

    ids = track(frames)

    assert ids[0] == (0, 1)
    assert set(ids[1:]) == {(0,)}


def test_somebody_without_a_joint_is_nobody():
    person = walkers([(200, 300)], [(0, 0)], 1)[0, 0]
    nobody = [np.zeros((15, 3)), np.full((15, 3), np.nan), np.where([1, 1, 0], person, 0)]

    assert track([np.stack([*nobody, person])]) == [(-1, -1, -1, 0)]


def test_the_same_past_gives_the_same_ids():
    frames, _ = shuffled(walkers([(200, 300), (400, 300)], [(4, 0), (-4, 1)], 50))

    assert track(frames[:30]) == track(frames)[:30]


PATIENT = settings(deadline=None, max_examples=25)


@PATIENT
@given(st.floats(0.05, 20), st.integers(0, 5))
def test_ids_do_not_depend_on_the_images_scale_or_on_where_people_are(scale, seed):
    people = walkers([(200, 300), (330, 320)], [(6, 0), (-6, 2)], 25, noise=2, seed=seed)
    far = np.array([1000, 2000, 0])

    assert track(list(people * [scale, scale, 1] + far)) == track(list(people + far))


@PATIENT
@given(st.integers(0, 100), st.integers(1, 4), st.integers(1, 12))
def test_no_id_comes_twice_in_a_frame_and_frames_out_are_frames_in(seed, people, frames):
    rng = np.random.default_rng(seed)
    seen = [
        np.concatenate(
            [rng.uniform(0, 600, (n, 15, 2)), rng.uniform(-0.2, 1, (n, 15, 1))], axis=-1
        )
        for n in rng.integers(0, people + 1, frames)
    ]

    ids = track(seen)

    assert [len(frame) for frame in ids] == [len(frame) for frame in seen]
    for frame in ids:
        named = [one for one in frame if one >= 0]
        assert len(named) == len(set(named))


def test_gathered_people_are_sorted_and_absent_ones_not_a_number():
    frame = np.arange(3 * 2 * 3, dtype=float).reshape(3, 2, 3)

    together = gather([frame, frame], [("a", "b", "c"), ("c", -1, "a")], ["c", "b"])

    np.testing.assert_array_equal(together[:, 0], frame[[2, 0]])
    np.testing.assert_array_equal(together[0, 1], frame[1])
    assert np.isnan(together[1, 1]).all()


@pytest.mark.parametrize("shape", [(15, 3), (2, 15, 2), (2, 15, 4)])
def test_other_axes_are_refused_with_the_right_ones(shape):
    with pytest.raises(ShapeError, match=r"should be \(person, joint, 3\): x, y and confidence"):
        Tracker().update(np.zeros(shape))
