"""Batches: a function of seed and step alone, whatever data set they are drawn from."""

import numpy as np
import pytest
import torch

from graphlift.samples import Selection
from graphlift.samples.samples import activity_weights

RANDOM = Selection(cameras="random", joints=17, size=8, seed=3)


def batches(data, **keys):
    return data.batches(Selection(**keys), np.asarray)


@pytest.mark.parametrize("chosen", [Selection(size=32, seed=1, flip=True), RANDOM])
def test_batches_depend_on_seed_and_step_alone(study_data, chosen):
    forward, again = (study_data.batches(chosen, np.asarray) for _ in range(2))
    drawn = [forward[step] for step in range(2 * forward.per_epoch)]
    for step in reversed(range(len(drawn))):
        for one, other in zip(drawn[step], again[step], strict=True):
            np.testing.assert_array_equal(one, other)

    assert not np.array_equal(drawn[0][0], drawn[1][0])


def test_another_seed_draws_other_batches(study_data):
    one, other = (batches(study_data, size=32, seed=seed)[0][0] for seed in (1, 2))

    assert not np.array_equal(one, other)


def test_views_are_as_many_as_frames_and_never_the_same(study_data):
    drawn = study_data.batches(RANDOM, np.asarray)

    assert drawn.per_epoch == len(study_data.train) // 8
    assert drawn[0][0].shape == drawn[0][1].shape == (8, 17, 3)
    firsts = {drawn[step][0][0].tobytes() for step in (0, 1, 31, 32, 33, 70)}
    assert len(firsts) == 6


def test_batches_draw_by_weight(study_data):
    activity = study_data.samples("train", Selection()).activity
    weights = activity_weights(activity)
    drawing = batches(study_data, size=32)
    drawn = np.concatenate([drawing.draw(epoch) for epoch in range(200)])

    for name in np.unique(activity):
        share = (activity[drawn] == name).mean()
        assert share == pytest.approx(weights[activity == name].sum(), abs=0.01)


def test_a_flipped_frame_is_what_a_mirror_would_show(study_data):
    plain, flipped = (batches(study_data, size=64, flip=flip)[0] for flip in (False, True))
    pairs = {1: 4, 2: 5, 3: 6, 10: 13, 11: 14, 12: 15}  # right-left and left-right, 16 joints
    swap = list(range(16))
    for a, b in pairs.items():
        swap[a], swap[b] = b, a

    mirrored = 0
    for b in range(64):
        if np.array_equal(flipped[0][b], plain[0][b]):
            np.testing.assert_array_equal(flipped[1][b], plain[1][b])
        else:
            mirrored += 1
            for one, other in zip(flipped, plain, strict=True):
                sign = np.array([-1.0] + [1.0] * (other.shape[-1] - 1))
                np.testing.assert_array_equal(one[b], other[b][swap] * sign)
    assert 16 < mirrored < 48


def test_frames_lie_where_they_are_placed(study_data):
    """On a device, they are drawn there, without a copy of each batch."""

    def place(array):
        return torch.from_numpy(array).to("meta")

    x, y = study_data.batches(Selection(size=8, flip=True), place)[0]

    assert {x.device.type, y.device.type} == {"meta"}
    assert (x.shape, y.shape) == ((8, 16, 2), (8, 16, 3))


def test_a_batch_does_not_depend_on_where_it_lies(study_data):
    chosen = Selection(size=8, flip=True)
    here, there = (study_data.batches(chosen, place)[3] for place in (np.copy, torch.from_numpy))

    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one, other.numpy())
