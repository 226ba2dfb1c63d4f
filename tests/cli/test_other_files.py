"""Files of other kinds, given where a configuration, a plan or a model of a run is asked for."""

from importlib import resources

import pytest
import torch
from helpers.command import assert_refused, here

from graphlift.nn.build import build_network
from graphlift.training.checkpoints import write_checkpoint
from graphlift.training.config import TrainConfig, read_config
from graphlift.training.written import to_toml

RUN = to_toml(TrainConfig(steps=3))


def test_a_plan_is_told_from_a_run_and_the_other_way_round(tmp_path):
    plan, run = tmp_path / "plan.toml", tmp_path / "run.toml"
    plan.write_text((resources.files("graphlift.study") / "plans" / "quick.toml").read_text())
    run.write_text(RUN)

    assert_refused(here("train", plan), f"{plan}: is a plan", f"graphlift study run {plan}")
    assert_refused(here("study", "run", run), f"{run}: is a single run", f"graphlift train {run}")
    for key in ('methods = ["lcn"]', "recipe = {}"):
        plan.write_text(f"{key}\nchannels = [4]\nmodel = {{dropout = 0.1}}\n")
        assert_refused(here("study", "run", plan), f"{plan}: model: there is no such key")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_configuration_that_windows_wrote_is_read(encoding, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(RUN, encoding=encoding)
    if encoding == "utf-16-le":  # without its mark it is not told from other bytes
        path.write_bytes(path.read_bytes() + b"\xff")
        assert_refused(here("train", path), f"{path}: not TOML")
    else:
        assert read_config(path) == TrainConfig(steps=3)


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("a.onnx", "give the model.safetensors of its run"),
        ("a.pth", "graphlift model import"),
        ("a.pth.tar", "graphlift model import"),
    ],
)
def test_another_kind_of_model_is_refused_with_what_to_do(name, way_out, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"\x08\x08")

    assert_refused(here("evaluate", path), f"{path}: is a", way_out)
    assert_refused(here("model", "export", path, "--network", "-o", tmp_path), str(path), way_out)
    path.unlink()
    assert_refused(here("evaluate", path), f"{path}: No such file")


@pytest.mark.parametrize("config", [[1], 3, None, "x", {"data": 3}, {"model": 3}])
def test_a_record_whose_configuration_is_none_is_refused(config, tmp_path):
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, {"x": torch.zeros(2)}, {"config": config})

    for words in (("evaluate", path), ("model", "export", path, "-o", tmp_path)):
        assert_refused(here(*words), f"{path}: ")


def test_a_run_of_another_version_that_is_not_understood_says_so(tmp_path):
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, {"x": torch.zeros(2)}, {"config": {"later": 1}, "version": "99.0"})

    for words in (("evaluate", path), ("model", "export", path, "--network", "-o", tmp_path)):
        assert_refused(
            here(*words), f"{path}: later: there is no such key: it is of graphlift 99.0"
        )


def test_safetensors_are_not_imported(tmp_path):
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, {"x": torch.zeros(2)}, {})

    said = here("model", "import", path, "--kind", "semgcn", "-o", tmp_path / "new.safetensors")

    assert_refused(said, f"{path}: is no checkpoint of torch", "taken as it is")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", "/x"])
def test_a_model_is_not_written_outside_its_folder(name, tmp_path):
    path, out = tmp_path / "model.safetensors", tmp_path / "out"
    network = build_network("full-sharing", channels=4, blocks=0)
    model = {"method": "full-sharing", "decouple_self": False, "channels": 4, "blocks": 0}
    write_checkpoint(path, network.state_dict(), {"config": {"model": model}})

    said = here("model", "export", path, "--network", "-o", out, "--name", name)

    assert_refused(said, "--name", "is no name of a file", "--out")
    assert [*tmp_path.iterdir()] == [path]
