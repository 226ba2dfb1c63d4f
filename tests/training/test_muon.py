"""Muon: each matrix of a stack steps as torch's own Muon for single matrices does."""

import pytest
import torch
from torch import nn

from graphlift.errors import CheckpointError
from graphlift.graph import body_graph
from graphlift.nn.baselines import DenseLayer
from graphlift.nn.build import LIFTERS, build_network
from graphlift.nn.graph_conv import GraphConv
from graphlift.nn.mixture import mixture_loss
from graphlift.skeletons import H36M_16
from graphlift.training.checkpoints import read_checkpoint, write_checkpoint
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.devices import matmul_precision
from graphlift.training.loop import train
from graphlift.training.muon import heads_of, matrices_of, orthogonal
from graphlift.training.optimizer import Optimizer
from graphlift.training.state import CHECKPOINT


def muon(network, lr, weight_decay):
    return Optimizer(list(network.parameters()), lr, weight_decay, matrices_of(network))


def assert_steps_agree(before, ours, theirs):
    """That two networks made the same step, but for rounding.

    torch's Muon takes products in bfloat16 everywhere, ours where the processor has such products.
    """
    step = theirs - before
    assert torch.linalg.norm(ours - theirs) < 0.03 * torch.linalg.norm(step)


@pytest.mark.parametrize("shape", [(7, 20, 33), (7, 33, 20), (3, 8, 8)])
def test_singular_values_come_near_to_one_and_the_singular_vectors_stay(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = orthogonal(matrices)

    assert found.shape == matrices.shape
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6
    assert values.max() < 1.3
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    core = u.mT @ found @ vh.mT
    off = core - torch.diag_embed(core.diagonal(dim1=-2, dim2=-1))
    assert off.abs().max() < 0.1


def test_linear_layers_step_as_by_torchs_muon():
    torch.manual_seed(1)
    ours, theirs = nn.Linear(20, 33, bias=False), nn.Linear(20, 33, bias=False)
    theirs.load_state_dict(ours.state_dict())
    optimizers = (
        muon(ours, 0.01, 0.1),
        torch.optim.Muon(
            theirs.parameters(), 0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
        ),
    )

    for x in torch.randn(6, 50, 20):
        before = theirs.weight.detach().clone()
        ours.load_state_dict(theirs.state_dict())
        for network, optimizer in zip((ours, theirs), optimizers, strict=True):
            network.zero_grad()
            (network(x) ** 3).sum().backward()
            optimizer.step()
        assert_steps_agree(before, ours.weight, theirs.weight)


def test_each_matrix_of_a_graph_convolution_steps_by_itself():
    torch.manual_seed(2)
    conv = GraphConv(body_graph(H36M_16), 6, 10, decouple_self=True)
    inputs = torch.randn(4, 16, 50, 6)
    single = [nn.Parameter(matrix.detach().clone()) for matrix in conv.weight]
    others = [nn.Parameter(p.detach().clone()) for p in (conv.bias, conv.affinity)]
    ours = muon(conv, 0.02, 0.01)
    theirs = torch.optim.Muon(single, 0.02, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(others, 0.02, weight_decay=0.01)

    for x in inputs:
        before = torch.stack(list(single)).detach()
        conv.weight.data.copy_(before)
        conv.zero_grad()
        (conv(x) ** 3).sum().backward()
        for matrix, gradient in zip(single, conv.weight.grad, strict=True):
            matrix.grad = gradient.clone()
        for parameter, own in zip(others, (conv.bias, conv.affinity), strict=True):
            parameter.grad = own.grad.clone()
        ours.step()
        theirs.step()
        adam.step()
        assert_steps_agree(before, conv.weight, torch.stack(list(single)))

    torch.testing.assert_close(conv.bias, others[0])
    torch.testing.assert_close(conv.affinity, others[1])


def test_a_convolution_over_time_is_one_matrix():
    torch.manual_seed(3)
    conv, linear = nn.Conv1d(4, 6, 3, bias=False), nn.Linear(12, 6, bias=False)
    linear.load_state_dict({"weight": conv.weight.detach().flatten(1)})
    x = torch.randn(5, 8, 4, 3)

    for network, optimizer in ((n, muon(n, 0.05, 0.0)) for n in (conv, linear)):
        for each in x:
            network.zero_grad()
            out = network(each) if network is conv else network(each.flatten(1))
            (out**3).sum().backward()
            optimizer.step()

    torch.testing.assert_close(conv.weight.flatten(1), linear.weight, rtol=0, atol=1e-3)


def test_the_precision_of_products_is_given_back_even_if_the_block_raises():
    before = torch.get_float32_matmul_precision()

    with pytest.raises(ZeroDivisionError), matmul_precision("medium"):  # noqa: PT012
        assert torch.get_float32_matmul_precision() == "medium"
        raise ZeroDivisionError

    assert torch.get_float32_matmul_precision() == before


def test_heads_of_several_hypotheses_step_by_adam_at_a_tenth_of_the_rate():
    torch.manual_seed(4)
    network = build_network("mixture", channels=8, blocks=1)
    heads = dict(network.named_parameters())
    heads = {name: heads[name] for name in heads if name.split(".")[0] not in ("input", "blocks")}
    theirs = {name: nn.Parameter(p.detach().clone()) for name, p in heads.items()}
    ours = Optimizer(
        list(network.parameters()), 0.02, 0.1, matrices_of(network), heads_of(network)
    )
    adam = torch.optim.AdamW(theirs.values(), 0.002, weight_decay=0.1)
    trunk = [m.linear.weight for m in network.modules() if isinstance(m, DenseLayer)]

    for x in torch.randn(4, 12, 16, 2):
        network.zero_grad()
        mixture_loss(network(x), 0.3 * torch.randn(12, 16, 3)).backward()
        for name, parameter in heads.items():
            theirs[name].grad = parameter.grad.clone()
        ours.step()
        adam.step()

    assert {name.split(".")[0] for name in heads} == {"poses", "spreads", "weights"}
    for name, parameter in heads.items():
        torch.testing.assert_close(parameter, theirs[name])
    assert {*ours.matrices} == {*trunk}


def test_no_other_network_has_such_heads():
    for method in LIFTERS:
        assert bool(heads_of(build_network(method, channels=6))) == (method == "mixture")


def test_a_mixture_that_an_earlier_version_began_is_refused_with_a_way_out(study_data, tmp_path):
    config = TrainConfig(
        steps=4,
        batch_size=16,
        evaluate_every=2,
        optimizer="muon",
        loss="likelihood",
        tensorboard=False,
        model=ModelConfig(method="mixture", decouple_self=False, channels=4, blocks=1),
    )
    run = train(config, study_data, tmp_path)
    next(run), next(run)
    run.close()
    tensors, record = read_checkpoint(tmp_path / CHECKPOINT)
    names = [name for name, _ in build_network("mixture", channels=4, blocks=1).named_parameters()]
    poses = f"adam.{names.index('poses.weight')}.exp_avg_sq"
    theirs = {name: tensor for name, tensor in tensors.items() if name != poses}
    assert len(theirs) == len(tensors) - 1
    write_checkpoint(tmp_path / CHECKPOINT, theirs, record)

    with pytest.raises(CheckpointError, match=r"mixture by Muon, .* by Adam: delete it to start"):
        next(train(config, study_data, tmp_path))
