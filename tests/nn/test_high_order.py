"""High-order GCN: its formula joint by joint, its published size, what it is trained with."""

import numpy as np
import pytest
import torch
from helpers.lifters import shaken

from graphlift.graph import bones_between, walks
from graphlift.nn.build import build_network
from graphlift.nn.high_order import HighOrderConv, HighOrderGCN
from graphlift.skeletons import BODY_28, COCO_17, H36M_16

PARENTS = [-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 8, 10, 11, 8, 13, 14]  # Zhao et al.'s 16 joints


def stepped(joint):
    """The joints one bone away."""
    children = [child for child, parent in enumerate(PARENTS) if parent == joint]
    return {*children, PARENTS[joint]} - {-1}


def reached(joint, bones):
    """The joints that a walk of so many bones leads to."""
    found = {joint}
    for _ in range(bones):
        found = set().union(*(stepped(each) for each in found))
    return found


@pytest.mark.parametrize("bones", [0, 1, 2, 3, 4])
def test_walks_lead_where_steps_do(bones):
    found = walks(H36M_16, bones)

    for joint in range(16):
        assert set(np.flatnonzero(found[joint])) == reached(joint, bones)


@pytest.mark.parametrize("skeleton", [H36M_16, COCO_17, BODY_28])
def test_bones_between_joints_are_those_of_the_two_ways_to_where_they_meet(skeleton):
    def way(joint):
        return [joint] if skeleton.parents[joint] < 0 else [joint, *way(skeleton.parents[joint])]

    for i in range(len(skeleton)):
        for j in range(len(skeleton)):
            apart = len({*way(i)} ^ {*way(j)})
            assert bones_between(skeleton)[i, j] == apart


@pytest.mark.parametrize("joined", [True, False])
def test_a_layer_is_its_formula_joint_by_joint(joined, rng):
    layer = shaken(HighOrderConv(H36M_16, 5, 3, joined=joined))
    x = rng.normal(size=(16, 2, 5))  # joint, frame, channel
    W, e, b = (t.detach().numpy() for t in (layer.weight, layer.affinity, layer.bias))

    numbers = iter(e)
    affinity = {(0, i, i): 1.0 for i in range(16)}
    for k in (1, 2, 3):
        for i in range(16):
            row = {j: np.exp(next(numbers)) for j in sorted(reached(i, k))}
            affinity |= {(k, i, j): power / sum(row.values()) for j, power in row.items()}
    assert next(numbers, None) is None
    hops = np.zeros((4, 16, 2, 3))
    for (k, i, j), a in affinity.items():
        hops[k, i] += a * (x[j] @ W[k])
    expected = np.concatenate(hops, axis=-1) + b if joined else hops.sum(axis=0) + b

    np.testing.assert_allclose(layer(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-6)


def test_the_network_is_residual_blocks_of_normalised_layers(rng):
    network = shaken(HighOrderGCN(channels=2, blocks=2)).eval()
    x = torch.from_numpy(rng.normal(size=(3, 16, 2)))

    def layer(module, h):
        h = (module.conv(h) - module.norm.running_mean) * module.norm.weight
        h = h / torch.sqrt(module.norm.running_var + module.norm.eps) + module.norm.bias
        return h.clamp(min=0)

    h = layer(network.input, x.transpose(0, 1))
    assert h.shape == (16, 3, 8)
    for first, second in network.blocks:
        h = h + layer(second, layer(first, h))

    torch.testing.assert_close(network(x), network.output(h).transpose(0, 1))


def test_the_published_size_is_reproduced():
    """1.20 M: the repository's README, 96 channels a hop, 16 joints.

    Its code keeps more that never learns: a number a joint for a^0, whose softmax is 1, and two
    biases a layer, of which the layers inside use one and the output layer the other.
    """
    parameters = sum(p.numel() for p in build_network("high-order", channels=96).parameters())

    edges = sum(len(reached(i, bones)) for i in range(16) for bones in (1, 2, 3))
    normalised = 3 * 9 * 384 + 3  # bias, scale and shift of 4 · 96 channels, 9 times; last bias
    assert parameters == 4 * (2 + 8 * 384 + 4 * 3) * 96 + 10 * edges + normalised == 1_196_895
    unused = 10 * 16 + 9 * 96 + 4 * 3
    assert round(parameters / 1e6, 2) == round((parameters + unused) / 1e6, 2) == 1.20


def test_the_published_draw_is_that_of_the_whole_tensor():
    torch.manual_seed(0)
    drawn = HighOrderConv(H36M_16, 384, 96, init="stacked")
    # torch takes (4, 384, 96) for 384 · 96 numbers in, and 4 · 96 out.
    bound = 1.414 * (6 / (384 * 96 + 4 * 96)) ** 0.5

    assert 0.99 * bound < drawn.weight.abs().max() <= bound
    assert drawn.bias.abs().max() <= 96**-0.5
