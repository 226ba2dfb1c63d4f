"""GraFormer: its formulae joint by joint, its published size."""

import numpy as np
import pytest
import torch
from helpers.lifters import shaken

from graphlift.errors import ConfigError
from graphlift.nn.attention import MultiHead
from graphlift.nn.build import build_network
from graphlift.nn.graformer import ChebConv, GraAttention, GraFormer
from graphlift.skeletons import H36M_16
from graphlift.training.config import TrainConfig
from graphlift.training.tables import parse_table

PARENTS = [-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 8, 10, 11, 8, 13, 14]  # Zhao et al.'s 16 joints


def laplacian():
    """I − D⁻¹(A + I)."""
    near = np.eye(16)
    for child, parent in enumerate(PARENTS[1:], 1):
        near[child, parent] = near[parent, child] = 1
    return np.eye(16) - near / near.sum(axis=1, keepdims=True)


def arrays(module):
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}


def normed(p, name, v):
    """By the standard deviation of a sample."""
    spread = np.sqrt(((v - v.mean()) ** 2).sum() / (len(v) - 1))
    return p[f"{name}.gain"] * (v - v.mean()) / (spread + 1e-6) + p[f"{name}.shift"]


def test_a_chebyshev_convolution_is_its_recurrence_joint_by_joint(rng):
    layer = shaken(ChebConv(H36M_16, 5, 3))
    layer.polynomials = layer.polynomials.double()
    x = rng.normal(size=(16, 2, 5))
    W, b, L = *(p.detach().numpy() for p in (layer.weight, layer.bias)), laplacian()

    # The features themselves follow T_0 x = x, T_1 x = L x, T_2 x = 2 L (L x) − x.
    once = np.stack([sum(L[i, j] * x[j] for j in range(16)) for i in range(16)])
    twice = np.stack([sum(2 * L[i, j] * once[j] for j in range(16)) - x[i] for i in range(16)])
    expected = x @ W[0] + once @ W[1] + twice @ W[2] + b

    found = layer(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(("channels", "each"), [(8, 2), (6, 2), (3, 1)])
def test_attention_is_its_formula_head_by_head(channels, each, rng):
    module = shaken(MultiHead(channels, 4))
    p, x = arrays(module), rng.normal(size=(5, 2, channels))

    expected = np.empty_like(x)
    for frame in range(2):
        mixed = np.stack([p["mix.weight"] @ x[i, frame] + p["mix.bias"] for i in range(5)])
        for i in range(5):
            seen = []
            for head in range(4):
                q, k, v = np.split(mixed[:, 3 * each * head : 3 * each * (head + 1)], 3, axis=1)
                powers = np.exp([q[i] @ k[j] / np.sqrt(each) for j in range(5)])
                seen += [*(powers / powers.sum() @ v)]
            expected[i, frame] = p["back.weight"] @ np.array(seen) + p["back.bias"]

    found = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_attend_is_attention_and_then_a_learnt_graph(rng):
    module = shaken(GraAttention(5, 4, dropout=0.0), 0.1).eval()
    p, x = arrays(module), rng.normal(size=(5, 2, 4))

    before = np.stack([[normed(p, "before_attention", v) for v in joint] for joint in x])
    y = x + module.attention(torch.from_numpy(before)).detach().numpy()
    A = p["graph"]
    degree = [sum(A[i, j] for i in range(5)) + 1e-5 for j in range(5)]
    a = np.array([[A[i, j] / np.sqrt(degree[i] * degree[j]) for j in range(5)] for i in range(5)])
    h = np.stack([[normed(p, "before_graph", v) for v in joint] for joint in y])
    for name, rectified in (("widen", True), ("narrow", False)):
        h = np.stack([sum(a[i, j] * h[j] for j in range(5)) for i in range(5)])
        h = h @ p[f"{name}.weight"].T + p[f"{name}.bias"]
        h = np.maximum(h, 0) if rectified else h

    found = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, y + h, atol=1e-6)


def test_the_learnt_graph_starts_as_the_joints_alone_and_never_divides_by_a_negative_sum():
    module = GraAttention(5, 4, dropout=0.0)
    torch.testing.assert_close(module.affinities(), torch.eye(5), atol=2e-5, rtol=0)

    module.graph.data -= 1
    assert module.affinities().isfinite().all()


def test_the_network_is_attention_and_residual_blocks_by_turns(rng):
    network = shaken(GraFormer(channels=8, blocks=2)).eval()
    x = torch.from_numpy(rng.normal(size=(3, 16, 2)))

    h = network.input(x.transpose(0, 1))
    for attend, (first, second) in zip(network.attend, network.blocks, strict=True):
        y = attend(h)
        h = y + second[0](first[0](y).clamp(min=0)).clamp(min=0)

    torch.testing.assert_close(network(x), network.output(h).transpose(0, 1))


def test_the_published_size_is_reproduced():
    """0.65 M: the paper's table; 96 channels and 5 blocks are the published code's defaults."""
    network = build_network("graformer", channels=96)

    parameters = sum(p.numel() for p in network.parameters())

    attention, graph = 4 * (96 * 96 + 96), 256 + (96 * 192 + 192) + (192 * 96 + 96)
    a_block = attention + graph + 2 * 2 * 96 + 2 * (3 * 96 * 96 + 96)
    assert parameters == 5 * a_block + (3 * 2 * 96 + 96) + (3 * 96 * 3 + 3) == 654_179
    assert round(parameters / 1e6, 2) == 0.65
    assert len(network.blocks) == 5


def test_the_published_draw_is_that_of_the_whole_tensor():
    torch.manual_seed(0)
    drawn = ChebConv(H36M_16, 96, 96, init="stacked").weight

    theirs = torch.empty(3, 1, 96, 96)
    torch.nn.init.xavier_normal_(theirs)
    assert drawn.std().item() == pytest.approx(theirs.std().item(), rel=0.02)


def test_one_channel_cannot_be_normalised():
    model = {"method": "graformer", "decouple_self": False, "channels": 1}

    with pytest.raises(ConfigError, match="write channels = 2 or more"):
        parse_table(TrainConfig, {"model": model}, "run.toml")
