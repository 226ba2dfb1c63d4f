"""Graph Stacked Hourglass: its scales by hand, its formulae joint by joint, its size."""

import numpy as np
import pytest
import torch
from helpers.lifters import shaken

from graphlift.errors import ConfigError, ModelError
from graphlift.graph import pooled
from graphlift.networks import hourglass_levels
from graphlift.nn.build import build_network
from graphlift.nn.hourglass import GraphHourglass, SqueezeExcite
from graphlift.nn.non_local import group_joints
from graphlift.skeletons import COCO_17, H36M_16, H36M_17, Skeleton
from graphlift.training.config import TrainConfig
from graphlift.training.tables import parse_table

PAIRS = [(2, 3), (5, 6), (1, 4), (0, 7), (8, 9), (14, 15), (11, 12), (10, 13)]
# Right leg, left leg, hips, pelvis and spine, thorax and head, right arm, left arm, shoulders.
BONES_OF_PAIRS = {(2, 0), (2, 1), (3, 2), (3, 4), (4, 7), (7, 5), (7, 6)}
PARTS = [(0, 1), (2, 3), (5, 6), (4, 7)]  # legs, hips, arms, head and shoulders
BONES_OF_PARTS = {(1, 0), (1, 3), (3, 2)}


def test_the_scales_are_pairs_and_parts_of_the_body():
    whole, half = hourglass_levels(H36M_16, 4)

    assert [*whole.groups] == PAIRS
    assert sorted(map(sorted, PAIRS)) == sorted(map(sorted, group_joints(H36M_16)))
    assert half.skeleton == whole.smaller
    assert {*half.skeleton.bones} == BONES_OF_PAIRS
    assert [*half.groups] == PARTS
    assert {*half.smaller.bones} == BONES_OF_PARTS


def test_pooling_merges_names_parents_and_centre():
    body = Skeleton("y", ("hip", "waist", "left", "right"), (-1, 0, 1, 1), "waist")

    found = pooled(body, [(2, 3), (0, 1)])

    assert found == Skeleton("y pooled", ("left+right", "hip+waist"), (1, -1), "hip+waist")


def layer(module, h):
    h = (module.conv(h) - module.norm.running_mean) * module.norm.weight
    h = h / torch.sqrt(module.norm.running_var + module.norm.eps) + module.norm.bias
    return h.clamp(min=0)


def pool(h, groups):
    return torch.stack([torch.maximum(h[a], h[b]) for a, b in groups])


def unpool(h, groups):
    of = {joint: number for number, group in enumerate(groups) for joint in group}
    return torch.stack([h[of[joint]] for joint in range(len(of))])


def test_the_network_is_hourglasses_whose_outputs_are_joined(rng):
    network = shaken(GraphHourglass(channels=4, blocks=2)).eval()
    x = torch.from_numpy(rng.normal(size=(3, 16, 2)))

    h, seen = layer(network.input, x.transpose(0, 1)), []
    for glass, level in zip(network.hourglasses, network.levels, strict=True):
        a = layer(glass.down, h)
        b = layer(glass.further, pool(a, PAIRS))
        c = layer(glass.lowest, pool(b, PARTS))
        assert (a.shape[::2], b.shape[::2], c.shape[::2]) == ((16, 6), (8, 8), (4, 8))
        d = layer(glass.up, b + unpool(c, PARTS))
        h = h + layer(glass.last, a + unpool(d, PAIRS))
        seen.append(h @ level.weight.T + level.bias)
    expected = network.output(network.excite(torch.cat(seen, dim=-1)))

    torch.testing.assert_close(network(x), expected.transpose(0, 1))


def test_channels_are_scaled_by_the_mean_over_joints(rng):
    module = shaken(SqueezeExcite(16))
    x = rng.normal(size=(5, 2, 16))
    V1, c1, V2, c2 = (p.detach().numpy() for p in module.parameters())
    assert len(V1) == 2

    expected = np.empty_like(x)
    for frame in range(2):
        mean = sum(x[joint, frame] for joint in range(5)) / 5
        gate = 1 / (1 + np.exp(-(V2 @ np.maximum(V1 @ mean + c1, 0) + c2)))
        for joint in range(5):
            expected[joint, frame] = x[joint, frame] * gate

    found = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_size_is_near_the_published_one():
    """3.70 M are published (Zhao et al., CVPR 2022, and POT's table 7), with no code.

    The widths are tamasino52/GraphSH's: 64, 96, 128 on 16, 8 and 4 joints. They give 3.69 M,
    whether affinities are learnt (630 numbers of these) or not: 0.4 % below what is printed.
    """
    parameters = sum(p.numel() for p in build_network("graph-hourglass", channels=64).parameters())

    a_glass = 2 * (2 * 16 * 64 * 96 + 2 * 8 * 96 * 128) + 2 * 4 * 128 * 128
    normalised = 3 * (64 + 4 * (96 + 128 + 128 + 96 + 64))
    edges = 46 + 4 * (46 + 22 + 10 + 22 + 46)
    ends = 2 * 16 * 2 * 64 + 4 * (64 * 16 + 16) + (64 * 8 + 8) + (8 * 64 + 64) + (64 * 3 + 3)
    assert parameters == 4 * a_glass + normalised + edges + ends == 3_686_529
    assert abs(parameters - 3_700_000) < 0.004 * 3_700_000


@pytest.mark.parametrize("skeleton", [H36M_17, COCO_17])
def test_another_skeleton_is_refused_by_name(skeleton):
    with pytest.raises(ModelError, match=f"{skeleton.name} has others: use 16 joints"):
        GraphHourglass(skeleton, channels=8)


def test_it_has_an_hourglass():
    with pytest.raises(ModelError, match="at least one hourglass: give blocks of 1 or more"):
        GraphHourglass(channels=8, blocks=0)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"joints": 17}, "pools 16 joints, not 17: write joints = 16"),
        ({"blocks": 0}, "has at least one hourglass: write blocks = 1 or more"),
    ],
)
def test_what_it_does_not_take_is_refused(keys, message):
    model = {"method": "graph-hourglass", "decouple_self": False} | keys

    with pytest.raises(ConfigError, match=message):
        parse_table(TrainConfig, {"model": model}, "run.toml")
