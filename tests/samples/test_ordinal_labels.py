"""Ordinal labels that people gave: read from a table, put in their place, refused by line."""

import csv
import dataclasses
import itertools

import numpy as np
import pytest
import torch

from graphlift.errors import FormatError
from graphlift.nn.ordinal import TIED
from graphlift.samples import Selection
from graphlift.samples.data_sets import read_data
from graphlift.samples.ordinal_labels import COLUMNS, UNSAID, Trained, read_ordinal_labels
from graphlift.skeletons import H36M_16, H36M_17

PAIRS = list(itertools.combinations(range(16), 2))
VIEWS = {
    ("Ann", "walk", "0"): Trained(40, np.arange(0, 40, 3), np.arange(14)),
    ("Ann", "walk", "1"): Trained(40, np.arange(0, 40, 3), np.arange(14, 28)),
    ("Bob", "sit", "0"): Trained(7, np.arange(0, 7, 3), np.arange(28, 31)),
}


def table(path, rows, separator=",", columns=COLUMNS):
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerows([columns, *rows])
    return path


def read(path, rows, **options):
    return read_ordinal_labels(table(path, rows), H36M_16, VIEWS, count=31, **options)


def label(pair, nearer, at=("Ann", "walk", "0", 3)):
    return (*at, *pair, nearer)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_labels_stand_with_their_sample_and_pair_whichever_joint_comes_first(tmp_path, separator):
    rows = [
        label(("RHip", "LHip"), 1),
        label(("Head", "LWrist"), 0),
        label(("LWrist", "RWrist"), "-1.0", at=("Bob", "sit", "0", 6)),
    ]
    table(tmp_path / "a.csv", [row[::-1] for row in rows], separator, COLUMNS[::-1])

    found = read_ordinal_labels(tmp_path / "a.csv", H36M_16, VIEWS, count=31)

    relations = found.of(np.array([0, 1, 30, 30]), np.array([False, False, False, True]))
    said = {(1, "RHip", "LHip"): 1, (1, "Head", "LWrist"): 0, (2, "LWrist", "RWrist"): -1}
    said[3, "RWrist", "LWrist"] = -1  # in the mirror the other wrist is the nearer one
    expected = np.full((4, len(PAIRS)), UNSAID)
    for (sample, one, other), r in said.items():
        i, j = H36M_16.index(one, other)
        expected[sample, PAIRS.index((min(i, j), max(i, j)))] = r if i < j else -r
    np.testing.assert_array_equal(relations, expected)


def test_the_same_label_may_be_given_twice_and_equally_far_is_not_followed(tmp_path):
    rows = [label(("Hip", "Head"), 1), label(("Head", "Hip"), -1)]
    rows += [label(("Hip", "RHip"), 0), label(("RHip", "Head"), 0)]

    assert len(read(tmp_path / "a.csv", rows).relations) == 1


def test_a_frame_may_be_written_with_zeros_before_it(tmp_path):
    rows = [label(("Hip", "Head"), 1), label(("Hip", "RHip"), 1, at=("Ann", "walk", "0", "003"))]

    found = read(tmp_path / "a.csv", rows)

    assert (found.of(np.array([1]), np.array([False])) == 1).sum() == 2


HEAD_HIP, HIP_KNEE, KNEE_HEAD = ("Head", "Hip"), ("Hip", "RKnee"), ("RKnee", "Head")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [label(HEAD_HIP, 1), label(HIP_KNEE, 1), label(KNEE_HEAD, 1)],
            "lines 3, 4 and 2: ordinal labels contradict: Hip is .* Hip: correct or leave out one",
        ),
        (
            [
                *(label(HEAD_HIP, 1), label(HIP_KNEE, 1), label(("Spine", "Hip"), 1)),
                *(label(("Head", "RKnee"), -1), label(("RFoot", "LFoot"), 1)),
            ],
            "lines 3, 5 and 2: .*: Hip is nearer than RKnee, RKnee is nearer than Head, Head is n",
        ),
        (
            [label(HEAD_HIP, 1), label(HEAD_HIP[::-1], 1)],
            r"lines 2 and 3: .*: Head is nearer than Hip, Hip is nearer than Head: correct",
        ),
        (
            [label(HEAD_HIP, 0), label(HIP_KNEE, 1), label(HEAD_HIP, -1)],
            r"lines 2 and 4: .*: Hip is as far as Head, Hip is nearer than Head: correct",
        ),
        ([label(("Head", "Tail"), 1)], r"line 2: 'Tail' is no joint of h36m-16: give .* RWrist"),
        ([label(HEAD_HIP, 1), label(("Head", "Head"), 1)], "line 3: Head is compared with itself"),
        ([label(HEAD_HIP, 2)], "line 2: nearer is '2': give 1 where joint is nearer, -1 where"),
        ([label(HEAD_HIP, "near")], "line 2: nearer is 'near': give 1"),
        ([label(HEAD_HIP, "")], "line 2: nearer is ''"),
        ([label(HEAD_HIP, "nan")], "line 2: nearer is 'nan'"),
        (
            [label(HEAD_HIP, 1, at=("Eve", "walk", "0", 3))],
            r"line 2: 'Eve' is no subject that is trained on: give one of Ann, Bob, or leave",
        ),
        (
            [label(HEAD_HIP, 1, at=("Bob", "walk", "0", 3))],
            "line 2: 'walk' is no clip of Bob that is trained on: give one of sit",
        ),
        (
            [label(HEAD_HIP, 1, at=("Ann", "walk", "2", 3))],
            "line 2: '2' is no camera of walk that is trained on: give one of 0, 1",
        ),
        (
            [label(HEAD_HIP, 1, at=("Ann", "walk", "0", 40))],
            "line 2: walk has no frame '40': give one from 0 to 39",
        ),
        ([label(HEAD_HIP, 1, at=("Ann", "walk", "0", -1))], "line 2: walk has no frame '-1'"),
        (
            [label(HEAD_HIP, 1, at=("Ann", "walk", "0", "9" * 5000))],
            "line 2: walk has no frame '9",
        ),
        (
            [label(HEAD_HIP, 1), label(HEAD_HIP, -1, at=("Ann", "walk", "0", "03"))],
            "lines 2 and 3: .*: Head is nearer than Hip, Hip is nearer than Head: correct",
        ),
        (
            [label(HEAD_HIP, 1, at=("Ann", "walk", "0", 4))],
            "line 2: frame 4 of walk is not trained on, but such as 0, 3, 6: leave its labels out",
        ),
        ([(*label(HEAD_HIP, 1), "!")], "line 2: 8 cells, but the header has 7"),
        ([], "has no labels below its header"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, rows, message):
    with pytest.raises(FormatError, match=rf"labels\.csv(, |: ){message}"):
        read(tmp_path / "labels.csv", rows)


def test_columns_that_are_missing_or_unknown_are_named(tmp_path):
    path = table(tmp_path / "labels.csv", [], columns=("frame", "joint", "annotator"))

    with pytest.raises(
        FormatError, match=r"columns frame, joint, annotator: .* subject, clip, cam"
    ):
        read_ordinal_labels(path, H36M_16, VIEWS, count=31)


def test_labels_of_people_for_whom_objectives_do_not_count_are_refused(tmp_path):
    with pytest.raises(FormatError, match=r"line 2: Ann is labelled in 3D, .* unlabelled: add it"):
        read(tmp_path / "labels.csv", [label(HEAD_HIP, 1)], positions_of=("Ann",))


def truth(poses, where, skeleton):
    """Rows of every pair of joints, by words, from depths of the poses."""
    for pose, at in zip(poses, where, strict=True):
        for i, j in itertools.combinations(range(len(skeleton)), 2):
            apart = np.float32(pose[j, 2]) - np.float32(pose[i, 2])
            nearer = 0 if abs(apart) <= np.float32(TIED) else (1 if apart > 0 else -1)
            yield (*at, skeleton.joints[i], skeleton.joints[j], nearer)


@pytest.mark.parametrize("flip", [False, True])
def test_batches_of_motion_capture_have_the_labels_of_their_samples(study_data, tmp_path, flip):
    """Labels that say what the depths are, and so in every batch, mirrored or not."""
    samples = study_data.train.of(study_data.train.subjects[1:]).subjects
    whole = study_data.samples("train", Selection())
    clips = study_data.train.clips
    mine = [n for n in range(0, len(whole), 5) if clips[whole.clip[n]].subject in samples]
    where = [
        (clip.subject, clip.name, whole.camera[n], whole.frame[n])
        for n, clip in ((n, clips[whole.clip[n]]) for n in mine)
    ]
    path = table(tmp_path / "l.csv", truth(whole.targets[mine], where, whole.skeleton))
    chosen = Selection(size=64, flip=flip, unlabelled=samples, ordinal_labels=str(path))

    study_data.check(chosen)
    batches = study_data.batches(chosen, torch.from_numpy)

    found = 0
    for step in range(min(batches.per_epoch, 6)):
        y, said = batches[step][1].numpy(), batches.order(step)
        rows = batches._rows(step)
        assert (said != UNSAID).any(axis=1).tolist() == np.isin(rows, mine).tolist()
        for at in np.flatnonzero(np.isin(rows, mine)):
            expected = [row[-1] for row in truth(y[[at]], [()], whole.skeleton)]
            assert said[at].tolist() == expected
            found += 1
    assert found


def test_batches_of_packs_have_the_labels_of_their_frames(packs, tmp_path):
    data = read_data(str(packs))
    sequence = next(one for one in data.pack if (one.subject, one.camera) == ("S5", "camera1"))
    where = [("S5", sequence.clip, "camera1", frame) for frame in (2, 11)]
    rows = truth(sequence.positions[[2, 11]], where, H36M_17)
    chosen = Selection(cameras="own", joints=17, size=16, held_out=("S8",), unlabelled=("S5",))
    path = str(table(tmp_path / "l.csv", rows))
    chosen = dataclasses.replace(chosen, ordinal_labels=path)

    data.check(chosen)
    batches = data.batches(chosen, np.asarray)

    wanted = {p.tobytes() for p in (sequence.positions - sequence.positions[:, :1])[[2, 11]]}
    found = 0
    for step in range(batches.per_epoch):
        for pose, said in zip(batches[step][1], batches.order(step), strict=True):
            assert (said != UNSAID).all() == (pose.tobytes() in wanted)
            if pose.tobytes() in wanted:
                assert said.tolist() == [row[-1] for row in truth([pose], [()], H36M_17)]
                found += 1
    assert found == 2
    table(tmp_path / "l.csv", [("S8", sequence.clip, "camera1", 0, "Hip", "RHip", 1)])
    with pytest.raises(FormatError, match=r"'S8' is no subject that is trained on: .* S1, S5, S6"):
        data.check(chosen)
