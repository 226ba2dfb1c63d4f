"""The published codes' recipe: what the two tables ask for, and that it is what is done."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.command import assert_refused, here
from helpers.tiny_packs import replace_array, write_3dhp, write_h36m
from hypothesis import given
from hypothesis import strategies as st

from graphlift.errors import ConfigError
from graphlift.graph import body_graph
from graphlift.matched_width import channels_for
from graphlift.nn.build import build_network
from graphlift.nn.graph_conv import GraphConv
from graphlift.protocols import PROTOCOLS, root_in_place
from graphlift.samples import Selection
from graphlift.samples.batches import each_once
from graphlift.samples.data_sets import read_data
from graphlift.scoring import score_poses
from graphlift.skeletons import H36M_16
from graphlift.study.evaluation import evaluate_model
from graphlift.study.plan import Plan, planned_runs, read_plan
from graphlift.study.results import RESULTS, read_results
from graphlift.study.scoring import cost
from graphlift.training.checkpoints import load_weights, read_checkpoint
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.loop import learning_rate, train
from graphlift.training.state import MODEL

POSES = 1_559_752  # of S1, S5, S6, S7, S8 by four cameras


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs")
    write_h36m(folder / "h36m", frames=11, noise={"cpn": 5.0, "hg": 6.0})
    write_3dhp(folder / "3dhp")
    path = folder / "h36m" / "keypoints-hg.npy"
    hourglass = np.load(path)
    hourglass[:, 9] = np.nan  # Stacked Hourglass has no Neck/Nose
    replace_array(path, hourglass)
    return folder


# What the tables ask for

LIU = {"epochs": 100, "decay": 0.95, "decay_steps": 24_372, "dropout": 0.1}
ZHAO = {"epochs": 30, "decay": 0.96, "decay_steps": 100_000, "dropout": 0.0}
MARTINEZ = {"epochs": 200, "decay": 0.96, "decay_steps": 100_000, "dropout": 0.5}
CI = {"epochs": 200, "decay": 0.96, "decay_steps": 32_000, "dropout": 0.25}
LI = MARTINEZ


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_each_row_has_the_recipe_of_its_own_code(name):
    """RufusDing/3D-HPE-using-GCN, garyzhao/SemGCN's main_gcn and main_linear, and its read-me.

    CHUNYUWANG/lcn-pose, and chaneyddtt's of multiple hypotheses.
    """
    runs = planned_runs(read_plan(f"recipes/{name}.toml"), data="packs")

    assert len(runs) == {"table1": 7 * 3, "table2": 5}[name]
    of_method = {"semgcn": ZHAO, "martinez": MARTINEZ, "lcn": CI, "mixture": LI}
    for run in runs:
        config, model = run.config, run.config.model
        wanted = of_method.get(model.method, LIU)
        if (model.method, config.detections) == ("semgcn", "hg"):
            wanted = wanted | {"epochs": 100}
        found = {key: getattr(config, key) for key in ("epochs", "decay", "decay_steps")}
        assert found | {"dropout": model.dropout} == wanted, run.name
        assert (config.learning_rate, config.schedule) == (1e-3, "staircase")
        batch = 200 if model.method == "lcn" else 64
        assert (config.batch_size, config.drop_last) == (batch, False)
        loss = "likelihood" if model.method == "mixture" else "mse"
        assert (config.clip, config.loss, config.flip, config.ema) == (1.0, loss, False, 0.0)
        assert (config.weight_decay, config.steps) == (0.0, None)
        assert (config.cameras, config.keep, config.held_out) == ("own", "last", ())
        assert (model.init, model.affinity) == ("stacked", "learnt")
        paper = model.method not in of_method
        assert model.joints == (17 if paper and config.detections == "cpn" else 16)
        assert run.adaptations == ("root-in-place",)


def test_the_tables_networks_have_the_published_sizes():
    runs = planned_runs(read_plan("recipes/table1.toml"), data="packs")
    sizes = {(r.config.model.method, r.config.detections): cost(r.config.model).parameters
             for r in runs}  # fmt: skip

    assert sizes["semgcn", "gt"] == 434_703
    assert sizes["martinez", "gt"] == pytest.approx(4.29e6, rel=2e-3)
    assert sizes["pre-aggregation", "gt"] == sizes["pre-aggregation", "hg"] == 4_218_703
    assert sizes["pre-aggregation", "cpn"] == pytest.approx(4.482e6, rel=1e-3)
    assert channels_for("no-sharing", 4_200_000).channels in (106, 107)


def test_the_whole_first_table_comes_out(packs, tmp_path):
    """Three kinds of detections, 16 and 17 joints in one report, at a width of 4."""
    text = (Path(__file__).parents[2] / "recipes" / "table1.toml").read_text()
    for old, new in [("[4_200_000]", "[]\nchannels = [4]"), ("= 128", "= 4"), ("= 1024", "= 4")]:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "table1.toml").write_text(text)
    out = tmp_path / "study"
    words = ["--data", packs, "--out", out, "--at-once", 1]
    short = ["--set", "steps = 2", "--set", "evaluate_every = 2"]

    said = here("study", "run", tmp_path / "table1.toml", *words, *short)
    told = here("study", "report", out)

    assert (said.status, told.status) == (0, 0), (said.err, told.err)
    assert {r.steps for r in read_results(out / RESULTS)} == {2}
    report = (out / "report.md").read_text()
    for line in (
        "h36m-16 and h36m-17 (errors), 3dhp-14 (PCK and AUC). Adaptations: root-in-place",
        "settings of their own (decay,",
        "as Human3.6M's camera would see them; adaptations: none",
        "over 16 or 17 joints",
        "epochs, model.dropout, model.joints differ",
    ):
        assert line in report.replace("\\", ""), line


def test_the_whole_second_table_comes_out(packs, tmp_path):
    """With five answers of the mixture, scored by the protocols of the packs."""
    out = tmp_path / "study"
    words = ["--data", packs, "--out", out, "--at-once", 1]
    short = ["steps = 2", "evaluate_every = 2", "parameters = []", "channels = [4]",
             "widths = {}"]  # fmt: skip

    said = here("study", "run", "recipes/table2.toml", *words,
                *(word for key in short for word in ("--set", key)))  # fmt: skip
    told = here("study", "report", out)

    assert (said.status, told.status) == (0, 0), (said.err, told.err)
    of = {r.method: r for r in read_results(out / RESULTS)}
    assert [*of] == ["martinez", "lcn", "mixture", "semgcn", "pre-aggregation"]
    answers = of["mixture"].hypotheses
    assert answers["most likely"].cross_pck == of["mixture"].cross_pck
    oracle = answers["oracle, best of 5"]
    assert oracle.mpjpe_mm <= answers["most likely"].mpjpe_mm
    assert oracle.cross_auc >= answers["most likely"].cross_auc
    report = (out / "report.md").read_text()
    (li,) = [line for line in report.splitlines() if line.startswith("| Li et al. |")][:1]
    assert f"{of['mixture'].cross_pck:.1f}" in li


# Training


@given(
    stair=st.integers(1, 9), decay=st.floats(0.5, 1), epoch=st.integers(1, 6), whole=st.booleans()
)
def test_the_rate_is_set_where_the_published_loop_sets_it(stair, decay, epoch, whole):
    """At the first step and where the count is a multiple of a stair; else it stays as it was."""
    config = TrainConfig(
        schedule="staircase", decay=decay, decay_steps=None if whole else stair, learning_rate=0.01
    )
    stair, rate = epoch if whole else stair, None
    for count in range(1, 25):
        if count == 1 or count % stair == 0:
            rate = 0.01 * decay ** (count / stair)
        assert learning_rate(config, count - 1, 24, epoch) == pytest.approx(rate, rel=1e-12)


def test_the_open_studys_schedules_are_what_they_were():
    exponential, cosine = TrainConfig(), TrainConfig(schedule="cosine")

    assert [learning_rate(exponential, s, 20, 5) for s in (0, 4, 5, 19)] == [
        1e-3, 1e-3, 1e-3 * 0.95, 1e-3 * 0.95**3
    ]  # fmt: skip
    assert learning_rate(cosine, 10, 20, 5) == pytest.approx(5e-4)


def numbered(rows):
    """Samples whose inputs are their own numbers."""
    return rows, np.zeros(len(rows))


@pytest.mark.parametrize("count", [72, 70, 64, 65, 5])
def test_an_epoch_sees_every_pose_once_when_the_last_are_not_dropped(count):
    batches = each_once(count, numbered, size=8, seed=3, drop_last=False)

    for epoch in range(2):
        steps = range(epoch * batches.per_epoch, (epoch + 1) * batches.per_epoch)
        seen = [batches[step][0] for step in steps]
        numbers = np.concatenate(seen).tolist()
        left_out = count % 8 == 1  # a batch of one cannot be normalised
        assert len(set(numbers)) == len(numbers) == count - left_out
        assert all(len(batch) == 8 for batch in seen[:-1])
        assert len(seen[-1]) > 1


def test_the_order_of_an_epoch_is_numpys_permutation_whatever_holds_it():
    batches = each_once(70_001, numbered, size=1000, seed=3, drop_last=False)

    order = batches.draw(2)

    assert order.dtype.itemsize == 4
    np.testing.assert_array_equal(order, np.random.default_rng([3, 2]).permutation(70_001))


def test_an_epoch_of_human36m_has_as_many_steps_as_the_authors_decay_says():
    keeping, dropping = (
        each_once(POSES, numbered, size=64, seed=0, drop_last=drop) for drop in (False, True)
    )

    assert (keeping.per_epoch, dropping.per_epoch) == (24_372, 24_371)
    assert POSES % 64 == 8


def test_batches_that_drop_the_last_are_what_they_were():
    """Every whole batch is the same either way: the order of an epoch does not depend on it."""
    keeping, dropping = (
        each_once(30, numbered, size=8, seed=5, drop_last=drop) for drop in (False, True)
    )

    for step in range(3):
        np.testing.assert_array_equal(keeping[step][0], dropping[step][0])
    # the first of the second epoch
    np.testing.assert_array_equal(keeping[4][0], dropping[3][0])


def test_the_published_draw_is_that_of_the_whole_tensor_and_of_its_bias():
    """Bounds of xavier_uniform_ with gain 1.414 on (32, 128, 128), and of U(-1/√128, 1/√128)."""
    torch.manual_seed(0)
    tensor = torch.nn.init.xavier_uniform_(torch.empty(32, 128, 128), gain=1.414)
    graph, options = body_graph(H36M_16), {"sharing": "pre-aggregation", "decouple_self": True}
    stacked = GraphConv(graph, 128, 128, init="stacked", **options)
    plain = GraphConv(graph, 128, 128, **options)

    assert stacked.weight.abs().max().item() == pytest.approx(tensor.abs().max().item(), rel=1e-3)
    assert stacked.weight.std().item() == pytest.approx(tensor.std().item(), rel=1e-2)
    assert stacked.bias.abs().max().item() == pytest.approx(128**-0.5, rel=0.1)
    assert not plain.bias.any()


# Scoring


@pytest.mark.parametrize("joints", [16, 17])
@pytest.mark.parametrize("frames", [2, 7, 64, 600])
def test_the_root_in_place_is_what_torch_leaves(rng, joints, frames):
    """The published line itself, run by torch. (One frame alone torch refuses.)"""
    poses = rng.normal(size=(frames, joints, 3)).astype("f4")
    outputs = torch.from_numpy(poses.copy())
    outputs[:, :, :] -= outputs[:, :1, :]

    ours = root_in_place(poses, 0)

    np.testing.assert_array_equal(ours, outputs.numpy())
    assert not ours[:, 0].any()
    np.testing.assert_array_equal(ours[:, 1:], poses[:, 1:])


def test_a_root_that_is_not_finite_leaves_nothing_finite(rng):
    poses = rng.normal(size=(3, 16, 3)).astype("f4")
    poses[1, 0] = np.inf
    outputs = torch.from_numpy(poses.copy())
    outputs[:, :, :] -= outputs[:, :1, :]

    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(root_in_place(poses, 0), outputs.numpy())


def test_scores_with_the_root_in_place_are_those_of_poses_that_were_not_moved(rng):
    truth = rng.normal(scale=0.3, size=(50, 16, 3))
    truth -= truth[:, :1]
    poses = truth + rng.normal(scale=0.02, size=truth.shape)

    plain = score_poses(poses, truth, PROTOCOLS["h36m-16"])
    asked = score_poses(poses, truth, PROTOCOLS["h36m-16"], adaptations=["root-in-place"])

    unmoved = np.linalg.norm(poses - truth, axis=-1)
    unmoved[:, 0] = 0
    moved = np.linalg.norm(poses - poses[:, :1] - truth, axis=-1)
    assert asked.overall.mpjpe_mm == pytest.approx(1000 * unmoved.mean(), rel=1e-9)
    assert plain.overall.mpjpe_mm == pytest.approx(1000 * moved.mean(), rel=1e-9)
    assert asked.adaptations == ("root-in-place",)


def test_a_network_is_scored_with_the_root_in_place_only_if_asked(packs, tmp_path):
    """Its predictions, read off the network itself: no root is moved, and each is set to zero."""
    config = TrainConfig(
        data=str(packs), cameras="own", keep="last", steps=3, batch_size=16, tensorboard=False,
        drop_last=False, schedule="staircase", decay_steps=2,
        model=ModelConfig(channels=4, blocks=1, init="stacked"),
    )  # fmt: skip
    data = read_data(str(packs))
    for _ in train(config, data, tmp_path):
        pass

    plain, asked = (
        evaluate_model(tmp_path / MODEL, data, name="a run", adaptations=adaptations)
        for adaptations in ((), ("root-in-place",))
    )

    network = build_network(**dataclasses.asdict(config.model)).eval()
    load_weights(network, read_checkpoint(tmp_path / MODEL)[0], tmp_path)
    test = data.samples("test", Selection())
    with torch.inference_mode():
        poses = network(torch.from_numpy(test.inputs)).numpy()
    errors = np.linalg.norm(poses - test.targets, axis=-1)
    errors[:, 0] = 0
    means = [errors[test.activity == name].mean() for name in np.unique(test.activity)]
    assert asked.mpjpe_mm == pytest.approx(1000 * np.mean(means), abs=2e-3)
    assert abs(asked.mpjpe_mm - plain.mpjpe_mm) > 1
    assert (plain.cross_pck, plain.cross_auc) == (asked.cross_pck, asked.cross_auc)
    assert plain.validation_mpjpe_mm == asked.validation_mpjpe_mm
    assert "adaptations: root-in-place" in asked.protocols["h36m-16"]
    assert "adaptations: none" in asked.protocols["3dhp-14"]
    assert (plain.adaptations, asked.adaptations) == ([], ["root-in-place"])


def test_an_adaptation_that_no_protocol_of_the_data_takes_is_refused(packs, study_data, tmp_path):
    plan = Plan(methods=("full-sharing",), channels=(4,), adaptations=("root-in-place",))
    (tmp_path / "plan.toml").write_text(
        'methods = ["full-sharing"]\nchannels = [4]\nadaptations = ["root-in-place"]\n'
    )

    said = here("study", "run", tmp_path / "plan.toml", "--out", tmp_path / "study")

    assert planned_runs(plan, data="prior")[0].adaptations == ("root-in-place",)
    assert_refused(said, "open-16 and cross-14 take no adaptation 'root-in-place', only none")
    assert not (tmp_path / "study" / "runs").exists()
    with pytest.raises(ConfigError, match="h36m-16 take no adaptation 'hip-shift'"):
        read_data(str(packs / "h36m")).describe(Selection(adaptations=("hip-shift",)))


def test_one_study_does_not_mix_adaptations(packs, tmp_path):
    text = """
    methods = ["full-sharing"]
    channels = [4]
    [recipe]
    cameras = "own"
    keep = "last"
    steps = 2
    evaluate_every = 2
    batch_size = 16
    tensorboard = false
    """
    plan, words = (
        tmp_path / "plan.toml",
        ["--data", packs, "--out", tmp_path / "s", "--at-once", 1],
    )
    plan.write_text(text)
    assert here("study", "run", plan, *words).status == 0
    plan.write_text('adaptations = ["root-in-place"]\n' + text)

    said = here("study", "run", plan, *words)

    assert_refused(said, "scored with adaptations: none", "asks for root-in-place", "another fold")
