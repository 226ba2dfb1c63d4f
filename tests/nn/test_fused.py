"""The layer with its gradient written out equals the plain one, left to autograd."""

import copy

import pytest
import torch

from graphlift.graph import body_graph
from graphlift.nn import fused
from graphlift.nn.gcn import Layer, PoseGCN
from graphlift.nn.graph_conv import GraphConv
from graphlift.nn.precision import rounds_products
from graphlift.skeletons import BODY_28, H36M_16
from graphlift.training.devices import matmul_precision
from graphlift.weight_sharing import VARIANTS


def plain(layer, x):
    """The layer as its formula, edge by edge, for autograd to differentiate."""
    h = layer.conv.definition(x) + layer.conv.bias
    return layer.dropout(torch.relu(layer.norm(h.flatten(0, 1))).view_as(h))


def make(variant, skeleton=H36M_16, dropout=0.0, affinity="learnt"):
    torch.manual_seed(0)
    conv = GraphConv(
        body_graph(skeleton), 3, 5, sharing=variant[0], decouple_self=variant[1], affinity=affinity
    )
    layer = Layer(conv, 5, dropout).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


@pytest.fixture(params=VARIANTS, ids=lambda v: f"{v[0]}{'-decoupled' * v[1]}")
def layer(request):
    return make(request.param)


def assert_same(layer, x):
    """Values and gradients of the layer are those of the plain one."""
    other = copy.deepcopy(layer)
    weight = torch.randn(*x.shape[:2], 5, dtype=x.dtype)
    wanted_of = [x] * x.requires_grad

    torch.manual_seed(1)  # both drop the same features
    ours = layer(x)
    torch.manual_seed(1)
    theirs = plain(other, x)
    got = torch.autograd.grad(
        (ours * weight).sum(), [*wanted_of, *layer.parameters()], allow_unused=True
    )
    wanted = torch.autograd.grad((theirs * weight).sum(), [*wanted_of, *other.parameters()])

    torch.testing.assert_close(ours, theirs)
    names = ["x"] * x.requires_grad + [name for name, _ in layer.named_parameters()]
    for name, one, two in zip(names, got, wanted, strict=True):
        if name == "conv.bias":  # the normalisation takes it out again: a true gradient of zero
            assert one is None
            assert two.abs().max() < 1e-10
        else:
            torch.testing.assert_close(one, two, atol=1e-10, rtol=1e-7, msg=name)


def test_values_and_gradients_are_those_of_the_plain_layer(layer):
    assert_same(layer, torch.randn(16, 4, 3, dtype=torch.float64, requires_grad=True))


def test_an_input_that_asks_for_no_gradient_changes_no_other(layer):
    assert_same(layer, torch.randn(16, 4, 3, dtype=torch.float64))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_features_are_dropped(variant):
    x = torch.randn(16, 4, 3, dtype=torch.float64, requires_grad=True)

    assert_same(make(variant, dropout=0.4), x)


@pytest.mark.parametrize("variant", VARIANTS)
def test_other_skeletons_and_fixed_affinities(variant):
    layer = make(variant, BODY_28, affinity="symmetric")

    assert_same(layer, torch.randn(28, 3, 3, dtype=torch.float64, requires_grad=True))


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


@pytest.mark.parametrize(
    ("variant", "rows"),
    list(zip(VARIANTS, [16, 16, 16, 46, 38, 32, 32, 32], strict=True)),
    ids=lambda value: str(value),
)
def test_each_matrix_is_applied_to_its_fewer_side(variant, rows):
    """Σ_s min(senders, receivers) of each matrix, counted by hand for 16 joints."""
    conv = make(variant).conv
    *_, parts = fused._parts(conv.graph, *variant, torch.device("cpu"))
    ends = [16 if p.into is None else len(p.into.first) for p in parts]

    assert sum(ends) == rows


def test_without_torch_s_own_operator_the_gradient_is_the_same(layer, monkeypatch):
    x = torch.randn(16, 4, 3, dtype=torch.float64)

    with_operator = torch.autograd.grad(layer(x).square().sum(), layer.conv.affinity)
    monkeypatch.setattr(
        torch.ops.aten, "_embedding_bag_per_sample_weights_backward", None, raising=True
    )
    without = torch.autograd.grad(layer(x).square().sum(), layer.conv.affinity)

    torch.testing.assert_close(with_operator, without)


def test_rounded_products_are_as_close_as_bfloat16_is(layer):
    """In torch's precision medium, on processors with such products; float64 stays exact."""
    x = torch.randn(16, 64, 3, requires_grad=True)
    layer = layer.float()
    torch.manual_seed(2)
    weight = torch.randn(16, 64, 5)

    def results(precise):
        with matmul_precision("highest" if precise else "medium"):
            out = layer(x)
            return out, *torch.autograd.grad((out * weight).sum(), [x, layer.conv.weight])

    with matmul_precision("medium"):
        rounded = rounds_products(x.device)
    for exact, near in zip(results(True), results(False), strict=True):
        assert near.dtype == torch.float32
        apart = (exact - near).norm() / exact.norm()
        assert apart < 0.05  # 2^-8 a product, and a feature near 0 may be rectified otherwise
        assert apart > 1e-5 or not rounded
    with matmul_precision("medium"):
        assert_same(layer.double(), x.detach().double())
