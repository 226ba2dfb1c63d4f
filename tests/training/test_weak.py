"""Weak supervision: it leaks nothing, it learns, it goes on, it works with any lifter."""

import dataclasses
import os
import signal

import numpy as np
import pytest
import torch
from helpers.tiny_packs import SHORT, write_h36m

from graphlift.errors import CheckpointError, ConfigError
from graphlift.metrics import p_mpjpe
from graphlift.nn.build import build_network
from graphlift.nn.critic import Critic, realism_loss
from graphlift.nn.objectives import bone_ratio_loss, projection_loss
from graphlift.nn.ordinal import joint_pairs, ordinal_loss, part_pairs
from graphlift.samples import Selection
from graphlift.samples.data_sets import read_data
from graphlift.samples.supervision import Supervision
from graphlift.skeletons import H36M_16
from graphlift.training.checkpoints import read_checkpoint, write_checkpoint
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.evaluation import pose_of
from graphlift.training.loop import train
from graphlift.training.losses import loss_of
from graphlift.training.optimizer import Optimizer
from graphlift.training.state import CHECKPOINT, MODEL
from graphlift.training.weak import (
    ORDINAL_UNIT,
    annotate,
    find_opponent,
    train_critic,
    weak_loss,
)

ALL = {"projection": 0.7, "bone_ratios": 0.2, "ordinal": 0.3, "parts": 0.4, "critic": 0.5}
TINY = TrainConfig(
    steps=12,
    batch_size=16,
    evaluate_every=5,
    tensorboard=False,
    model=ModelConfig(channels=4, blocks=1, dropout=0.2),
)


@pytest.fixture(scope="module")
def asked(study_data):
    return Supervision(unlabelled=study_data.train.subjects[1:], **ALL)


def finish(config, data, out):
    for _ in train(config, data, out):
        pass
    return read_checkpoint(out / MODEL)


def batch(rng, people=6):
    x = torch.tensor(rng.normal(0, 0.3, (people, 16, 2)), dtype=torch.float32)
    y = torch.tensor(rng.normal(0, 0.3, (people, 16, 3)), dtype=torch.float32)
    said = torch.tensor(rng.normal(0, 0.3, (people, 16, 3)), dtype=torch.float32)
    return x, y - y[:, :1], said


LABELLED = np.array([True, False, False, True, False, True])


def test_the_loss_is_that_of_the_labelled_and_the_objectives_of_the_others(rng):
    x, y, said = batch(rng)
    torch.manual_seed(0)
    critic = Critic(H36M_16)
    labels = annotate(y, LABELLED, Supervision(unlabelled=("b",), **ALL), H36M_16)

    found, parts = weak_loss("mse", said, x, labels, critic)

    known, others = [0, 3, 5], [1, 2, 4]
    poses, depths = said[others], y[others][..., 2]
    by_name = {
        "labelled": loss_of("mse", said[known], y[known]),
        "projection": projection_loss(poses, x[others], root=0),
        "bone_ratios": bone_ratio_loss(poses, H36M_16),
    }
    for name, pairs in (("ordinal", joint_pairs(H36M_16)), ("parts", part_pairs(H36M_16))):
        i, j = pairs.T
        relations = torch.sign(depths[:, j] - depths[:, i]).long()
        relations[(depths[:, j] - depths[:, i]).abs() <= 0.05] = 0
        by_name[name] = ordinal_loss(poses[..., 2], pairs, relations, unit=ORDINAL_UNIT)
    by_name["critic"] = realism_loss(critic(poses))
    weights = {"labelled": 1.0, **ALL}
    expected = sum(weights[name] * part.item() for name, part in by_name.items())
    assert found.item() == pytest.approx(expected, rel=1e-5)
    given = {name: part.item() for name, part in parts.items()}
    assert given == pytest.approx({name: p.item() for name, p in by_name.items()}, rel=1e-5)


@pytest.mark.parametrize("weights", [{"ordinal": 0.3}, {"parts": 0.4}, {"projection": 0.7}])
def test_ordinal_labels_teach_depths_that_learn_from_order_alone(weights, rng):
    """The depths of ordinal-depth, which no length in metres reaches: by its own loss, by hand."""
    x, y, _ = batch(rng)
    torch.manual_seed(0)
    network = build_network("ordinal-depth", channels=6, blocks=1).eval()
    labels = annotate(y, LABELLED, Supervision(unlabelled=("b",), **weights), H36M_16)
    others = [1, 2, 4]

    said = network(x)
    said.depths.retain_grad()
    weak_loss("mse", said, x, labels)[0].backward()

    given = said.depths.detach()[others].requires_grad_()
    total = torch.zeros(())
    for name, pairs in (("ordinal", joint_pairs(H36M_16)), ("parts", part_pairs(H36M_16))):
        for i, j in pairs.tolist() if name in weights else ():
            z, true = given[:, i] - given[:, j], y[others][:, i, 2] - y[others][:, j, 2]
            cost = torch.where(true.abs() <= 0.05, z**2, torch.log1p(torch.exp(-true.sign() * z)))
            total = total + weights[name] * cost.mean() / len(pairs)
    expected = torch.autograd.grad(total, given)[0] if total.requires_grad else 0 * given
    torch.testing.assert_close(said.depths.grad[others], expected)
    assert bool(expected.any()) == ("projection" not in weights)


def test_objectives_count_for_all_where_everybody_is_labelled(rng):
    x, y, said = batch(rng)
    labels = annotate(y, None, Supervision(bone_ratios=2.0), H36M_16)

    found = weak_loss("mpjpe", said, x, labels)[0].item()

    expected = loss_of("mpjpe", said, y) + 2 * bone_ratio_loss(said, H36M_16)
    assert found == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("labelled", "lacking"), [([True] * 6, "others"), ([False] * 6, "labelled")]
)
def test_a_batch_may_lack_people_of_one_kind(labelled, lacking, rng):
    x, y, said = batch(rng)
    labels = annotate(y, np.array(labelled), Supervision(unlabelled=("b",), **ALL), H36M_16)
    opponent = find_opponent(H36M_16, torch.device("cpu"))
    before = [parameter.clone() for parameter in opponent.critic.parameters()]

    loss, parts = weak_loss("mse", said, x, labels, opponent.critic)
    train_critic(opponent, said, labels)

    assert torch.isfinite(loss)
    assert parts.keys() == ({"labelled"} if lacking == "others" else ALL.keys())
    if lacking == "others":
        assert loss.item() == pytest.approx(loss_of("mse", said, y).item())
    assert all(map(torch.equal, before, opponent.critic.parameters()))


def test_nothing_of_unlabelled_people_but_the_order_of_depths_reaches_the_loss(rng):
    """Their x and y change at will, their depths so that no relation changes."""
    x, y, said = batch(rng)
    ranks = torch.arange(16).float().expand(6, 16)[:, rng.permutation(16)]
    y[..., 2] = 0.11 * ranks  # apart by more than what counts as equally far
    other = y.clone()
    hidden = torch.from_numpy(~LABELLED)
    other[hidden] = torch.tensor(rng.normal(0, 3, (3, 16, 3)), dtype=torch.float32)
    other[hidden, :, 2] = 5 + 0.3 * ranks[hidden] ** 2 + 0.2 * ranks[hidden]
    asked = Supervision(unlabelled=("b",), **ALL)
    torch.manual_seed(0)
    critic = Critic(H36M_16)

    def gradient(truth):
        given = said.clone().requires_grad_()
        loss, _ = weak_loss("mse", given, x, annotate(truth, LABELLED, asked, H36M_16), critic)
        return loss, *torch.autograd.grad(loss, [given, *critic.parameters()])

    assert all(map(torch.equal, gradient(y), gradient(other)))
    assert not torch.equal(y, other)
    other[hidden, 1, 2] = -1.0  # a joint in another order
    assert not torch.equal(gradient(y)[0], gradient(other)[0])


def test_the_critic_learns_from_labelled_people_alone(rng):
    _, y, said = batch(rng)
    y[torch.from_numpy(~LABELLED)] *= 1e3
    labels = annotate(y, LABELLED, Supervision(unlabelled=("b",), critic=1.0), H36M_16)
    said.requires_grad_()

    def trained(truth):
        torch.manual_seed(0)
        opponent = find_opponent(H36M_16, torch.device("cpu"))
        train_critic(opponent, said, truth)
        return list(opponent.critic.parameters())

    other = annotate(
        torch.where(labels.labelled[:, None, None], y, 7.0), LABELLED, labels.asked, H36M_16
    )
    assert all(map(torch.equal, trained(labels), trained(other)))
    assert said.grad is None


def test_training_sees_no_position_of_the_unlabelled(study_data, asked, tmp_path):
    """Their positions are moved in every batch, and nothing comes of it."""
    config = dataclasses.replace(
        TINY, supervision=dataclasses.replace(asked, ordinal=0.0, parts=0.0)
    )
    whole = finish(config, study_data, tmp_path / "a")[0]

    drawn = study_data.batches(config.selection, torch.from_numpy)
    moved = dataclasses.replace(drawn, gather=lambda rows: elsewhere(drawn, rows))

    class Moved:
        name, digest, licence = study_data.name, study_data.digest, study_data.licence
        check, samples = study_data.check, study_data.samples

        @staticmethod
        def batches(chosen, place):
            return moved

    again = finish(config, Moved(), tmp_path / "b")[0]
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def elsewhere(batches, rows):
    x, y = batches.gather(rows)
    y[torch.from_numpy(batches.unlabelled[rows])] += 0.7
    return x, y


@pytest.mark.parametrize(("stop", "optimizer"), [(1, "adam"), (5, "adam"), (11, "muon")])
def test_an_interrupted_run_with_a_critic_ends_bitwise_like_another(
    stop, optimizer, study_data, asked, tmp_path
):
    config = dataclasses.replace(
        TINY, supervision=asked, optimizer=optimizer, ema=0.9, flip=True, loss="mpjpe"
    )
    whole, record = finish(config, study_data, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  # the signal comes from inside
        for progress in train(config, study_data, tmp_path / "cut"):
            if progress.step == stop:
                os.kill(os.getpid(), signal.SIGINT)
    held = read_checkpoint(tmp_path / "cut" / CHECKPOINT)[0]

    torch.manual_seed(99)  # whatever the process did in between
    again, other = finish(config, study_data, tmp_path / "cut")

    assert whole.keys() == again.keys()
    assert all(torch.equal(tensor, again[name]) for name, tensor in whole.items())
    seconds = {"seconds": 0.0}
    assert [line | seconds for line in record["curve"]] == [
        line | seconds for line in other["curve"]
    ]
    assert held["critic-adam.0.step"] == stop + 1
    assert not [name for name in whole if "critic" in name]


def test_the_weights_that_a_run_leaves_are_the_networks_alone(study_data, asked, tmp_path):
    tensors, record = finish(
        dataclasses.replace(TINY, supervision=asked), study_data, tmp_path / "run"
    )

    network = build_network(**record["config"]["model"])
    network.load_state_dict(tensors)
    assert tuple(record["config"]["supervision"]["unlabelled"]) == asked.unlabelled
    for line in record["curve"]:  # each part of the loss, and the sum that their weights make
        parts = {key.removeprefix("loss_"): line[key] for key in line if key.startswith("loss_")}
        weights = {"labelled": 1.0, **ALL}
        whole = sum(weights[name] * part for name, part in parts.items())
        assert parts.keys() == weights.keys()
        assert line["loss"] == pytest.approx(whole, rel=1e-4)


def test_a_checkpoint_without_the_critic_is_of_another_run(study_data, asked, tmp_path):
    config = dataclasses.replace(TINY, supervision=asked)
    run = train(config, study_data, tmp_path)
    for _ in range(6):
        next(run)
    run.close()
    tensors, record = read_checkpoint(tmp_path / CHECKPOINT)
    without = {name: t for name, t in tensors.items() if not name.startswith("critic")}
    write_checkpoint(tmp_path / CHECKPOINT, without, record)

    with pytest.raises(CheckpointError, match=r"lacks critic\.layers"):
        finish(config, study_data, tmp_path)


def test_a_run_of_before_goes_on_and_one_with_other_objectives_does_not(study_data, tmp_path):
    run = train(TINY, study_data, tmp_path)
    for _ in range(6):
        next(run)
    run.close()
    tensors, record = read_checkpoint(tmp_path / CHECKPOINT)
    config = {key: value for key, value in record["config"].items() if key != "supervision"}
    before = {key: value for key, value in record.items() if key != "part_sums"}
    write_checkpoint(tmp_path / CHECKPOINT, tensors, {**before, "config": config})

    other = dataclasses.replace(TINY, supervision=Supervision(bone_ratios=0.5))
    with pytest.raises(CheckpointError, match=r"supervision\.bone_ratios \(there 0\.0, here 0\.5"):
        finish(other, study_data, tmp_path)
    assert finish(TINY, study_data, tmp_path)[1]["step"] == 12


@pytest.mark.parametrize(
    "method", ["bidirectional", "ordinal-depth", "mixture", "martinez", "graformer"]
)
def test_any_lifter_can_be_supervised_weakly(method, study_data, asked, tmp_path):
    model = ModelConfig(method=method, decouple_self=False, channels=8, blocks=1)
    loss = "likelihood" if method == "mixture" else "mse"
    config = dataclasses.replace(TINY, model=model, supervision=asked, loss=loss, steps=2)

    tensors, record = finish(config, study_data, tmp_path)

    assert record["step"] == 2
    assert all(torch.isfinite(t).all() for t in tensors.values())


def test_poses_of_unlabelled_people_are_learnt_from_keypoints_and_order(study_data):
    """By heart: 24 poses of which 8 are labelled; the others' shapes come right."""
    frames = study_data.samples("train", Selection())
    x, y = torch.from_numpy(frames.inputs[:24]), torch.from_numpy(frames.targets[:24])
    labelled = np.arange(24) < 8
    asked = Supervision(unlabelled=("b",), projection=1.0, bone_ratios=0.1, ordinal=0.1)
    labels = annotate(y, labelled, asked, H36M_16)

    def trained(known_only):
        torch.manual_seed(0)
        network = build_network("full-sharing", channels=16, blocks=1)
        optimizer = Optimizer(list(network.parameters()), 1e-2)
        for _ in range(80):
            said = network(x)
            loss, _ = weak_loss("mpjpe", said, x, labels)
            if known_only:
                loss = loss_of("mpjpe", said[:8], y[:8])
            network.zero_grad()
            loss.backward()
            optimizer.step()
        poses = pose_of(network(x)).detach().numpy()[8:]
        return p_mpjpe(poses, frames.targets[8:24])  # keypoints do not say how large they are

    assert trained(False) < 0.9 * trained(True)


def test_packs_can_be_supervised_weakly_too(tmp_path):
    write_h36m(tmp_path / "h36m")
    data = read_data(str(tmp_path / "h36m"))
    for joints in (16, 17):
        config = dataclasses.replace(
            SHORT,
            model=ModelConfig(channels=4, blocks=1, joints=joints),
            supervision=Supervision(unlabelled=("S5", "S7"), **ALL),
        )
        tensors, _ = finish(config, data, tmp_path / str(joints))
        assert all(torch.isfinite(t).all() for t in tensors.values())
    with pytest.raises(ConfigError, match="S9 is nobody"):
        data.check(dataclasses.replace(SHORT.selection, unlabelled=("S9",)))
