"""The locally connected network: a masked dense layer, its published size, a run."""

import numpy as np
import pytest
import torch
from helpers.lifters import assert_learns_and_resumes, normalised, of_onnx, seen_something
from hypothesis import given
from hypothesis import strategies as st

from graphlift.complexity import lcn_complexity, network_complexity
from graphlift.errors import ConfigError, ModelError
from graphlift.graph import local_graph
from graphlift.matched_width import channels_for
from graphlift.networks import layout
from graphlift.nn.build import build_network
from graphlift.nn.locally_connected import LocalLinear, LocallyConnected
from graphlift.skeletons import COCO_17, H36M_16, H36M_17
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.tables import parse_table

LINKS = [  # of the published code: bones of the 17 joints, and from the spine to hips, shoulders
    *((0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (0, 7), (7, 8), (8, 9), (9, 10)),
    *((8, 11), (11, 12), (12, 13), (8, 14), (14, 15), (15, 16)),
    *((7, 1), (7, 4), (7, 11), (7, 14)),
]


def paths(links, joints, hops):
    """Joints that a walk of at most so many links reaches, by walking."""
    beside = {j: {j} for j in range(joints)}
    for one, other in links:
        beside[one].add(other)
        beside[other].add(one)
    reached = {j: {j} for j in range(joints)}
    for _ in range(hops):
        reached = {j: {n for k in near for n in beside[k]} for j, near in reached.items()}
    return {(target, source) for target, near in reached.items() for source in near}


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_joints_are_connected_that_a_walk_of_so_many_links_reaches(hops):
    graph = local_graph(H36M_17, hops)

    pairs = set(zip(graph.target.tolist(), graph.source.tolist(), strict=True))
    assert pairs == paths(LINKS, 17, hops)
    assert graph.target.size == {1: 57, 2: 111, 3: 175}[hops]


def test_a_skeleton_without_a_spine_has_its_bones_alone():
    graph = local_graph(COCO_17)

    pairs = set(zip(graph.target.tolist(), graph.source.tolist(), strict=True))
    assert pairs == paths(COCO_17.bones, 17, 3)


def test_the_published_size_and_how_it_is_counted():
    """4.37 M at 17 joints and 64 channels: weights that the mask leaves, biases, normalisation."""
    network = LocallyConnected(H36M_17)

    weights = 175 * (2 * 64 + 6 * 64 * 64 + 64 * 3)
    biases = 17 * (7 * 64 + 3)
    counted = lcn_complexity(skeleton=H36M_17)
    assert counted.parameters == weights + biases + 7 * 2 * 64 == 4_365_363
    assert sum(p.numel() for p in network.parameters()) == 4_365_363
    # What the published code stores, whose dense matrices hold zeros, too.
    assert 4_365_363 + (289 - 175) * (2 * 64 + 6 * 64 * 64 + 64 * 3) == 7_203_507
    assert counted.macs_reduced == counted.macs_unified == weights


@pytest.mark.parametrize("masked", [False, True])
def test_a_layer_is_a_dense_one_with_its_weights_masked_edge_by_edge(masked, rng):
    graph = local_graph(H36M_17)
    layer = LocalLinear(graph, 2, 3).double()
    torch.nn.init.normal_(layer.bias)
    x, mask = rng.normal(size=(4, 17, 2)), rng.random((17, 17)) if masked else np.ones((17, 17))
    W, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()

    dense = rng.normal(size=(17, 17, 2, 3))  # of every two joints, then masked
    connected = np.zeros((17, 17))
    for edge, (i, j) in enumerate(zip(graph.target, graph.source, strict=True)):
        dense[i, j], connected[i, j] = W[edge], 1
    expected = np.zeros((4, 17, 3))
    for i in range(17):
        for j in range(17):
            expected[:, i] += x[:, j] @ (dense[i, j] * connected[i, j] * mask[i, j])
        expected[:, i] += b[i]

    ours = layer(torch.from_numpy(x), torch.from_numpy(mask) if masked else None)
    np.testing.assert_allclose(ours.detach().numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("learnt", [False, True])
def test_the_network_is_its_residual_blocks_written_out(learnt, rng):
    network = seen_something(LocallyConnected(channels=5, blocks=2, learnt_mask=learnt))
    x = rng.normal(size=(3, 16, 2))
    mask = np.ones((16, 16))
    if learnt:
        scores = np.exp(network.mask_scores.detach().numpy())
        mask = scores / scores.sum(axis=1, keepdims=True)  # of all senders, near or not

    def local(linear, h):
        W, b = linear.weight.detach().numpy(), linear.bias.detach().numpy()
        out = np.tile(b, (len(h), 1, 1))
        for edge, (i, j) in enumerate(zip(*linear_edges, strict=True)):
            out[:, i] += mask[i, j] * (h[:, j] @ W[edge])
        return out

    def layer(module, h):
        h = normalised(module.norm, local(module.linear, h))
        return np.where(h > 0, h, 0.2 * h)

    linear_edges = local_graph(H36M_16).target, local_graph(H36M_16).source
    h = layer(network.input, x)
    for first, second in network.blocks:
        h = h + layer(second, layer(first, h))

    found = network(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, local(network.output, h), atol=1e-9)


def test_gradients_of_a_layer_are_those_of_finite_differences():
    torch.manual_seed(0)
    layer = LocalLinear(local_graph(H36M_16), 1, 1).double()
    shapes = ((2, 16, 1), layer.weight.shape, layer.bias.shape, (16, 16))
    given = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    def call(x, weight, bias, mask):
        own = {"weight": weight, "bias": bias}
        return torch.func.functional_call(layer, own, (x, mask))

    assert torch.autograd.gradcheck(call, given)


@pytest.mark.parametrize("learnt", [False, True])
def test_gradients_reach_every_weight_and_every_joint(learnt):
    torch.manual_seed(0)
    network = LocallyConnected(channels=2, blocks=1, learnt_mask=learnt).double()
    x = torch.randn(4, 16, 2, dtype=torch.float64, requires_grad=True)

    network(x).square().sum().backward()

    assert all(p.grad is not None and p.grad.any() for p in network.parameters())
    assert (x.grad != 0).all()


@given(st.integers(1, 12), st.integers(0, 3), st.sampled_from([16, 17]), st.booleans())
def test_a_network_is_counted_as_it_is_built(channels, blocks, joints, learnt):
    options = {"channels": channels, "blocks": blocks, "learnt_mask": learnt}

    network = build_network("lcn", joints=joints, **options)
    counted = network_complexity("lcn", skeleton={16: H36M_16, 17: H36M_17}[joints], **options)

    assert counted.parameters == sum(p.numel() for p in network.parameters())


def test_it_is_matched_to_a_size():
    width = channels_for("lcn", 4_200_000)

    assert abs(width.off) < 0.02
    assert lcn_complexity(channels=width.channels).parameters == width.parameters


@pytest.mark.parametrize("learnt", [False, True])
def test_the_exported_file_answers_as_the_network_does(learnt, tmp_path):
    torch.manual_seed(0)
    network = LocallyConnected(channels=6, learnt_mask=learnt)
    for _ in range(3):
        network(torch.randn(64, 16, 2))

    x, said = of_onnx(network, tmp_path / "m.onnx")

    with torch.inference_mode():
        theirs = network.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(said["poses"], theirs, atol=1e-5)  # 0.01 mm


TINY = TrainConfig(
    steps=20,
    batch_size=32,
    evaluate_every=10,
    learning_rate=1e-2,
    tensorboard=False,
    model=ModelConfig(
        method="lcn", decouple_self=False, channels=4, blocks=1, dropout=0.1, learnt_mask=True
    ),
)


def test_a_run_learns_and_goes_on_where_it_was_killed(study_data, tmp_path):
    assert_learns_and_resumes(TINY, study_data, tmp_path)


def model(**changes):
    return {"method": "lcn", "decouple_self": False} | changes


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"method": "lcn"}, "lcn has no decoupled variant: write decouple_self = false"),
        (model(joints=28), "lcn takes 16 or 17 joints on the screen"),
        (model(inputs="canonical"), "lcn takes 16 or 17 joints .* leave inputs and sigma out"),
        (model(sigma=True), "lcn takes 16 or 17 joints on the screen, and gives positions alone"),
        (model(non_local="grouped"), "lcn has no non-local layers: leave non_local out"),
        (
            model(affinity="symmetric"),
            r"lcn has no symmetric affinity, but a mask \(learnt_mask\)",
        ),
        (model(centre="root"), "lcn does not ask where the centre is"),
        ({"learnt_mask": True}, "pre-aggregation has no mask: leave learnt_mask out"),
    ],
)
def test_each_mistake_in_a_configuration_is_named(table, message):
    with pytest.raises(ConfigError, match=message):
        parse_table(TrainConfig, {"model": table}, "run.toml")


def test_the_name_means_three_blocks_without_attention():
    assert layout("lcn").blocks == 3
    with pytest.raises(ModelError, match="lcn has no non-local layers: leave non_local out"):
        layout("lcn", non_local="embedded")
