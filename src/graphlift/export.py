"""Export of a trained network to ONNX, with all that is constant after training folded.

Affinities become constants, batch normalisation is folded into weights and biases, and the
affinity of a self-connection into its matrix. Networks of the study's graph convolutions alone,
which are shipped, have their weights stored in half precision and used in single, unless single
precision is asked for; those of others are in single precision: networks that say more than a pose
have a graph written by hand (:mod:`graphlift.export_lifters`), all others are written operation by
operation (:mod:`graphlift.nn.as_onnx`).
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlift.card import ModelCard
from graphlift.errors import ModelError
from graphlift.export_lifters import BUILDERS, Outputs
from graphlift.files import replacing
from graphlift.model_files import SEAL, sealed
from graphlift.onnx_graph import OnnxGraph
from graphlift.onnx_session import open_session
from graphlift.skeletons import SKELETONS
from graphlift.weight_sharing import FEW, edges_of_slots

if TYPE_CHECKING:
    from torch import nn

    from graphlift.nn.graph_conv import GraphConv

PARITY = 2e-3
"""m: how far half-precision weights may move a joint before an export is refused."""
EXACT = 1e-5
"""m: the same of weights in single precision."""
ROUNDING = 1e-6
"""Of the largest answer: what two orders of the same sums may differ by, in single precision."""
FEATURES = {"screen": 2, "canonical": 3, "canonical-28": 4}
"""Numbers a joint of the input, by the card."""


def export_onnx(network: "nn.Module", card: ModelCard, path: Path, *, half: bool = True) -> None:
    """Write a network of single frames as ONNX, with its card in the file.

    Inputs ``keypoints`` (frame, joint, features in), outputs ``poses`` (frame, joint, features
    out), float32; a network that says more has more outputs. The file is checked against the
    network before it is kept: joints may move by at most :data:`PARITY` where weights are stored
    in half precision, else :data:`EXACT`, and in either case by :data:`ROUNDING` of the largest
    answer: a network that has learnt little may answer with tens of metres.

    Args:
        network: A graph network, or one of :data:`graphlift.networks.LIFTERS`; in any mode, it is
            evaluated as trained.
        card: Written to the file's metadata under ``card``.
        path: Ends in .onnx.
        half: Whether weights of the study's graph convolutions are stored in half precision.

    Raises:
        ModelError: If the network does what has no counterpart in ONNX here, or the file would
            not agree with it.
        OSError: If the file cannot be written.
    """
    model, features, most = onnx_model(network, card, half=half)
    _check_parity(network, model, features, most)
    with replacing(path) as beside:
        beside.write_bytes(model)


def onnx_model(
    network: "nn.Module", card: ModelCard, *, half: bool = True
) -> tuple[bytes, tuple[int, int], float]:
    """Make the content of that file, without checking it against the network.

    Returns:
        The content; joints and numbers per joint of its input; how far joints may move, m.

    Raises:
        ModelError: If the network does what has no counterpart in ONNX here.
    """
    small = 0 if half else sys.maxsize
    graph = OnnxGraph("{operator}{count}", "constant{count}", small=small)
    outputs: Outputs
    most = EXACT
    if _is_studied(network):
        joints, before, after = _network(graph, network)
        outputs, most = {"poses": ["frame", joints, after]}, PARITY if half else EXACT
    elif builder := BUILDERS.get(type(network).__name__):
        outputs, before = builder(graph, network), FEATURES[card.inputs]
    else:
        from graphlift.nn.as_onnx import write_network

        graph = OnnxGraph()
        joints, before = len(SKELETONS[card.skeleton]), FEATURES[card.inputs]
        outputs = {"poses": ["frame", joints, write_network(graph, network, joints, before)]}
    features = (int(outputs["poses"][1]), before)
    model = graph.serialise(
        {"keypoints": (np.float32, ["frame", *features])},
        outputs,
        name=card.name,
        metadata={"card": card.to_json(), **SEAL},
    )
    return sealed(model), features, most


def _is_studied(network: Any) -> bool:  # noqa: ANN401  # its modules have no types
    """Whether a network is of graph convolutions of the study alone."""
    from graphlift.nn.gcn import PoseGCN
    from graphlift.nn.graph_conv import GraphConv

    if not isinstance(network, PoseGCN) or not isinstance(network.output, GraphConv):
        return False
    return not any([*m.parameters()] for m in (*network.mixers, network.attention))


def _network(graph: OnnxGraph, network: Any) -> tuple[int, int, int]:  # noqa: ANN401  # as above
    """Build the whole graph; return the numbers of joints, of inputs and of outputs per joint."""
    x = graph.add("Transpose", "keypoints", perm=[1, 0, 2])
    x = _layer(graph, x, network.input[0])
    for block in network.blocks:
        h = _layer(graph, _layer(graph, x, block[0]), block[1])
        x = graph.add("Add", x, h)
    x = _conv(graph, x, network.output, None)
    graph.add("Transpose", x, name="poses", perm=[1, 0, 2])
    first, last = network.input[0].conv.weight, network.output.weight
    return network.output.joints, first.shape[1], last.shape[2]


def _layer(graph: OnnxGraph, x: str, layer: Any) -> str:  # noqa: ANN401  # as in _network
    """Convolution and normalisation in one, then ReLU."""
    return _conv(graph, x, layer.conv, layer.norm, rectified=True)


def _conv(
    graph: OnnxGraph,
    x: str,
    conv: "GraphConv",
    norm: Any,  # noqa: ANN401  # as in _network
    *,
    rectified: bool = False,
) -> str:
    """Σ_j a_ij h_j W_s(i,j), scaled and shifted as the normalisation would; ReLU if asked."""
    weight, a, bias = (
        t.detach().double().numpy() for t in (conv.weight, conv.affinities(), conv.bias)
    )
    if norm is not None:
        mean, variance, gamma, beta = (
            t.detach().double().numpy()
            for t in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        )
        gain = gamma / np.sqrt(variance + norm.eps)
        weight, bias = weight * gain, (bias - mean) * gain + beta
    shift = graph.constant(bias.astype(np.float32))
    if conv.sharing in FEW:
        rows = _by_matrix(graph, x, conv, (a, weight), shift)
        rows = graph.add("Relu", rows) if rectified else rows
        return _joints_apart(graph, rows, conv.joints, weight.shape[2])
    if conv.sharing == "no-sharing":
        total = _unified(graph, x, conv, a, weight)
    elif conv.decouple_self:
        near, own = np.split(weight, 2)
        a_self = np.diagonal(a)
        between = _reduced(graph, x, conv, a - np.diag(a_self), near)
        itself = graph.add("MatMul", x, graph.weight(a_self[:, None, None] * own))
        total = graph.add("Add", between, itself)
    else:
        total = _reduced(graph, x, conv, a, weight)
    total = graph.add("Add", total, shift)
    return graph.add("Relu", total) if rectified else total


def _by_matrix(
    graph: OnnxGraph,
    x: str,
    conv: "GraphConv",
    folded: tuple[np.ndarray, np.ndarray],
    total: str,
) -> str:
    """Aggregate for each of a few matrices, and add its large product to the total.

    ONNX Runtime takes the sum, the shift and the activation into the products. Returns rows of
    joints and frames.
    """
    a, weight = folded
    flat, rows = graph.add("Flatten", x, axis=1), graph.constant([-1, weight.shape[1]])
    for mask, matrix in zip(edges_of_slots(conv.graph, conv.slot.numpy()), weight, strict=True):
        summed = graph.add("Reshape", graph.add("MatMul", graph.weight(a * mask), flat), rows)
        total = graph.add("Gemm", summed, graph.weight(matrix), total)
    return total


def _reduced(
    graph: OnnxGraph, x: str, conv: "GraphConv", a: np.ndarray, weight: np.ndarray
) -> str:
    matrices = graph.weight(weight)
    if conv.sharing == "post-aggregation":
        return graph.add("MatMul", _aggregate(graph, a, x, weight.shape[1]), matrices)
    return _aggregate(graph, a, graph.add("MatMul", x, matrices), weight.shape[2])


def _unified(
    graph: OnnxGraph, x: str, conv: "GraphConv", a: np.ndarray, weight: np.ndarray
) -> str:
    """One matrix per edge."""
    target, sender = conv.target.numpy(), conv.source.numpy()
    senders = graph.add("Gather", x, graph.constant(sender), axis=0)
    messages = graph.add("MatMul", senders, graph.weight(weight))
    incidence = np.zeros((conv.joints, len(sender)))
    incidence[target, np.arange(len(sender))] = a[target, sender]
    return _aggregate(graph, incidence, messages, weight.shape[2])


def _aggregate(graph: OnnxGraph, a: np.ndarray, messages: str, channels: int) -> str:
    flat = graph.add("Flatten", messages, axis=1)
    return _joints_apart(graph, graph.add("MatMul", graph.weight(a), flat), len(a), channels)


def _joints_apart(graph: OnnxGraph, rows: str, joints: int, channels: int) -> str:
    return graph.add("Reshape", rows, graph.constant([joints, -1, channels]))


def _check_parity(
    network: "nn.Module", model: bytes, features: tuple[int, int], most: float
) -> None:
    import torch

    probe = np.random.default_rng(0).normal(0, 0.5, (64, *features)).astype(np.float32)
    session = open_session(model, "the exported model")
    (ours,) = session.run(["poses"], {"keypoints": probe})
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        said = network(torch.from_numpy(probe))
    theirs = (said if isinstance(said, torch.Tensor) else said.pose).numpy()
    network.train(was_training)
    worst = float(np.abs(ours[..., :3] - theirs[..., :3]).max())
    if not worst < most + ROUNDING * float(np.abs(theirs[..., :3]).max()):
        precision = "half" if most == PARITY else "single"
        raise ModelError(
            f"the ONNX file would differ from the network by {worst * 1000:.3g} mm: its weights "
            f"do not fit {precision} precision; train it longer or with weight_decay"
        )
