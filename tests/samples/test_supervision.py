"""Who is unlabelled: named in a run, marked in every batch, refused where it makes no sense."""

import dataclasses

import numpy as np
import pytest

from graphlift.errors import ConfigError
from graphlift.samples import Selection
from graphlift.samples.data_sets import read_data
from graphlift.samples.supervision import Supervision


def test_batches_of_open_data_mark_the_samples_of_unlabelled_people(study_data):
    """By their depths: every sample of a batch is looked for among the people's own."""
    first, second = study_data.train.subjects
    chosen = Selection(size=32, seed=1, unlabelled=(second,))
    batches = study_data.batches(chosen, np.asarray)
    alone = dataclasses.replace(study_data, train=study_data.train.of((first,)))
    own = {pose.tobytes() for pose in alone.samples("train", Selection()).targets}

    marks = []
    for step in range(batches.per_epoch + 1):
        _, y = batches[step]
        expected = [pose.tobytes() in own for pose in y]
        assert batches.labelled(step).tolist() == expected
        marks += expected

    assert 0 < np.mean(marks) < 1


def test_where_everybody_is_labelled_batches_are_what_they_were(study_data):
    plain = study_data.batches(Selection(size=16, flip=True), np.asarray)
    some = study_data.batches(
        Selection(size=16, flip=True, unlabelled=study_data.train.subjects[:1]), np.asarray
    )

    assert plain.labelled(0) is None
    for one, other in zip(plain[3], some[3], strict=True):
        np.testing.assert_array_equal(one, other)


def test_packs_mark_the_frames_of_unlabelled_people(packs):
    data = read_data(str(packs))
    chosen = Selection(cameras="own", size=16, seed=2, held_out=("S8",), unlabelled=("S5", "S7"))
    batches = data.batches(chosen, np.asarray)
    own = set()
    for entry in data.pack.index.sequences:
        if entry.subject in ("S1", "S6"):
            rows = range(entry.first, entry.first + entry.frames)
            positions = data.pack.positions[rows][:, :9]  # before the neck: as in 16 joints
            own |= {pose.tobytes() for pose in positions - positions[:, :1]}

    for step in range(batches.per_epoch):
        y = batches[step][1][:, :9]
        assert batches.labelled(step).tolist() == [pose.tobytes() in own for pose in y]


@pytest.mark.parametrize(
    ("people", "message"),
    [
        (("nobody",), r"supervision\.unlabelled: nobody is nobody of small .* choose from"),
        (None, r"supervision\.unlabelled: everybody of small .* leave one labelled"),
    ],
)
def test_who_cannot_be_unlabelled_is_named(people, message, study_data):
    people = people or study_data.train.subjects

    with pytest.raises(ConfigError, match=message):
        study_data.check(Selection(unlabelled=people))
    assert study_data.check(Selection(unlabelled=study_data.train.subjects[1:])) == ()


def test_packs_say_who_cannot_be_unlabelled(packs):
    data = read_data(str(packs))
    held = Selection(cameras="own", held_out=("S8",))

    data.check(dataclasses.replace(held, unlabelled=("S5", "S6")))
    with pytest.raises(ConfigError, match=r"S8 is nobody of .* from S1, S5, S6, S7$"):
        data.check(dataclasses.replace(held, unlabelled=("S8",)))
    with pytest.raises(ConfigError, match="leave one labelled"):
        data.check(dataclasses.replace(held, unlabelled=("S1", "S5", "S6", "S7")))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"ordinal": -0.1}, "ordinal is -0.1: a weight must be finite and not negative"),
        ({"critic": float("nan")}, "critic is nan"),
        ({"parts": float("inf")}, "parts is inf"),
        (
            {"unlabelled": ("S1",)},
            "teach nothing .* projection, bone_ratios, ordinal, parts, crit",
        ),
    ],
)
def test_objectives_that_make_no_sense_are_refused(keys, message):
    with pytest.raises(ValueError, match=message):
        Supervision(**keys)


def test_nothing_is_asked_unless_it_has_a_weight():
    assert not Supervision().active
    assert Supervision(parts=0.1).active
