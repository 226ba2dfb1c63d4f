"""From features frames last to features joint by joint: the same ONNX model in another order.

:mod:`graphlift.export_convolutions` holds features as (1, joint and channel, frame), in which
products of float32 are faster. Products of integers are faster of (joint, frame, channel), the
order that files of earlier versions have. Every value of a model with frames last has its like in
that order; changes of shape between the two have none, and a bias is added after the sum that its
product is part of.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlift.export_convolutions import FRAMES_LAST
from graphlift.onnx_graph import OnnxGraph

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

OPERATORS = {"Transpose", "Reshape", "Cast", "Conv", "Gemm", "MatMul", "Add", "Relu", "Gather"}
"""All that a model with frames last consists of."""


@dataclass(frozen=True, eq=False)
class _Value:
    """A value in the new order.

    Args:
        name: Of the features, (group, frame, channel); a group is a joint or an edge.
        channels: How many.
        bias: What is still to be added.
    """

    name: str
    channels: int
    bias: np.ndarray | None = None


def joint_by_joint(content: bytes) -> bytes:
    """Write a model with frames last as one with features joint by joint.

    Args:
        content: Of an .onnx.

    Returns:
        Content of an .onnx with the same inputs, outputs and metadata, without a seal, whose
        answers are the same but for rounding; any other model as it is.
    """
    from onnx import load_from_string, numpy_helper

    model = load_from_string(content)
    if not _has_frames_last(model):
        return content
    known = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    (_, *before), (_, *after) = (
        [axis.dim_value for axis in end.type.tensor_type.shape.dim]
        for end in (model.graph.input[0], model.graph.output[0])
    )
    values = {"keypoints": _Value("keypoints", before[1])}
    graph = OnnxGraph("{operator}{count}", "constant{count}", small=0)
    for node in model.graph.node:
        if node.op_type == "Cast":  # of a weight in half precision
            known[node.output[0]] = known[node.input[0]]
        else:
            values[node.output[0]] = _again(graph, node, known, values)
    return graph.serialise(
        {"keypoints": (np.float32, ["frame", *before])},
        {"poses": ["frame", *after]},
        name=model.graph.name,
        metadata={each.key: each.value for each in model.metadata_props if each.key != "sha256"},
    )


def _has_frames_last(model: "ModelProto") -> bool:
    nodes = list(model.graph.node)
    first = [n for n in nodes if n.op_type == "Transpose" and "keypoints" in n.input]
    kinds = {n.op_type for n in nodes}
    behind, _ = FRAMES_LAST
    return (
        "Conv" in kinds
        and kinds <= OPERATORS
        and [_attribute(n, "perm") for n in first] == [behind]
    )


def _again(
    graph: OnnxGraph,
    node: "NodeProto",
    known: Mapping[str, np.ndarray],
    values: Mapping[str, _Value],
) -> _Value:
    """Write a node in the new order."""
    x = next(values[name] for name in node.input if name in values)
    constants = [known[name] for name in node.input if name in known]
    match node.op_type:
        case "Reshape":
            return x
        case "Conv":
            return _products(graph, x, int(_attribute(node, "group")), *constants)
        case "MatMul":
            return _sum(graph, x, *constants)
        case "Gemm":
            return _added(graph, _sum(graph, x, *constants), values[node.input[2]])
        case "Add" if constants:
            (bias,) = constants
            return replace(x, name=_whole(graph, x), bias=_shared(bias, x.channels))
        case "Add":
            return _added(graph, x, values[node.input[1]])
        case "Gather":
            senders = graph.constant(*constants)
            return _Value(graph.add("Gather", _whole(graph, x), senders, axis=0), x.channels)
        case "Transpose":
            name = node.output[0] if node.output[0] == "poses" else ""
            turned = graph.add("Transpose", _whole(graph, x), name=name, perm=[1, 0, 2])
            return _Value(turned, x.channels)
        case operator:
            return _Value(graph.add(operator, _whole(graph, x)), x.channels)


def _products(
    graph: OnnxGraph,
    x: _Value,
    groups: int,
    kernels: np.ndarray,
    bias: np.ndarray | None = None,
) -> _Value:
    """Of each group's features with a matrix of its own."""
    matrices = kernels.reshape(groups, -1, x.channels).swapaxes(1, 2)
    product = graph.add("MatMul", _whole(graph, x), _stored(graph, matrices))
    channels = matrices.shape[2]
    return _Value(product, channels, None if bias is None else _shared(bias, channels))


def _sum(graph: OnnxGraph, x: _Value, a: np.ndarray) -> _Value:
    """Over groups, as heard by each joint."""
    flat = graph.add("Flatten", _whole(graph, x), axis=1)
    total = graph.add("MatMul", _stored(graph, a), flat)
    apart = graph.add("Reshape", total, graph.constant([len(a), -1, x.channels]))
    return _Value(apart, x.channels)


def _added(graph: OnnxGraph, x: _Value, y: _Value) -> _Value:
    """Biases of one of both may wait until after the sum."""
    if x.bias is None:
        return replace(y, name=graph.add("Add", x.name, y.name))
    return replace(x, name=graph.add("Add", x.name, _whole(graph, y)))


def _whole(graph: OnnxGraph, x: _Value) -> str:
    """The name of a value to which nothing is to be added any more."""
    return x.name if x.bias is None else graph.add("Add", x.name, graph.constant(x.bias))


def _shared(bias: np.ndarray, channels: int) -> np.ndarray:
    """Of a channel, if all groups have the same; else (group, 1, channel)."""
    rows = bias.reshape(-1, 1, channels)
    one: np.ndarray = rows[0, 0]
    return one if (rows == one).all() else rows


def _stored(graph: OnnxGraph, array: np.ndarray) -> str:
    """In the precision that it had."""
    return graph.weight(array) if array.dtype == np.float16 else graph.constant(array)


def _attribute(node: "NodeProto", name: str) -> Any:  # noqa: ANN401  # as the node has it
    from onnx import helper

    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), None)
