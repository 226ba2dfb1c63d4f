"""Dependencies of body parts both ways: written out joint by joint, its attributes, a run."""

import math

import numpy as np
import pytest
import torch
from helpers.lifters import assert_learns_and_resumes, normalised, of_onnx, seen_something
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from graphlift.complexity import bidirectional_complexity, network_complexity
from graphlift.errors import ConfigError
from graphlift.graph import degrees_of_freedom
from graphlift.matched_width import channels_for
from graphlift.nn.bidirectional import Attributed, Bidirectional, attribute_loss, attributes_of
from graphlift.nn.build import build_network
from graphlift.skeletons import BODY_28, COCO_17, H36M_16, H36M_17
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.losses import ATTRIBUTE_WEIGHT, loss_of
from graphlift.training.tables import parse_table

LIMBS = [2, 3, 5, 6, 11, 12, 14, 15]
"""Of the 16 joints: knees, feet, elbows, wrists."""
LEVELS = [[0, 1, 4, 7, 8, 9, 10, 13], [2, 5, 11, 14], [3, 6, 12, 15]]


def test_levels_are_trunk_bends_and_ends():
    assert [np.flatnonzero(degrees_of_freedom(H36M_16) == n).tolist() for n in range(3)] == LEVELS
    named = dict(zip(COCO_17.joints, degrees_of_freedom(COCO_17).tolist(), strict=True))
    assert {n for n, level in named.items() if level == 1} == {
        "LElbow",
        "RElbow",
        "LKnee",
        "RKnee",
    }
    assert {n for n, level in named.items() if level == 2} == {
        *("LWrist", "RWrist", "LAnkle", "RAnkle")
    }
    toes = dict(zip(BODY_28.joints, degrees_of_freedom(BODY_28).tolist(), strict=True))
    assert (toes["LBigToe"], toes["RHeel"], toes["LEar"]) == (2, 2, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_network_is_its_equations_joint_by_joint(rng):
    network = seen_something(Bidirectional(channels=6, blocks=1))
    p = {name: t.detach().numpy() for name, t in network.state_dict().items()}
    x = rng.normal(size=(4, 16, 2))

    def layer(module, v):
        weight, bias = module.linear.weight.detach().numpy(), module.linear.bias.detach().numpy()
        return np.maximum(normalised(module.norm, weight @ v + bias), 0)

    def step(v, h, way):
        W, U = p[f"recurrence.weight_ih_l0{way}"], p[f"recurrence.weight_hh_l0{way}"]
        b, d = p[f"recurrence.bias_ih_l0{way}"], p[f"recurrence.bias_hh_l0{way}"]
        r, z = (sigmoid(W[g] @ v + b[g] + U[g] @ h + d[g]) for g in (slice(0, 3), slice(3, 6)))
        new = slice(6, 9)
        n = np.tanh(W[new] @ v + b[new] + r * (U[new] @ h + d[new]))
        return (1 - z) * n + z * h

    said = network(torch.from_numpy(x))

    for frame in range(4):
        f = layer(network.input, x[frame].ravel())
        f = f + layer(network.blocks[0][1], layer(network.blocks[0][0], f))
        logits = (p["attributes.weight"] @ f + p["attributes.bias"]).reshape(8, 3)
        c = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        seen = [
            layer(part, np.concatenate([f, c.ravel(), x[frame, own].ravel()]))
            for part, own in zip(network.parts, LEVELS, strict=True)
        ]
        out, back = [np.zeros(3)], [np.zeros(3)]
        for level in range(3):
            out.append(step(seen[level], out[-1], ""))
            back.insert(0, step(seen[2 - level], back[0], "_reverse"))
        for level, joints in enumerate(LEVELS):
            state = np.concatenate([out[level + 1], back[level]])
            for place, joint in enumerate(joints):
                rows = slice(3 * place, 3 * place + 3)
                expected = p[f"outputs.{level}.weight"][rows] @ state
                expected = expected + p[f"outputs.{level}.bias"][rows]
                np.testing.assert_allclose(
                    said.pose[frame, joint].detach().numpy(), expected, atol=1e-9
                )
        np.testing.assert_allclose(said.attributes[frame].detach().numpy(), logits, atol=1e-9)


def figure():
    """A person in a T-pose in camera axes, who faces the camera: left at +x, front at -z."""
    places = {
        "Hip": (0, 0, 0), "RHip": (-0.1, 0, 0), "LHip": (0.1, 0, 0), "Spine": (0, -0.25, 0),
        "Thorax": (0, -0.5, 0), "Head": (0, -0.7, 0), "LShoulder": (0.2, -0.5, 0),
        "RShoulder": (-0.2, -0.5, 0), "LElbow": (0.5, -0.5, 0), "RElbow": (-0.5, -0.5, -0.2),
        "LWrist": (0.75, -0.5, 0.3), "RWrist": (-0.5, -0.5, -0.45), "LKnee": (0.1, 0.4, -0.09),
        "RKnee": (-0.1, 0.4, 0.11), "LFoot": (0.1, 0.8, 0.09), "RFoot": (-0.1, 0.8, -0.11),
    }  # fmt: skip
    return np.array([places[joint] for joint in H36M_16.joints], float)


def test_limbs_are_behind_in_or_before_the_plane_of_the_torso():
    classes = attributes_of(torch.from_numpy(figure())[None], H36M_16)[0].tolist()

    found = dict(zip([H36M_16.joints[j] for j in LIMBS], classes, strict=True))
    assert found == {
        "RKnee": 0, "RFoot": 2, "LKnee": 1, "LFoot": 1, "LElbow": 1, "LWrist": 0, "RElbow": 2,
        "RWrist": 2,
    }  # fmt: skip


@given(st.integers(0, 2**32 - 1))
def test_attributes_do_not_depend_on_where_one_stands_or_looks_from(seed):
    rng = np.random.default_rng(seed)
    R = Rotation.random(rng=rng).as_matrix()
    moved = figure() @ R.T + rng.normal(size=3)

    both = torch.from_numpy(np.stack([figure(), moved]))

    assert torch.equal(*attributes_of(both, H36M_16))


def test_the_mirror_image_has_the_attributes_of_the_other_side():
    pose = torch.from_numpy(figure())[None]
    mirrored = pose[:, H36M_16.mirror] * torch.tensor([-1.0, 1, 1])
    other = [LIMBS.index(int(H36M_16.mirror[joint])) for joint in LIMBS]

    classes = attributes_of(pose, H36M_16)
    assert torch.equal(attributes_of(mirrored, H36M_16), classes[:, other])


def test_the_loss_is_that_of_the_pose_and_the_cross_entropy_written_out(rng):
    target = torch.from_numpy(np.stack([figure(), figure()[H36M_16.mirror]]))
    pose = target + torch.from_numpy(rng.normal(0, 0.1, (2, 16, 3)))
    logits = rng.normal(size=(2, 8, 3))
    said = Attributed(pose, torch.from_numpy(logits), H36M_16)

    classes = attributes_of(target, H36M_16).numpy()
    nats = [
        -math.log(math.exp(three[k]) / sum(map(math.exp, three)))
        for three, k in zip(logits.reshape(-1, 3), classes.ravel(), strict=True)
    ]
    assert attribute_loss(said, target).item() == pytest.approx(sum(nats) / 16)
    for kind in ("mse", "mpjpe"):
        whole = loss_of(kind, pose, target) + ATTRIBUTE_WEIGHT * sum(nats) / 16
        assert loss_of(kind, said, target).item() == pytest.approx(whole.item())


def test_every_part_depends_on_every_keypoint_and_every_weight_learns():
    torch.manual_seed(0)
    network = Bidirectional(channels=6, blocks=1).double()
    x = torch.randn(16, 16, 2, dtype=torch.float64, requires_grad=True)
    said = network(x)

    for joint in (0, 2, 3):  # of each level
        (gradient,) = torch.autograd.grad(said.pose[:, joint].sum(), x, retain_graph=True)
        assert (gradient.abs().sum(dim=(0, 2)) > 0).all()
    (said.pose.square().sum() + said.attributes.square().sum()).backward()
    still = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert all(name.endswith("linear.bias") for name in still)  # before a normalisation


@given(st.integers(1, 12), st.integers(0, 3), st.sampled_from([16, 17]))
def test_a_network_is_counted_as_it_is_built(channels, blocks, joints):
    network = build_network("bidirectional", joints=joints, channels=channels, blocks=blocks)
    counted = network_complexity(
        "bidirectional",
        channels=channels,
        blocks=blocks,
        skeleton={16: H36M_16, 17: H36M_17}[joints],
    )

    assert counted.parameters == sum(p.numel() for p in network.parameters())


def test_its_products_are_counted_matrix_by_matrix():
    """At 10 channels and one block: states of 5 numbers, 24 attributes of 8 joints."""
    trunk = 32 * 10 + 2 * 10 * 10
    levels = sum((10 + 24 + 2 * own) * 10 for own in (8, 4, 4))
    recurrence = 3 * 2 * 3 * (5 * 10 + 5 * 5)  # steps, directions, gates
    outputs = sum(10 * 3 * own for own in (8, 4, 4))

    counted = bidirectional_complexity(channels=10, blocks=1)

    assert counted.macs_reduced == trunk + 10 * 24 + levels + recurrence + outputs
    assert abs(channels_for("bidirectional", 4_200_000).off) < 0.01


def test_the_exported_file_answers_as_the_network_does(tmp_path):
    torch.manual_seed(0)
    network = Bidirectional(channels=8)
    for _ in range(3):
        network(torch.randn(64, 16, 2))

    x, said = of_onnx(network, tmp_path / "m.onnx")

    with torch.inference_mode():
        theirs = network.eval()(torch.from_numpy(x))
    np.testing.assert_allclose(said["poses"], theirs.pose.numpy(), atol=1e-5)  # 0.01 mm
    np.testing.assert_allclose(said["attributes"], theirs.attributes.softmax(-1), atol=1e-5)


TINY = TrainConfig(
    steps=20,
    batch_size=32,
    evaluate_every=10,
    learning_rate=1e-2,
    tensorboard=False,
    model=ModelConfig(method="bidirectional", decouple_self=False, channels=8, dropout=0.1),
)


def test_a_run_learns_and_goes_on_where_it_was_killed(study_data, tmp_path):
    assert_learns_and_resumes(TINY, study_data, tmp_path)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({}, "bidirectional has no decoupled variant: write decouple_self = false"),
        ({"decouple_self": False, "joints": 28}, "bidirectional takes 16 or 17 joints on the scr"),
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
        parse_table(TrainConfig, {"model": {"method": "bidirectional"} | model}, "run.toml")
