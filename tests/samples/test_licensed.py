"""Human3.6M and MPI-INF-3DHP from packs: what is trained on, what is scored, against by hand."""

import dataclasses

import numpy as np
import pytest
from helpers.tiny_packs import OFFICIAL_OF_17, SHORT, SMALL, write_h36m
from typer.testing import CliRunner

from graphlift.cli import app
from graphlift.datasets.licensed.pack import open_sequences
from graphlift.datasets.mpi_inf_3dhp import to_h36m
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.protocols import PROTOCOLS
from graphlift.samples import Selection
from graphlift.samples.data_sets import read_data
from graphlift.samples.licensed import H36M_LENS, LicensedData, official_joints
from graphlift.scoring import score_poses
from graphlift.simulated_detector import detect
from graphlift.skeletons import H36M_16, H36M_17
from graphlift.study.evaluation import evaluate_model
from graphlift.training.loop import train
from graphlift.training.state import MODEL


def chosen(detections="gt", joints=16, **others):
    return Selection(cameras="own", detections=detections, joints=joints, **others)


@pytest.fixture(scope="module")
def data(packs):
    return read_data(str(packs))


@pytest.fixture(scope="module")
def trained(packs, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    for _ in train(dataclasses.replace(SHORT, data=str(packs)), data, out):
        pass
    return out / MODEL


def test_a_folder_of_packs_and_a_single_pack_are_told_apart(packs, data):
    alone = read_data(str(packs / "h36m"))

    assert isinstance(alone, LicensedData)
    assert alone.digest == data.digest
    assert (alone.cross_name, data.cross_name) == (None, "MPI-INF-3DHP")
    assert "3dhp-14" not in alone.describe(chosen())
    with pytest.raises(DatasetNotFoundError, match="data prepare 3dhp"):
        alone.samples("cross", chosen())


def test_rows_are_gathered_as_the_published_code_normalises_them(data):
    """X / w · 2 - (1, h / w), and positions minus the hip."""
    batches = data.batches(chosen("cpn", size=100), np.asarray)
    rows = np.array([5, 0, 399])
    screen, targets = batches.gather(rows)

    train = [s for s in data.pack if s.subject in ("S1", "S5", "S6", "S7", "S8")]
    keep = [joint for joint in range(17) if joint != 9]
    pixels = np.concatenate([s.keypoints["cpn"] for s in train])[rows][:, keep]
    positions = np.concatenate([s.positions for s in train])[rows][:, keep]
    assert batches.per_epoch == 5 * 2 * 2 * 20 // 100
    np.testing.assert_allclose(screen, pixels / 1000 * 2 - 1, atol=1e-6)
    np.testing.assert_allclose(targets, positions - positions[:, :1], atol=1e-6)
    assert screen.dtype == targets.dtype == np.float32


def test_who_is_held_out_is_validated_on_and_not_trained_on(data):
    held = chosen(held_out=("S8",), size=1)
    whole, fewer = (data.batches(each, np.asarray) for each in (chosen(size=1), held))
    validation = data.samples("validation", held)

    assert whole.per_epoch - fewer.per_epoch == 2 * 2 * 20
    assert {name.split(" ")[0] for name in validation.clips} == {"S8"}
    assert {name.split(" ")[0] for name in data.samples("validation", chosen()).clips} == {
        "S9",
        "S11",
    }
    assert set(validation.frame) == {0}  # every 64th of twenty


def test_the_damaged_clip_is_not_tested_on(data):
    test = data.samples("test", chosen("gt", 17))

    assert set(test.clips) == {"S9 Directions", "S9 Walking 1", "S11 Walking 1"}
    assert len(test) == 3 * 2 * 20
    assert test.skeleton is H36M_17


def test_noise_is_how_far_detections_are_from_the_projection(data):
    test = data.samples("test", chosen("cpn", 16))
    exact = data.samples("test", chosen("gt", 16))

    np.testing.assert_allclose(
        test.noise, np.linalg.norm(test.keypoints - exact.keypoints, axis=-1), atol=1e-3
    )
    assert not exact.noise.any()


def test_3dhp_is_seen_through_human36ms_lens_unless_asked_otherwise(data):
    ours, theirs = (
        data.samples("cross", chosen(adaptations=names)) for names in ((), ("own-width",))
    )

    # 2f/w of 2.29 and 1.46: the same rays, larger on the screen
    np.testing.assert_allclose(ours.inputs / theirs.inputs, 2.29 / (2 * 1499 / 2048), rtol=2e-4)
    assert H36M_LENS.focal[0] * 2 / H36M_LENS.size[0] == 2.29
    assert set(ours.activity) == {f"TS{n}" for n in range(1, 7)}
    np.testing.assert_array_equal(ours.targets, theirs.targets)


def test_official_joints_is_the_way_back(data):
    sequence = next(iter(data.other))
    there = to_h36m(sequence)

    np.testing.assert_array_equal(
        official_joints(there.positions, H36M_17), sequence.positions.astype(np.float64)
    )
    without = official_joints(there.positions[:, H36M_17.index(*H36M_16.joints)], H36M_16)
    assert np.isnan(without).all(axis=2)[0].nonzero()[0].tolist() == [16]
    assert sorted(OFFICIAL_OF_17) == list(range(17))


def test_a_run_is_scored_as_its_predictions_are(trained, data):
    """The result line against `graphlift score` on the same predictions, by both protocols."""
    import torch

    from graphlift.nn.build import build_network
    from graphlift.training.checkpoints import load_weights, read_checkpoint
    from graphlift.training.evaluation import predict

    result = evaluate_model(trained, data, name="a run")
    network = build_network(**dataclasses.asdict(SMALL))
    load_weights(network, read_checkpoint(trained)[0], trained)
    torch.set_num_threads(1)

    test = data.samples("test", chosen("gt", 16))
    sequence = [f"{test.clips[c]} camera{k}" for c, k in zip(test.clip, test.camera, strict=True)]
    scores = score_poses(
        predict(network, test),
        test.targets,
        PROTOCOLS["h36m-16"],
        activity=test.activity,
        sequence=sequence,
    )
    assert result.mpjpe_mm == pytest.approx(scores.overall.mpjpe_mm, abs=1e-3)
    assert result.p_mpjpe_mm == pytest.approx(scores.overall.p_mpjpe_mm, abs=1e-3)
    assert result.n_mpjpe_mm == pytest.approx(scores.overall.n_mpjpe_mm, abs=1e-3)
    assert list(result.protocols) == ["h36m-16", "3dhp-14"]

    cross = data.samples("cross", chosen())
    truth = np.concatenate([s.positions for s in data.other]).astype(np.float64)
    mine = official_joints(predict(network, cross), H36M_16)
    errors = np.linalg.norm(mine - (truth - truth[:, [14]]), axis=-1)[:, :14]
    assert result.cross_pck == pytest.approx(100 * (errors < 0.15).mean(), abs=1e-3)
    outdoor = np.isin(cross.activity, ("TS5", "TS6"))
    group = result.cross_per_activity["Outdoor"]
    assert group.frames == outdoor.sum()
    assert group.pck == pytest.approx(100 * (errors[outdoor] < 0.15).mean(), abs=1e-3)


def test_the_last_weights_are_kept_when_asked(trained, packs, data, tmp_path):
    from graphlift.training.checkpoints import read_checkpoint

    held = dataclasses.replace(SHORT, data=str(packs), held_out=("S7", "S8"), keep="best")
    for _ in train(held, data, tmp_path):
        pass

    assert read_checkpoint(trained)[1]["best_step"] == SHORT.steps
    story = read_checkpoint(tmp_path / MODEL)[1]
    best = min(story["curve"], key=lambda line: line["validation_mpjpe_mm"])
    assert story["best_step"] == best["step"]
    assert "academic" in story["licence"]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"keep": "best"}, r'held_out = \["S8"\]'),
        ({"cameras": "open", "held_out": ("S8",)}, "held_out is for cameras"),
    ],
)
def test_choosing_on_test_subjects_is_not_offered(keys, told):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(SHORT, **keys)


def test_bad_wishes_are_named(packs, data, study_data, tmp_path):
    last = dataclasses.replace(SHORT, data=str(packs))
    with pytest.raises(ConfigError, match="no detections 'hg', only gt, cpn"):
        data.samples("test", chosen("hg", 16))
    with pytest.raises(ConfigError, match="S9 is no training subject"):
        data.check(chosen(held_out=("S9",)))
    with pytest.raises(ConfigError, match="hold fewer subjects out"):
        data.check(chosen(held_out=("S1", "S5", "S6", "S7", "S8")))
    with pytest.raises(ConfigError, match='cameras = "own"'):
        next(train(last, study_data, tmp_path / "a"))
    with pytest.raises(ConfigError, match=r"cameras = 'open'.*packs"):
        next(train(dataclasses.replace(last, cameras="open"), data, tmp_path / "b"))
    with pytest.raises(ConfigError, match=r"docs/human36m.md"):
        detect(np.zeros((1, 16, 2)), np.zeros((1, 16), bool), H36M_16, detections="hg", seed=0)


def test_a_pack_with_a_hole_is_named_by_clip_and_frame(tmp_path):
    pack = write_h36m(tmp_path / "h36m", frames=3, noise={"cpn": 1.0})
    path = tmp_path / "h36m" / "keypoints-cpn.npy"
    array = np.load(path)
    array[1], array[-2] = np.nan, np.nan
    np.save(path, array)
    data = LicensedData(open_sequences(pack.folder))

    with pytest.raises(FormatError, match=r"row 1 of keypoints-cpn\.npy"):
        data.batches(chosen("cpn"), np.asarray).gather(np.arange(4))
    with pytest.raises(
        FormatError, match="S11 Walking 1 by camera camera1: cpn lacks a joint in "
    ):
        data.samples("test", chosen("cpn", 16))


def test_what_nobody_trains_on_may_lack_joints(tmp_path):
    pack = write_h36m(tmp_path / "h36m", frames=3, noise={"hg": 1.0})
    path = tmp_path / "h36m" / "keypoints-hg.npy"
    array = np.load(path)
    array[:, 9] = np.nan  # Neck/Nose, which 16 joints leave out
    left_out = next(
        e for e in pack.index.sequences if (e.subject, e.clip) == ("S11", "Directions")
    )
    array[left_out.first] = np.nan
    np.save(path, array)
    data = LicensedData(open_sequences(pack.folder))

    data.check(chosen("hg", 16))
    with pytest.raises(FormatError, match=r"hg lacks Neck/Nose in frame 0.*model\.joints"):
        data.check(chosen("hg", 17))


def test_evaluate_prints_the_protocol_with_the_numbers(trained, packs):
    asked = ["evaluate", str(trained), "--data", str(packs)]
    whole = CliRunner().invoke(app, [*asked, "--adapt", "own-width"])
    one = CliRunner().invoke(app, [*asked, "--protocol", "h36m-16"])
    wrong = CliRunner().invoke(app, [*asked, "--protocol", "open-16"])

    assert "adaptations: own-width" in whole.stdout
    assert "cross_pck" in whole.stdout
    assert "GS: PCK" in whole.stdout
    assert "cross_pck" not in one.stdout
    assert "Walking: " in one.stdout
    assert isinstance(wrong.exception, ConfigError)
    assert "h36m-16, 3dhp-14" in str(wrong.exception)
