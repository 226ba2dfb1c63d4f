"""Modulated GCN: its formula joint by joint, its published sizes, where it may stand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.complexity import modulated_complexity, network_complexity
from graphlift.errors import ConfigError, ModelError
from graphlift.graph import body_graph, fixed_affinity
from graphlift.networks import Layout, layout
from graphlift.nn.build import build_network
from graphlift.nn.modulated import ModulatedConv
from graphlift.nn.non_local import EmbeddedNonLocal
from graphlift.skeletons import H36M_16, H36M_17
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.loop import train
from graphlift.training.tables import parse_table

PARENTS = [-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 8, 10, 11, 8, 13, 14]  # Zhao et al.'s 16 joints


def neighbours(joint):
    children = [child for child, parent in enumerate(PARENTS) if parent == joint]
    return children + ([PARENTS[joint]] if PARENTS[joint] >= 0 else [])


def shaken(module):
    """Weights that are not where they start."""
    torch.manual_seed(0)
    module = module.double()
    for parameter in module.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return module


@pytest.mark.parametrize(("channels", "parameters"), [(128, 287_923), (256, 1_097_523)])
def test_the_published_sizes(channels, parameters):
    """0.29 M and 1.10 M: the repository's README, and POT's table 7."""
    network = build_network("modulated", channels=channels)

    assert sum(p.numel() for p in network.parameters()) == parameters
    # Two matrices a layer, M (16, out) and adj2 (16, 16); biases; batch normalisation.
    D = channels
    assert parameters == (
        2 * (2 * D + 8 * D**2 + 3 * D) + 16 * (9 * D + 3) + 10 * 256 + (9 * D + 3) + 18 * D
    )


@pytest.mark.parametrize("affinity", ["learnt", "row-normalised"])
def test_a_layer_is_its_formula_joint_by_joint(affinity, rng):
    layer = shaken(ModulatedConv(body_graph(H36M_16), 5, 7, affinity=affinity))
    x = rng.normal(size=(16, 3, 5))  # joint, frame, channel
    T, W = layer.weight.detach().numpy()
    m, Q, b = (t.detach().numpy() for t in (layer.modulation, layer.affinity, layer.bias))

    B = Q.copy()
    for i in range(16):
        others = neighbours(i)
        share = 1 / len(others) if affinity == "learnt" else 1 / (len(others) + 1)
        B[i, i] += 1 if affinity == "learnt" else share
        for j in others:
            B[i, j] += share
    expected = np.zeros((16, 3, 7))
    for i in range(16):
        for j in range(16):
            a = (B[i, j] + B[j, i]) / 2
            expected[i] += a * m[j] * (x[j] @ (W if i == j else T))
        expected[i] += b

    np.testing.assert_allclose(layer(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-6)


def test_a_layer_starts_as_the_plain_one():
    layer = ModulatedConv(body_graph(H36M_16), 3, 3)

    a = layer.affinities().detach()

    assert torch.equal(a, a.T)
    assert (layer.modulation == 1).all()
    assert a[3, 2] == pytest.approx((1 + 1 / 2) / 2, abs=1e-5)  # foot: one neighbour; knee: two
    assert a[3, 3] == pytest.approx(1, abs=1e-5)
    assert a[3, 6] == pytest.approx(0, abs=1e-5)


def test_fixed_affinities_are_what_they_are_called():
    graph = body_graph(H36M_17)
    edges = {
        kind: dict(zip(zip(graph.target, graph.source, strict=True), values, strict=True))
        for kind in ("row-normalised", "column-normalised", "whole-self")
        for values in (fixed_affinity(graph, kind),)
    }

    # Hip (0) has three neighbours and itself, RHip (1) two and itself.
    assert edges["row-normalised"][0, 1] == edges["column-normalised"][1, 0] == 1 / 4
    assert edges["row-normalised"][1, 0] == edges["column-normalised"][0, 1] == 1 / 3
    assert edges["whole-self"][0, 1] == 1 / 3
    assert edges["whole-self"][0, 0] == 1


def test_another_start_is_refused():
    with pytest.raises(ModelError, match="modulated has no symmetric affinity: use learnt"):
        ModulatedConv(body_graph(H36M_16), 3, 3, affinity="symmetric")


def test_an_embedded_layer_starts_as_the_identity_and_is_its_formula_after(rng):
    layer = EmbeddedNonLocal(6).double().eval()
    x = rng.normal(size=(16, 2, 6))
    assert torch.equal(layer(torch.from_numpy(x)), torch.from_numpy(x))

    layer = shaken(layer)
    layer.norm.running_mean.normal_()
    layer.norm.running_var.uniform_(0.5, 2)
    p = {name: t.detach().numpy() for name, t in layer.state_dict().items()}

    def linear(name, v):
        return p[f"{name}.weight"] @ v + p[f"{name}.bias"]

    ours = layer(torch.from_numpy(x)).detach().numpy()
    for frame in range(2):
        for i in range(16):
            query = linear("query", x[i, frame])
            scores = np.exp([query @ linear("key", x[j, frame]) for j in range(16)])
            seen = sum(
                s / scores.sum() * linear("value", x[j, frame]) for j, s in enumerate(scores)
            )
            scale = p["norm.weight"] / np.sqrt(p["norm.running_var"] + 1e-5)
            back = (linear("back", seen) - p["norm.running_mean"]) * scale + p["norm.bias"]
            np.testing.assert_allclose(ours[i, frame], x[i, frame] + back, atol=1e-6)


@pytest.mark.parametrize("non_local", [None, "embedded"])
def test_every_weight_learns(non_local):
    torch.manual_seed(0)
    network = build_network("modulated", channels=6, blocks=1, non_local=non_local)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)

    network(torch.randn(8, 16, 2)).square().mean().backward()

    still = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    # A bias before a normalisation has no gradient; softmax does not see a bias of the keys.
    assert still <= {
        *(n for n in still if n.endswith(("conv.bias", "back.bias"))),
        "attention.key.bias",
    }


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(0, 3),
    st.sampled_from(["none", "grouped", "embedded"]),
    st.sampled_from([16, 17]),
    st.sampled_from(["modulated", "semgcn", "pre-aggregation", "no-sharing"]),
    st.sampled_from(["learnt", "row-normalised"]),
)
def test_a_network_is_counted_as_it_is_built(channels, blocks, non_local, joints, method, kind):
    options = {"channels": channels, "blocks": blocks, "non_local": non_local, "affinity": kind}

    network = build_network(method, joints=joints, **options)
    counted = network_complexity(method, skeleton={16: H36M_16, 17: H36M_17}[joints], **options)

    assert counted.parameters == sum(p.numel() for p in network.parameters())


def test_products_are_two_a_joint_or_one_for_every_two_joints():
    counted = modulated_complexity(channels=10, blocks=1, non_local="embedded")

    one = 2 * 10 + 2 * 10 * 10 + 10 * 3
    mixing = 16 * 4 * 10 * 5  # value, query, key and back, half as wide inside
    assert counted.macs_reduced == 2 * 16 * one + mixing
    assert counted.macs_unified == 16 * 16 * one + mixing


def test_the_name_means_decoupled_full_sharing_modulated():
    assert layout("modulated") == Layout("full-sharing", True, "none", 4, modulated=True)
    assert layout("modulated", non_local="embedded", blocks=2).non_local == "embedded"
    with pytest.raises(ModelError, match="martinez has no non-local layers: leave non_local out"):
        layout("martinez", non_local="grouped")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"method": "modulated"}, "modulated has no decoupled variant"),
        (
            {"method": "modulated", "decouple_self": False, "affinity": "symmetric"},
            "modulated has no symmetric affinity: write learnt",
        ),
        (
            {"method": "martinez", "decouple_self": False, "non_local": "grouped"},
            "martinez has no non-local layers: leave non_local out",
        ),
        ({"centre": "root"}, "pre-aggregation does not ask where the centre is"),
        ({"non_local": "global"}, "model.non_local"),
    ],
)
def test_each_mistake_in_a_configuration_is_named(model, message):
    with pytest.raises(ConfigError, match=message):
        parse_table(TrainConfig, {"model": model}, "run.toml")


def test_a_network_of_17_joints_is_not_trained_on_16(study_data, tmp_path):
    model = ModelConfig(method="modulated", decouple_self=False, channels=4, joints=17)

    with pytest.raises(ConfigError, match="takes 17 joints, and these frames have 16"):
        next(train(TrainConfig(model=model, tensorboard=False), study_data, tmp_path))
