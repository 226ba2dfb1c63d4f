"""The layer with its gradient written out equals the plain one, left to autograd."""

import copy

import pytest
import torch

from graphlift.graph import body_graph
from graphlift.nn.fast import fusable
from graphlift.nn.gcn import Layer, PoseGCN
from graphlift.nn.graph_conv import GraphConv
from graphlift.skeletons import H36M_16
from graphlift.weight_sharing import VARIANTS


def plain(layer, x):
    """The layer as its formula, for autograd to differentiate."""
    h = layer.conv(x)
    return torch.relu(layer.norm(h.flatten(0, 1))).view_as(h)


@pytest.fixture(params=[False, True], ids=["coupled", "decoupled"])
def layer(request):
    torch.manual_seed(0)
    conv = GraphConv(
        body_graph(H36M_16), 3, 5, sharing="pre-aggregation", decouple_self=request.param
    )
    layer = Layer(conv, 5, 0.0).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


def test_values_and_gradients_are_those_of_the_plain_layer(layer):
    other = copy.deepcopy(layer)
    x = torch.randn(16, 4, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(16, 4, 5, dtype=torch.float64)

    ours, theirs = layer(x), plain(other, x)
    got = torch.autograd.grad((ours * weight).sum(), [x, *layer.parameters()], allow_unused=True)
    wanted = torch.autograd.grad((theirs * weight).sum(), [x, *other.parameters()])

    torch.testing.assert_close(ours, theirs)
    for (name, _), one, two in zip(
        [("x", x), *layer.named_parameters()], got, wanted, strict=True
    ):
        if name == "conv.bias":  # the normalisation takes it out again: a true gradient of zero
            assert one is None
            assert two.abs().max() < 1e-10
        else:
            torch.testing.assert_close(one, two, atol=1e-10, rtol=1e-7)


def test_running_statistics_move_as_the_plain_layer_s_do(layer):
    other = copy.deepcopy(layer)
    x = torch.randn(16, 4, 3, dtype=torch.float64)

    layer(x)
    plain(other, x)

    for name, buffer in layer.norm.named_buffers():
        torch.testing.assert_close(buffer, dict(other.norm.named_buffers())[name])


def test_the_gradient_is_the_slope_of_the_value(layer):
    x = torch.randn(16, 2, 3, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(
        lambda x, weight, affinity: torch.func.functional_call(
            layer, {"conv.weight": weight, "conv.affinity": affinity}, (x,)
        ),
        (x, layer.conv.weight, layer.conv.affinity),
        fast_mode=True,
    )


def test_fixed_affinities_ask_for_no_gradient():
    network = PoseGCN(H36M_16, channels=4, blocks=1, affinity="symmetric")

    network(torch.randn(3, 16, 2)).sum().backward()

    assert network.blocks[0][0].conv.weight.grad is not None


def test_only_reduced_pre_aggregation_is_fused():
    graph = body_graph(H36M_16)
    for sharing, decouple_self in VARIANTS:
        conv = GraphConv(graph, 2, 2, sharing=sharing, decouple_self=decouple_self)
        assert fusable(conv) == (sharing == "pre-aggregation")
    assert not fusable(GraphConv(graph, 2, 2, order="unified"))


def test_without_torch_s_own_operator_the_gradient_is_the_same(layer, monkeypatch):
    x = torch.randn(16, 4, 3, dtype=torch.float64)

    with_operator = torch.autograd.grad(layer(x).square().sum(), layer.conv.affinity)
    monkeypatch.setattr(
        torch.ops.aten, "_embedding_bag_per_sample_weights_backward", None, raising=True
    )
    without = torch.autograd.grad(layer(x).square().sum(), layer.conv.affinity)

    torch.testing.assert_close(with_operator, without)
