"""ONNX graphs of networks that say more than a pose, in single precision, normalisations folded.

Each builder takes a network as it was trained and returns the shapes of its outputs by name, all
float32; the input is ``keypoints`` (frame, joint, 2).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphlift.onnx_graph import OnnxGraph

_WAYS = ("", "_reverse")
"""Endings of torch's names for the two directions of a recurrence."""

Outputs = dict[str, list[int | str]]
Network = Any
"""A network of torch, whose modules have no types."""


def mixture_graph(graph: OnnxGraph, network: Network) -> Outputs:
    """Build :class:`graphlift.nn.mixture.MixtureDensity`.

    ``poses`` are the most likely, with the logarithms of joints' standard deviations if the
    input is canonical; ``hypotheses`` (frame, hypothesis, joint, 3), ``sigma`` and ``weights``
    (frame, hypothesis) are the mixture itself.
    """
    from graphlift.nn.mixture import HYPOTHESES, LEAST, UNIT

    f = _trunk(graph, "keypoints", network)
    joints = network.poses.out_features // (3 * HYPOTHESES)

    def head(linear: Network) -> str:
        return _linear(graph, f, _array(linear.weight).T, _array(linear.bias))

    def scalar(value: float) -> str:
        return graph.constant(np.array(value, np.float32))

    shape = graph.constant([-1, HYPOTHESES, joints, 3])
    means = graph.add("Mul", head(network.poses), scalar(UNIT))
    poses = graph.add("Reshape", means, shape, name="hypotheses")
    spread = graph.add("Add", graph.add("Elu", head(network.spreads)), scalar(1))
    spread = graph.add("Mul", spread, scalar(UNIT))
    sigma = graph.add("Add", spread, scalar(LEAST), name="sigma")
    weights = graph.add("Softmax", head(network.weights), axis=-1, name="weights")

    def mean(values: str, by: str) -> str:  # over hypotheses, (frame, hypothesis, joint, number)
        each = graph.add("Unsqueeze", by, graph.constant([2, 3]))
        return graph.add(
            "ReduceSum", graph.add("Mul", each, values), graph.constant([1]), keepdims=0
        )

    outputs: Outputs = {
        "poses": ["frame", joints, 3],
        "hypotheses": ["frame", HYPOTHESES, joints, 3],
        "sigma": ["frame", HYPOTHESES],
        "weights": ["frame", HYPOTHESES],
    }
    likely = graph.add("ArgMax", weights, axis=1, keepdims=0)
    ends = graph.constant(np.array([0, 1], np.float32))
    chosen = mean(poses, graph.add("OneHot", likely, graph.constant([HYPOTHESES]), ends))
    if network.input.linear.in_features == 2 * joints:
        graph.add("Identity", chosen, name="poses")
        return outputs
    apart = graph.add("Sub", poses, graph.add("Unsqueeze", chosen, graph.constant([1])))
    apart = graph.add("ReduceMean", graph.add("Mul", apart, apart), axes=[3])
    own = graph.add("Unsqueeze", graph.add("Mul", sigma, sigma), graph.constant([2, 3]))
    log = graph.add("Log", mean(graph.add("Add", own, apart), weights))
    graph.add("Concat", chosen, graph.add("Mul", log, scalar(0.5)), axis=-1, name="poses")
    return outputs | {"poses": ["frame", joints, 4]}


def bidirectional_graph(graph: OnnxGraph, network: Network) -> Outputs:
    """Build :class:`graphlift.nn.bidirectional.Bidirectional`; attributes are probabilities.

    Its recurrence is ONNX's own operator.
    """
    f = _trunk(graph, "keypoints", network)
    limbs, joints = network.attributes.out_features // 3, len(network.skeleton)
    head = network.attributes
    logits = _linear(graph, f, _array(head.weight).T, _array(head.bias))
    logits = graph.add("Reshape", logits, graph.constant([-1, limbs, 3]))
    said = graph.add("Softmax", logits, axis=-1, name="attributes")
    said = graph.add("Flatten", said, axis=1)

    first = graph.constant([0])
    steps = []
    for part, own in zip(network.parts, network.levels, strict=True):
        keypoints = graph.add("Gather", "keypoints", graph.constant(own), axis=1)
        known = graph.add("Concat", f, said, graph.add("Flatten", keypoints, axis=1), axis=1)
        steps.append(graph.add("Unsqueeze", _dense_layer(graph, known, part), first))
    states = _gru(graph, graph.add("Concat", *steps, axis=0), network.recurrence)
    each = []
    for level, out in enumerate(network.outputs):
        state = graph.add("Gather", states, graph.constant(np.array(level)), axis=0)
        flat = _linear(graph, state, _array(out.weight).T, _array(out.bias))
        each.append(graph.add("Reshape", flat, graph.constant([-1, out.out_features // 3, 3])))
    together = graph.add("Concat", *each, axis=1)
    graph.add("Gather", together, graph.constant(network.place), axis=1, name="poses")
    return {"poses": ["frame", joints, 3], "attributes": ["frame", limbs, 3]}


def _gru(graph: OnnxGraph, steps: str, recurrence: Network) -> str:
    """Build a bidirectional gated recurrent unit: (step, frame, in) to (step, frame, 2 hidden).

    torch has the gates reset, update, new; ONNX update, reset, new.
    """

    def ordered(tensor: Any) -> np.ndarray:  # noqa: ANN401
        reset, update, new = np.split(_array(tensor), 3)
        return np.concatenate([update, reset, new])

    def both(kind: str) -> np.ndarray:
        return np.stack([ordered(getattr(recurrence, f"{kind}_l0{way}")) for way in _WAYS])

    biases = np.concatenate([both("bias_ih"), both("bias_hh")], axis=1)
    weights = (both("weight_ih"), both("weight_hh"), biases)
    states = graph.add(
        "GRU",
        *(steps, *(graph.constant(w.astype(np.float32)) for w in weights)),
        direction="bidirectional",
        hidden_size=recurrence.hidden_size,
        linear_before_reset=1,
    )  # step, direction, frame, hidden
    side_by_side = graph.add("Transpose", states, perm=[0, 2, 1, 3])
    shape = graph.constant([0, -1, 2 * recurrence.hidden_size])
    return graph.add("Reshape", side_by_side, shape)


def ordinal_depth_graph(graph: OnnxGraph, network: Network) -> Outputs:
    """Build :class:`graphlift.nn.ordinal_depth.OrdinalDepth`.

    ``depths`` (frame, joint) are those that ``poses`` were made from.
    """
    from graphlift.nn.ordinal_depth import LEAST_DEPTH, LEAST_EXTENT

    joints, root = len(network.skeleton), graph.constant([network.skeleton.root])

    def stack(x: str, part: Network, **name: str) -> str:
        f, last = _trunk(graph, x, part), part.output
        return _linear(graph, f, _array(last.weight).T, _array(last.bias), **name)

    def about_root(x: str, axes: list[int], least: float) -> str:
        x = graph.add("Sub", x, graph.add("Gather", x, root, axis=1))
        largest = graph.add("ReduceMax", graph.add("Abs", x), axes=axes)
        at_least = graph.constant(np.array(least, np.float32))
        return graph.add("Div", x, graph.add("Max", largest, at_least))

    depths = stack("keypoints", network.depths, name="depths")
    xy, z = about_root("keypoints", [1, 2], LEAST_EXTENT), about_root(depths, [1], LEAST_DEPTH)
    z = graph.add("Unsqueeze", z, graph.constant([2]))
    flat = stack(graph.add("Concat", xy, z, axis=2), network.reconstruction)
    graph.add("Reshape", flat, graph.constant([-1, joints, 3]), name="poses")
    return {"poses": ["frame", joints, 3], "depths": ["frame", joints]}


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


def _linear(
    graph: OnnxGraph, x: str, weight: np.ndarray, bias: np.ndarray, *, name: str = ""
) -> str:
    """Multiply rows by a matrix (in, out) and add a bias."""
    both = (graph.constant(a.astype(np.float32)) for a in (weight, bias))
    return graph.add("Gemm", x, *both, name=name)


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
    "MixtureDensity": mixture_graph,
    "Bidirectional": bidirectional_graph,
    "OrdinalDepth": ordinal_depth_graph,
}
"""The builder of each network, by the name of its class."""
