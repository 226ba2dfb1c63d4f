"""The optimiser: step by step as torch's own, and nothing of torch's compiler."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from graphlift.training.muon import matrices_of
from graphlift.training.optimizer import Optimizer

TRAIN = """
import sys
from pathlib import Path
from graphlift.samples.data_sets import read_data
from graphlift.training.config import TrainConfig
from graphlift.training.loop import train

data = read_data(sys.argv[1])
for optimizer in ("adam", "muon"):
    config = TrainConfig(optimizer=optimizer, steps=2, batch_size=4, evaluate_stride=50)
    assert list(train(config, data, Path(sys.argv[2]) / optimizer))
print("torch._dynamo" in sys.modules)
"""


def networks():
    """Two networks alike, of which a part never has a gradient, and the parts that have."""
    for _ in range(2):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(5, 7), nn.LayerNorm(7), nn.Linear(7, 3))
        unused = nn.Linear(2, 2)
        yield network, [*network.parameters(), *unused.parameters()]


def train(network, step, x):
    network.zero_grad()
    (network(x) ** 2).sum().backward()
    step()


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_steps_are_those_of_torchs_classes_to_the_bit(weight_decay):
    (ours, parameters), (theirs, others) = networks()
    optimizer = Optimizer(parameters, 1.0, weight_decay)
    torchs = (torch.optim.AdamW if weight_decay else torch.optim.Adam)(
        others, weight_decay=weight_decay, fused=True
    )

    for at, x in enumerate(torch.randn(20, 8, 5)):
        optimizer.lr = torchs.param_groups[0]["lr"] = 0.01 * 0.9**at
        train(ours, optimizer.step, x)
        train(theirs, torchs.step, x)
        assert all(torch.equal(*pair) for pair in zip(parameters, others, strict=True))

    state = torchs.state_dict()["state"]
    assert optimizer.moments.keys() == state.keys()
    for index, moments in optimizer.moments.items():
        assert moments.keys() == state[index].keys()
        assert all(torch.equal(moments[name], state[index][name]) for name in moments)


def test_what_is_no_matrix_steps_beside_muon_as_by_adamw():
    (ours, parameters), (theirs, others) = networks()
    optimizer = Optimizer(parameters, 0.01, 0.1, matrices_of(ours))
    torchs = torch.optim.AdamW(others, 0.01, weight_decay=0.1, fused=True)

    train(ours, optimizer.step, x := torch.randn(8, 5))
    train(theirs, torchs.step, x)

    alike = [torch.equal(*pair) for pair in zip(parameters, others, strict=True)]
    assert alike == [parameter.ndim == 1 or parameter.grad is None for parameter in parameters]


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_without_any_gradient_nothing_moves(weight_decay):
    (_, parameters), (_, others) = networks()
    optimizer = Optimizer(parameters, 0.01, weight_decay)

    optimizer.step()

    assert all(torch.equal(*pair) for pair in zip(parameters, others, strict=True))
    assert not optimizer.moments


def test_an_optimiser_with_anothers_moments_goes_on_as_it():
    (ours, parameters), (theirs, others) = networks()
    first, second = (Optimizer(each, 0.01) for each in (parameters, others))
    x = torch.randn(8, 5)
    train(ours, first.step, x)
    theirs.load_state_dict(ours.state_dict())
    second.put({i: {n: t.clone() for n, t in of.items()} for i, of in first.moments.items()})

    for network, optimizer in ((ours, first), (theirs, second)):
        train(network, optimizer.step, x)

    assert all(torch.equal(*pair) for pair in zip(parameters, others, strict=True))


def test_a_training_process_imports_nothing_of_torchs_compiler(pack, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(pack), str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout == "False\n"
