"""TensorFlow Lite files of a few bytes, written with the format's own builder."""

from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

FLOAT, HALF, INT = 0, 1, 2
SAME, VALID = 0, 1
NONE, RELU, TANH, RELU6 = 0, 1, 4, 3


@dataclass
class Tensor:
    """A tensor: computed if it has no values; sparse if it has levels."""

    shape: tuple[int, ...]
    values: np.ndarray | None = None
    levels: list[Any] | None = None
    order: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)


def stored(values):
    return Tensor(values.shape, values)


@dataclass
class Step:
    """An operator: its name, tensors by number, and its settings as (table, fields)."""

    kind: str
    inputs: list[int]
    outputs: list[int]
    settings: tuple[str, dict[str, int]] | None = None


def write_tflite(tensors, steps, inputs, outputs):
    """The bytes of a model with one graph."""
    b = flatbuffers.Builder()
    buffers = [_buffer(b, None)]
    made = []
    for tensor in tensors:
        if tensor.values is not None:
            buffers.append(_buffer(b, tensor.values))
        made.append(_tensor(b, tensor, len(buffers) - 1 if tensor.values is not None else 0))
    kinds = sorted({step.kind for step in steps})
    operators = [_operator(b, step, kinds.index(step.kind)) for step in steps]
    graph = _table(
        b,
        "SubGraph",
        Tensors=_offsets(b, made),
        Inputs=_ints(b, inputs),
        Outputs=_ints(b, outputs),
        Operators=_offsets(b, operators),
    )
    codes = [_code(b, getattr(tflite.BuiltinOperator, kind)) for kind in kinds]
    model = _table(
        b,
        "Model",
        Version=3,
        OperatorCodes=_offsets(b, codes),
        Subgraphs=_offsets(b, [graph]),
        Buffers=_offsets(b, buffers),
    )
    b.Finish(model, b"TFL3")
    return bytes(b.Output())


def _table(b, name, **fields):
    getattr(tflite, f"{name}Start")(b)
    for key, value in fields.items():
        getattr(tflite, f"{name}Add{key}")(b, value)
    return getattr(tflite, f"{name}End")(b)


def _ints(b, values):
    return b.CreateNumpyVector(np.array(values, np.int32))


def _offsets(b, offsets):
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return b.EndVector()


def _buffer(b, values):
    if values is None:
        return _table(b, "Buffer")
    data = b.CreateByteVector(np.ascontiguousarray(values).tobytes())
    return _table(b, "Buffer", Data=data)


def _tensor(b, tensor, buffer):
    kind = {"f4": FLOAT, "f2": HALF, "i4": INT, "u1": 3}
    name, shape = b.CreateString("a tensor"), _ints(b, tensor.shape)
    fields = {"Shape": shape, "Name": name, "Buffer": buffer}
    if tensor.values is not None:
        fields["Type"] = kind[tensor.values.dtype.str[1:]]
    if tensor.levels is not None:
        fields["Sparsity"] = _sparsity(b, tensor)
    return _table(b, "Tensor", **fields)


def _sparsity(b, tensor):
    levels = []
    for level in tensor.levels:
        if isinstance(level, int):
            levels.append(_table(b, "DimensionMetadata", Format=0, DenseSize=level))
            continue
        fields = {"Format": 1}
        for name, values in zip(("ArraySegments", "ArrayIndices"), level, strict=True):
            vector = b.CreateNumpyVector(np.array(values, np.uint8))
            fields[name] = _table(b, "Uint8Vector", Values=vector)
            fields[f"{name}Type"] = 3
        levels.append(_table(b, "DimensionMetadata", **fields))
    return _table(
        b,
        "SparsityParameters",
        TraversalOrder=_ints(b, tensor.order),
        BlockMap=_ints(b, tensor.blocks),
        DimMetadata=_offsets(b, levels),
    )


def _operator(b, step, code):
    fields = {"Inputs": _ints(b, step.inputs), "Outputs": _ints(b, step.outputs)}
    if step.settings:
        table, settings = step.settings
        fields["BuiltinOptions"] = _table(b, table, **settings)
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, table)
    return _table(b, "Operator", OpcodeIndex=code, **fields)


def _code(b, number):
    old = min(number, 127)
    return _table(b, "OperatorCode", DeprecatedBuiltinCode=old, BuiltinCode=number)
