"""What a protocol leaves out, and predictions that are missing: counted, or refused by name."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.scored_poses import people

from graphlift.errors import ShapeError
from graphlift.protocols import PROTOCOLS
from graphlift.scoring import score_poses
from graphlift.skeletons import MPI_INF_3DHP_17

H36M = PROTOCOLS["h36m-17"]
OFFICIAL = PROTOCOLS["3dhp-14"]


def test_the_corrupt_sequence_is_left_out_whatever_camera_is_named():
    predicted, target = people(5)
    names = [
        "S11 Directions.54138969",
        "S11_Directions_cam1",
        "S11 Directions",
        "S11 Directions 1",
    ]

    scores = score_poses(predicted, target, H36M, sequence=[*names, "S9 Directions"])

    assert scores.counts.frames_excluded == 3
    assert scores.counts.frames_scored == 2


def test_takes_and_official_names_are_folded_for_human36m_alone():
    predicted, target = people(4)
    activity = ["Photo 1", "TakingPhoto", "WalkingDog 2", "Juggling"]

    scores = score_poses(predicted, target, H36M, activity=activity)
    ours = score_poses(predicted, target, replace(H36M, activities=()), activity=activity)

    assert list(scores.per_activity) == ["Photo", "WalkDog", "Juggling"]
    assert any("does not have: Juggling" in note for note in scores.notes)
    assert any("Directions, Discussion" in note for note in scores.notes)
    assert list(ours.per_activity) == sorted(activity)


def test_truth_that_is_nan_is_left_out_and_counted():
    predicted, target = people(6)
    unknown = target.copy()
    unknown[1, 4, 2] = np.nan  # one coordinate
    unknown[3, 0] = np.inf  # the root
    valid = np.ones((6, 17), dtype=bool)
    valid[1, 4] = valid[3, 0] = False

    scores = score_poses(predicted, unknown, H36M)

    assert scores.overall == score_poses(predicted, target, H36M, valid=valid).overall
    assert scores.counts.frames_not_valid == 1
    assert scores.counts.joints_not_valid == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_missing_prediction_is_an_error_that_says_where(value):
    predicted, target = people(6)
    predicted[4, 7, 1] = value
    predicted[5, 8] = value

    with pytest.raises(ShapeError) as refused:
        score_poses(predicted, target, H36M)

    said = str(refused.value)
    assert "predicted lacks 2 joints" in said
    assert "the first Spine of frame 4" in said
    assert "--allow-missing" in said


def test_missing_predictions_of_what_does_not_count_are_no_error():
    predicted, target = people(6)
    valid = np.ones(6, dtype=bool)
    valid[4] = False
    predicted[4] = np.nan
    predicted[:, MPI_INF_3DHP_17.index("Head")] = np.nan

    scores = score_poses(predicted, target, OFFICIAL, valid=valid)

    assert (scores.counts.frames_scored, scores.counts.joints_missing) == (5, 0)


def test_allowed_missing_predictions_are_counted_and_wrong():
    _, target = people(4)
    predicted = target.copy()
    predicted[0, 3] = np.nan
    predicted[1, 14] = np.nan  # the root: nothing of the frame can be placed
    predicted[2] = np.nan
    predicted[2, [14, 0, 1]] = target[2, [14, 0, 1]]  # with 14 not scored: two joints

    scores = score_poses(predicted, target, OFFICIAL, allow_missing=True)

    missing = 1 + 14 + 14
    assert scores.counts.joints_missing == missing
    assert scores.overall.pck == pytest.approx(100 * (4 * 14 - missing) / (4 * 14))
    assert scores.overall.auc == pytest.approx(scores.overall.pck * 30 / 31)
    assert scores.overall.mpjpe_mm == pytest.approx(0, abs=1e-9)
    assert scores.counts.frames_scored == 4
    assert any(f"not predicted: {missing}" in note for note in scores.notes)


def test_an_activity_without_any_prediction_has_no_error_and_so_has_the_whole():
    predicted, target = people(6)
    predicted[4:] = np.nan

    scores = score_poses(
        predicted, target, H36M, activity=["Eating"] * 4 + ["Walking"] * 2, allow_missing=True
    )

    assert scores.per_activity["Eating"].mpjpe_mm > 0
    assert scores.per_activity["Walking"].mpjpe_mm is None
    assert scores.per_activity["Walking"].pck == 0
    assert scores.overall.mpjpe_mm is None
    assert scores.overall.pck == pytest.approx(scores.per_activity["Eating"].pck / 2)


def test_nothing_to_score_is_refused():
    predicted, target = people(3)

    with pytest.raises(ShapeError) as refused:
        score_poses(
            predicted,
            target,
            H36M,
            sequence=["S11 Directions", "x", "x"],
            valid=np.zeros(3, dtype=bool),
        )

    assert "no frame can be scored: of 3 frames, excluded sequences have 1, and in 2 " in str(
        refused.value
    )
    assert "check `sequence`, `valid`" in str(refused.value)


def test_an_activity_of_which_nothing_counts_is_named():
    predicted, target = people(4)
    valid = np.array([True, True, False, False])

    scores = score_poses(
        predicted[:, :16], target[:, :16], PROTOCOLS["open-16"], valid=valid,
        activity=["hop", "hop", "jump", "jump"],
    )  # fmt: skip

    assert list(scores.per_activity) == ["hop"]
    assert any("without a frame that counts: jump" in note for note in scores.notes)
