"""Predictions sequence by sequence: scored as in one piece; and sequences that do not fit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.errors import ConfigError, ShapeError
from graphlift.protocols import PROTOCOLS
from graphlift.scoring import ScoredSequence, score_poses, score_sequences

H36M = PROTOCOLS["h36m-17"]
OFFICIAL = PROTOCOLS["3dhp-14"]
NAMES = ("S9 Eating.54138969", "S9 Eating 1.54138969", "S11 Walking.60457274")


def made(name, activity="", frames=4, seed=0, joints=17):
    rng = np.random.default_rng([seed, len(name), frames])
    target = rng.normal(scale=0.4, size=(frames, joints, 3))
    predicted = target + rng.normal(scale=0.07, size=target.shape)
    return ScoredSequence(name, activity, predicted, target)


def three():
    activities = ("Eating", "Eating 1", "Walking")
    return [
        made(name, activity, frames)
        for name, activity, frames in zip(NAMES, activities, (4, 2, 7), strict=True)
    ]


def whole(sequences, protocol, **told):
    """Everything in one piece, labels frame by frame."""
    frames = [(each, f) for each in sequences for f in range(len(each.target))]
    return score_poses(
        np.array([each.predicted[f] for each, f in frames]),
        np.array([each.target[f] for each, f in frames]),
        protocol,
        sequence=[each.name for each, _ in frames],
        **told,
    )


def test_sequences_score_as_their_frames_do_in_one_piece():
    given = three()

    scores = score_sequences(iter(given), H36M)

    activity = ["Eating"] * 6 + ["Walking"] * 7
    assert scores == whole(given, H36M, activity=activity)
    assert list(scores.per_activity) == ["Eating", "Walking"]
    assert scores.overall.mpjve_mm is not None


@settings(deadline=None, max_examples=10)
@given(st.permutations(range(3)))
def test_the_order_of_sequences_does_not_matter(order):
    straight = score_sequences(three(), H36M).overall
    other = score_sequences([three()[at] for at in order], H36M).overall

    for name in ("mpjpe_mm", "p_mpjpe_mm", "n_mpjpe_mm", "mpjve_mm", "pck", "auc"):
        assert getattr(other, name) == pytest.approx(getattr(straight, name))


def test_validity_may_be_by_frame_in_one_and_by_joint_in_another():
    first, second, third = three()
    frames, joints = np.arange(4) != 1, np.ones((2, 17), dtype=bool)
    joints[1, 5] = False

    scores = score_sequences(
        [replace(first, valid=frames), replace(second, valid=joints), third], H36M
    )

    assert scores.counts.frames_not_valid == 1
    assert scores.counts.joints_not_valid == 1
    assert scores.counts.frames_scored == 12


def test_groups_and_exclusions_go_by_the_name():
    groups = score_sequences([made(name) for name in ("TS1.0", "TS2", "TS6 0")], OFFICIAL)
    left = score_sequences(
        [made("S11 Directions.55011271"), made("S11 Directions 1.55011271")], H36M
    )

    assert {name: each.frames for name, each in groups.per_group.items()} == {
        "GS": 8,
        "Outdoor": 4,
    }
    assert not any("no group" in note for note in groups.notes)
    assert (left.counts.frames_excluded, left.counts.frames_scored) == (4, 4)


def test_without_activities_the_mean_is_over_frames_and_said():
    scores = score_sequences([made("S9 a"), made("S9 b")], H36M)

    assert scores.average == "frames"
    assert "mean over frames" in scores.describe()


def test_single_precision_stays_and_options_are_passed_on():
    each = made("TS1")
    single = replace(
        each, predicted=each.predicted.astype(np.float32), target=each.target.astype(np.float32)
    )
    single.predicted[2, 3] = np.nan

    scores = score_sequences([single], OFFICIAL, adaptations=["hip-shift"], allow_missing=True)

    assert scores == whole([single], OFFICIAL, adaptations=["hip-shift"], allow_missing=True)
    assert scores.counts.joints_missing == 1


# Refusals


def refused(sequences, *words, protocol=H36M, error=ShapeError, **told):
    with pytest.raises(error) as raised:
        score_sequences(sequences, protocol, **told)
    for word in words:
        assert word in str(raised.value)


def test_a_sequence_whose_lengths_differ_is_named():
    longer = made(NAMES[1], frames=5)
    wrong = replace(longer, predicted=longer.predicted[:4])

    refused(
        [made(NAMES[0]), wrong],
        repr(NAMES[1]), "predicted (4, 17, 3) and target (5, 17, 3)", "none is cut to fit",
    )  # fmt: skip


@pytest.mark.parametrize("joints", [1, 16, 18])
def test_a_sequence_of_other_joints_is_named(joints):
    refused(
        [made("S9 a"), made("S9 b", joints=joints)], "'S9 b'", f"(4, {joints}, 3)", "17 joints"
    )


def test_numbers_of_joints_are_not_mixed():
    mixed = [made("a", joints=16), made("b", joints=17)]

    refused(mixed, "'b'", "one number of joints in all", protocol=PROTOCOLS["cross-14"])


def test_arrays_of_other_axes_are_refused():
    flat = made("S9 a")
    refused([replace(flat, target=flat.target[0], predicted=flat.predicted[0])], "target (17, 3)")
    refused([replace(flat, target=flat.target[0, 0], predicted=flat.predicted[0, 0])], "(3,)")
    refused([replace(flat, valid=np.ones((4, 16), dtype=bool))], "'S9 a'", "valid (4, 16)")


def test_a_missing_prediction_is_told_with_its_sequence():
    each = made("S9 b", "Eating")
    each.predicted[1, 8] = np.nan

    refused([made("S9 a", "Eating"), each], "Thorax of frame 5 (in 'S9 b')", "--allow-missing")


def test_names_that_say_too_little_are_refused():
    refused([], "no sequence to score under h36m-17")
    refused([made("S9 a"), made("S9 a")], "'S9 a' comes twice")
    refused([made("S9 a", "Eating"), made("S9 b")], "'S9 a' and 'S9 b' has no activity")
    refused([made("S9 a")], "no adaptation", error=ConfigError, adaptations=["hip-shift"])
