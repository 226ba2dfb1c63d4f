"""BlazePose's TensorFlow Lite models -> ONNX: exactly the operators that they have.

In the ONNX file, feature maps are (batch, channel, row, column), as ONNX Runtime expects them, and
a batch of any length is allowed. Anything that these models do not have is refused by name.

Source: ``schema.fbs`` of TensorFlow Lite, version 3, for what a file stores; ONNX's operator pages
for what it becomes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlift.detector_weights.convert import (
    CHANNELS_FIRST,
    CHANNELS_LAST,
    check_operator,
    reading_model,
)
from graphlift.errors import FormatError
from graphlift.onnx_graph import OnnxGraph, Shape
from graphlift.words import shown

if TYPE_CHECKING:
    import tflite

ELEMENT_TYPES = {0: np.float32, 1: np.float16, 2: np.int32, 4: np.int64}
"""Element types that these models have, by their number in the schema."""

DENSE = 0
LARGEST_TENSOR = 2**26
"""Numbers in a sparse tensor; these models' largest has 2**21."""

SAME = 0
"""Number of the padding that gives one output for every step of the stride; 1 is no padding."""


@dataclass(frozen=True)
class TfliteOperator:
    """One step of the model, of one output: tensors by number, and the operator's own settings."""

    kind: str
    inputs: tuple[int, ...]
    output: int
    options: Any

    def settings(self, table: str) -> Any:  # noqa: ANN401
        """Read the settings as the schema's ``table``."""
        import tflite

        settings = getattr(tflite, table)()
        settings.Init(self.options.Bytes, self.options.Pos)
        return settings


@dataclass(frozen=True)
class TfliteConversion:
    """The model's tensors (by number), as far as known, and the graph under construction."""

    shapes: Mapping[int, tuple[int, ...]]
    constants: dict[int, np.ndarray]
    values: dict[int, str] = field(default_factory=dict)
    graph: OnnxGraph = field(default_factory=OnnxGraph)

    def value(self, tensor: int) -> str:
        """Return the name of a computed tensor's value in the graph."""
        if tensor not in self.values:
            raise FormatError("an operator works on a constant where BlazePose's never do")
        return self.values[tensor]

    def constant(self, op: TfliteOperator, position: int) -> np.ndarray:
        """Return a stored input of an operator."""
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
    with reading_model(f"{len(data)} bytes are no TensorFlow Lite model"):
        return _convert(data, outputs)


def _convert(data: bytes, outputs: Mapping[int, str]) -> bytes:
    import tflite

    if data[4:8] != b"TFL3":
        raise ValueError("no TFL3 mark")
    model = tflite.Model.GetRootAsModel(data, 0)
    body = model.Subgraphs(0)
    tensors = [body.Tensors(number) for number in range(body.TensorsLength())]
    stored = {number: read_constant(model, tensor) for number, tensor in enumerate(tensors)}
    conversion = TfliteConversion(
        shapes={number: shape_of(tensor) for number, tensor in enumerate(tensors)},
        constants={number: array for number, array in stored.items() if array is not None},
    )
    (image,) = (int(number) for number in body.InputsAsNumpy())
    conversion.values[image] = "image"
    for operator in _operators(model, body):
        check_operator(operator.kind, (*OPERATORS, *UNPACKING))
        if operator.kind in UNPACKING:
            conversion.constants[operator.output] = conversion.constant(operator, 0)
        else:
            conversion.values[operator.output] = OPERATORS[operator.kind](conversion, operator)
    kept: dict[str, Shape] = {}
    for number, name in outputs.items():
        tensor = int(body.Outputs(number))
        conversion.graph.add("Identity", conversion.value(tensor), name=name)
        kept[name] = ["batch", *conversion.shapes[tensor][1:]]
    _, height, width, channels = conversion.shapes[image]
    shape: Shape = ["batch", channels, height, width]
    return conversion.graph.serialise({"image": (np.float32, shape)}, kept)


def shape_of(tensor: "tflite.Tensor") -> tuple[int, ...]:
    """Read a tensor's shape; a scalar's is empty."""
    return tuple(int(tensor.Shape(axis)) for axis in range(tensor.ShapeLength()))


def read_constant(model: "tflite.Model", tensor: "tflite.Tensor") -> np.ndarray | None:
    """Read a tensor's stored values; None if it is computed when the model runs.

    Raises:
        FormatError: If BlazePose has no such type or sparsity, or it does not fill its shape.
    """
    buffer = model.Buffers(tensor.Buffer())
    if buffer is None or not buffer.DataLength():
        return None
    name, shape = shown(tensor.Name()), shape_of(tensor)
    if tensor.Type() not in ELEMENT_TYPES:
        raise FormatError(
            f"tensor {name} has element type {tensor.Type()}, which this converter does not know: "
            "it reads the BlazePose models only"
        )
    values = np.frombuffer(buffer.DataAsNumpy().tobytes(), ELEMENT_TYPES[tensor.Type()])
    if tensor.Sparsity() is not None:
        values = _read_sparse(tensor.Sparsity(), values, shape)
    if values.size != np.prod(shape, dtype=np.int64):
        raise FormatError(f"tensor {name} stores {values.size} numbers for {shape}")
    return values.reshape(shape)


def _read_sparse(
    sparsity: "tflite.SparsityParameters", values: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Write out a tensor of which only the last axis is sparse: compressed rows, as in CSR."""
    import tflite

    axes = [sparsity.DimMetadata(k) for k in range(sparsity.DimMetadataLength())]
    sparse = [axis.Format() != DENSE for axis in axes]
    order = [sparsity.TraversalOrder(k) for k in range(sparsity.TraversalOrderLength())]
    if sparse != [False] * (len(shape) - 1) + [True] or order != [*range(len(shape))]:
        raise FormatError(f"a sparse tensor of {shape}: only BlazePose's kind is known")

    def integers(kind: int, table: "tflite.Table") -> np.ndarray:
        vector = (tflite.Int32Vector, tflite.Uint16Vector, tflite.Uint8Vector)[kind - 1]()
        vector.Init(table.Bytes, table.Pos)
        return np.asarray(vector.ValuesAsNumpy(), dtype=np.int64)

    starts = integers(axes[-1].ArraySegmentsType(), axes[-1].ArraySegments())
    columns = integers(axes[-1].ArrayIndicesType(), axes[-1].ArrayIndices())
    rows, lengths = math.prod(shape[:-1]), np.diff(starts)
    if not 0 < rows * shape[-1] <= LARGEST_TENSOR:
        raise FormatError(f"a sparse tensor of {shape}: at most {LARGEST_TENSOR} numbers are read")
    if len(lengths) != rows or lengths.min() < 0 or columns.min(initial=0) < 0:
        raise FormatError(f"a sparse tensor of {shape} has other rows than its shape")
    dense = np.zeros((rows, shape[-1]), values.dtype)
    dense[np.repeat(np.arange(rows), lengths), columns] = values
    return dense


def _operators(model: "tflite.Model", body: "tflite.SubGraph") -> list[TfliteOperator]:
    import tflite

    kinds = {number: name for name, number in vars(tflite.BuiltinOperator).items()}
    operators = []
    for k in range(body.OperatorsLength()):
        operator = body.Operators(k)
        code = model.OperatorCodes(operator.OpcodeIndex())
        # Codes up to 127 stand in the older, one-byte field.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        operators.append(
            TfliteOperator(
                kinds.get(number, f"number {number}"),
                tuple(int(operator.Inputs(i)) for i in range(operator.InputsLength())),
                int(operator.Outputs(0)),
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


def _window(
    c: TfliteConversion,
    op: TfliteOperator,
    settings: Any,  # noqa: ANN401
    kernel: Sequence[int],
) -> dict[str, Any]:
    """Describe the window of a convolution or a pooling by ONNX's attributes."""
    stride = (settings.StrideH(), settings.StrideW())
    before, after = (c.shapes[tensor][1:3] for tensor in (op.inputs[0], op.output))
    pads = same_padding(before, after, kernel, stride) if settings.Padding() == SAME else [0] * 4
    return {"kernel_shape": list(kernel), "strides": list(stride), "pads": pads}


def _activate(c: TfliteConversion, op: TfliteOperator, value: str, activation: int) -> str:
    """Add the activation function that is fused with an operator."""
    if activation == 1:
        return c.graph.add("Relu", value)
    if activation == 3:
        return c.graph.add_clip(value, 0, 6)
    if activation:
        raise FormatError(f"{op.kind} has the activation number {activation}: not BlazePose's")
    return value


def _convolve(c: TfliteConversion, op: TfliteOperator) -> str:
    each_channel = op.kind == "DEPTHWISE_CONV_2D"
    settings = op.settings("DepthwiseConv2DOptions" if each_channel else "Conv2DOptions")
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
    return _activate(c, op, value, settings.FusedActivationFunction())


def _pool(c: TfliteConversion, op: TfliteOperator) -> str:
    settings = op.settings("Pool2DOptions")
    kernel = (settings.FilterHeight(), settings.FilterWidth())
    value = c.graph.add("MaxPool", c.value(op.inputs[0]), **_window(c, op, settings, kernel))
    return _activate(c, op, value, settings.FusedActivationFunction())


def _add(c: TfliteConversion, op: TfliteOperator) -> str:
    left, right = op.inputs
    if c.shapes[left] != c.shapes[right]:
        raise FormatError(f"ADD of {c.shapes[left]} and {c.shapes[right]}: BlazePose's are alike")
    value = c.graph.add("Add", c.value(left), c.value(right))
    return _activate(c, op, value, op.settings("AddOptions").FusedActivationFunction())


def _pad(c: TfliteConversion, op: TfliteOperator) -> str:
    around = c.constant(op, 1)[list(CHANNELS_FIRST)]
    return c.graph.add("Pad", c.value(op.inputs[0]), c.graph.constant(around.T.ravel()))


def _resize(c: TfliteConversion, op: TfliteOperator) -> str:
    settings = op.settings("ResizeBilinearOptions")
    if settings.AlignCorners() or not settings.HalfPixelCenters():
        raise FormatError("RESIZE_BILINEAR does not map pixel centres: BlazePose's do")
    before, after = (c.shapes[tensor][1:3] for tensor in (op.inputs[0], op.output))
    scales = np.array([1, 1, after[0] / before[0], after[1] / before[1]], np.float32)
    return c.graph.add(
        "Resize",
        c.value(op.inputs[0]),
        "",
        c.graph.constant(scales),
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )


def _reshape(c: TfliteConversion, op: TfliteOperator) -> str:
    before, after = c.shapes[op.inputs[0]], c.shapes[op.output]
    if len(before) != 4 or len(after) == 4:
        raise FormatError(f"RESHAPE from {before} to {after}: BlazePose's flatten feature maps")
    value = c.graph.add("Transpose", c.value(op.inputs[0]), perm=CHANNELS_LAST)
    return c.graph.add("Reshape", value, c.graph.constant([-1, *after[1:]]))


def _concatenate(c: TfliteConversion, op: TfliteOperator) -> str:
    axis = op.settings("ConcatenationOptions").Axis()
    if len(c.shapes[op.output]) == 4:
        raise FormatError("CONCATENATION of feature maps: BlazePose's are of lists of boxes")
    values = [c.value(tensor) for tensor in op.inputs]
    return c.graph.add("Concat", *values, axis=axis)


def _depth_to_space(c: TfliteConversion, op: TfliteOperator) -> str:
    side = op.settings("DepthToSpaceOptions").BlockSize()
    return c.graph.add("DepthToSpace", c.value(op.inputs[0]), blocksize=side, mode="DCR")


def _sigmoid(c: TfliteConversion, op: TfliteOperator) -> str:
    return c.graph.add("Sigmoid", c.value(op.inputs[0]))


OPERATORS: Mapping[str, Callable[[TfliteConversion, TfliteOperator], str]] = {
    "ADD": _add,
    "CONCATENATION": _concatenate,
    "CONV_2D": _convolve,
    "DEPTHWISE_CONV_2D": _convolve,
    "DEPTH_TO_SPACE": _depth_to_space,
    "LOGISTIC": _sigmoid,
    "MAX_POOL_2D": _pool,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize,
}

UNPACKING = ("DENSIFY", "DEQUANTIZE")
"""Operators that give a stored tensor another form: :func:`read_constant` has already done it."""
