"""Networks with an architecture of their own: counted, trained, exported and refused alike."""

import dataclasses

import numpy as np
import onnxruntime
import pytest
import torch
from helpers.lifters import finish, shaken

from graphlift.card import ModelCard
from graphlift.complexity import network_complexity
from graphlift.errors import ConfigError, ModelError
from graphlift.export import export_onnx
from graphlift.matched_width import channels_for
from graphlift.networks import ANY_FEATURES
from graphlift.nn.build import build_network
from graphlift.skeletons import H36M_16, H36M_17
from graphlift.study.plan import NAMES, Plan, planned_runs
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.state import CHECKPOINT
from graphlift.training.tables import parse_table

EACH = pytest.mark.parametrize("method", ANY_FEATURES)
TINY = TrainConfig(
    steps=60, batch_size=16, evaluate_every=20, learning_rate=1e-2, tensorboard=False
)


def of(method, **keys):
    return ModelConfig(method=method, decouple_self=False, channels=4, blocks=1, **keys)


@EACH
@pytest.mark.parametrize(("channels", "blocks"), [(1, 1), (7, 2), (12, 3)])
def test_a_network_is_counted_as_it_is_built(method, channels, blocks):
    network = build_network(method, channels=channels, blocks=blocks)

    counted = network_complexity(method, channels=channels, blocks=blocks)

    assert counted.parameters == sum(p.numel() for p in network.parameters())
    assert counted.macs_unified >= counted.macs_reduced > 0


@EACH
@pytest.mark.parametrize("size", [128_000, 500_000, 1_000_000, 4_200_000])
def test_the_sizes_of_a_study_are_matched(method, size):
    assert abs(channels_for(method, size).off) < 0.05


@EACH
def test_a_network_learns_and_goes_on_where_it_stopped(method, study_data, tmp_path):
    config = dataclasses.replace(TINY, model=of(method, dropout=0.1))
    whole, record = finish(config, study_data, tmp_path / "whole")
    losses = [line["loss"] for line in record["curve"]]
    assert losses[-1] < 0.7 * losses[0]

    short = dataclasses.replace(config, steps=8, evaluate_every=3)
    at_once, _ = finish(short, study_data, tmp_path / "at-once")
    assert finish(short, study_data, tmp_path / "cut", stop=5) is None
    assert (tmp_path / "cut" / CHECKPOINT).exists()
    again, _ = finish(short, study_data, tmp_path / "cut")
    assert again.keys() == at_once.keys() == whole.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in at_once.items())


@EACH
def test_every_weight_learns(method):
    torch.manual_seed(0)
    network = build_network(method, channels=6, blocks=2)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)

    network(torch.randn(8, 16, 2)).square().mean().backward()

    still = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    # A bias before a normalisation has no gradient.
    assert {name for name in still if not name.endswith("conv.bias")} == set()


def exported(network, skeleton, path):
    facts = {"name": "probe", "skeleton": skeleton.name, "inputs": "canonical", "method": "any"}
    export_onnx(network, ModelCard(**facts, parameters=1), path)
    session = onnxruntime.InferenceSession(path)
    for frames in (1, 6):
        x = np.random.default_rng(frames).normal(size=(frames, len(skeleton), 3))
        (ours,) = session.run(None, {"keypoints": x.astype(np.float32)})
        with torch.inference_mode():
            theirs = network(torch.from_numpy(x).float()).numpy()
        # 0.01 mm, and rounding: untrained, a network may answer with 40 m.
        assert np.abs(ours - theirs).max() < 1e-5 + 1e-6 * np.abs(theirs).max()


@EACH
def test_the_onnx_file_answers_as_the_network_does(method, tmp_path):
    options = {"channels": 8, "blocks": 2, "inputs": "canonical", "sigma": True}
    network = shaken(build_network(method, **options), 0.05).float().eval()

    exported(network, H36M_16, tmp_path / "m.onnx")


@pytest.mark.parametrize(
    "options",
    [
        {"method": "modulated"},
        {"method": "modulated", "non_local": "embedded"},
        {"method": "semgcn"},
        {"method": "no-sharing", "non_local": "grouped"},
    ],
    ids=["modulated", "embedded", "semgcn", "no-sharing"],
)
def test_so_does_that_of_a_network_of_more_than_graph_convolutions(options, tmp_path):
    more = {"channels": 6, "blocks": 1, "joints": 17, "inputs": "canonical", "sigma": True}
    network = shaken(build_network(**options, **more), 0.05).float().eval()

    exported(network, H36M_17, tmp_path / "m.onnx")


class Odd(torch.nn.Module):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def forward(self, x):
        return self.step(x)


@pytest.mark.parametrize(
    ("step", "message"),
    [(lambda x: x.cos(), "operation, cos, that is"), (lambda x: x[:, :8], "write index_select")],
)
def test_what_is_not_known_as_onnx_is_refused_by_name(step, message, tmp_path):
    with pytest.raises(ModelError, match=message):
        exported(Odd(step), H36M_16, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


@EACH
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"decouple_self": True}, "has no decoupled variant: write decouple_self = false"),
        ({"non_local": "grouped"}, "has no non-local layers: leave non_local out"),
        ({"affinity": "symmetric"}, "has no symmetric affinity: leave affinity out"),
        ({"centre": "root"}, "does not ask where the centre is: leave centre out"),
    ],
)
def test_keys_that_it_does_not_have_are_refused(method, keys, message):
    model = {"method": method, "decouple_self": False} | keys

    with pytest.raises(ConfigError, match=f"run.toml: model: .*{method} {message}"):
        parse_table(TrainConfig, {"model": model}, "run.toml")


@EACH
def test_a_plan_has_it_only_if_it_is_named(method):
    assert method not in Plan(channels=(8,)).methods
    assert NAMES[method] == (method, False)
    (run,) = planned_runs(Plan(methods=(method,), parameters=(500_000,)), data="prior")
    assert run.config.model.method == method
    assert run.config.model.channels == channels_for(method, 500_000).channels


@pytest.mark.parametrize("method", ["martinez", "lcn", "bidirectional", "ordinal-depth"])
@pytest.mark.parametrize("keys", [{"inputs": "canonical"}, {"inputs": "centred"}, {"sigma": True}])
def test_a_network_of_screen_inputs_alone_refuses_others_by_its_name(method, keys):
    with pytest.raises(ModelError, match=f"{method} takes keypoints on the screen"):
        build_network(method, channels=4, **keys)


@pytest.mark.parametrize("method", ["no-sharing", "modulated", "martinez", "mixture", "htnet"])
def test_a_mask_is_learnt_by_the_network_that_has_one_alone(method):
    with pytest.raises(ModelError, match=f"{method} has no mask: leave learnt_mask out"):
        build_network(method, channels=4, learnt_mask=True)
    assert build_network("lcn", channels=4, learnt_mask=True).mask_scores is not None
