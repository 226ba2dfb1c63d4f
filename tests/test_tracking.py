"""Ids over frames: people whose paths are known, listed in a shuffled order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.errors import ShapeError
from graphlift.tracking import Tracker, associate, gather, track

STANDING = np.array(
    [[0, -80], [-5, -85], [5, -85], [-20, -60], [20, -60], [-30, -30], [30, -30], [-32, 0],
     [32, 0], [-12, 0], [12, 0], [-13, 40], [13, 40], [-14, 80], [14, 80]], dtype=float,
)  # fmt: skip
"""Fifteen joints of somebody 165 px high."""


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


def test_a_scrap_of_a_person_does_not_take_the_id_from_the_whole():
    # Detectors leave an elbow here and there, exactly where the person is.
    person = walkers([(200, 300)], [(0, 0)], 2, noise=4)
    scrap = np.zeros((15, 3))
    scrap[5] = person[0, 0, 5]

    ids = track([person[0], np.stack([scrap, person[1, 0]])])

    assert ids == [(0,), (1, 0)]


def test_somebody_without_a_joint_is_nobody():
    person = walkers([(200, 300)], [(0, 0)], 1)[0, 0]
    nobody = [np.zeros((15, 3)), np.full((15, 3), np.nan), np.where([1, 1, 0], person, 0)]

    assert track([np.stack([*nobody, person])]) == [(-1, -1, -1, 0)]


def test_ids_depend_on_the_past_alone():
    frames, _ = shuffled(walkers([(200, 300), (400, 300)], [(4, 0), (-4, 1)], 50))

    whole = track(frames)

    tracker = Tracker()
    assert [tracker.update(frame) for frame in frames[:30]] == whole[:30]
    assert track(frames) == whole


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


def test_associated_people_are_sorted_and_absent_ones_not_a_number():
    people = walkers([(200, 300), (600, 300)], [(0, 0)] * 2, 6)
    frames, orders = shuffled(people)
    frames[3] = frames[3][:0]
    frames[4] = frames[4][list(orders[4]).index(1)][None]
    first = orders[0][0]

    together = associate(frames)

    assert together.shape == (6, 2, 15, 3)
    np.testing.assert_array_equal(together[[0, 1, 2, 5], 0], people[[0, 1, 2, 5], first])
    np.testing.assert_array_equal(together[[0, 1, 2, 5], 1], people[[0, 1, 2, 5], 1 - first])
    assert np.isnan(together[3]).all()
    assert np.isnan(together[4]).all(axis=(1, 2)).sum() == 1


def test_those_who_are_seen_most_are_kept_in_order_of_appearance():
    frame = np.arange(3 * 2 * 3, dtype=float).reshape(3, 2, 3)
    ids = [("a", "b", "c"), ("b", "c", -1), ("c", "b", -1)]

    together, names = gather([frame] * 3, ids, most=2)

    assert names == ("b", "c")
    np.testing.assert_array_equal(together[:, 0], frame[[1, 0, 1]])
    np.testing.assert_array_equal(together[:, 1], frame[[2, 1, 0]])


def test_ids_given_by_a_file_are_not_second_guessed():
    frame = walkers([(0, 0), (500, 0)], [(0, 0)] * 2, 1)[0]

    together, names = gather([frame, frame], [(7, 3), (3, 7)])

    assert names == (7, 3)
    np.testing.assert_array_equal(together[1, 0], frame[1])


@pytest.mark.parametrize("shape", [(15, 3), (2, 15, 2), (2, 15, 4)])
def test_other_axes_are_refused_with_the_right_ones(shape):
    with pytest.raises(ShapeError, match=r"should be \(person, joint, 3\): x, y and confidence"):
        Tracker().update(np.zeros(shape))
