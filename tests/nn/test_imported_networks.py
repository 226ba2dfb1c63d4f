"""``graphlift model import``: what it says, and imported networks evaluated as ours are."""

import hashlib
import json

import numpy as np
import pytest
from helpers import foreign_networks as theirs
from helpers.command import assert_refused, here
from helpers.foreign_files import imported, saved, tensors
from helpers.tiny_packs import write_h36m

from graphlift.samples import Selection
from graphlift.samples.data_sets import read_data
from graphlift.samples.open_data import read_open_data


def test_an_imported_network_is_evaluated_as_ours_are(tmp_path, pack, rng):
    state = theirs.weights(theirs.modulated_gcn, rng)
    source, model = tmp_path / "best.pth.tar", tmp_path / "model.safetensors"
    saved(source, tensors(state))

    status, out, err = here("model", "import", source, "--kind", "modulated", "-o", model)

    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == str(model)
    told = json.loads(out.splitlines()[1].removeprefix("source: "))
    assert told == {
        "file": "best.pth.tar",
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "kind": "modulated",
        "said": {"epoch": 50, "lr": 5e-4, "step": 9, "error": 42.14},
        "left_out": [],
    }
    network, story = imported(model)
    assert (story["curve"], story["source"]) == ([], told)
    assert story["config"]["model"]["method"] == "modulated"

    said = here("evaluate", model, "--data", pack, "--json")

    assert (said.status, said.err) == (0, "")
    result = json.loads(said.out)
    data = read_open_data(str(pack))
    for split, key in (("test", "mpjpe_mm"), ("validation", "validation_mpjpe_mm")):
        frames = data.samples(split, Selection())
        poses = theirs.run(state, theirs.modulated_gcn, frames.inputs.astype(float), blocks=2)
        poses -= poses[:, :1]
        errors = np.linalg.norm(poses - frames.targets, axis=-1).mean(axis=1) * 1000
        actions = [errors[frames.activity == name].mean() for name in np.unique(frames.activity)]
        assert result[key] == pytest.approx(np.mean(actions), rel=1e-4)
    assert (result["steps"], result["curve"], result["poses_per_second"]) == (0, [], 0)
    assert result["parameters"] == sum(p.numel() for p in network.parameters())


def test_17_joints_are_not_evaluated_on_16(tmp_path, pack, rng):
    state = theirs.weights(theirs.modulated_gcn, rng, joints=17, non_local="embedded")
    source, model = saved(tmp_path / "x.pth", tensors(state)), tmp_path / "m.safetensors"
    assert here("model", "import", source, "--kind", "modulated", "-o", model).status == 0

    said = here("evaluate", model, "--data", pack)

    assert_refused(said, "model.joints", "17 joints", "16")


@pytest.mark.parametrize("joints", [16, 17])
def test_an_imported_network_is_scored_by_the_published_protocol(tmp_path, rng, joints):
    around = {"non_local": "embedded" if joints == 17 else "none"}
    state = theirs.weights(theirs.modulated_gcn, rng, joints=joints, **around)
    source, model = saved(tmp_path / "x.pth", tensors(state)), tmp_path / "m.safetensors"
    assert here("model", "import", source, "--kind", "modulated", "-o", model).status == 0
    write_h36m(tmp_path / "h36m", frames=4)

    said = here("evaluate", model, "--data", tmp_path / "h36m", "--json")

    assert (said.status, said.err) == (0, "")
    result = json.loads(said.out)
    frames = read_data(str(tmp_path / "h36m")).samples("test", Selection(joints=joints))
    inputs = frames.inputs.astype(float)
    poses = theirs.run(state, theirs.modulated_gcn, inputs, blocks=2, **around)
    poses -= poses[:, :1]
    errors = np.linalg.norm(poses - frames.targets, axis=-1).mean(axis=1) * 1000
    actions = [errors[frames.activity == name].mean() for name in np.unique(frames.activity)]
    assert list(result["protocols"]) == [f"h36m-{joints}"]
    assert result["mpjpe_mm"] == pytest.approx(np.mean(actions), rel=1e-4)


def test_wrong_words_are_named_in_one_line(tmp_path, semgcn):
    out = tmp_path / "m.safetensors"
    for words, faults in [
        ((semgcn, "--kind", "hgcn", "-o", out), ("--kind", "'hgcn'", "'semgcn', 'liu'")),
        (
            (semgcn, "--kind", "liu", "-o", out, "--sharing", "none"),
            ("--sharing", "'none'", "pre-aggregation"),
        ),
        ((semgcn, "--kind", "semgcn", "-o", semgcn), (semgcn, "give the result another name")),
        ((tmp_path / "no.pth", "--kind", "liu", "-o", out), (tmp_path / "no.pth", "No such file")),
        ((tmp_path, "--kind", "liu", "-o", out), (tmp_path, "Is a directory")),
        ((semgcn, "--kind", "liu", "-o", out), (semgcn, "choose --kind")),
    ]:
        assert_refused(here("model", "import", *words), *faults)
    assert not out.exists()
