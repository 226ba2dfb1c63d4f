"""Scores under a protocol, against loops over frames and against figures worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import slow_metrics as slow
from helpers.scored_poses import METRICS, people, values
from scipy.spatial.transform import Rotation

from graphlift.errors import ShapeError
from graphlift.protocols import PROTOCOLS
from graphlift.scoring import score, score_poses
from graphlift.skeletons import H36M_16, H36M_17, MPI_INF_3DHP_17

H36M = PROTOCOLS["h36m-17"]
OFFICIAL = PROTOCOLS["3dhp-14"]
SEQUENCES = ["S9 a"] * 5 + ["S9 b"] * 4 + ["S11 Directions"] * 3 + ["S11 b"] * 6
ACTIVITIES = ["Walking"] * 5 + ["Eating"] * 4 + ["Directions"] * 3 + ["Eating 1"] * 3 + [
    "Directions 1"
] * 3  # fmt: skip


# The whole, a second time


def twin(predicted, target, valid, protocol, skeleton, activity, sequence):
    """All that a protocol says, with dictionaries and loops: {activity: {metric: values}}."""
    joints = [skeleton.joints.index(name) for name in protocol.scored]
    root = skeleton.joints.index(protocol.root)
    found = {}
    rooted = [
        [[pose[j] - pose[root] for j in joints] for pose in poses] for poses in (predicted, target)
    ]
    before = None
    for f, (mine, truth) in enumerate(zip(*rooted, strict=True)):
        there = [k for k, j in enumerate(joints) if valid[f][j]]
        if sequence[f] in protocol.excluded or not valid[f][root] or len(there) < 3:
            before = None
            continue
        p, t = [mine[k] for k in there], [truth[k] for k in there]
        lists = found.setdefault(activity[f], {name: [] for name in METRICS})
        (plain,) = slow.distances([p], [t])
        lists["mpjpe_mm"] += plain
        lists["p_mpjpe_mm"] += slow.distances([slow.aligned(p, t)], [t])[0]
        lists["n_mpjpe_mm"] += slow.distances([slow.scaled(p, t)], [t])[0]
        lists["pck"] += plain
        offset = {k: mine[k] - truth[k] for k in there}
        if before is not None and sequence[f] == sequence[f - 1]:
            lists["mpjve_mm"] += [
                np.linalg.norm(offset[k] - before[k]) for k in there if k in before
            ]
        before = offset
    return {
        name: [
            *(1000 * np.mean(lists[metric]) if lists[metric] else None for metric in METRICS[:4]),
            *(slow.pck(lists["pck"]), slow.auc(lists["pck"])),
        ]
        for name, lists in found.items()
    }


@pytest.fixture
def scene():
    predicted, target = people(len(SEQUENCES))
    valid = np.random.default_rng(1).random((len(SEQUENCES), 17)) < 0.8
    valid[:, 0] = True
    valid[2] = False  # nothing known
    valid[7, 0] = False  # no root
    valid[14, 1:] = False
    valid[14, [3, 4]] = True  # with the root, three
    valid[13, 2:] = False  # with the root, two
    return predicted, target, valid


def test_everything_is_that_of_the_slow_twin(scene):
    predicted, target, valid = scene

    scores = score_poses(*scene[:2], H36M, activity=ACTIVITIES, sequence=SEQUENCES, valid=valid)

    takes = [name.removesuffix(" 1") for name in ACTIVITIES]
    want = twin(predicted, target, valid, H36M, H36M_17, takes, SEQUENCES)
    assert list(scores.per_activity) == ["Directions", "Eating", "Walking"]
    for name, numbers in want.items():
        assert values(scores.per_activity[name]) == pytest.approx(numbers)
    assert values(scores.overall) == pytest.approx(np.mean(list(want.values()), axis=0))
    assert (scores.counts.frames, scores.counts.frames_scored) == (18, 12)
    assert (scores.counts.frames_excluded, scores.counts.frames_not_valid) == (3, 3)
    rows = [0, 1, 3, 4, 5, 6, 8, 12, 14, 15, 16, 17]
    assert scores.counts.joints_not_valid == (~valid[rows]).sum()


def test_over_frames_everything_weighs_the_same(scene):
    predicted, target, valid = scene

    scores = score_poses(predicted, target, H36M, sequence=SEQUENCES, valid=valid)

    want = twin(predicted, target, valid, H36M, H36M_17, ["all"] * 18, SEQUENCES)["all"]
    assert values(scores.overall) == pytest.approx(want)
    assert (scores.average, scores.per_activity) == ("frames", {})
    assert "mean over frames" in scores.describe()
    assert any("there is no `activity`" in note for note in scores.notes)


@pytest.mark.parametrize("name", ["3dhp-14", "cross-14", "unseen-17", "h36m-like", "open-16"])
def test_each_protocol_scores_its_joints(name):
    protocol = PROTOCOLS[name]
    skeleton = protocol.skeletons[-1]
    predicted, target = people(6, len(skeleton))

    scores = score_poses(predicted, target, protocol, activity=["a"] * 6, sequence=["s"] * 6)

    everywhere = np.ones(target.shape[:2], dtype=bool)
    told = (skeleton, ["a"] * 6, ["s"] * 6)
    want = twin(predicted, target, everywhere, protocol, *told)["a"]
    shares = replace(protocol, scored=protocol.correct)
    want[4:] = twin(predicted, target, everywhere, shares, *told)["a"][4:]
    assert values(scores.overall) == pytest.approx(want)
    assert list(scores.per_joint) == list(protocol.scored)
    for joint, each in scores.per_joint.items():
        assert (each.pck is None) == (joint not in protocol.correct)


def test_per_joint_numbers_are_averaged_as_the_whole_is():
    predicted, target = people(9)
    activity = ["Eating"] * 2 + ["Walking"] * 7

    scores = score_poses(predicted, target, H36M, activity=activity)

    offset = (predicted - predicted[:, :1]) - (target - target[:, :1])
    errors = 1000 * np.linalg.norm(offset, axis=-1)
    want = (errors[:2].mean(axis=0) + errors[2:].mean(axis=0)) / 2
    assert [each.mpjpe_mm for each in scores.per_joint.values()] == pytest.approx(want)
    assert np.mean([each.mpjpe_mm for each in scores.per_joint.values()]) == pytest.approx(
        scores.overall.mpjpe_mm
    )


def test_chunks_make_no_difference(scene, monkeypatch):
    told = {"activity": ACTIVITIES, "sequence": SEQUENCES, "valid": scene[2]}
    whole = score_poses(*scene[:2], H36M, **told)
    monkeypatch.setattr(score, "CHUNK", 4)

    parts = score_poses(*scene[:2], H36M, **told)

    assert values(parts.overall) == pytest.approx(values(whole.overall))
    assert parts.counts == whole.counts


# By hand


def one_joint_off(metres, joint, frames=2, joints=17, axis=0):
    target = np.random.default_rng(0).normal(size=(frames, joints, 3))
    predicted = target.copy()
    predicted[:, joint, axis] += metres
    return predicted, target


def test_the_roots_zero_counts_in_human36m():
    predicted, target = one_joint_off(0.0, 0)
    predicted[:, 1:] += [0.0, 0.034, 0.0]  # all but the root, which is where it should be

    scores = score_poses(predicted, target, H36M)

    assert scores.overall.mpjpe_mm == pytest.approx(34 * 16 / 17)
    assert scores.per_joint["Hip"].mpjpe_mm == 0


def test_activities_weigh_the_same_however_many_frames_they_have():
    predicted, target = one_joint_off(0.0, 0, frames=10)
    predicted[:1, 5] += [0.017, 0, 0]
    predicted[1:, 5] += [0.170, 0, 0]

    scores = score_poses(predicted, target, H36M, activity=["Eating"] + ["Walking"] * 9)

    assert scores.per_activity["Eating"].mpjpe_mm == pytest.approx(1)
    assert scores.per_activity["Walking"].mpjpe_mm == pytest.approx(10)
    assert scores.overall.mpjpe_mm == pytest.approx(5.5)
    assert scores.overall.pck == pytest.approx(100 * (1 + 16 / 17) / 2)


def test_a_perfect_3dhp_prediction_gets_100_and_96_77():
    _, target = people(4)

    overall = score_poses(target + 7.0, target, OFFICIAL).overall

    assert (overall.pck, overall.mpjpe_mm) == (100, pytest.approx(0, abs=1e-9))
    assert overall.auc == pytest.approx(100 * 30 / 31)
    assert round(overall.auc, 2) == 96.77


def test_3dhp_counts_14_joints_and_150_mm_are_too_many():
    # Exact in floating point: roots at 0, one wrist off by 0.15 to the right, one by a bit less.
    target = np.zeros((1, 17, 3))
    predicted = target.copy()
    wrists = MPI_INF_3DHP_17.index("RWrist", "LWrist")
    predicted[0, wrists, 0] = [0.15, np.nextafter(0.15, 0)]
    predicted[0, MPI_INF_3DHP_17.index("Spine", "Head"), 2] = 9.0  # are not scored

    scores = score_poses(predicted, target, OFFICIAL)

    assert scores.overall.pck == pytest.approx(100 * 13 / 14)
    assert scores.overall.mpjpe_mm == pytest.approx(2 * 150 / 14)
    assert [scores.per_joint[joint].pck for joint in ("RWrist", "LWrist")] == [0, 100]


def test_3dhp_is_rooted_at_the_pelvis_which_is_the_fifteenth_joint():
    predicted, target = one_joint_off(0.100, 14, joints=17)

    overall = score_poses(predicted, target, OFFICIAL).overall

    assert overall.mpjpe_mm == pytest.approx(100)  # every other joint moves the other way


def test_3dhp_groups_and_their_frame_weighted_mean():
    predicted, target = one_joint_off(0.0, 0, frames=10)
    knee = MPI_INF_3DHP_17.index("RKnee")
    predicted[:3, knee] += 1.0
    predicted[6:8, knee] += 1.0
    sequence = ["TS1"] * 2 + ["TS2"] * 2 + ["TS3"] * 4 + ["TS6"] * 2

    scores = score_poses(predicted, target, OFFICIAL, sequence=sequence)

    groups = {name: group.pck for name, group in scores.per_group.items()}
    off = 100 / 14
    assert groups == pytest.approx(
        {"GS": 100 - off * 3 / 4, "noGS": 100 - off * 2 / 4, "Outdoor": 100}
    )
    frames = [group.frames for group in scores.per_group.values()]
    assert frames == [4, 4, 2]
    assert scores.overall.pck == pytest.approx(np.average([*groups.values()], weights=frames))


def test_velocities_are_not_taken_across_sequences_or_over_a_frame_left_out():
    target = np.zeros((7, 17, 3))
    predicted = target.copy()
    predicted[:, 3, 1] = [0.0, 0.017, 0.017, 5.0, 5.034, 9.0, 9.0]
    sequence = ["a", "a", "a", "b", "b", "b", "b"]
    valid = np.array([1, 1, 1, 1, 1, 0, 1], dtype=bool)

    overall = score_poses(predicted, target, H36M, sequence=sequence, valid=valid).overall

    assert overall.mpjve_mm == pytest.approx((17 + 0 + 34) / 17 / 3)


# What must not matter, and what must


@pytest.mark.parametrize("metric", METRICS)
def test_a_turn_of_the_world_and_the_place_of_the_person_do_not_matter(metric):
    predicted, target = people(5)
    turn = Rotation.from_euler("xyz", [0.3, -1.0, 2.0]).as_matrix().T
    told = {"sequence": ["a"] * 5}

    moved = score_poses(predicted @ turn + 3.0, target @ turn - 1.0, H36M, **told).overall

    straight = score_poses(predicted, target, H36M, **told).overall
    assert getattr(moved, metric) == pytest.approx(getattr(straight, metric))


def test_the_order_of_frames_does_not_matter():
    predicted, target = people(12)
    activity = np.array(["Eating", "Walking", "Photo"] * 4)
    shuffled = np.random.default_rng(0).permutation(12)

    one = score_poses(predicted, target, H36M, activity=activity)
    other = score_poses(predicted[shuffled], target[shuffled], H36M, activity=activity[shuffled])

    assert [v for v in values(other.overall) if v is not None] == pytest.approx(
        [v for v in values(one.overall) if v is not None]
    )


def test_each_metric_forgives_what_it_should():
    _, target = people(5)
    root = target[:, :1]
    turn = Rotation.from_euler("y", 0.8).as_matrix().T

    def metrics(predicted):
        return values(score_poses(predicted, target, H36M).overall)[:3]

    plain, aligned, scaled = metrics((target - root) * 1.3)
    assert plain > 50
    assert (aligned, scaled) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))
    plain, aligned, scaled = metrics(target @ turn)
    assert min(plain, scaled) > 50
    assert aligned == pytest.approx(0, abs=1e-9)
    assert min(metrics(target * [-1, 1, 1])) > 10  # a mirror image is another pose


# Refusals


@pytest.mark.parametrize(
    ("mine", "theirs", "name", "says"),
    [
        ((4, 16, 3), (4, 17, 3), "h36m-17", "should be the same (frame, joint, 3)"),
        ((5, 17, 3), (4, 17, 3), "h36m-17", "should be the same (frame, joint, 3)"),
        ((4, 17, 2), (4, 17, 2), "h36m-17", "should be the same (frame, joint, 3)"),
        ((4, 16, 3), (4, 16, 3), "h36m-17", "17 joints (h36m-17) for protocol h36m-17"),
        ((4, 17, 3), (4, 17, 3), "h36m-16", "16 joints (h36m-16) for protocol h36m-16"),
        ((4, 14, 3), (4, 14, 3), "3dhp-14", "17 joints (mpi-inf-3dhp-17)"),
        ((4, 15, 3), (4, 15, 3), "cross-14", "16 joints (h36m-16) or 17 joints (h36m-17)"),
        ((0, 17, 3), (0, 17, 3), "h36m-17", "of a frame or more"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_with_both_shapes(mine, theirs, name, says):
    with pytest.raises(ShapeError) as refused:
        score_poses(np.zeros(mine), np.zeros(theirs), PROTOCOLS[name])

    for words in (f"predicted {mine}", f"target {theirs}", says):
        assert words in str(refused.value)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"activity": ["a"] * 3}, "activity (3,) should be (4,): one for each frame"),
        ({"sequence": np.zeros((4, 2))}, "sequence (4, 2) should be (4,)"),
        ({"valid": np.ones((4, 16), dtype=bool)}, "valid (4, 16) of bool should be bool, (4,) or"),
        ({"valid": np.ones(4)}, "valid (4,) of float64 should be bool"),
    ],
)
def test_labels_of_another_length_are_refused(labels, says):
    with pytest.raises(ShapeError) as refused:
        score_poses(*people(4), H36M, **labels)

    assert says in str(refused.value)


def test_arrays_are_left_as_they_were():
    predicted, target = people(3)
    predicted[0, 1] = np.nan
    before = predicted.copy(), target.copy()

    score_poses(predicted, target, H36M, allow_missing=True)

    np.testing.assert_array_equal(predicted, before[0])
    np.testing.assert_array_equal(target, before[1])


def test_single_precision_is_computed_in_double():
    predicted, target = people(4)
    single = predicted.astype(np.float32), target.astype(np.float32)

    scores = score_poses(*single, H36M).overall

    assert scores == score_poses(*(a.astype(np.float64) for a in single), H36M).overall


def test_16_joints_are_those_of_17_without_neck_nose():
    predicted, target = people(4)
    kept = [j for j, name in enumerate(H36M_17.joints) if name in H36M_16.joints]

    like = score_poses(predicted, target, PROTOCOLS["h36m-like"]).overall
    bare = score_poses(predicted[:, kept], target[:, kept], PROTOCOLS["h36m-16"]).overall

    assert values(like)[:3] == pytest.approx(values(bare)[:3])
