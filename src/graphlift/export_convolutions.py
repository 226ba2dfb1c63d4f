"""ONNX graphs of networks of the study's graph convolutions, with all that is constant folded.

Methods with a matrix for each joint, or each edge, hold features *frames last*: those of a joint
channel by channel, the frames of a channel side by side. The products of all joints are then one
grouped convolution of a single position, which adds the bias; a decoupled layer's sum over
neighbours, its own part, their addition and the ReLU are one Gemm. Methods with few matrices hold
features joint by joint and frame by frame: each matrix is one product of all joints and frames.
``docs/lifting-speed.md`` says what that gains.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlift.onnx_graph import OnnxGraph
from graphlift.weight_sharing import FEW, edges_of_slots

if TYPE_CHECKING:
    from graphlift.nn.graph_conv import GraphConv

Write = Callable[[str], str]
"""Writes a layer: from the name of what goes in to that of what comes out."""
FRAMES_LAST = ([1, 2, 0], [2, 0, 1])
"""Axes of the first and of the last transposition: the frames go behind, and come back."""


def convolutions_graph(graph: OnnxGraph, network: Any) -> tuple[int, int, int]:  # noqa: ANN401  # its modules have no types
    """Write a network of the study, from ``keypoints`` to ``poses``; half-precision weights.

    Returns:
        The numbers of joints, of inputs and of outputs per joint.
    """
    inner = [network.input[0], *(layer for block in network.blocks for layer in block)]
    folded = [*(_folded(each.conv, each.norm) for each in inner), _folded(network.output, None)]
    joints = network.output.joints
    before, after = folded[0].weight.shape[1], folded[-1].weight.shape[2]
    few = network.output.sharing in FEW
    layers = [partial(_by_matrix if few else _frames_last, graph, each) for each in folded]
    if not few:
        write_frames_last(graph, (joints, before, after), layers)
        return joints, before, after
    x = _residual(graph, graph.add("Transpose", "keypoints", perm=[1, 0, 2]), layers)
    graph.add("Transpose", x, name="poses", perm=[1, 0, 2])
    return joints, before, after


def write_frames_last(
    graph: OnnxGraph, sizes: tuple[int, int, int], layers: Sequence[Write]
) -> None:
    """Write residual blocks of two layers and a layer at both ends, features frames last.

    Args:
        graph: Gets the operations, from ``keypoints`` to ``poses``.
        sizes: Joints, inputs and outputs per joint.
        layers: Each takes and gives (1, joint and channel, frame).
    """
    joints, before, after = sizes
    behind, back = FRAMES_LAST
    x = _as_one(graph, graph.add("Transpose", "keypoints", perm=behind), joints * before)
    x = graph.add("Reshape", _residual(graph, x, layers), graph.constant([joints, after, -1]))
    graph.add("Transpose", x, name="poses", perm=back)


def products(
    graph: OnnxGraph, x: str, matrices: np.ndarray, bias: np.ndarray | None = None
) -> str:
    """h_g W_g + b of each group g, frames last: the matrices are (group, in, out)."""
    groups, before, _ = matrices.shape
    kernels = graph.weight(matrices.swapaxes(1, 2).reshape(-1, before, 1))
    shift = [] if bias is None else [graph.constant(np.tile(bias, groups).astype(np.float32))]
    return graph.add("Conv", x, kernels, *shift, group=groups)


def joined(
    graph: OnnxGraph, sent: str, a: np.ndarray, kept: str, channels: int, *, rectified: bool
) -> str:
    """Σ_j a_ij m_j + k_i of messages m and each joint's own part k, frames last; ReLU if asked.

    The ReLU is before the change of shape, where ONNX Runtime takes it into the sum.
    """
    joints, senders = a.shape
    total = graph.add(
        "Gemm", graph.weight(a), _as_rows(graph, sent, senders), _as_rows(graph, kept, joints)
    )
    return _as_one(graph, _rectified(graph, total, rectified), joints * channels)


@dataclass(frozen=True, eq=False)
class _Folded:
    """A convolution with its normalisation: Σ_j a_ij h_j W_s(i,j) + b, then ReLU or not."""

    conv: "GraphConv"
    a: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    rectified: bool


def _folded(conv: "GraphConv", norm: Any) -> _Folded:  # noqa: ANN401  # as above
    """Scale and shift by what the normalisation has learnt; the last layer has none."""
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
    return _Folded(conv, a, weight, bias, rectified=norm is not None)


def _residual(graph: OnnxGraph, x: str, layers: Sequence[Write]) -> str:
    first, *inner, last = layers
    x = first(x)
    for one, other in zip(inner[::2], inner[1::2], strict=True):
        x = graph.add("Add", x, other(one(x)))
    return last(x)


def _frames_last(graph: OnnxGraph, layer: _Folded, x: str) -> str:
    """A layer of the methods with a matrix for each joint or edge."""
    conv, a, weight, bias = layer.conv, layer.a, layer.weight, layer.bias
    _, before, after = weight.shape
    own, between = np.diagonal(a)[:, None, None], a - np.diag(np.diagonal(a))
    if conv.sharing == "no-sharing":
        sent, between, matrices = _edge_by_edge(graph, layer, x)
        kept = products(graph, x, own * matrices, bias)
        return joined(graph, sent, between, kept, after, rectified=layer.rectified)
    if conv.sharing == "pre-aggregation":
        if conv.decouple_self:
            near, matrices = np.split(weight, 2)
            sent, kept = products(graph, x, near), products(graph, x, own * matrices, bias)
            return joined(graph, sent, between, kept, after, rectified=layer.rectified)
        total = _summed(graph, products(graph, x, weight), a, after)
        shift = np.tile(bias, conv.joints)[:, None].astype(np.float32)
        return _rectified(graph, graph.add("Add", total, graph.constant(shift)), layer.rectified)
    if not conv.decouple_self:
        total = products(graph, _summed(graph, x, a, before), weight, bias)
        return _rectified(graph, total, layer.rectified)
    near, matrices = np.split(weight, 2)
    heard = products(graph, _summed(graph, x, between, before), near)
    total = graph.add("Add", heard, products(graph, x, own * matrices, bias))
    return _rectified(graph, total, layer.rectified)


def _edge_by_edge(graph: OnnxGraph, layer: _Folded, x: str) -> tuple[str, np.ndarray, np.ndarray]:
    """Messages of edges between joints, affinities of who hears them, each joint's own matrix."""
    conv, weight = layer.conv, layer.weight
    target, sender = conv.target.numpy(), conv.source.numpy()
    itself = target == sender
    matrices = weight[itself][np.argsort(target[itself])]
    target, sender, weight = target[~itself], sender[~itself], weight[~itself]
    before = weight.shape[1]
    apart = graph.add("Reshape", x, graph.constant([conv.joints, before, -1]))
    senders = graph.add("Gather", apart, graph.constant(sender), axis=0)
    messages = products(graph, _as_one(graph, senders, len(sender) * before), weight)
    heard = np.zeros((conv.joints, len(sender)))
    heard[target, np.arange(len(sender))] = layer.a[target, sender]
    return messages, heard, matrices


def _by_matrix(graph: OnnxGraph, layer: _Folded, x: str) -> str:
    """Aggregate for each of a few matrices, and add its large product to the total.

    ONNX Runtime takes the sum, the shift and the activation into the products.
    """
    conv, weight = layer.conv, layer.weight
    total = graph.constant(layer.bias.astype(np.float32))
    flat, rows = graph.add("Flatten", x, axis=1), graph.constant([-1, weight.shape[1]])
    for mask, matrix in zip(edges_of_slots(conv.graph, conv.slot.numpy()), weight, strict=True):
        heard = graph.add("MatMul", graph.weight(layer.a * mask), flat)
        total = graph.add("Gemm", graph.add("Reshape", heard, rows), graph.weight(matrix), total)
    total = _rectified(graph, total, layer.rectified)
    return graph.add("Reshape", total, graph.constant([conv.joints, -1, weight.shape[2]]))


def _summed(graph: OnnxGraph, x: str, a: np.ndarray, channels: int) -> str:
    """Σ_j a_ij x_j, frames last."""
    total = graph.add("MatMul", graph.weight(a), _as_rows(graph, x, a.shape[1]))
    return _as_one(graph, total, len(a) * channels)


def _rectified(graph: OnnxGraph, x: str, rectified: bool) -> str:
    return graph.add("Relu", x) if rectified else x


def _as_rows(graph: OnnxGraph, x: str, joints: int) -> str:
    return graph.add("Reshape", x, graph.constant([joints, -1]))


def _as_one(graph: OnnxGraph, x: str, channels: int) -> str:
    """One example of so many channels, whose positions are the frames."""
    return graph.add("Reshape", x, graph.constant([1, channels, -1]))
