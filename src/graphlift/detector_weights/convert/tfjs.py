"""MoveNet multipose's TensorFlow.js graph -> ONNX: exactly the operators that it has.

Feature maps keep the original's layout, (batch, row, column, channel): a convolution is transposed
on both sides, and ONNX Runtime removes the transpositions again. Every integer becomes int64,
ONNX's index type. Anything that this model does not have is refused by name.

Source: TensorFlow's ``NodeDef`` as JSON, and the op reference for what each computes.
"""

import base64
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphlift.detector_weights.convert import (
    CHANNELS_FIRST,
    CHANNELS_LAST,
    check_operator,
    reading_model,
)
from graphlift.errors import FormatError
from graphlift.onnx_graph import OnnxGraph, Shape
from graphlift.words import plain

BEYOND = 2**31
"""An index beyond the end of every axis."""


@dataclass(frozen=True)
class TfjsNode:
    """One node of the graph: its inputs as (node, output number), its attributes as written."""

    op: str
    name: str
    inputs: tuple[tuple[str, int], ...]
    attributes: Mapping[str, Any]

    def __str__(self) -> str:
        """Describe it for a message."""
        return f"{self.op} {plain(self.name)}"

    def attribute(self, key: str, default: Any = None) -> Any:  # noqa: ANN401
        """Read an attribute: a number, a truth value, a name, a type such as DT_FLOAT, a list."""
        stored = self.attributes.get(key)
        if not stored:
            return default
        ((kind, value),) = stored.items()
        if kind == "list":
            ((kind, values),) = value.items()
            return [_decode(kind, each) for each in values]
        return _decode(kind, value)


def _decode(kind: str, value: Any) -> Any:  # noqa: ANN401
    """Decode a value: integers are stored as text, and text in base64."""
    if kind == "i":
        return int(value)
    return base64.b64decode(value).decode() if kind == "s" else value


@dataclass(frozen=True)
class TfjsConversion:
    """The model's constants, the values computed so far by node and output, and the graph."""

    constants: Mapping[str, np.ndarray]
    values: dict[tuple[str, int], str] = field(default_factory=dict)
    graph: OnnxGraph = field(default_factory=OnnxGraph)

    def value(self, node: TfjsNode, position: int) -> str:
        """Return the name of a node's input in the graph, stored or computed."""
        source = node.inputs[position]
        if source in self.values:
            return self.values[source]
        if source[0] not in self.constants:
            raise FormatError(f"{node} works on {plain(source[0])}, which comes later")
        stored = self.constants[source[0]]
        return (self.graph.weight if stored.dtype.kind == "f" else self.graph.constant)(stored)

    def constant(self, node: TfjsNode, position: int) -> np.ndarray:
        """Return a stored input of a node."""
        name, _ = node.inputs[position]
        if name not in self.constants:
            raise FormatError(f"{node} has a computed {plain(name)}: MoveNet's is stored")
        return self.constants[name]


def convert_tfjs(description: bytes, weights: bytes) -> bytes:
    """Convert a model.

    Args:
        description: The graph and the list of its weights (``.json``).
        weights: All weights, one after another (``.bin``).

    Returns:
        The ONNX file: input ``image`` (1, height, width, 3), int32, output ``people`` as in the
        original.

    Raises:
        FormatError: If a file is damaged, or has an operator or a setting that MoveNet multipose
            does not have.
    """
    with reading_model(
        f"{len(description)} and {len(weights)} bytes are no TensorFlow.js graph model"
    ):
        model = json.loads(description)
        return _convert(model, _read_weights(model["weightsManifest"], weights))


def _read_weights(manifest: list[dict[str, Any]], data: bytes) -> dict[str, np.ndarray]:
    """Split the file into weights; those in half precision stay so."""
    constants, at = {}, 0
    for weight in (each for group in manifest for each in group["weights"]):
        stored = str(weight.get("quantization", weight)["dtype"])
        if stored not in ("float32", "float16", "int32"):
            raise FormatError(
                f"weight {plain(weight['name'])} has the element type {plain(stored)}"
            )
        count = math.prod(map(int, weight["shape"]))
        array = np.frombuffer(data, stored, count, at).reshape(weight["shape"])
        constants[str(weight["name"])] = array
        at += array.nbytes
    if at != len(data):
        raise FormatError(f"the weights are {len(data)} bytes long, the graph lists {at}")
    return constants


def _convert(model: dict[str, Any], constants: dict[str, np.ndarray]) -> bytes:
    conversion = TfjsConversion(constants)
    taken: dict[str, tuple[type[np.generic], Shape]] = {}
    for node in map(_read_node, model["modelTopology"]["node"]):
        if node.op == "Const":
            continue
        if node.op == "Placeholder":
            conversion.values[node.name, 0] = "image"
            sides = [int(side["size"]) for side in node.attribute("shape")["dim"]]
            free = ["batch", "height", "width", "channel"]
            shape: Shape = [s if s > 0 else name for s, name in zip(sides, free, strict=True)]
            taken["image"] = (np.int32, shape)
            continue
        check_operator(node.op, OPERATORS)
        made = OPERATORS[node.op](conversion, node)
        for number, value in enumerate(made if isinstance(made, list) else [made]):
            conversion.values[node.name, number] = value
    (output,) = model["signature"]["outputs"].values()
    conversion.graph.add("Identity", conversion.values[_source(output["name"])], name="people")
    made_shape: Shape = [int(side["size"]) for side in output["tensorShape"]["dim"]]
    return conversion.graph.serialise(taken, {"people": made_shape})


def _read_node(node: dict[str, Any]) -> TfjsNode:
    inputs = tuple(_source(each) for each in node.get("input", []))
    return TfjsNode(str(node["op"]), str(node["name"]), inputs, node.get("attr", {}))


def _source(text: str) -> tuple[str, int]:
    """Split ``name:1`` into node and output number; a name alone is its output 0."""
    name, _, number = text.partition(":")
    return name, int(number or 0)


def _renamed(operator: str) -> Callable[[TfjsConversion, TfjsNode], str]:
    """Convert to an ONNX operator that computes the same from the same inputs."""

    def convert(c: TfjsConversion, node: TfjsNode) -> str:
        return c.graph.add(operator, *(c.value(node, k) for k in range(len(node.inputs))))

    return convert


def _spatial(
    c: TfjsConversion,
    node: TfjsNode,
    operator: str,
    *parameters: str,
    **settings: Any,  # noqa: ANN401
) -> str:
    """Add an operator over rows and columns, channels first inside."""
    value = c.graph.add("Transpose", c.value(node, 0), perm=CHANNELS_FIRST)
    value = c.graph.add(operator, value, *parameters, **settings)
    for activation in node.attribute("fused_ops", ()):
        if activation == "Relu":
            value = c.graph.add("Relu", value)
        elif activation == "Relu6":
            value = c.graph.add_clip(value, 0, 6)
        elif activation != "BiasAdd":
            raise FormatError(f"{node} is fused with {plain(activation)}: not MoveNet's")
    return c.graph.add("Transpose", value, perm=CHANNELS_LAST)


def _window(node: TfjsNode) -> dict[str, Any]:
    if node.attribute("data_format") != "NHWC":
        raise FormatError(f"{node} does not have its channels last")
    padding = {"SAME": "SAME_UPPER", "VALID": "VALID"}[node.attribute("padding")]
    return {"strides": node.attribute("strides")[1:3], "auto_pad": padding}


def _convolve(c: TfjsConversion, node: TfjsNode) -> str:
    if node.attribute("dilations") != [1, 1, 1, 1]:
        raise FormatError(f"{node} is dilated: MoveNet's never are")
    weights = c.constant(node, 1)
    rows, columns, channels, _ = weights.shape
    if "Depthwise" in node.op:
        groups, weights = channels, weights.transpose(2, 3, 0, 1).reshape(-1, 1, rows, columns)
    else:
        groups, weights = 1, weights.transpose(3, 2, 0, 1)
    bias = [c.value(node, 2)] if "BiasAdd" in node.attribute("fused_ops", ()) else []
    settings = {"kernel_shape": [rows, columns], "group": groups, **_window(node)}
    return _spatial(c, node, "Conv", c.graph.weight(weights), *bias, **settings)


def _pool(c: TfjsConversion, node: TfjsNode) -> str:
    kernel = node.attribute("ksize")[1:3]
    return _spatial(c, node, "MaxPool", kernel_shape=kernel, **_window(node))


def _resize(c: TfjsConversion, node: TfjsNode) -> str:
    if node.attribute("align_corners", False) or not node.attribute("half_pixel_centers", False):
        raise FormatError(f"{node} does not map pixel centres: MoveNet's do")
    shape = c.graph.add("Shape", c.value(node, 0))
    kept = c.graph.add("Gather", shape, c.graph.constant([0, 3]))
    size = c.graph.add("Concat", kept, c.value(node, 1), axis=0)
    way = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return _spatial(c, node, "Resize", "", "", size, **way)


def _cast(c: TfjsConversion, node: TfjsNode) -> str:
    if node.attribute("DstT") != "DT_FLOAT":
        raise FormatError(f"{node} makes {plain(node.attribute('DstT'))}: MoveNet's make DT_FLOAT")
    return c.graph.add_float(c.value(node, 0))


def _floor_divide(c: TfjsConversion, node: TfjsNode) -> str:
    """Divide integers that are never negative: there, ONNX's rounding towards 0 is the floor."""
    if node.attribute("T") != "DT_INT32":
        raise FormatError(f"{node} is of {plain(node.attribute('T'))}: MoveNet's of DT_INT32")
    return c.graph.add("Div", c.value(node, 0), c.value(node, 1))


def _squared_difference(c: TfjsConversion, node: TfjsNode) -> str:
    difference = c.graph.add("Sub", c.value(node, 0), c.value(node, 1))
    return c.graph.add("Mul", difference, difference)


def _expand(c: TfjsConversion, node: TfjsNode) -> str:
    axis = c.graph.constant([int(c.constant(node, 1))])
    return c.graph.add("Unsqueeze", c.value(node, 0), axis)


def _squeeze(c: TfjsConversion, node: TfjsNode) -> str:
    return c.graph.add(
        "Squeeze", c.value(node, 0), c.graph.constant(node.attribute("squeeze_dims"))
    )


def _fill(c: TfjsConversion, node: TfjsNode) -> str:
    return c.graph.add("Expand", c.value(node, 1), c.value(node, 0))


def _argmax(c: TfjsConversion, node: TfjsNode) -> str:
    axis = int(c.constant(node, 1))
    return c.graph.add("ArgMax", c.value(node, 0), axis=axis, keepdims=0)


def _reduce(c: TfjsConversion, node: TfjsNode) -> str:
    axes = np.atleast_1d(c.constant(node, 1)).tolist()
    keep = int(node.attribute("keep_dims", False))
    if node.op == "Max":  # its axes became an input only after our opset
        return c.graph.add("ReduceMax", c.value(node, 0), axes=axes, keepdims=keep)
    return c.graph.add("ReduceSum", c.value(node, 0), c.graph.constant(axes), keepdims=keep)


def _concatenate(c: TfjsConversion, node: TfjsNode) -> str:
    *parts, axis = range(len(node.inputs))
    values = [c.value(node, k) for k in parts]
    return c.graph.add("Concat", *values, axis=int(c.constant(node, axis)))


def _pack(c: TfjsConversion, node: TfjsNode) -> str:
    axis = node.attribute("axis", 0)
    at = c.graph.constant([axis])
    parts = [c.graph.add("Unsqueeze", c.value(node, k), at) for k in range(len(node.inputs))]
    return c.graph.add("Concat", *parts, axis=axis)


def _unpack(c: TfjsConversion, node: TfjsNode) -> list[str]:
    count, axis = node.attribute("num", 0), node.attribute("axis", 0)
    pieces = c.graph.add_many(
        "Split",
        c.value(node, 0),
        c.graph.constant([1] * count),
        names=[""] * count,
        axis=axis,
    )
    return [c.graph.add("Squeeze", piece, c.graph.constant([axis])) for piece in pieces]


def _split(c: TfjsConversion, node: TfjsNode) -> list[str]:
    names, axis = [""] * node.attribute("num_split", 0), int(c.constant(node, 0))
    return c.graph.add_many("Split", c.value(node, 1), names=names, axis=axis)


def _top(c: TfjsConversion, node: TfjsNode) -> list[str]:
    count = c.graph.add("Reshape", c.value(node, 1), c.graph.constant([1]))
    return c.graph.add_many("TopK", c.value(node, 0), count, names=["", ""], axis=-1)


def _slice(c: TfjsConversion, node: TfjsNode) -> str:
    """Slice, remove and insert axes; bit k of each mask holds for entry k of the slice."""
    begin, end, step = (c.constant(node, k).tolist() for k in (1, 2, 3))
    if node.attribute("ellipsis_mask", 0) or set(step) != {1}:
        raise FormatError(f"{node} has an ellipsis or steps: MoveNet's have none")

    def marked(mask: str, k: int) -> bool:
        return bool(node.attribute(f"{mask}_mask", 0) >> k & 1)

    starts: list[int] = []
    stops: list[int] = []
    dropped: list[int] = []
    inserted: list[int] = []
    for k, first in enumerate(begin):
        if marked("new_axis", k):
            inserted.append(k - len(dropped))
            continue
        starts.append(0 if marked("begin", k) else first)
        if marked("shrink_axis", k):
            stops.append(first + 1 or BEYOND)
            dropped.append(len(starts) - 1)
        else:
            stops.append(BEYOND if marked("end", k) else end[k])
    value, constant = c.value(node, 0), c.graph.constant
    axes = constant(list(range(len(starts))))
    value = c.graph.add("Slice", value, constant(starts), constant(stops), axes)
    if dropped:
        value = c.graph.add("Squeeze", value, constant(dropped))
    return c.graph.add("Unsqueeze", value, constant(inserted)) if inserted else value


OPERATORS: Mapping[str, Callable[[TfjsConversion, TfjsNode], str | list[str]]] = {
    **{op: _renamed(op) for op in ("Abs", "Equal", "Exp", "Greater", "Identity", "Less", "Mul")},
    **{op: _renamed(op) for op in ("Range", "Reciprocal", "Reshape", "Shape", "Sigmoid", "Size")},
    **{op: _renamed(op) for op in ("Sub", "Tile")},
    "AddN": _renamed("Sum"),
    "AddV2": _renamed("Add"),
    "ArgMax": _argmax,
    "Cast": _cast,
    "ConcatV2": _concatenate,
    "DepthwiseConv2dNative": _convolve,
    "ExpandDims": _expand,
    "Fill": _fill,
    "FloorDiv": _floor_divide,
    "FusedDepthwiseConv2dNative": _convolve,
    "GatherNd": _renamed("GatherND"),
    "GreaterEqual": _renamed("GreaterOrEqual"),
    "LogicalAnd": _renamed("And"),
    "Max": _reduce,
    "MaxPool": _pool,
    "Maximum": _renamed("Max"),
    "Minimum": _renamed("Min"),
    "Pack": _pack,
    "RealDiv": _renamed("Div"),
    "ResizeBilinear": _resize,
    "Select": _renamed("Where"),
    "Split": _split,
    "SquaredDifference": _squared_difference,
    "Squeeze": _squeeze,
    "StridedSlice": _slice,
    "Sum": _reduce,
    "TopKV2": _top,
    "Unpack": _unpack,
    "_FusedConv2D": _convolve,
}
