"""ONNX against the network it came from, for every method; the card inside."""

import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from helpers.lifters import of_onnx, trained

from graphlift.card import ModelCard, read_card
from graphlift.errors import FormatError, ModelError
from graphlift.export import export_onnx
from graphlift.nn.build import build_network
from graphlift.nn.gcn import PoseGCN
from graphlift.weight_sharing import VARIANTS


def card(**changes):
    facts = {"name": "probe", "skeleton": "h36m-17", "inputs": "canonical", "method": "any"}
    return ModelCard(**(facts | {"parameters": 1} | changes))


@pytest.mark.parametrize(("method", "decoupled"), VARIANTS)
def test_the_file_answers_as_the_network_does(tmp_path, method, decoupled):
    network = trained(method, decoupled)
    export_onnx(network, card(), tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")

    for frames in (1, 5):
        x = np.random.default_rng(frames).normal(size=(frames, 17, 3)).astype(np.float32)
        (ours,) = session.run(None, {"keypoints": x})
        with torch.inference_mode():
            theirs = network(torch.from_numpy(x)).numpy()
        # Half precision: 11 bits, relative error 2^-11 a weight, over six layers.
        np.testing.assert_allclose(ours, theirs, atol=6 * 2**-11 * max(1, np.abs(theirs).max()))


NO_FRAMES = """
import sys
import numpy as np
import onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
for path in sys.argv[1:]:
    session = onnxruntime.InferenceSession(path, options)
    try:
        (said,) = session.run(None, {"keypoints": np.zeros((0, 17, 3), np.float32)})
        print(said.shape)
    except Exception as error:
        print("refused:", error)
"""


def test_of_no_frames_a_file_gives_none_or_is_refused(tmp_path):
    """In a process of its own, which a division by zero would end."""
    files = [tmp_path / "frames-last.onnx", tmp_path / "frames-between.onnx"]
    for path, method in zip(files, ("pre-aggregation", "full-sharing"), strict=True):
        export_onnx(trained(method, True), card(), path)

    done = subprocess.run(
        [sys.executable, "-c", NO_FRAMES, *files], capture_output=True, text=True, check=True
    )

    said = done.stdout.splitlines()
    assert len(said) == len(files)
    assert all(each == "(0, 17, 4)" or each.startswith("refused:") for each in said)


def test_weights_are_stored_in_half_precision(tmp_path):
    export_onnx(trained("pre-aggregation", True, channels=32), card(), tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")

    sizes = {
        kind: sum(len(c.raw_data) for c in model.graph.initializer if c.data_type == kind)
        for kind in (onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT)
    }
    # 2 × 17 matrices and an affinity of every two joints a layer, two bytes a number.
    products = 3 * 32 + 4 * 32 * 32 + 32 * 4
    assert sizes[onnx.TensorProto.FLOAT16] == 2 * (2 * 17 * products + 6 * 17 * 17)
    assert sizes[onnx.TensorProto.FLOAT] < 0.1 * sizes[onnx.TensorProto.FLOAT16]


def test_the_card_travels_inside(tmp_path):
    told = card(metrics=({"on": "test subjects", "mpjpe_mm": 1.5},), limits=("one",))
    export_onnx(trained("full-sharing", False), told, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")

    assert read_card(session.get_modelmeta().custom_metadata_map["card"], "m.onnx") == told


def test_a_network_that_half_precision_spoils_is_refused(tmp_path):
    network = trained("pre-aggregation", True)
    network.output.weight.data *= 1e3

    with pytest.raises(ModelError, match=r"would differ from the network by .* mm"):
        export_onnx(network, card(), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "m.onnx: its model card is not one of graphlift's"),
        (json.dumps({"name": "x"}), "skeleton: Field required"),
    ],
)
def test_what_is_no_card_is_refused(text, says):
    with pytest.raises(FormatError, match=says):
        read_card(text, "m.onnx")


def test_inputs_of_the_future_are_refused():
    with pytest.raises(FormatError, match=r"m\.onnx: .*'video' inputs"):
        read_card(card(inputs="video").to_json(), "m.onnx")


def test_the_fully_connected_baseline_answers_as_its_network_does(tmp_path):
    torch.manual_seed(0)
    network = build_network("martinez", channels=16)
    for _ in range(3):
        network(torch.randn(64, 16, 2))

    x, said = of_onnx(network, tmp_path / "m.onnx")

    with torch.inference_mode():
        theirs = network.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(said["poses"], theirs, atol=1e-5)  # 0.01 mm


@pytest.mark.parametrize(
    ("metres", "apart", "kept"), [(1, 2.5e-3, False), (1000, 2.5e-3, True), (1000, 4e-3, False)]
)
def test_only_the_rounding_of_large_answers_is_allowed(metres, apart, kept, tmp_path):
    """A network that answers with so many metres, and its file with as much less."""

    class Moved(PoseGCN):
        def forward(self, keypoints):
            return super().forward(keypoints) + apart

    network = Moved(channels=8, blocks=1)
    network.output.weight.data.zero_()
    network.output.bias.data.fill_(metres)

    if kept:
        of_onnx(network, tmp_path / "m.onnx")
    else:
        with pytest.raises(ModelError, match="do not fit half precision"):
            of_onnx(network, tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").exists() == kept
