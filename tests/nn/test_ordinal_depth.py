"""Ordinal depth: written out joint by joint, two parts that learn apart, an exported file."""

import math

import numpy as np
import pytest
import torch
from helpers.lifters import assert_learns_and_resumes, normalised, of_onnx, seen_something
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphlift.complexity import network_complexity, ordinal_depth_complexity
from graphlift.errors import ConfigError, ModelError
from graphlift.matched_width import channels_for
from graphlift.nn.build import build_network
from graphlift.nn.ordinal import depth_relations, ordinal_loss
from graphlift.nn.ordinal_depth import Ordered, OrdinalDepth, in_proportion, order_loss
from graphlift.samples import Selection
from graphlift.skeletons import BODY_28, H36M_16, H36M_17
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.evaluation import lift, lift_hypotheses
from graphlift.training.losses import ORDER_WEIGHT, loss_of
from graphlift.training.optimizer import Optimizer
from graphlift.training.tables import parse_table

PAIRS = [(i, j) for i in range(16) for j in range(i + 1, 16)]


def relation(first, second):
    """Of two true depths, m."""
    if abs(first - second) <= 0.05:
        return 0
    return 1 if first < second else -1


def written_out(depths, truth):
    """Mean over pairs and frames of the ordinal loss, equations (1) and (2)."""
    costs = []
    for z, true in zip(depths, truth, strict=True):
        for i, j in PAIRS:
            r, apart = relation(true[i], true[j]), z[i] - z[j]
            costs.append(apart**2 if r == 0 else math.log(1 + math.exp(r * apart)))
    return sum(costs) / len(costs)


def test_the_network_is_its_equations_joint_by_joint(rng):
    network = seen_something(OrdinalDepth(channels=6, blocks=1))
    x = rng.normal(size=(4, 16, 2))

    def layer(module, v):
        weight, bias = module.linear.weight.detach().numpy(), module.linear.bias.detach().numpy()
        return np.maximum(normalised(module.norm, weight @ v + bias), 0)

    def stack(module, v):
        f = layer(module.input, v)
        f = f + layer(module.blocks[0][1], layer(module.blocks[0][0], f))
        return module.output.weight.detach().numpy() @ f + module.output.bias.detach().numpy()

    said = network(torch.from_numpy(x))

    assert H36M_16.root == 0
    for frame in range(4):
        z = stack(network.depths, x[frame].ravel())
        largest = max(abs(x[frame, j, c] - x[frame, 0, c]) for j in range(16) for c in range(2))
        deepest = max(1.0, *(abs(z[j] - z[0]) for j in range(16)))
        known = []
        for j in range(16):
            known += [(x[frame, j, c] - x[frame, 0, c]) / largest for c in range(2)]
            known.append((z[j] - z[0]) / deepest)
        pose = stack(network.reconstruction, np.array(known)).reshape(16, 3)
        np.testing.assert_allclose(said.depths[frame].detach().numpy(), z, atol=1e-9)
        np.testing.assert_allclose(said.pose[frame].detach().numpy(), pose, atol=1e-9)


def test_each_joint_is_before_level_with_or_behind_another():
    depths = torch.tensor([[0.0, 0.3, 0.04, -0.06]])
    pairs = torch.tensor([(0, 1), (1, 0), (0, 2), (2, 3), (3, 0)])

    assert depth_relations(depths, pairs).tolist() == [[1, -1, 0, -1, 1]]
    assert depth_relations(depths, pairs, tied=0.5).tolist() == [[0, 0, 0, 0, 0]]


def test_the_loss_is_that_of_the_pose_and_of_the_order_written_out(rng):
    target = torch.from_numpy(rng.normal(0, 0.2, (3, 16, 3)))
    pose = target + torch.from_numpy(rng.normal(0, 0.1, (3, 16, 3)))
    depths = rng.normal(size=(3, 16))
    said = Ordered(pose, torch.from_numpy(depths), H36M_16)

    order = written_out(depths, target[..., 2].numpy())

    assert order_loss(said, target).item() == pytest.approx(order)
    for kind in ("mse", "mpjpe"):
        whole = loss_of(kind, pose, target) + ORDER_WEIGHT * order
        assert loss_of(kind, said, target).item() == pytest.approx(whole.item())


def test_a_unit_of_depths_is_what_they_are_divided_by(rng):
    depths, pairs = torch.from_numpy(rng.normal(size=(3, 16))), torch.tensor(PAIRS)
    relations = depth_relations(torch.from_numpy(rng.normal(0, 0.2, (3, 16))), pairs)

    far = ordinal_loss(7 * depths, pairs, relations, unit=7.0)

    torch.testing.assert_close(far, ordinal_loss(depths, pairs, relations))


@given(
    arrays(float, (2, 16, 3), elements=st.floats(-0.5, 0.5)),
    st.floats(0.25, 4),
    st.floats(-1, 1),
    st.floats(-5, 5),
)
def test_place_and_size_in_the_image_do_not_matter(pose, scale, shift, deeper):
    pose[:, 0, :2], pose[:, 1, 0] = 0.25, -0.5  # of some size in the image
    keypoints, depths = torch.from_numpy(pose[..., :2]), torch.from_numpy(pose[..., 2])

    seen = in_proportion(keypoints, depths, 0)
    elsewhere = in_proportion(scale * keypoints + shift, depths + deeper, 0)

    torch.testing.assert_close(seen, elsewhere, atol=1e-9, rtol=0)
    assert (seen[:, 0] == 0).all()
    torch.testing.assert_close(seen[..., :2].abs().amax(dim=(1, 2)), torch.ones(2).double())


def test_deep_poses_are_scaled_and_flat_ones_stay_flat():
    keypoints = torch.ones(2, 16, 2)  # in one point, which has no size
    depths = torch.zeros(2, 16)
    depths[0, 0], depths[0, 3] = 0.5, 0.6
    depths[1, 0], depths[1, 3] = 2.0, -6.0

    seen = in_proportion(keypoints, depths, 0)

    assert (seen[..., :2] == 0).all()
    assert seen[0, 3, 2].item() == pytest.approx(0.1, abs=1e-6)
    assert seen[0, 5, 2].item() == pytest.approx(-0.5)
    assert seen[1, 3, 2].item() == pytest.approx(-1)
    assert seen[1, 5, 2].item() == pytest.approx(-0.25)


def moved(loss, network):
    """Names of the parts whose weights a loss reaches."""
    network.zero_grad()
    loss.backward()
    return {n.split(".")[0] for n, p in network.named_parameters() if p.grad is not None}


def test_each_loss_reaches_its_own_part_alone(rng):
    torch.manual_seed(0)
    network = OrdinalDepth(channels=6, blocks=1).double()
    target = torch.from_numpy(rng.normal(0, 0.2, (8, 16, 3)))
    x = target[..., :2] / 3

    for kind in ("mse", "mpjpe"):
        assert moved(loss_of(kind, network(x).pose, target), network) == {"reconstruction"}
    assert moved(order_loss(network(x), target), network) == {"depths"}


def test_lengths_in_metres_do_not_reach_the_depths(rng):
    """Depths twice as large, x and y of another size: the order is the same, and so is what the
    depths learn; the pose learns something else."""
    torch.manual_seed(0)
    network = OrdinalDepth(channels=6, blocks=1).double()
    target = torch.from_numpy(rng.permuted(np.arange(8 * 16 * 3).reshape(8, 16, 3), axis=1) * 0.2)
    x = torch.randn(8, 16, 2, dtype=torch.float64)

    def gradients(target):
        loss = loss_of("mpjpe", network(x), target)
        parts = [network.depths.output.weight, network.reconstruction.output.weight]
        return torch.autograd.grad(loss, parts)

    (depths, poses), (same, others) = gradients(target), gradients(target * 2)
    assert depths.any()
    torch.testing.assert_close(depths, same)
    assert (poses - others).abs().max() > 1e-3


def test_every_weight_learns(rng):
    torch.manual_seed(0)
    network = OrdinalDepth(channels=6, blocks=1).double()
    target = torch.from_numpy(rng.normal(0, 0.2, (16, 16, 3)))

    loss_of("mse", network(target[..., :2] / 3), target).backward()

    still = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert all(name.endswith("linear.bias") for name in still)  # before a normalisation


def test_depths_come_into_order_by_their_order_alone(rng):
    torch.manual_seed(0)
    network = OrdinalDepth(channels=32, blocks=1)
    target = torch.from_numpy(rng.normal(0, 0.3, (8, 16, 3))).float()
    optimizer = Optimizer(list(network.depths.parameters()), 1e-2)

    def agreeing():
        z, true = network(target[..., :2] / 3).depths, target[..., 2]
        signs = [
            (relation(a[i], a[j]), float(b[j] - b[i]))
            for a, b in zip(true.tolist(), z.tolist(), strict=True)
            for i, j in PAIRS
        ]
        return np.mean([r * apart > 0 for r, apart in signs if r != 0])

    assert agreeing() < 0.7
    for _ in range(60):
        network.zero_grad()
        order_loss(network(target[..., :2] / 3), target).backward()
        optimizer.step()
    assert agreeing() > 0.95


@given(st.integers(1, 12), st.integers(0, 3), st.sampled_from([16, 17]))
def test_a_network_is_counted_as_it_is_built(channels, blocks, joints):
    network = build_network("ordinal-depth", joints=joints, channels=channels, blocks=blocks)
    counted = network_complexity(
        "ordinal-depth",
        channels=channels,
        blocks=blocks,
        skeleton={16: H36M_16, 17: H36M_17}[joints],
    )

    assert counted.parameters == sum(p.numel() for p in network.parameters())


def test_its_products_are_counted_matrix_by_matrix():
    """At 10 channels and one block, 16 joints."""
    depths = 32 * 10 + 2 * 10 * 10 + 10 * 16
    poses = 48 * 10 + 2 * 10 * 10 + 10 * 48

    assert ordinal_depth_complexity(channels=10, blocks=1).macs_reduced == depths + poses
    assert abs(channels_for("ordinal-depth", 4_200_000).off) < 0.01


def test_the_second_network_has_51_numbers_in_and_51_out_as_published():
    """Their main.lua, at 17 joints; the layers between are ours, so that there is no published
    number of parameters."""
    network = build_network("ordinal-depth", joints=17, channels=4)

    assert network.reconstruction.input.linear.in_features == 51
    assert network.reconstruction.output.out_features == 51


def test_the_exported_file_answers_as_the_network_does(tmp_path):
    torch.manual_seed(0)
    network = OrdinalDepth(channels=8)
    for _ in range(3):
        network(torch.randn(64, 16, 2))

    x, said = of_onnx(network, tmp_path / "m.onnx")

    with torch.inference_mode():
        theirs = network.eval()(torch.from_numpy(x))
    np.testing.assert_allclose(said["poses"], theirs.pose.numpy(), atol=1e-5)  # 0.01 mm
    np.testing.assert_allclose(said["depths"], theirs.depths.numpy(), atol=1e-5)


def test_the_file_keeps_flat_poses_flat(tmp_path):
    torch.manual_seed(0)
    network = OrdinalDepth(channels=8)
    network(torch.randn(64, 16, 2))
    network.depths.output.weight.data *= 0.01  # depths less than a unit apart
    network.depths.output.bias.data.zero_()

    x, said = of_onnx(network, tmp_path / "m.onnx")

    assert np.abs(said["depths"] - said["depths"][:, :1]).max() < 1
    with torch.inference_mode():
        theirs = network.eval()(torch.from_numpy(x))
    np.testing.assert_allclose(said["poses"], theirs.pose.numpy(), atol=1e-5)


TINY = TrainConfig(
    steps=20,
    batch_size=32,
    evaluate_every=10,
    learning_rate=1e-2,
    tensorboard=False,
    model=ModelConfig(method="ordinal-depth", decouple_self=False, channels=8, dropout=0.1),
)


def test_a_run_learns_and_goes_on_where_it_was_killed(study_data, tmp_path):
    assert_learns_and_resumes(TINY, study_data, tmp_path)


def test_it_is_scored_by_its_pose_and_has_no_hypotheses(study_data):
    network = build_network("ordinal-depth", channels=4, blocks=0)
    test = study_data.samples("test", Selection())

    poses = lift(network, test)

    assert poses.shape == (len(test), 16, 3)
    with torch.inference_mode():
        said = network.eval()(torch.from_numpy(test.inputs[:5]))
    np.testing.assert_allclose(poses[:5], said.pose.numpy(), atol=1e-5)
    with pytest.raises(ModelError, match="OrdinalDepth gives one pose of a frame"):
        lift_hypotheses(network, test)


def test_another_skeleton_is_taken_by_its_root():
    network = OrdinalDepth(BODY_28, channels=4, blocks=0)
    said = network(torch.randn(6, 28, 2))

    assert (said.pose.shape, said.depths.shape) == ((6, 28, 3), (6, 28))
    assert said.skeleton is BODY_28


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({}, "ordinal-depth has no decoupled variant: write decouple_self = false"),
        ({"decouple_self": False, "joints": 28}, "ordinal-depth takes 16 or 17 joints on the scr"),
        (
            {"decouple_self": False, "joints": 17, "inputs": "canonical"},
            "ordinal-depth takes 16 or 17 joints on the screen",
        ),
        ({"decouple_self": False, "sigma": True}, "and gives positions alone"),
        ({"decouple_self": False, "non_local": "grouped"}, "has no non-local layers: leave non_l"),
        (
            {"decouple_self": False, "affinity": "symmetric"},
            "has no symmetric affinity: leave affinity",
        ),
        ({"decouple_self": False, "learnt_mask": True}, "has no mask: leave learnt_mask out"),
    ],
)
def test_each_mistake_in_a_configuration_is_named(model, message):
    with pytest.raises(ConfigError, match=message):
        parse_table(TrainConfig, {"model": {"method": "ordinal-depth"} | model}, "run.toml")
