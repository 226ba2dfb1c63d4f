"""Scores of predictions whose errors are known beforehand."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from graphlift.datasets import Clip, MotionCapture
from graphlift.samples import Selection
from graphlift.samples.open_data import OpenData
from graphlift.skeletons import H36M_16
from graphlift.study.results import RESULTS, append_result, read_results
from graphlift.study.scoring import FAILURES, NOISE_EDGES, score_run
from graphlift.training.config import ModelConfig, TrainConfig

CURVE = [
    {"step": 10, "loss": 0.5, "validation_mpjpe_mm": 90.12345},
    {"step": 20, "loss": 0.4, "validation_mpjpe_mm": 70.5},
    {"step": 30, "loss": 0.3, "validation_mpjpe_mm": 80.25},
]
CONFIG = TrainConfig(
    seed=3,
    batch_size=8,
    model=ModelConfig(method="full-sharing", decouple_self=False, channels=4),
)
FPS = 4.0


def recorded(capture, fps=FPS):
    """The same people with ``fps`` related to seconds as in a recording, clips of all lengths."""
    clips = [replace(clip, fps=fps) for clip in capture.clips]
    return replace(capture, clips=tuple(clips))


@pytest.fixture(scope="module")
def data(study_data):
    return replace(study_data, test=recorded(study_data.test), cross=recorded(study_data.cross))


def score(data, predict, config=CONFIG, **changes):
    record = {"curve": CURVE, "best_step": 20, "seconds": 1.6} | changes
    return score_run("mine", config, data, predict, record=record, runs_at_once=2)


def truth(examples):
    return examples.targets.astype(np.float64)


def moved(metres, joint=15):
    """A network that puts one joint ``metres`` too far to the right (x); metres may vary."""

    def predict(examples):
        poses = truth(examples)
        poses[:, joint, 0] += metres(examples) if callable(metres) else metres
        return poses

    return predict


def by_name(examples, **metres):
    return np.array([metres[name] for name in examples.activity])


def test_the_truth_scores_nothing_but_full_marks(data):
    result = score(data, truth)

    assert (result.mpjpe_mm, result.p_mpjpe_mm, result.n_mpjpe_mm) == (0, 0, 0)
    assert result.cross_pck == 100
    assert result.cross_auc == pytest.approx(100 * 30 / 31, abs=1e-3)  # none is below 0 mm


def test_one_joint_off_is_a_sixteenth_of_the_error(data):
    result = score(data, moved(0.080))

    assert result.mpjpe_mm == pytest.approx(80 / 16, abs=1e-3)
    assert result.per_joint_mm == pytest.approx(
        dict.fromkeys(H36M_16.joints, 0.0) | {"RWrist": 80.0}, abs=1e-3
    )
    for activity in result.per_activity.values():
        assert activity.mpjpe_mm == pytest.approx(5, abs=1e-3)


def test_a_wrong_scale_costs_plainly_but_not_after_alignment(data):
    result = score(data, lambda examples: 1.1 * truth(examples))

    test = data.samples("test", Selection())
    sizes = np.linalg.norm(truth(test), axis=-1).mean(axis=1)
    means = [sizes[test.activity == name].mean() for name in ("jump", "walk")]
    assert result.mpjpe_mm == pytest.approx(100 * np.mean(means), rel=1e-4)
    assert result.n_mpjpe_mm == pytest.approx(0, abs=1e-3)
    assert result.p_mpjpe_mm == pytest.approx(0, abs=1e-3)


def test_a_turned_pose_costs_before_similarity_alignment_alone(data):
    quarter = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], dtype=float)

    result = score(data, lambda examples: truth(examples) @ quarter.T)

    assert result.p_mpjpe_mm == pytest.approx(0, abs=1e-3)
    assert result.n_mpjpe_mm > 100
    assert result.mpjpe_mm > 100


def test_activities_count_alike_however_many_frames_they_have(data):
    result = score(data, moved(lambda e: by_name(e, walk=0.160, jump=0.016)))

    frames = {name: score.frames for name, score in result.per_activity.items()}
    assert frames["walk"] != frames["jump"]
    assert sum(frames.values()) == len(data.samples("test", Selection()))
    assert result.per_activity["walk"].mpjpe_mm == pytest.approx(10, abs=1e-3)
    assert result.per_activity["jump"].mpjpe_mm == pytest.approx(1, abs=1e-3)
    assert result.mpjpe_mm == pytest.approx(5.5, abs=1e-3)
    assert result.per_joint_mm["RWrist"] == pytest.approx((160 + 16) / 2, abs=1e-3)


def test_the_parts_add_up_to_the_whole(data, rng):
    result = score(data, lambda e: truth(e) + 0.05 * rng.normal(size=e.targets.shape))

    activities = result.per_activity
    for key in ("mpjpe_mm", "p_mpjpe_mm"):
        scores = [getattr(activity, key) for activity in activities.values()]
        assert np.mean(scores) == pytest.approx(getattr(result, key), abs=2e-3)
        for name, blocks in result.blocks.items():
            mean = np.average(getattr(blocks, key), weights=blocks.frames)
            assert mean == pytest.approx(getattr(activities[name], key), abs=0.06)  # to 0.1 mm
            assert sum(blocks.frames) == activities[name].frames
    assert np.mean(list(result.per_joint_mm.values())) == pytest.approx(result.mpjpe_mm, abs=2e-3)


def test_a_block_is_one_second_of_one_clip_in_all_cameras(data):
    # An error that says which frame it is: 16 mm a frame number, so 1 mm of the mean.
    result = score(data, moved(lambda e: 0.016 * e.frame))

    want = {"walk": [], "jump": []}
    for clip in data.test.clips:
        numbers = np.arange(len(clip.positions))
        for second in np.split(numbers, range(int(FPS), len(numbers), int(FPS))):
            want[clip.activity].append((4 * len(second), float(second.mean())))
    for activity, blocks in result.blocks.items():
        got = zip(blocks.frames, blocks.mpjpe_mm, strict=True)
        assert list(got) == [(n, pytest.approx(error, abs=0.051)) for n, error in want[activity]]


def test_pck_and_auc_are_those_of_14_joints_of_the_other_data_set(data):
    result = score(data, moved(0.160))  # one of 14 joints misses 150 mm, every threshold
    assert result.cross_pck == pytest.approx(100 * 13 / 14, abs=1e-3)
    assert result.cross_auc == pytest.approx(100 * 30 / 31 * 13 / 14, abs=1e-3)

    result = score(data, moved(0.0525))  # ... passes 20 of 31: 55, 60, ..., 150
    assert result.cross_pck == 100
    assert result.cross_auc == pytest.approx((13 * 30 + 20) / 14 / 31 * 100, abs=1e-3)

    for outside in (0, 9):  # the hip and the head do not count
        assert score(data, moved(9.0, joint=outside)).cross_pck == 100


def test_cross_scores_are_frame_means_with_groups_beside(data):
    result = score(data, moved(lambda e: by_name(e, walk=0.2, jump=0.0)))

    groups = result.cross_per_activity
    assert groups["walk"].pck == pytest.approx(100 * 13 / 14, abs=1e-3)
    assert groups["jump"].pck == 100
    frames = {name: group.frames for name, group in groups.items()}
    pooled = np.average([groups[n].pck for n in frames], weights=list(frames.values()))
    assert result.cross_pck == pytest.approx(pooled, abs=2e-3)


def test_without_another_data_set_there_are_no_cross_scores(data):
    result = score(replace(data, cross=None), truth)

    assert (result.cross_pck, result.cross_auc, result.cross_data) == (None, None, None)
    assert result.cross_per_activity == {}


def test_errors_are_told_apart_by_whether_a_limb_hides_the_joint(data):
    def predict(examples):
        poses = truth(examples)
        poses[..., 0] += np.where(examples.hidden, 0.300, 0.100)
        return poses

    result = score(data, predict)

    hidden = data.samples("test", Selection()).hidden[:, 1:]
    assert result.visible_mm == pytest.approx(100, abs=1e-3)
    assert result.occluded_mm == pytest.approx(300, abs=1e-3)
    assert result.occluded_share == pytest.approx(hidden.mean(), abs=1e-4)
    assert 0 < hidden.mean() < 1


def test_the_roots_zero_is_no_visible_joint(data):
    result = score(data, moved(0.150, joint=1))

    visible = ~data.samples("test", Selection()).hidden
    share = visible[:, 1].sum() / visible[:, 1:].sum()
    assert result.visible_mm == pytest.approx(150 * share, abs=2e-3)


def test_exact_keypoints_make_one_bin_of_all_joints_but_the_root(data):
    (whole,) = score(data, moved(0.150)).noise_bins

    assert (whole.from_px, whole.to_px) == (0, 0)
    assert whole.joints == 15 * len(data.samples("test", Selection()))
    assert whole.mpjpe_mm == pytest.approx(150 / 15, abs=1e-3)


def test_noise_bins_group_joints_by_how_far_their_keypoint_is_off(data):
    config = replace(CONFIG, detections="hg-sim")

    def one_mm_a_px(examples):  # to hg-sim's own noise
        poses = truth(examples)
        poses[..., 0] += examples.noise / 1000
        poses[:, 0, 0] += 7.0  # the root is in no bin
        return poses

    result = score(data, one_mm_a_px, config)

    noise = data.samples("test", Selection(detections="hg-sim")).noise[:, 1:].astype(float)
    assert sum(each.joints for each in result.noise_bins) == noise.size
    assert [each.from_px for each in result.noise_bins] == sorted(
        each.from_px for each in result.noise_bins
    )
    assert len(result.noise_bins) > 4
    for each in result.noise_bins:
        assert each.from_px in NOISE_EDGES
        inside = noise[(noise >= each.from_px) & (noise < each.to_px)]
        assert each.joints == inside.size
        assert each.mpjpe_mm == pytest.approx(inside.mean(), abs=2e-3)
    assert result.detections == "hg-sim"


def test_a_keypoint_that_is_off_by_more_than_the_last_edge_is_in_the_last_bin(data):
    far = replace(data, name="far")
    far.samples("test", Selection(detections="hg-sim")).noise[0, 3] = 5000.0

    last = score(far, truth, replace(CONFIG, detections="hg-sim")).noise_bins[-1]

    assert (last.from_px, last.to_px) == NOISE_EDGES[-2:]
    assert last.joints >= 1


def test_failures_are_the_worst_frames_of_distinct_clips_worst_first(data):
    test = data.samples("test", Selection())
    worst = {}  # clip -> how bad its worst frame is, camera 2 being the worst by a hair

    def bad(examples):
        metres = 0.016 * (examples.clip + 1) + 0.001 * (examples.frame == 1)
        return metres + 0.0005 * (examples.camera == 2)

    result = score(data, moved(bad))

    for clip, error in zip(test.clip, bad(test), strict=True):
        worst[test.clips[clip]] = max(worst.get(test.clips[clip], 0), error)
    expected = sorted(worst, key=worst.get, reverse=True)[:FAILURES]
    assert [failure.clip for failure in result.failures] == expected
    for failure in result.failures:
        assert failure.mpjpe_mm == pytest.approx(1000 * worst[failure.clip] / 16, abs=1e-3)
        assert (failure.frame, failure.camera) == (1, 2)


def test_a_failure_is_drawn_from_what_the_network_saw_said_and_should_have_said(data):
    test = data.samples("test", Selection(detections="cpn-sim"))

    result = score(
        data, moved(lambda e: 0.1 + e.frame / 1000), replace(CONFIG, detections="cpn-sim")
    )

    for failure in result.failures:
        (at,) = np.flatnonzero(
            (np.array(test.clips)[test.clip] == failure.clip)
            & (test.frame == failure.frame)
            & (test.camera == failure.camera)
        )
        assert failure.activity == test.activity[at]
        np.testing.assert_allclose(failure.keypoints, test.keypoints[at], atol=0.051)
        np.testing.assert_allclose(failure.truth, 1000 * test.targets[at], atol=0.051)
        offset = np.array(failure.predicted) - np.array(failure.truth)
        assert offset[15, 0] == pytest.approx(100 + failure.frame, abs=0.11)
        assert not offset[:15].any()
        assert failure.occluded == test.hidden[at].tolist()


def test_fewer_clips_than_failures_are_all_there(data):
    few = replace(data, test=replace(data.test, clips=data.test.clips[:2]))

    assert len(score(few, moved(0.1)).failures) == 2


def test_the_story_of_the_run_is_told(data):
    result = score(data, truth)

    assert (result.name, result.method, result.decoupled, result.seed) == (
        *("mine", "full-sharing"),
        *(False, 3),
    )
    assert (result.steps, result.batch_size, result.seconds, result.runs_at_once) == (
        30,
        8,
        1.6,
        2,
    )
    assert result.poses_per_second == 30 * 8 / 1.6
    assert (result.best_step, result.validation_mpjpe_mm) == (20, 70.5)
    assert result.validation_end_mm == 80.25
    assert [point.step for point in result.curve] == [10, 20, 30]
    assert (result.data, result.cross_data) == ("small", "small")
    assert result.data_digest == data.digest != result.cross_digest
    assert result.config == json.loads(json.dumps(asdict(CONFIG)))


@pytest.mark.parametrize(
    ("model", "parameters", "unified", "reduced"),
    [  # at 128 channels and 4 blocks, as published
        (ModelConfig(), 4_218_703, 6_058_752, 4_214_784),
        (  # five non-local layers of four maps between 128 and 64 channels, 16 joints each
            ModelConfig(method="semgcn", decouple_self=False),
            *(434_703, 6_058_752 + 5 * 16 * 4 * 128 * 64, 4_214_784 + 5 * 16 * 4 * 128 * 64),
        ),
        (
            ModelConfig(method="martinez", decouple_self=False, channels=1024),
            *(4_291_632, 4_276_224, 4_276_224),  # 32·1024 + 4·1024² + 1024·48
        ),
    ],
)
def test_size_and_cost_are_those_of_the_network(data, model, parameters, unified, reduced):
    result = score(data, truth, replace(CONFIG, model=model))

    assert result.parameters == parameters
    assert (result.macs_unified, result.macs_reduced) == (unified, reduced)


def test_a_result_line_is_read_as_it_was_written(data, tmp_path, rng):
    config = replace(CONFIG, detections="cpn-sim")
    result = score(data, lambda e: truth(e) + 0.05 * rng.normal(size=e.targets.shape), config)

    append_result(tmp_path / RESULTS, result)

    assert read_results(tmp_path / RESULTS) == [result]
    assert json.loads((tmp_path / RESULTS).read_text())["mpjpe_mm"] == result.mpjpe_mm


def test_clips_without_names_of_their_own_do_not_share_blocks(data):
    one, two = data.test.clips[:2]
    twins = MotionCapture(
        "twins",
        data.test.skeleton,
        (Clip("a", "x", "walk", FPS, one.positions[:2]), replace(two, name="a", activity="walk")),
    )
    split = OpenData("twins", data.train, data.validation, twins, None, stride=1)

    blocks = score(split, truth).blocks["walk"]

    assert blocks.frames[0] == 4 * 2
    assert len(blocks.frames) == 1 + -(-len(two.positions) // int(FPS))
