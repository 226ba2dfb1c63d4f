"""``graphlift train`` and ``evaluate``: a tiny run from its TOML to its scores."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from helpers.command import assert_refused, command, here
from helpers.tiny_pack import write_folder

from graphlift.files import LOCK
from graphlift.samples.open_data import read_open_data
from graphlift.study.results import Result
from graphlift.training.checkpoints import read_checkpoint, write_checkpoint
from graphlift.training.config import read_config
from graphlift.training.loop import LOG, train
from graphlift.training.state import CHECKPOINT, MODEL

RUN = """
steps = 6
batch_size = 8
evaluate_every = 3
tensorboard = false
[model]
method = "full-sharing"
decouple_self = false
blocks = 1
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory, pack):
    path = tmp_path_factory.mktemp("config") / "run.toml"
    path.write_text(f"data = {json.dumps(str(pack))}\n{RUN}")
    return path


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    """A run with an override, and what the command said."""
    out = tmp_path_factory.mktemp("trained") / "run"
    return out, here("train", config, "--out", out, "--set", "model.channels = 4")


def test_training_leaves_a_model_and_prints_where(trained):
    out, said = trained

    assert said == (0, f"{out / MODEL}\n", "")
    assert {path.name for path in out.iterdir()} == {MODEL, LOG, LOCK}
    _, story = read_checkpoint(out / MODEL)
    assert (story["step"], story["config"]["model"]["channels"]) == (6, 4)
    assert [json.loads(line)["step"] for line in (out / LOG).read_text().splitlines()] == [3, 6]


def test_two_trainings_do_not_run_in_one_folder(config, tmp_path):
    """The second is refused while the first holds the folder, and leaves its log alone."""
    out = tmp_path / "run"
    first = train(read_config(config), read_open_data(read_config(config).data), out)
    next(first)
    before = (out / LOG).read_bytes()

    said = here("train", config, "--out", out)

    assert_refused(said, f"another training runs in {out}: wait until it ends, or give")
    assert (out / LOG).read_bytes() == before
    assert len(list(first)) == 5
    assert len((out / LOG).read_text().splitlines()) == 2
    assert here("train", config, "--out", out).status == 0


def test_a_finished_run_is_not_trained_again_and_says_so(trained, config):
    out = trained[0]
    before = (out / MODEL).read_bytes()

    again = here("train", config, "--out", out, "--set", "model.channels = 4")
    other = here("train", config, "--out", out, "--set", "model.channels = 5")

    assert again == (
        *(0, f"{out / MODEL}\n"),
        f"graphlift: {out} is finished: there is nothing to do\n",
    )
    assert_refused(other, out / MODEL, "another model.", "another folder")
    assert (out / MODEL).read_bytes() == before


def test_the_model_is_evaluated_on_the_data_of_its_training(trained):
    model = trained[0] / MODEL

    said = here("evaluate", model, "--json")

    assert (said.status, said.err) == (0, "")
    result = Result(**json.loads(said.out))
    assert (result.method, result.channels, result.detections) == ("full-sharing", 4, "gt")
    assert (result.data, result.cross_data, result.steps) == ("cmu", "hdm05", 6)
    assert result.p_mpjpe_mm > 0
    assert 0 < result.cross_auc < result.cross_pck

    table = here("evaluate", model)
    assert f"mpjpe_mm: {result.mpjpe_mm}" in table.out.splitlines()


def test_other_detections_and_data_may_be_given(trained, tmp_path):
    model, others = trained[0] / MODEL, write_folder(tmp_path / "others", seed=3)
    plain, noisy, strange = (
        json.loads(here("evaluate", model, "--json", *options).out)
        for options in ((), ("--detections", "hg-sim"), ("--data", others))
    )

    assert noisy["detections"] == "hg-sim"
    assert len(noisy["noise_bins"]) > 1
    assert strange["data_digest"] != plain["data_digest"] == noisy["data_digest"]
    assert len({each["mpjpe_mm"] for each in (plain, noisy, strange)}) == 3


def test_info_tells_of_a_trained_model(trained):
    said = here("model", "info", trained[0] / MODEL, "--json")

    story = json.loads(said.out)
    assert (story["data"], story["licence"]) == ("cmu", "a licence")
    assert story["best_validation_mpjpe_mm"] == min(
        point["validation_mpjpe_mm"] for point in story["curve"]
    )


def test_an_interrupted_run_says_so_and_the_same_command_goes_on(config, tmp_path):
    out = tmp_path / "run"
    long = ("--set", "model.channels = 4", "--set", "steps = 10_000_000")
    process = subprocess.Popen(
        [sys.executable, "-m", "graphlift", "train", config, "--out", out, *long],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 120
    while not (out / CHECKPOINT).exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)

    os.kill(process.pid, signal.SIGINT)

    says = "graphlift: interrupted; run the same command again to go on\n"
    assert process.communicate(timeout=120) == ("", says)
    assert process.returncode == 130
    assert_refused(
        here("train", config, "--out", out, "--set", "steps = 9", "--set", "model.channels = 4"),
        out / CHECKPOINT,
        "another steps",
        "another folder",
    )


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.widht = 4", ["run.toml", "model.widht"]),
        ("epoch = 4", ["run.toml", "epoch"]),
        ('model.method = "half-sharing"', ["run.toml", "model.method", "'full-sharing'"]),
        ("model.decouple_self = 1", ["run.toml", "model.decouple_self", "boolean"]),
        ("steps = 0", ["run.toml", "steps must be at least 1"]),
        ("steps =", ["--set 'steps ='", "not TOML"]),
        ('data = "/no/such/folder"', ["no splits at /no/such/folder/splits.json", "prior"]),
        ("learning_rate = 1e30", ["training diverged", "lower learning_rate"]),
    ],
)
def test_a_mistake_in_the_run_is_one_line_with_path_and_key(config, tmp_path, override, words):
    out = tmp_path / "run"

    said = here("train", config, "--out", out, "--set", "model.channels = 4", "--set", override)

    assert_refused(said, *words)
    assert not (out / MODEL).exists()


def test_a_run_without_a_folder_gets_one_named_after_its_file(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    said = here("train", config, "--set", "model.channels = 4")

    assert said == (0, "runs/run/model.safetensors\n", "")
    assert (tmp_path / "runs" / "run" / MODEL).exists()


def test_the_folder_one_stands_in_may_be_the_runs(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    said = here("train", config, "--set", "model.channels = 4", "--out", ".")

    assert said == (0, f"{MODEL}\n", "")
    assert {path.name for path in tmp_path.iterdir()} == {MODEL, LOG, LOCK}


def test_a_mistake_is_one_line_from_a_shell_too(config, tmp_path):
    said = command("train", config, "--out", tmp_path / "run", "--set", "model.widht = 4")

    assert_refused(said, config, "model.widht")
    assert not (tmp_path / "run").exists()


def test_missing_files_are_named(tmp_path, config, trained):
    assert_refused(here("train", tmp_path / "no.toml", "--out", tmp_path / "r"), "no.toml")
    assert_refused(here("evaluate", tmp_path / "no.safetensors"), "no.safetensors")
    nowhere = tmp_path / "nowhere"
    assert_refused(here("evaluate", trained[0] / MODEL, "--data", nowhere), nowhere)
    detections = here("evaluate", trained[0] / MODEL, "--detections", "yolo")
    assert_refused(detections, "--detections", "'yolo'", "'hg-sim'")


def test_a_pack_that_is_damaged_is_named(pack, config, tmp_path):
    broken = write_folder(tmp_path / "broken")
    whole = (broken / "cmu.npz").read_bytes()
    (broken / "cmu.npz").write_bytes(whole[: len(whole) // 2])

    said = here(
        "train", config, "--out", tmp_path / "run", "--set", f"data = {json.dumps(str(broken))}"
    )

    assert_refused(said, broken / "cmu.npz")


def test_a_person_in_two_splits_is_refused_by_name(config, tmp_path):
    folder = write_folder(tmp_path / "pack")
    splits = json.loads((folder / "splits.json").read_text())
    splits["cmu"]["test"].append("train-001")
    (folder / "splits.json").write_text(json.dumps(splits))

    said = here(
        "train", config, "--out", tmp_path / "run", "--set", f"data = {json.dumps(str(folder))}"
    )

    assert_refused(said, "train-001", "both train and test")


def test_a_model_that_was_changed_is_refused(trained, tmp_path):
    whole = (trained[0] / MODEL).read_bytes()
    path = tmp_path / MODEL
    for damaged in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:100], b""):
        path.write_bytes(damaged)
        assert_refused(here("evaluate", path), path)


def test_weights_that_are_not_of_the_configuration_beside_them_are_refused(trained, tmp_path):
    tensors, story = read_checkpoint(trained[0] / MODEL)
    path = tmp_path / MODEL

    def told(**model):
        config = {**story["config"], "model": {**story["config"]["model"], **model}}
        write_checkpoint(path, tensors, {**story, "config": config})
        return here("evaluate", path)

    assert_refused(told(channels=5), path, "weights of another network", "(1, 2, 4)", "(1, 2, 5)")
    assert_refused(told(blocks=2), path, "weights of another network", "lacks blocks.1")
    assert_refused(told(method="no-sharing"), path, "weights of another network")
    assert_refused(told(method="martinez"), path, "weights of another network")
    assert_refused(told(method="half-sharing"), path, "model.method")
    assert_refused(told(widht=3), path, "model.widht")


def test_the_checkpoint_of_a_run_under_way_is_told_from_a_model(config, pack, tmp_path):
    settings = read_config(config, ["model.channels = 4"])
    run = train(settings, read_open_data(str(pack)), tmp_path)
    for _ in range(4):
        next(run)
    run.close()

    said = here("evaluate", tmp_path / CHECKPOINT)

    assert_refused(said, tmp_path / CHECKPOINT, "a run under way", "finish the run")


def test_a_damaged_model_is_not_to_be_deleted(trained, tmp_path):
    path = tmp_path / MODEL
    path.write_bytes((trained[0] / MODEL).read_bytes()[:-1])

    for said in (here("evaluate", path), here("model", "info", path)):
        assert_refused(said, path, "cut short", "copy it again")


def test_a_file_that_no_finished_run_left_is_refused(trained, tmp_path):
    tensors, story = read_checkpoint(trained[0] / MODEL)
    path = tmp_path / MODEL
    write_checkpoint(path, tensors, {"config": story["config"]})

    assert_refused(here("evaluate", path), path, "lacks best_step, curve, seconds")
