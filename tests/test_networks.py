"""The networks: sizes as published, wiring as described."""

import pytest
import torch

from graphlift.errors import ModelError
from graphlift.matched_width import channels_for
from graphlift.nn.baselines import Martinez
from graphlift.nn.build import build_network
from graphlift.nn.gcn import PoseGCN
from graphlift.nn.non_local import NonLocal, group_joints
from graphlift.skeletons import COCO_17, H36M_16, H36M_17, MPI_INF_3DHP_17, SKELETONS
from graphlift.weight_sharing import VARIANTS


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


PUBLISHED = {  # Liu et al., ECCV 2020; Zhao et al., CVPR 2019; Martinez et al., ICCV 2017
    ("full-sharing", False): 135_631,
    ("pre-aggregation", False): 2_111_311,
    ("post-aggregation", False): 2_111_311,
    ("no-sharing", False): 6_062_671,
    ("convolution-style", False): 399_055,
    ("full-sharing", True): 267_343,
    ("pre-aggregation", True): 4_218_703,
    ("post-aggregation", True): 4_218_703,
    ("semgcn", False): 434_703,
}


@pytest.mark.parametrize(("variant", "parameters"), PUBLISHED.items())
def test_sizes_at_128_channels_are_the_published_ones(variant, parameters):
    assert count(build_network(variant[0], decouple_self=variant[1])) == parameters


def test_the_fully_connected_baseline_has_its_published_size():
    assert count(build_network("martinez", channels=1024)) == 4_291_632


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_formula_counts_what_the_network_has(variant):
    width = channels_for(variant[0], 130_000, decouple_self=variant[1])

    network = build_network(variant[0], decouple_self=variant[1], channels=width.channels)

    assert count(network) == width.parameters


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))
@pytest.mark.parametrize(
    "method",
    [
        "pre-aggregation",
        "convolution-style",
        "semgcn",
        "modulated",
        "martinez",
        "high-order",
        "graformer",
    ],
)
def test_any_skeleton_goes_in_and_comes_out(skeleton, method):
    network = build_network(method, channels=6, blocks=1, skeleton=skeleton)

    assert network(torch.randn(5, len(skeleton), 2)).shape == (5, len(skeleton), 3)


def test_pose_gcn_is_the_residual_network_written_out():
    torch.manual_seed(0)
    network = PoseGCN(H36M_17, channels=8, blocks=2).double().eval()
    x = torch.randn(3, 17, 2, dtype=torch.float64)

    def layer(module, h):
        h = module.conv(h)
        mean, var = module.norm.running_mean, module.norm.running_var
        scaled = (h - mean) / torch.sqrt(var + module.norm.eps) * module.norm.weight
        return (scaled + module.norm.bias).clamp(min=0)

    h = layer(network.input[0], x.transpose(0, 1))
    for block in network.blocks:
        h = h + layer(block[1], layer(block[0], h))

    torch.testing.assert_close(network(x), network.output(h).transpose(0, 1))


def test_a_non_local_layer_starts_as_the_identity_and_is_its_formula_after():
    torch.manual_seed(0)
    mixer = NonLocal(H36M_16, 6).double().eval()
    x = torch.randn(16, 2, 6, dtype=torch.float64)
    torch.testing.assert_close(mixer(x), x)

    torch.nn.init.ones_(mixer.norm.weight)
    pairs, out = group_joints(H36M_16), torch.zeros_like(x)
    w_joint, w_group = mixer.score[:3], mixer.score[3:]
    for b in range(2):
        for i in range(16):
            seen = torch.zeros(3, dtype=torch.float64)
            for one, two in pairs:
                key = torch.maximum(mixer.key(x[one, b]), mixer.key(x[two, b]))
                value = torch.maximum(mixer.value(x[one, b]), mixer.value(x[two, b]))
                score = mixer.query(x[i, b]) @ w_joint + key @ w_group
                seen = seen + score.clamp(min=0) / len(pairs) * value
            out[i, b] = x[i, b] + mixer.back(seen) / (1 + mixer.norm.eps) ** 0.5
    torch.testing.assert_close(mixer(x), out)


@pytest.mark.parametrize("skeleton", [H36M_16, H36M_17, COCO_17, MPI_INF_3DHP_17])
def test_groups_are_bones_or_mirrored_or_single_and_cover_everybody_once(skeleton):
    groups = group_joints(skeleton)

    assert sorted(joint for pair in groups for joint in set(pair)) == list(range(len(skeleton)))
    assert all(a == b or {(a, b), (b, a)} & {*skeleton.bones, *skeleton.pairs} for a, b in groups)


def test_martinez_is_two_residual_blocks_of_a_vector():
    network = Martinez(channels=8).double().eval()
    x = torch.randn(4, 16, 2, dtype=torch.float64)

    h = network.input(x.reshape(4, 32))
    for block in network.blocks:
        h = h + block(h)

    torch.testing.assert_close(network(x), network.output(h).reshape(4, 16, 3))


def test_an_unknown_method_is_named_with_the_known_ones():
    with pytest.raises(ModelError, match=r"'half-sharing'.*full-sharing"):
        build_network("half-sharing")


def test_groups_of_the_16_joints_are_the_published_ones():
    """Zhao et al., CVPR 2019, in their published code."""
    published = [[2, 3], [5, 6], [1, 4], [0, 7], [8, 9], [14, 15], [11, 12], [10, 13]]

    assert sorted(map(sorted, group_joints(H36M_16))) == sorted(published)


@pytest.mark.parametrize("method", ["convolution-style", "pre-aggregation", "semgcn", "martinez"])
def test_a_bias_before_a_normalisation_counts_in_evaluation_and_is_left_alone_in_training(method):
    torch.manual_seed(0)
    network = build_network(method, channels=6, blocks=1)
    x = torch.randn(64, 16, 2)
    before = {n: p.clone() for n, p in network.named_parameters()}
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("conv.bias", "linear.bias", "back.bias")):
                parameter.fill_(3.0)

    network(x).sum().backward()

    shifted = [n for n, p in network.named_parameters() if not torch.equal(p, before[n])]
    assert shifted
    assert all(network.get_parameter(name).grad is None for name in shifted)
    for _ in range(200):  # until the running statistics are those of this batch
        trained = network(x)
    network.eval()
    torch.testing.assert_close(network(x), trained.detach(), rtol=0.05, atol=0.05)
