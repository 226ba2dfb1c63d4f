"""ONNX graphs of :data:`graphlift.networks.LIFTERS`, in single precision, normalisations folded.

Each builder takes a network as it was trained and returns the shapes of its outputs by name, all
float32; the input is ``keypoints`` (frame, joint, 2).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphlift.onnx_graph import OnnxGraph

Outputs = dict[str, list[int | str]]
Network = Any
"""A network of torch, whose modules have no types."""


def martinez_graph(graph: OnnxGraph, network: Network) -> Outputs:
    """Build :class:`graphlift.nn.baselines.Martinez`."""
    h = _trunk(graph, "keypoints", network)
    joints = network.output.out_features // 3
    flat = _linear(graph, h, _array(network.output.weight).T, _array(network.output.bias))
    graph.add("Reshape", flat, graph.constant([-1, joints, 3]), name="poses")
    return {"poses": ["frame", joints, 3]}


def lcn_graph(graph: OnnxGraph, network: Network) -> Outputs:
    """Build :class:`graphlift.nn.locally_connected.LocallyConnected`: a product a layer."""
    from graphlift.nn.locally_connected import SLOPE

    mask, joints = network.mask(), network.output.joints

    def layer(x: str, layer: Network) -> str:
        weight, bias = _array(layer.linear.dense(mask)), _array(layer.linear.bias)
        gain, shift = (np.tile(each, joints) for each in _normalisation(layer.norm))
        folded = _linear(graph, x, weight * gain, bias.ravel() * gain + shift)
        return graph.add("LeakyRelu", folded, alpha=SLOPE)

    h = layer(graph.add("Flatten", "keypoints", axis=1), network.input)
    for first, second in network.blocks:
        h = graph.add("Add", h, layer(layer(h, first), second))
    last = network.output
    flat = _linear(graph, h, _array(last.dense(mask)), _array(last.bias).ravel())
    graph.add("Reshape", flat, graph.constant([-1, joints, 3]), name="poses")
    return {"poses": ["frame", joints, 3]}


def _trunk(graph: OnnxGraph, keypoints: str, network: Network) -> str:
    """Build the residual blocks of a vector, up to the output layer."""
    h = _dense_layer(graph, graph.add("Flatten", keypoints, axis=1), network.input)
    for first, second in network.blocks:
        h = graph.add("Add", h, _dense_layer(graph, _dense_layer(graph, h, first), second))
    return h


def _dense_layer(graph: OnnxGraph, x: str, layer: Network) -> str:
    """Build :class:`graphlift.nn.baselines.DenseLayer`."""
    gain, shift = _normalisation(layer.norm)
    weight, bias = _array(layer.linear.weight).T, _array(layer.linear.bias)
    return graph.add("Relu", _linear(graph, x, weight * gain, bias * gain + shift))


def _linear(graph: OnnxGraph, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
    """Multiply rows by a matrix (in, out) and add a bias."""
    return graph.add("Gemm", x, *(graph.constant(a.astype(np.float32)) for a in (weight, bias)))


def _normalisation(norm: Network) -> tuple[np.ndarray, np.ndarray]:
    """What a trained batch normalisation multiplies by, and then adds."""
    mean, variance, gamma, beta = map(
        _array, (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    gain = gamma / np.sqrt(variance + norm.eps)
    return gain, beta - mean * gain


def _array(tensor: Any) -> np.ndarray:  # noqa: ANN401  # torch's, which is not imported here
    return np.asarray(tensor.detach().double().cpu().numpy())


BUILDERS: Mapping[str, Callable[[OnnxGraph, Network], Outputs]] = {
    "Martinez": martinez_graph,
    "LocallyConnected": lcn_graph,
}
"""The builder of each network, by the name of its class."""
