"""HTNet: its formulae joint by joint, its published size."""

import math

import numpy as np
import pytest
import torch
from helpers.lifters import shaken

from graphlift.complexity import htnet_complexity
from graphlift.errors import ConfigError, ModelError
from graphlift.networks import htnet_limbs, htnet_widths
from graphlift.nn.build import build_network
from graphlift.nn.htnet import Block, HTNet, Limbs, Skip
from graphlift.skeletons import BODY_28, COCO_17, H36M_16, H36M_17
from graphlift.training.config import TrainConfig
from graphlift.training.tables import parse_table

CHAINS = [[1, 2, 3], [4, 5, 6], [11, 12, 13], [14, 15, 16]]  # of 17 joints, as in its code


def arrays(module):
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}


def normed(p, name, v):
    spread = np.sqrt(((v - v.mean()) ** 2).mean() + 1e-5)
    return (v - v.mean()) / spread * p[f"{name}.weight"] + p[f"{name}.bias"]


def linear(p, name, v):
    return p[f"{name}.weight"] @ v + p[f"{name}.bias"]


def gelu(v):
    return np.array([x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in v])


def full(p, name, v):
    return linear(p, f"{name}.4", gelu(linear(p, f"{name}.1", normed(p, f"{name}.0", v))))


def test_limbs_go_from_the_trunk_outwards():
    assert htnet_limbs(H36M_17).tolist() == CHAINS
    for skeleton in (H36M_16, H36M_17, BODY_28):
        for hip, knee, foot in htnet_limbs(skeleton):
            assert skeleton.parents[foot] == knee
            assert skeleton.parents[knee] == hip


@pytest.mark.parametrize("count", [3, 2])
def test_a_limb_is_one_feature_given_to_its_outer_joints(count, rng):
    module = shaken(Limbs(H36M_17, count, 4, 5, dropout=0.0, skipped=0.0)).eval()
    p, x = arrays(module), rng.normal(size=(17, 2, 4))

    expected = np.stack([[normed(p, "norm", v) for v in joint] for joint in x])
    h = expected.copy()
    for chain in CHAINS:
        for frame in range(2):
            members = np.concatenate([h[joint, frame] for joint in chain[-count:]])
            limb = gelu(linear(p, "join", members))
            limb = limb + full(p, "full", limb)
            for joint in chain[-count + 1 :]:
                expected[joint, frame] = limb

    found = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_block_is_three_streams_in_turn(rng):
    module = shaken(Block(H36M_17, 8, dropout=0.0, skipped=0.0, init="glorot")).eval()
    for conv in (module.joints[1], module.joints[3]):
        conv.start = conv.start.double()
    p, x = arrays(module), rng.normal(size=(17, 2, 24))
    first, second, third = x[..., :8], x[..., 8:16], x[..., 16:]

    def each(function, h):
        return np.stack([[function(v) for v in joint] for joint in h])

    def run(part, h):
        return part(torch.from_numpy(h)).detach().numpy()

    h = run(module.joints[1], each(lambda v: normed(p, "joints.0", v), first))
    h = run(module.joints[3], each(gelu, h))
    J = first + each(lambda v: normed(p, "joints.4", v), h)
    limbs = second + J
    L = limbs + run(module.limbs[0], limbs) + run(module.limbs[1], limbs)
    body = third + L
    B = body + run(module.body[1], each(lambda v: normed(p, "body.0", v), body))
    z = np.concatenate([J, L, B], axis=-1)
    expected = z + each(lambda v: full(p, "full", v), z)

    np.testing.assert_allclose(run(module, x), expected, atol=1e-6)


def test_the_network_is_blocks_between_two_linear_maps(rng):
    network = shaken(HTNet(channels=8, blocks=2)).eval()
    x = torch.from_numpy(rng.normal(size=(3, 17, 2)))

    h = network.input(x).transpose(0, 1) + network.position[:, None]
    for block in network.blocks:
        h = block(h)

    torch.testing.assert_close(network(x), network.output(network.norm(h)).transpose(0, 1))


def test_branches_are_skipped_for_whole_samples_and_scaled_for_the_others():
    torch.manual_seed(0)
    skip, x = Skip(0.25), torch.ones(5, 4000, 3)

    y = skip(x)

    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (y == y[:1, :, :1]).all()
    assert (y[0, :, 0] == 0).float().mean() == pytest.approx(0.25, abs=0.03)
    assert skip.eval()(x) is x


def test_later_blocks_are_skipped_more_often():
    network = HTNet(channels=3, blocks=3, dropout=0.1)

    assert [block.skip.p for block in network.blocks] == pytest.approx([0.1, 0.2, 0.3])


def test_the_published_size_is_reproduced():
    """The published code's layers, 240 channels, 384 and 1024 inside, 3 blocks, 17 joints.

    The paper's own figure was not at hand; the field quotes about 3 M.
    """
    network = build_network("htnet", channels=80, joints=17)
    parameters = sum(p.numel() for p in network.parameters())

    def line(before, after):
        return before * after + after

    convs = sum(2 * a * b + 17 * b + 17 * 17 + b for a, b in ((80, 384), (384, 80)))
    limbs = sum(line(n * 80, 80) + line(80, 1024) + line(1024, 80) + 4 * 80 for n in (3, 2))
    attention, full = line(80, 240) + line(80, 80), line(240, 1024) + line(1024, 240)
    a_block = convs + 4 * 80 + limbs + attention + 2 * 80 + full + 2 * 240
    assert parameters == 3 * a_block + line(2, 240) + 17 * 240 + 2 * 240 + line(240, 3)
    assert parameters == htnet_complexity(skeleton=H36M_17).parameters == 3_048_489
    assert htnet_widths(80) == (384, 1024)


def test_another_skeleton_is_refused_by_name():
    with pytest.raises(ModelError, match="coco-17 has others: use 16, 17 or 28 joints"):
        HTNet(COCO_17, channels=3)


def test_too_much_dropout_is_refused():
    model = {"method": "htnet", "decouple_self": False, "dropout": 0.4}

    with pytest.raises(ConfigError, match=r"write dropout below 1/3; 0\.1 is published"):
        parse_table(TrainConfig, {"model": model}, "run.toml")
