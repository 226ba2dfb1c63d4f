"""What tests of every lifter need: weights that have moved, an exported file, a short run."""

import numpy as np
import onnxruntime
import torch

from graphlift.card import ModelCard
from graphlift.export import export_onnx
from graphlift.nn.build import build_network
from graphlift.training.checkpoints import read_checkpoint
from graphlift.training.loop import train
from graphlift.training.state import MODEL


def seen_something(network, joints=16):
    """A network in float64 whose weights and normalisations are not where they start."""
    torch.manual_seed(0)
    network = network.double()
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    for _ in range(3):
        network(torch.randn(64, joints, 2, dtype=torch.float64))
    return network.eval()


def trained(method, decoupled, channels=8):
    """A network of the study in float32, of canonical inputs, whose numbers have moved."""
    torch.manual_seed(0)
    network = build_network(
        method, decouple_self=decoupled, channels=channels, blocks=2, joints=17,
        inputs="canonical", sigma=True,
    )  # fmt: skip
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    for _ in range(3):
        network(torch.randn(64, 17, 3))
    return network.eval()


def shaken(module, scale=0.3):
    """In double precision, with all its numbers moved, running statistics included."""
    torch.manual_seed(0)
    module = module.double()
    for parameter in module.parameters():
        parameter.data += scale * torch.randn_like(parameter)
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return module


def normalised(norm, h):
    """Trained batch normalisation of the last axis, written out; NumPy."""
    mean, variance, scale, shift = (
        t.detach().numpy() for t in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return (h - mean) / np.sqrt(variance + norm.eps) * scale + shift


def of_onnx(network, path, joints=16, features=2):
    """Inputs of a few frames, and what an exported file answers, by name of output."""
    inputs = {2: "screen", 3: "canonical"}[features]
    facts = {"name": "probe", "skeleton": "h36m-16", "inputs": inputs, "method": "any"}
    export_onnx(network, ModelCard(**facts, parameters=1), path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).normal(0, 0.5, (5, joints, features)).astype(np.float32)
    names = [output.name for output in session.get_outputs()]
    return x, dict(zip(names, session.run(None, {"keypoints": x}), strict=True))


def finish(config, data, out, stop=None):
    """Train to the end, or drop the run after so many steps as if it were killed."""
    run = train(config, data, out)
    for progress in run:
        if progress.step == stop:
            run.close()
            return None
    return read_checkpoint(out / MODEL)


def assert_learns_and_resumes(config, data, tmp_path):
    """Loss falls, and a run that was killed ends bitwise like one that was not."""
    tensors, record = finish(config, data, tmp_path / "whole")
    losses = [line["loss"] for line in record["curve"]]
    assert losses[-1] < losses[0]
    assert np.isfinite([line["validation_mpjpe_mm"] for line in record["curve"]]).all()

    finish(config, data, tmp_path / "killed", stop=config.steps - 3)
    again, _ = finish(config, data, tmp_path / "killed")
    assert tensors.keys() == again.keys()
    assert all(torch.equal(tensor, again[name]) for name, tensor in tensors.items())
