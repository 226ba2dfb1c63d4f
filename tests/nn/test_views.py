"""Centred inputs of any network, and answers that are the mean with the mirror image's."""

import numpy as np
import onnxruntime
import pytest
import torch
from helpers.lifters import shaken
from hypothesis import given
from hypothesis import strategies as st

from graphlift.card import ModelCard
from graphlift.complexity import network_complexity
from graphlift.errors import ConfigError, ModelError
from graphlift.export import export_onnx
from graphlift.networks import ANY_FEATURES
from graphlift.nn.build import build_network
from graphlift.nn.views import beside_centred
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
    "method",
    ["pre-aggregation", "no-sharing", "full-sharing", "semgcn", "modulated", *ANY_FEATURES],
)
def test_sizes_are_counted(method):
    for inputs in ("screen", "centred"):
        network = build_network(method, channels=6, blocks=2, inputs=inputs)
        counted = network_complexity(method, channels=6, blocks=2, inputs=inputs)
        assert counted.parameters == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("method", ["pre-aggregation", *ANY_FEATURES])
def test_the_onnx_file_answers_as_the_network_does(method, tmp_path):
    torch.manual_seed(0)
    options = {"channels": 8, "blocks": 1, "inputs": "centred", "mirrored": True}
    network = shaken(build_network(method, **options), 0.05).float().eval()
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
    with pytest.raises(ConfigError, match="martinez takes 16 joints on the screen"):
        read_config(path, ['model.method = "martinez"', "model.decouple_self = false"])


# Answers that are the mean of those for the pose and for its mirror image


def test_the_answer_is_the_mean_over_the_pose_and_its_mirror_image():
    torch.manual_seed(1)
    options = {"channels": 6, "blocks": 1, "inputs": "centred"}
    once = shaken(build_network("no-sharing", **options), 0.2).float().eval()
    both = build_network("no-sharing", mirrored=True, **options).eval()
    both.load_state_dict(once.state_dict())
    x = torch.randn(3, 16, 2)

    swapped = torch.stack([x[:, other] for other in H36M_16.mirror], dim=1)
    other = once(torch.stack([-swapped[..., 0], swapped[..., 1]], dim=-1))
    back = torch.stack([other[:, joint] for joint in H36M_16.mirror], dim=1)
    back = torch.stack([-back[..., 0], back[..., 1], back[..., 2]], dim=-1)

    torch.testing.assert_close(both(x), (once(x) + back) / 2)
    both.train()
    once.train()
    torch.testing.assert_close(both(x), once(x))  # training sees each pose once


def test_a_mirrored_pose_has_the_mirrored_answer_in_the_onnx_file_too(tmp_path):
    torch.manual_seed(2)
    network = build_network("pre-aggregation", channels=6, blocks=1, mirrored=True)
    network = shaken(network, 0.2).float().eval()
    facts = {"name": "probe", "skeleton": H36M_16.name, "inputs": "screen", "method": "any"}
    export_onnx(network, ModelCard(**facts, parameters=1), tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    x = np.random.default_rng(0).normal(size=(4, 16, 2)).astype(np.float32)

    straight = session.run(None, {"keypoints": x})[0]
    turned = session.run(None, {"keypoints": x[:, H36M_16.mirror] * np.float32([-1, 1])})[0]

    np.testing.assert_allclose(turned[:, H36M_16.mirror] * [-1, 1, 1], straight, atol=1e-5)


def test_it_costs_twice_as_much_and_is_no_larger():
    once, both = (
        network_complexity("modulated", channels=8, mirrored=mirrored)
        for mirrored in (False, True)
    )
    assert both.parameters == once.parameters
    assert both.macs_reduced == 2 * once.macs_reduced


def test_networks_without_a_mirror_image_refuse_it(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('data = "prior"\n[model]\nmirrored = true\n')

    assert read_config(path).model.mirrored
    with pytest.raises(ConfigError, match="mixture gives no mean with the mirror image"):
        read_config(path, ['model.method = "mixture"', "model.decouple_self = false"])
    with pytest.raises(ConfigError, match="canonical inputs have no mirror image"):
        read_config(
            path, ['model.inputs = "canonical"', 'cameras = "random"', "model.joints = 17"]
        )


@pytest.mark.parametrize(
    ("method", "keys"),
    [
        ("mixture", {}),
        ("bidirectional", {}),
        ("ordinal-depth", {}),
        ("pre-aggregation", {"inputs": "canonical"}),
        ("htnet", {"joints": 28}),
    ],
)
def test_networks_whose_answers_are_more_than_positions_are_not_built_mirrored(method, keys):
    with pytest.raises(ModelError, match=f"{method} of .* gives no mean with the mirror image"):
        build_network(method, channels=8, mirrored=True, **keys)
