"""BlazePose's TensorFlow Lite models -> ONNX: exactly the operators that they have.

Inside, feature maps are (batch, channel, row, column), as ONNX Runtime wants them; the batch may
be of any length. Anything these models do not have is refused by name.

Source: ``schema.fbs`` of TensorFlow Lite for what an operator stores; ONNX's operator pages for
what it becomes.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.video.onnx_graph import OnnxGraph, Shape
from graphlift.video.tflite_tensors import read_constant, shape_of

if TYPE_CHECKING:
    import tflite

SAME = 0
"""Padding such that a window's every position on the input counts; the other kind is none."""

CHANNELS_FIRST = (0, 3, 1, 2)
CHANNELS_LAST = (0, 2, 3, 1)

DAMAGE = (
    *(struct.error, LookupError, ValueError, TypeError, AttributeError, MemoryError),
    ArithmeticError,
)
"""What reading a cut or changed file runs into: the format's reader checks nothing."""


@dataclass(frozen=True)
class Operator:
    """One step of the model: tensors by number, and the operator's own settings."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any

    def settings(self, table: type) -> Any:  # noqa: ANN401
        """Read the settings as the schema's ``table``."""
        settings = table()
        settings.Init(self.options.Bytes, self.options.Pos)
        return settings


@dataclass(frozen=True)
class Conversion:
    """What is known of the model's tensors (by number) so far, and the graph they end in."""

    shapes: Mapping[int, tuple[int, ...]]
    constants: dict[int, np.ndarray]
    values: dict[int, str] = field(default_factory=dict)
    graph: OnnxGraph = field(default_factory=OnnxGraph)

    def value(self, tensor: int) -> str:
        """Name a computed tensor's value."""
        if tensor not in self.values:
            raise FormatError("an operator works on a constant where BlazePose's never do")
        return self.values[tensor]

    def constant(self, op: Operator, position: int) -> np.ndarray:
        """Get what the model stores as an operator's input."""
        if position >= len(op.inputs) or op.inputs[position] not in self.constants:
            raise FormatError(
                f"{op.kind} has no stored tensor as its input {position}: BlazePose's all do"
            )
        return self.constants[op.inputs[position]]


def convert_tflite(data: bytes, outputs: Mapping[int, str]) -> bytes:
    """Convert a model.

    Args:
        data: The ``.tflite`` file.
        outputs: Which of the model's outputs to keep, by number, and what to call them.

    Returns:
        The ONNX file: input ``image`` (batch, 3, height, width), outputs as in the original with
        a batch axis of any length.

    Raises:
        FormatError: If the file is damaged, or has an operator or a setting that BlazePose's
            models do not have.
    """
    try:
        return _convert(data, outputs)
    except FormatError:
        raise
    except DAMAGE as error:
        raise FormatError(
            f"these {len(data)} bytes are no TensorFlow Lite model, or a damaged one: get the "
            "file again"
        ) from error


def _convert(data: bytes, outputs: Mapping[int, str]) -> bytes:
    import tflite
    from onnx import TensorProto

    if data[4:8] != b"TFL3":
        raise ValueError("no TFL3 mark")
    model = tflite.Model.GetRootAsModel(data, 0)
    body = model.Subgraphs(0)
    tensors = [body.Tensors(number) for number in range(body.TensorsLength())]
    stored = {number: read_constant(model, tensor) for number, tensor in enumerate(tensors)}
    conversion = Conversion(
        shapes={number: shape_of(tensor) for number, tensor in enumerate(tensors)},
        constants={number: array for number, array in stored.items() if array is not None},
    )
    (image,) = (int(number) for number in body.InputsAsNumpy())
    conversion.values[image] = "image"
    for operator in _operators(model, body):
        if operator.kind not in OPERATORS:
            raise FormatError(
                f"the model has the operator {operator.kind}, which this converter does not "
                f"know: it knows {', '.join(sorted(OPERATORS))}"
            )
        OPERATORS[operator.kind](conversion, operator)
    kept: dict[str, Shape] = {}
    for number, name in outputs.items():
        tensor = int(body.Outputs(number))
        conversion.graph.add("Identity", conversion.value(tensor), name=name)
        kept[name] = ["batch", *conversion.shapes[tensor][1:]]
    _, height, width, channels = conversion.shapes[image]
    shape: Shape = ["batch", channels, height, width]
    return conversion.graph.serialise({"image": (int(TensorProto.FLOAT), shape)}, kept)


def _operators(model: "tflite.Model", body: "tflite.SubGraph") -> list[Operator]:
    import tflite

    kinds = {number: name for name, number in vars(tflite.BuiltinOperator).items()}
    operators = []
    for k in range(body.OperatorsLength()):
        operator = body.Operators(k)
        code = model.OperatorCodes(operator.OpcodeIndex())
        # Codes up to 127 stand in the older, one-byte field.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        operators.append(
            Operator(
                kinds.get(number, f"number {number}"),
                tuple(int(operator.Inputs(i)) for i in range(operator.InputsLength())),
                tuple(int(operator.Outputs(i)) for i in range(operator.OutputsLength())),
                operator.BuiltinOptions(),
            )
        )
    return operators


def same_padding(
    before: Sequence[int], after: Sequence[int], kernel: Sequence[int], stride: Sequence[int]
) -> list[int]:
    """Find the rows and columns that padding SAME adds: top, left, bottom, right.

    Source: TensorFlow, ``tf.nn``: notes on padding.
    """
    total = [
        max((out - 1) * step + size - length, 0)
        for length, out, size, step in zip(before, after, kernel, stride, strict=True)
    ]
    start = [each // 2 for each in total]
    return start + [each - half for each, half in zip(total, start, strict=True)]


def _window(c: Conversion, op: Operator, settings: Any, kernel: Sequence[int]) -> dict[str, Any]:  # noqa: ANN401
    """Say how a convolution's or a pooling's window moves, in ONNX's words."""
    stride = (settings.StrideH(), settings.StrideW())
    before, after = (c.shapes[tensor][1:3] for tensor in (op.inputs[0], op.outputs[0]))
    pads = same_padding(before, after, kernel, stride) if settings.Padding() == SAME else [0] * 4
    return {"kernel_shape": list(kernel), "strides": list(stride), "pads": pads}


def _activate(c: Conversion, op: Operator, value: str, activation: int) -> None:
    if activation == 1:
        value = c.graph.add("Relu", value)
    elif activation == 3:
        low, high = (c.graph.constant(np.array(end, np.float32)) for end in (0, 6))
        value = c.graph.add("Clip", value, low, high)
    elif activation:
        raise FormatError(f"{op.kind} has the activation number {activation}: not BlazePose's")
    c.values[op.outputs[0]] = value


def _convolve(c: Conversion, op: Operator) -> None:
    import tflite

    each_channel = op.kind == "DEPTHWISE_CONV_2D"
    settings = op.settings(tflite.DepthwiseConv2DOptions if each_channel else tflite.Conv2DOptions)
    if (settings.DilationHFactor(), settings.DilationWFactor()) != (1, 1):
        raise FormatError(f"{op.kind} is dilated: BlazePose's never are")
    weights = c.constant(op, 1)
    kernel = weights.shape[1:3]
    # Depthwise kernels are stored (1, row, column, channel), others (out, row, column, in).
    weights = np.transpose(weights, (3, 0, 1, 2) if each_channel else CHANNELS_FIRST)
    value = c.graph.add(
        "Conv",
        c.value(op.inputs[0]),
        c.graph.weight(weights),
        c.graph.weight(c.constant(op, 2)),
        group=c.shapes[op.inputs[0]][3] if each_channel else 1,
        **_window(c, op, settings, kernel),
    )
    _activate(c, op, value, settings.FusedActivationFunction())


def _pool(c: Conversion, op: Operator) -> None:
    import tflite

    settings = op.settings(tflite.Pool2DOptions)
    kernel = (settings.FilterHeight(), settings.FilterWidth())
    value = c.graph.add("MaxPool", c.value(op.inputs[0]), **_window(c, op, settings, kernel))
    _activate(c, op, value, settings.FusedActivationFunction())


def _add(c: Conversion, op: Operator) -> None:
    import tflite

    left, right = op.inputs
    if c.shapes[left] != c.shapes[right]:
        raise FormatError(f"ADD of {c.shapes[left]} and {c.shapes[right]}: BlazePose's are alike")
    value = c.graph.add("Add", c.value(left), c.value(right))
    _activate(c, op, value, op.settings(tflite.AddOptions).FusedActivationFunction())


def _pad(c: Conversion, op: Operator) -> None:
    around = c.constant(op, 1)[list(CHANNELS_FIRST)]
    value = c.graph.add("Pad", c.value(op.inputs[0]), c.graph.constant(around.T.ravel()))
    c.values[op.outputs[0]] = value


def _resize(c: Conversion, op: Operator) -> None:
    import tflite

    settings = op.settings(tflite.ResizeBilinearOptions)
    if settings.AlignCorners() or not settings.HalfPixelCenters():
        raise FormatError("RESIZE_BILINEAR does not map pixel centres: BlazePose's do")
    before, after = (c.shapes[tensor][1:3] for tensor in (op.inputs[0], op.outputs[0]))
    scales = np.array([1, 1, after[0] / before[0], after[1] / before[1]], np.float32)
    c.values[op.outputs[0]] = c.graph.add(
        "Resize",
        c.value(op.inputs[0]),
        "",
        c.graph.constant(scales),
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )


def _reshape(c: Conversion, op: Operator) -> None:
    before, after = c.shapes[op.inputs[0]], c.shapes[op.outputs[0]]
    if len(before) != 4 or len(after) == 4:
        raise FormatError(f"RESHAPE from {before} to {after}: BlazePose's flatten feature maps")
    value = c.graph.add("Transpose", c.value(op.inputs[0]), perm=CHANNELS_LAST)
    wanted = c.graph.constant([-1, *after[1:]])
    c.values[op.outputs[0]] = c.graph.add("Reshape", value, wanted)


def _concatenate(c: Conversion, op: Operator) -> None:
    import tflite

    axis = op.settings(tflite.ConcatenationOptions).Axis()
    if len(c.shapes[op.outputs[0]]) == 4:
        raise FormatError("CONCATENATION of feature maps: BlazePose's are of lists of boxes")
    values = [c.value(tensor) for tensor in op.inputs]
    c.values[op.outputs[0]] = c.graph.add("Concat", *values, axis=axis)


def _depth_to_space(c: Conversion, op: Operator) -> None:
    import tflite

    side = op.settings(tflite.DepthToSpaceOptions).BlockSize()
    value = c.graph.add("DepthToSpace", c.value(op.inputs[0]), blocksize=side, mode="DCR")
    c.values[op.outputs[0]] = value


def _sigmoid(c: Conversion, op: Operator) -> None:
    c.values[op.outputs[0]] = c.graph.add("Sigmoid", c.value(op.inputs[0]))


def _unpack(c: Conversion, op: Operator) -> None:
    """Take a constant as it is: :func:`read_constant` has written it out, and weights widen."""
    c.constants[op.outputs[0]] = c.constant(op, 0)


OPERATORS: Mapping[str, Callable[[Conversion, Operator], None]] = {
    "ADD": _add,
    "CONCATENATION": _concatenate,
    "CONV_2D": _convolve,
    "DENSIFY": _unpack,
    "DEPTHWISE_CONV_2D": _convolve,
    "DEPTH_TO_SPACE": _depth_to_space,
    "DEQUANTIZE": _unpack,
    "LOGISTIC": _sigmoid,
    "MAX_POOL_2D": _pool,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize,
}
