"""The network alone as ONNX: every one of a study, and imported ones, within 0.01 mm."""

from dataclasses import asdict

import numpy as np
import onnxruntime
import pytest
import torch
from helpers.command import assert_refused, here
from helpers.foreign_files import saved, tensors
from helpers.foreign_others import graformer, graformer_weights

from graphlift.card import read_card
from graphlift.errors import ModelError
from graphlift.nn.build import build_network
from graphlift.study.objectives import OBJECTIVES
from graphlift.study.plan import NAMES
from graphlift.study.release import export_network
from graphlift.training.checkpoints import write_checkpoint
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.evaluation import pose_of
from graphlift.training.foreign import import_checkpoint

NETWORKS = [name for name in NAMES if name not in OBJECTIVES]


def left(path, **model):
    """A network whose weights are not where they start, and the file that its run left."""
    loss = "likelihood" if model["method"] == "mixture" else "mse"
    random = {"cameras": "random"} if model.get("inputs") == "canonical" else {}
    config = TrainConfig(model=ModelConfig(**model), loss=loss, **random)
    torch.manual_seed(0)
    network = build_network(**asdict(config.model))
    shape = config.model.joints, 3 if random else 2
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    for _ in range(3):
        network(torch.randn(32, *shape))
    record = {"config": asdict(config), "data": "people", "data_digest": "12ab", "licence": "CC0"}
    write_checkpoint(path, network.state_dict(), record)
    return network.eval(), shape


def answer(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    card = read_card(session.get_modelmeta().custom_metadata_map["card"], str(path))
    return session.run(["poses"], {"keypoints": x})[0], card


def agrees(network, shape, path):
    x = np.random.default_rng(1).normal(0, 0.5, (7, *shape)).astype(np.float32)
    ours, card = answer(path, x)
    with torch.inference_mode():
        theirs = pose_of(network(torch.from_numpy(x))).numpy()
    # 0.01 mm, and rounding: a network that has learnt nothing may answer with metres.
    assert np.abs(ours - theirs).max() < 1e-5 + 1e-6 * np.abs(theirs).max()
    return card


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_a_study_is_exported_as_it_is(name, tmp_path):
    method, decoupled = NAMES[name]
    model = {"method": method, "decouple_self": decoupled, "channels": 8, "blocks": 1}
    network, shape = left(tmp_path / "model.safetensors", **model)

    card = export_network(tmp_path / "model.safetensors", "alone", tmp_path)

    assert agrees(network, shape, tmp_path / "alone.onnx") == card
    assert (card.skeleton, card.inputs) == ("h36m-16", "screen")
    assert card.method.endswith(method)
    assert card.method.startswith("decoupled ") == decoupled
    assert card.parameters == sum(p.numel() for p in network.parameters())
    assert (card.data, card.data_digest) == ("people", "12ab")
    assert card.licence.endswith("CC0")
    assert "sizes" not in card.to_text()


@pytest.mark.parametrize(
    ("options", "inputs"),
    [
        ({"method": "htnet", "inputs": "centred", "mirrored": True}, "screen"),
        ({"method": "modulated", "non_local": "embedded", "joints": 17}, "screen"),
        ({"method": "lcn", "learnt_mask": True, "joints": 17}, "screen"),
        (
            {"method": "no-sharing", "inputs": "canonical", "sigma": True, "joints": 17},
            "canonical",
        ),
    ],
)
def test_so_is_one_with_options(options, inputs, tmp_path):
    model = options | {"decouple_self": False, "channels": 8, "blocks": 1}
    network, shape = left(tmp_path / "model.safetensors", **model)

    card = export_network(tmp_path / "model.safetensors", "alone", tmp_path / "made")

    assert agrees(network, shape, tmp_path / "made" / "alone.onnx").inputs == inputs
    assert card.skeleton == f"h36m-{model.get('joints', 16)}"


def test_an_imported_network_answers_as_its_own_code_does(tmp_path, rng):
    state = graformer_weights(rng)
    saved(tmp_path / "theirs.pth.tar", tensors(state))
    import_checkpoint(tmp_path / "theirs.pth.tar", "graformer", tmp_path / "ours.safetensors")

    said = here(
        *("model", "export", tmp_path / "ours.safetensors", "--network"),
        *("-o", tmp_path, "--name", "theirs"),
    )

    assert (said.status, said.out) == (0, f"{tmp_path / 'theirs.onnx'}\n")
    x = rng.normal(size=(3, 16, 2)).astype(np.float32)
    ours, card = answer(tmp_path / "theirs.onnx", x)
    expected = graformer(state, x, 2)
    np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max())
    assert "theirs.pth.tar" in card.data
    told = here("model", "info", tmp_path / "theirs.onnx")
    assert "root-relative position, m, axes of the camera" in told.out
    refused = here("lift", "sample", "--model", tmp_path / "theirs.onnx", "-o", tmp_path / "x.npz")
    assert_refused(refused, "takes keypoints [16, 2]", "lifting needs h36m-17")


def test_what_is_no_network_of_single_frames_or_is_not_scored_is_refused(tmp_path):
    config = TrainConfig(
        cameras="random",
        loss="mpjpe",
        model=ModelConfig(
            method="over-time", decouple_self=False, channels=4, joints=28,
            inputs="canonical", sigma=True,
        ),
    )  # fmt: skip
    path = tmp_path / "model.safetensors"
    network = build_network("over-time", channels=4)
    write_checkpoint(path, network.state_dict(), {"config": asdict(config)})

    with pytest.raises(ModelError, match="no network of single frames"):
        export_network(path, "alone", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    said = here("model", "export", path, "--network", "--data", "prior", "-o", tmp_path)
    assert_refused(said, "--data", "leave it out with --network")
