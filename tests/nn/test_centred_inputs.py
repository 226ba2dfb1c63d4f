"""Centred inputs: each joint against the root, over the person's size, beside where it is."""

import numpy as np
import onnxruntime
import pytest
import torch
from helpers.lifters import shaken
from hypothesis import given
from hypothesis import strategies as st

from graphlift.card import ModelCard
from graphlift.complexity import network_complexity
from graphlift.errors import ConfigError
from graphlift.export import export_onnx
from graphlift.nn.build import build_network
from graphlift.nn.gcn import beside_centred
from graphlift.skeletons import H36M_16
from graphlift.training.config import read_config


def test_the_two_numbers_are_those_of_the_formula():
    screen = np.random.default_rng(0).normal(size=(3, 16, 2))

    found = beside_centred(torch.from_numpy(screen), root=0).numpy()

    for frame, said in zip(screen, found, strict=True):
        size = np.mean([abs(frame[j, k] - frame[0, k]) for j in range(16) for k in range(2)])
        np.testing.assert_array_equal(said[:, :2], frame)
        np.testing.assert_allclose(said[:, 2:], (frame - frame[0]) / size, rtol=1e-4)


@given(st.floats(0.2, 5), st.floats(-1, 1), st.floats(-1, 1))
def test_they_stay_where_a_person_moves_or_grows(scale, right, down):
    screen = torch.randn(2, 16, 2, generator=torch.Generator().manual_seed(1)).double()

    moved = beside_centred(scale * screen + torch.tensor([right, down]), root=0)

    torch.testing.assert_close(
        moved[..., 2:], beside_centred(screen, root=0)[..., 2:], rtol=1e-4, atol=1e-5
    )


def test_a_pose_of_one_point_stays_finite():
    assert torch.isfinite(beside_centred(torch.full((1, 16, 2), 0.3), root=0)).all()


@pytest.mark.parametrize(
    "method", ["pre-aggregation", "no-sharing", "full-sharing", "semgcn", "modulated"]
)
def test_sizes_are_counted(method):
    for inputs in ("screen", "centred"):
        network = build_network(method, channels=6, blocks=2, inputs=inputs)
        counted = network_complexity(method, channels=6, blocks=2, inputs=inputs)
        assert counted.parameters == sum(p.numel() for p in network.parameters())


def test_the_onnx_file_answers_as_the_network_does(tmp_path):
    torch.manual_seed(0)
    options = {"channels": 8, "blocks": 2, "decouple_self": True, "inputs": "centred"}
    network = shaken(build_network("pre-aggregation", **options), 0.05).float().eval()
    facts = {"name": "probe", "skeleton": H36M_16.name, "inputs": "screen", "method": "any"}

    export_onnx(network, ModelCard(**facts, parameters=1), tmp_path / "m.onnx")

    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    x = torch.randn(6, 16, 2)
    with torch.inference_mode():
        np.testing.assert_allclose(
            session.run(None, {"keypoints": x.numpy()})[0], network(x).numpy(), atol=1e-5
        )


def test_other_networks_refuse_them(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('data = "prior"\n[model]\ninputs = "centred"\n')

    assert read_config(path).model.inputs == "centred"
    for method in ("martinez", "htnet"):
        with pytest.raises(ConfigError, match=rf"{method} has no centred inputs"):
            read_config(path, [f'model.method = "{method}"', "model.decouple_self = false"])
