"""GraphConv equals the paper's formulas written out joint by joint."""

from dataclasses import replace

import pytest
import torch

from graphlift.errors import ModelError
from graphlift.graph import body_graph
from graphlift.nn.graph_conv import GraphConv
from graphlift.skeletons import H36M_16, H36M_17, MPI_INF_3DHP_17
from graphlift.weight_sharing import VARIANTS

OUTWARD = {  # (joint, neighbour farther from the spine) of the 17 joints, written down by hand
    *((7, 0), (0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6)),
    *((7, 8), (8, 9), (9, 10), (8, 11), (11, 12), (12, 13), (8, 14), (14, 15), (15, 16)),
}


def name(variant):
    return f"{variant[0]}{'-decoupled' * variant[1]}"


def layer(variant, skeleton=H36M_17, before=4, after=5, **options):
    torch.manual_seed(0)
    conv = GraphConv(
        body_graph(skeleton),
        before,
        after,
        sharing=variant[0],
        decouple_self=variant[1],
        **options,
    ).double()
    with torch.no_grad():
        conv.bias.normal_()
        if conv.learnt:
            conv.affinity.normal_()
    return conv


def written_out(conv, x, sharing, decouple):
    """The formula of one pose, a joint and a neighbour at a time; slow and plain on purpose."""
    parents, edge, joints = H36M_17.parents, 0, len(H36M_17)
    coupled = {"full-sharing": 1, "pre-aggregation": joints, "post-aggregation": joints}
    out = torch.zeros(joints, conv.bias.numel(), dtype=x.dtype) + conv.bias
    for i in range(joints):
        near = [j for j in range(joints) if i == j or parents[i] == j or parents[j] == i]
        a_i = conv.affinity[edge : edge + len(near)].softmax(0)
        for a_ij, j in zip(a_i, near, strict=True):
            slot = {
                "full-sharing": 0,
                "pre-aggregation": j,
                "post-aggregation": i,
                "no-sharing": edge,
                "convolution-style": 0 if i == j else 1 if (i, j) in OUTWARD else 2,
            }[sharing]
            if decouple and i == j:
                slot += coupled[sharing]
            out[i] += a_ij * x[j] @ conv.weight[slot]
            edge += 1
    return out


@pytest.mark.parametrize("variant", VARIANTS, ids=name)
@pytest.mark.parametrize("order", ["reduced", "unified"])
def test_matches_the_formula_in_both_orders(variant, order):
    conv = layer(variant, order=order)
    x = torch.randn(17, 3, 4, dtype=torch.float64)

    out = conv(x)

    for pose in range(3):
        torch.testing.assert_close(out[:, pose], written_out(conv, x[:, pose], *variant))


@pytest.mark.parametrize("variant", VARIANTS, ids=name)
@pytest.mark.parametrize("skeleton", [H36M_16, MPI_INF_3DHP_17], ids=lambda s: s.name)
def test_both_orders_agree_in_value_and_gradient(variant, skeleton):
    reduced, unified = (layer(variant, skeleton, order=order) for order in ("reduced", "unified"))
    x = torch.randn(len(skeleton), 2, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(len(skeleton), 2, 5, dtype=torch.float64)

    grads = [
        torch.autograd.grad((conv(x) * weight).sum(), [x, *conv.parameters()])
        for conv in (reduced, unified)
    ]

    torch.testing.assert_close(reduced(x), unified(x))
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)


def test_pre_and_post_aggregation_differ_on_a_one_hot_probe():
    """One joint speaks: pre-aggregation sends one vector to all, post-aggregation does not."""
    speaker = H36M_17.joints.index("Thorax")
    neighbours = [7, 9, 11, 14]
    x = torch.zeros(17, 1, 4, dtype=torch.float64)
    x[speaker] = torch.randn(4, dtype=torch.float64)

    heard = {}
    for method in ("pre-aggregation", "post-aggregation"):
        conv = layer((method, False))
        torch.nn.init.zeros_(conv.bias)
        out = conv(x)[neighbours, 0]
        heard[method] = torch.nn.functional.normalize(out, dim=-1)

    pre, post = heard["pre-aggregation"], heard["post-aggregation"]
    torch.testing.assert_close(pre, pre[:1].expand_as(pre))
    assert (post @ post.T).fill_diagonal_(0).max() < 0.99


def test_all_methods_agree_when_all_their_matrices_are_equal():
    x = torch.randn(17, 3, 4, dtype=torch.float64)
    W = torch.randn(4, 5, dtype=torch.float64)
    outs = []
    for variant in VARIANTS:
        conv = layer(variant)
        with torch.no_grad():
            conv.weight.copy_(W.expand_as(conv.weight))
            conv.affinity.copy_(torch.linspace(-1, 1, conv.affinity.numel()))
            conv.bias.zero_()
        outs.append(conv(x))

    for out in outs[1:]:
        torch.testing.assert_close(out, outs[0])


@pytest.mark.parametrize("variant", VARIANTS, ids=name)
def test_starts_as_a_mean_over_neighbours(variant):
    conv = GraphConv(body_graph(H36M_16), 1, 1, sharing=variant[0], decouple_self=variant[1])
    torch.nn.init.ones_(conv.weight)

    out = conv(torch.full((16, 2, 1), 7.0))

    torch.testing.assert_close(out, torch.full((16, 2, 1), 7.0))


@pytest.mark.parametrize("affinity", ["row-normalised", "symmetric"])
@pytest.mark.parametrize("order", ["reduced", "unified"])
def test_fixed_affinities_are_the_matrices_of_the_literature(affinity, order):
    conv = layer(("full-sharing", False), affinity=affinity, order=order)
    A = torch.eye(17, dtype=torch.float64)
    for parent, child in H36M_17.bones:
        A[parent, child] = A[child, parent] = 1
    D = A.sum(1)
    wanted = A / D[:, None] if affinity == "row-normalised" else A / (D[:, None] * D).sqrt()
    x = torch.randn(17, 1, 4, dtype=torch.float64)

    torch.testing.assert_close(conv.affinities(), wanted, rtol=1e-6, atol=1e-6)
    plain = wanted @ (x[:, 0] @ conv.weight[0]) + conv.bias
    torch.testing.assert_close(conv(x)[:, 0], plain, rtol=1e-6, atol=1e-6)
    assert "affinity" not in dict(conv.named_parameters())


def test_glorot_draws_each_matrix_and_stacked_the_whole_tensor():
    """128 channels, decoupled pre-aggregation, 16 joints: 32 matrices in one tensor.

    torch takes the fans of a (32, 128, 128) tensor as 128·128 in and 32·128 out, so the bound
    is √2 √(6 / (16384 + 4096)) = 0.0242.
    """
    bounds = {}
    for init in ("glorot", "stacked"):
        conv = GraphConv(
            body_graph(H36M_16), 128, 128, sharing="pre-aggregation", decouple_self=True, init=init
        )
        bounds[init] = conv.weight.abs().max().item()

    assert bounds["glorot"] == pytest.approx((6 / 256) ** 0.5, rel=1e-3)
    assert bounds["stacked"] == pytest.approx(0.0242, abs=1e-4)


@pytest.mark.parametrize("sharing", ["no-sharing", "convolution-style"])
def test_decoupling_twice_is_refused(sharing):
    with pytest.raises(ModelError, match="already decouples"):
        layer((sharing, True))


@pytest.mark.parametrize("variant", VARIANTS, ids=name)
def test_a_network_trains_after_it_was_evaluated(variant):
    conv = layer(variant, replace(H36M_17, name=name(variant)))  # no edges of it are kept yet
    x = torch.randn(17, 2, 4, dtype=torch.float64)
    with torch.inference_mode():
        seen = conv(x)

    conv(x).sum().backward()

    assert torch.isfinite(conv.weight.grad).all()
    torch.testing.assert_close(seen, conv(x).detach())
