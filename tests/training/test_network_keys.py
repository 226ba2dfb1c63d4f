"""Keys of the model that a network would ignore: every key with every network, built."""

import dataclasses
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
import torch

from graphlift.errors import ConfigError
from graphlift.networks import WINDOW
from graphlift.nn.build import build_network
from graphlift.preprocessing import OVER_TIME
from graphlift.study.results import read_results
from graphlift.training.config import Method, ModelConfig, TrainConfig, parse_run, read_config
from graphlift.training.network_keys import NETWORKS, USED_BY
from graphlift.training.tables import parse_table

ROOT = Path(__file__).parents[2]
VALUES = {
    "decouple_self": (False, True),
    "channels": (6, 9),
    "blocks": (1, 2),
    "dropout": (0.0, 0.2),
    "affinity": ("learnt", "row-normalised", "column-normalised", "symmetric"),
    "init": ("glorot", "stacked"),
    "joints": (16, 17, 28),
    "inputs": ("screen", "centred", "canonical"),
    "sigma": (False, True),
    "non_local": ("none", "grouped", "embedded"),
    "centre": ("spine", "root"),
    "learnt_mask": (False, True),
    "mirrored": (False, True),
}
OF_28 = {"joints": 28, "inputs": "canonical", "sigma": True}


def base(method):
    model = {"method": method, "decouple_self": False, "channels": 6}
    model |= {"blocks": 1} if method in USED_BY["blocks"] else {}
    return model | (OF_28 if method == "over-time" else {})


def run_of(model):
    over_time = {"cameras": "random", "loss": "mpjpe"} if model["method"] == "over-time" else {}
    likelihood = {"loss": "likelihood"} if model["method"] == "mixture" else {}
    return {"model": model} | over_time | likelihood


@cache
def built(model):
    """All that a network is and says: tensors, and answers in and out of training."""
    torch.manual_seed(0)
    network = build_network(**dataclasses.asdict(model))
    features = {"screen": 2, "centred": 2, "canonical": 4 if model.joints == 28 else 3}
    x = torch.rand(5, model.joints, features[model.inputs])
    if model.method == "over-time":
        x = torch.rand(5, WINDOW, OVER_TIME)
        torch.nn.init.normal_(network.output.weight)
    said = [network.train()(x), network.eval()(x)]
    parts = [part for each in said for part in (each if isinstance(each, tuple) else (each,))]
    tensors = [*network.state_dict().values(), *(p for p in parts if isinstance(p, torch.Tensor))]
    return [*network.state_dict()], [tensor.detach() for tensor in tensors]


def same(one, other):
    return one[0] == other[0] and all(map(torch.equal, one[1], other[1]))


def accepted(model):
    try:
        return parse_table(ModelConfig, model, "")
    except ConfigError:
        return None


def runs(model):
    try:
        return parse_run(run_of(model), "there") is not None
    except ConfigError:
        return False


def test_every_key_and_every_network_is_looked_at():
    assert {*VALUES, "method"} == {each.name for each in dataclasses.fields(ModelConfig)}
    assert {*NETWORKS} == {*get_args(Method)}


@pytest.mark.parametrize("method", NETWORKS)
def test_a_network_uses_the_keys_that_change_it_and_a_run_takes_no_other(method):
    plain = built(parse_table(ModelConfig, base(method), ""))
    for key, values in VALUES.items():
        models = [base(method) | {key: value} for value in values]
        taken = [(model, config) for model in models if (config := accepted(model))]
        uses = not all(same(plain, built(config)) for _, config in taken)
        if key in USED_BY:
            assert uses == (method in USED_BY[key]), key
        else:
            assert uses or sum(map(runs, models)) == 1, key
        for model, _ in taken if not uses and key in USED_BY else ():
            if model[key] not in (False, "none"):  # it says that the network has no such part
                with pytest.raises(
                    ConfigError, match=rf"there: model\.{key} is for .*{method} wo"
                ):
                    parse_run(run_of(model), "there")
            else:
                assert parse_run(run_of(model), "there")


def test_a_key_that_the_network_ignores_is_refused_by_name_with_the_networks_that_use_it(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('[model]\nmethod = "martinez"\ndecouple_self = false\n')

    with pytest.raises(ConfigError) as refused:
        read_config(path, ['model.affinity = "symmetric"', 'model.init = "stacked"'])

    assert str(refused.value) == (
        f"{path}: model.affinity is for full-sharing, pre-aggregation, post-aggregation, "
        "no-sharing, convolution-style, semgcn, modulated, and martinez would ignore it: leave it "
        "out; model.init is for full-sharing, pre-aggregation, post-aggregation, no-sharing, "
        "convolution-style, semgcn, modulated, high-order, graph-hourglass, graformer, htnet, and "
        "martinez would ignore it: leave it out"
    )


def test_stored_runs_with_keys_that_their_network_ignores_are_still_read():
    stored = {"model": base("martinez") | {"affinity": "symmetric", "init": "stacked"}}

    assert parse_table(TrainConfig, stored, "there").model.affinity == "symmetric"
    for path in sorted((ROOT / "docs/study").glob("*/results.jsonl")):
        for result in read_results(path):
            assert parse_table(TrainConfig, result.config, str(path))


def test_the_page_lists_the_networks_that_use_each_key():
    lines = (ROOT / "docs/training.md").read_text().splitlines()

    for key, networks in USED_BY.items():
        lacking = [f"`{name}`" for name in NETWORKS if name not in networks]
        named = ", ".join(f"`{name}`" for name in networks)
        if len(lacking) < len(networks):
            named = f"all but {', '.join(lacking)}"
        assert f"| `model.{key}` | {named} |" in lines
