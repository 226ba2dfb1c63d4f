"""Sizes and costs against the published figures and against layers counted one by one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.complexity import (
    complexity,
    martinez_complexity,
    network_complexity,
    non_local_parameters,
    slot_count,
)
from graphlift.errors import ModelError
from graphlift.matched_width import channels_for
from graphlift.networks import Layout, layout
from graphlift.nn.build import build_network
from graphlift.nn.gcn import PoseGCN
from graphlift.skeletons import H36M_16, H36M_17
from graphlift.weight_sharing import VARIANTS

MATRICES = {  # at 16 and 17 joints, by hand: docs/method.md, (3)
    ("full-sharing", False): (1, 1),
    ("full-sharing", True): (2, 2),
    ("pre-aggregation", False): (16, 17),
    ("pre-aggregation", True): (32, 34),
    ("post-aggregation", False): (16, 17),
    ("post-aggregation", True): (32, 34),
    ("no-sharing", False): (46, 49),
    ("convolution-style", False): (3, 3),
}
PATIENT = settings(deadline=None)
VARIANT = st.sampled_from(VARIANTS)


@pytest.mark.parametrize(
    ("sharing", "decouple", "parameters", "reduced"),
    [  # 16 joints, 4 blocks, 128 channels; 4,218,703 is the paper's 4.22 M
        ("full-sharing", False, 135_631, 2_107_392),
        ("full-sharing", True, 267_343, 4_214_784),
        ("pre-aggregation", False, 2_111_311, 2_107_392),
        ("pre-aggregation", True, 4_218_703, 4_214_784),
        ("post-aggregation", False, 2_111_311, 2_107_392),
        ("post-aggregation", True, 4_218_703, 4_214_784),
        ("no-sharing", False, 6_062_671, 6_058_752),
        ("convolution-style", False, 399_055, 6_058_752),
    ],
)
def test_the_published_sizes_and_costs(sharing, decouple, parameters, reduced):
    counted = complexity(sharing, decouple_self=decouple)

    assert counted.parameters == parameters
    assert counted.macs_unified == 6_058_752
    assert counted.macs_reduced == reduced


def test_semgcn_and_martinez_have_their_published_sizes():
    # 0.43 M and 4.29 M in SemGCN's README; the digits by hand from docs/method.md, (10).
    semgcn = complexity("full-sharing", decouple_self=True, non_local="grouped")

    assert semgcn.parameters == 434_703
    assert martinez_complexity().parameters == 4_291_632
    assert non_local_parameters(128) == 33_472  # SemGCN has 5


@PATIENT
@given(VARIANT, st.integers(1, 1000), st.sampled_from([0, 1]))
def test_parameters_are_the_formula_of_the_method(variant, channels, body):
    D = channels
    sharing, decouple = variant
    skeleton, nnz = ((H36M_16, 46), (H36M_17, 49))[body]
    nW = MATRICES[variant][body]

    counted = complexity(sharing, decouple_self=decouple, channels=channels, skeleton=skeleton)

    # docs/method.md, (10): matrices, biases, batch norm, affinities.
    assert counted.parameters == nW * (2 * D + 8 * D**2 + 3 * D) + (9 * D + 3) + 18 * D + 10 * nnz
    assert slot_count(skeleton, sharing, decouple_self=decouple) == nW


@PATIENT
@given(VARIANT, st.integers(1, 300), st.integers(0, 6), st.sampled_from(["none", "grouped"]))
def test_a_network_is_the_sum_of_its_layers(variant, channels, blocks, non_local):
    sharing, decouple = variant
    layers = [(2, channels), *[(channels, channels)] * (2 * blocks), (channels, 3)]
    parameters = unified = reduced = 0
    for number, (into, out) in enumerate(layers):
        last = number == len(layers) - 1
        parameters += MATRICES[variant][0] * into * out  # weights
        parameters += out + 46  # bias, learnt affinity
        parameters += 0 if last else 2 * out  # scale and shift of the normalisation
        unified += 46 * into * out
        nodes = 46 if sharing in ("no-sharing", "convolution-style") else 16
        reduced += (2 if decouple else 1) * nodes * into * out
    if non_local == "grouped":
        parameters += (blocks + 1) * non_local_parameters(channels)
        inner = max(channels // 2, 1)
        for into, out in [(channels, inner)] * 3 + [(inner, channels)]:  # value, query, key, back
            unified += (blocks + 1) * 16 * into * out
            reduced += (blocks + 1) * 16 * into * out

    counted = complexity(
        sharing, decouple_self=decouple, channels=channels, blocks=blocks, non_local=non_local
    )

    assert (counted.parameters, counted.macs_unified, counted.macs_reduced) == (
        parameters, unified, reduced
    )  # fmt: skip


@pytest.mark.parametrize(("channels", "blocks"), [(8, 2), (7, 1), (1, 0)])
def test_the_products_of_non_local_layers_are_those_that_a_network_does(channels, blocks):
    torch.manual_seed(0)
    network = PoseGCN(
        sharing="full-sharing", decouple_self=True, channels=channels, blocks=blocks,
        non_local="grouped",
    ).eval()  # fmt: skip
    poses, done = 3, []
    product = torch.nn.functional.linear

    def counted(x, weight, bias=None):
        done.append(x.numel() * len(weight))  # one for each number that goes in and comes out
        return product(x, weight, bias)

    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(torch.nn.functional, "linear", counted)
        network(torch.randn(poses, 16, 2))

    plain, mixed = (
        complexity("full-sharing", decouple_self=True, channels=channels, blocks=blocks,
                   non_local=non_local)
        for non_local in ("none", "grouped")
    )  # fmt: skip
    assert len(done) == 4 * (blocks + 1)
    assert mixed.macs_unified - plain.macs_unified == sum(done) / poses
    assert mixed.macs_reduced - plain.macs_reduced == sum(done) / poses


@PATIENT
@given(st.integers(1, 2000), st.integers(0, 4))
def test_martinez_is_the_sum_of_its_layers(width, blocks):
    layers = [(32, width), *[(width, width)] * (2 * blocks), (width, 48)]
    weights = sum(into * out for into, out in layers)
    biases = sum(out for _, out in layers)
    normalisation = sum(2 * out for _, out in layers[:-1])

    counted = martinez_complexity(channels=width, blocks=blocks)

    assert counted.parameters == weights + biases + normalisation
    assert counted.macs_unified == counted.macs_reduced == weights


@pytest.mark.parametrize(
    ("method", "decouple", "channels"),
    [  # widths that reach the published size
        ("full-sharing", False, 724),
        ("full-sharing", True, 512),
        ("convolution-style", False, 418),
        ("pre-aggregation", False, 181),
        ("post-aggregation", False, 181),
        ("pre-aggregation", True, 128),
        ("post-aggregation", True, 128),
        ("no-sharing", False, 107),
    ],
)
def test_widths_at_the_papers_size(method, decouple, channels):
    width = channels_for(method, 4_218_703, decouple_self=decouple)

    assert width.channels == channels
    assert abs(width.off) < 0.006


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([*VARIANTS, ("semgcn", False)]), st.integers(1, 400_000))
def test_a_width_is_the_nearest_there_is_and_says_how_far_off(variant, target):
    method, decouple = variant
    semgcn = method == "semgcn"
    sizes = {
        width: complexity(
            "full-sharing" if semgcn else method,
            decouple_self=decouple or semgcn,
            channels=width,
            non_local="grouped" if semgcn else "none",
        ).parameters
        for width in range(1, 225)
    }

    width = channels_for(method, target, decouple_self=decouple)

    assert width.parameters == sizes[width.channels]
    assert abs(width.parameters - target) == min(abs(size - target) for size in sizes.values())
    assert width.off == pytest.approx((width.parameters - target) / target)


def test_the_fully_connected_network_is_matched_too():
    width = channels_for("martinez", 131_000)

    sizes = {w: martinez_complexity(channels=w).parameters for w in range(1, 1025)}
    assert width.channels == min(sizes, key=lambda w: abs(sizes[w] - 131_000))
    assert channels_for("martinez", 4_291_632).channels == 1024
    assert channels_for("martinez", 4_291_632).off == 0


def test_a_name_means_one_network_wherever_it_is_written():
    assert layout("martinez") == Layout(None, False, "none", 2)
    assert layout("semgcn") == Layout("full-sharing", True, "grouped", 4)
    assert layout("post-aggregation", decouple_self=True, blocks=1) == Layout(
        "post-aggregation", True, "none", 1
    )
    with pytest.raises(ModelError, match=r"'half-sharing': use one of full-sharing, .*, martinez"):
        layout("half-sharing")


@pytest.mark.parametrize(
    "variant", [*VARIANTS, ("semgcn", False), ("modulated", False), ("martinez", False)]
)
@pytest.mark.parametrize("blocks", [None, 0, 3])
def test_a_network_is_counted_as_it_is_built(variant, blocks):
    method, decouple = variant
    network = build_network(method, decouple_self=decouple, channels=6, blocks=blocks)

    counted = network_complexity(method, decouple_self=decouple, channels=6, blocks=blocks)

    assert counted.parameters == sum(parameter.numel() for parameter in network.parameters())
