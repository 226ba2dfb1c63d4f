"""What a TensorFlow Lite file stores: constant tensors, dense or sparse.

Source of the layout: ``schema.fbs`` of TensorFlow Lite, version 3 (``SparsityParameters``,
``DimensionMetadata``), which follows Kjolstad et al., "The Tensor Algebra Compiler", OOPSLA 2017.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from graphlift.errors import FormatError
from graphlift.words import shown

if TYPE_CHECKING:
    import tflite

ELEMENT_TYPES = {0: np.float32, 1: np.float16, 2: np.int32, 4: np.int64}
"""Element types these models have, by their number in the schema."""

DENSE = 0
LARGEST_TENSOR = 2**26
"""Numbers in a tensor; these models' largest has 2**21."""

SparseLevel = int | tuple[np.ndarray, np.ndarray]
"""A level of a sparse tensor: how many children every node has, or (segments, indices)."""


def shape_of(tensor: "tflite.Tensor") -> tuple[int, ...]:
    """Read a tensor's shape; a scalar's is empty."""
    return tuple(int(tensor.Shape(axis)) for axis in range(tensor.ShapeLength()))


def read_constant(model: "tflite.Model", tensor: "tflite.Tensor") -> np.ndarray | None:
    """Read a tensor's stored values; None if it is computed when the model runs.

    Raises:
        FormatError: If its type is not known here, or it does not fill its shape.
    """
    buffer = model.Buffers(tensor.Buffer())
    if buffer is None or not buffer.DataLength():
        return None
    if tensor.Type() not in ELEMENT_TYPES:
        raise FormatError(
            f"tensor {shown(tensor.Name())} has element type {tensor.Type()}, which this "
            "converter does not know: it reads the BlazePose models only"
        )
    shape = shape_of(tensor)
    values = np.frombuffer(buffer.DataAsNumpy().tobytes(), ELEMENT_TYPES[tensor.Type()])
    if tensor.Sparsity() is not None:
        return _read_sparse(tensor.Sparsity(), values, shape)
    if values.size != np.prod(shape, dtype=np.int64):
        raise FormatError(
            f"tensor {shown(tensor.Name())} stores {values.size} numbers for {shape}"
        )
    return values.reshape(shape)


def densify(
    values: np.ndarray,
    shape: Sequence[int],
    levels: Sequence[SparseLevel],
    *,
    order: Sequence[int],
    blocks: Sequence[int] = (),
) -> np.ndarray:
    """Write a sparse tensor out.

    The storage is a tree: a level's nodes are the coordinates along one axis under each node of
    the level above; the leaves are ``values``.

    Args:
        values: Stored numbers, one a leaf.
        shape: Of the dense tensor.
        levels: Outermost first. A dense level gives every node so many children; a sparse one
            gives node n the children ``indices[segments[n]:segments[n + 1]]``.
        order: Which axis each level runs along; from ``len(shape)`` on, the axes within blocks.
        blocks: The tensor axis that each axis within blocks is a part of.

    Raises:
        FormatError: If the tree has more leaves than the tensor numbers, or others than are
            stored.
    """
    rank, most = len(shape), int(np.prod(shape, dtype=np.int64))
    if not 0 < most <= LARGEST_TENSOR:
        raise FormatError(
            f"a sparse tensor of {tuple(shape)}: at most {LARGEST_TENSOR} numbers are read"
        )
    coordinates, at = np.zeros((1, 0), dtype=np.int64), np.zeros(1, dtype=np.int64)
    for level in levels:
        counts = np.full(len(at), level) if isinstance(level, int) else np.diff(level[0])[at]
        if (counts < 0).any() or counts.sum() > most:
            raise FormatError(f"a sparse tensor of {tuple(shape)} has levels that overfill it")
        parent = np.repeat(np.arange(len(at)), counts)
        if isinstance(level, int):
            along = np.tile(np.arange(level), len(at))
            at = at[parent] * level + along
        else:
            segments, indices = level
            within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            at = segments[at][parent] + within
            along = indices[at]
        coordinates = np.column_stack([coordinates[parent], along])
    if len(at) != len(values):
        raise FormatError(f"a sparse tensor stores {len(values)} numbers for {len(at)} places")
    block_size = np.ones(rank, dtype=np.int64)
    for axis, level in zip(order, levels, strict=True):
        if axis >= rank and isinstance(level, int):
            block_size[blocks[axis - rank]] = level
    place = np.zeros((rank, len(at)), dtype=np.int64)
    for axis, along in zip(order, coordinates.T, strict=True):
        if axis < rank:
            place[axis] += along * block_size[axis]
        else:
            place[blocks[axis - rank]] += along
    dense = np.zeros(shape, dtype=values.dtype)
    dense[tuple(place)] = values[at]
    return dense


def _read_sparse(
    sparsity: "tflite.SparsityParameters", values: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    levels: list[SparseLevel] = []
    for k in range(sparsity.DimMetadataLength()):
        level = sparsity.DimMetadata(k)
        if level.Format() == DENSE:
            levels.append(int(level.DenseSize()))
        else:
            segments = _integers(level.ArraySegmentsType(), level.ArraySegments())
            levels.append((segments, _integers(level.ArrayIndicesType(), level.ArrayIndices())))
    order = [int(sparsity.TraversalOrder(k)) for k in range(sparsity.TraversalOrderLength())]
    blocks = [int(sparsity.BlockMap(k)) for k in range(sparsity.BlockMapLength())]
    return densify(values, shape, levels, order=order, blocks=blocks)


def _integers(kind: int, table: "tflite.Table") -> np.ndarray:
    """Read a vector of the schema's union ``SparseIndexVector``."""
    import tflite

    vector = (tflite.Int32Vector, tflite.Uint16Vector, tflite.Uint8Vector)[kind - 1]()
    vector.Init(table.Bytes, table.Pos)
    return np.asarray(vector.ValuesAsNumpy(), dtype=np.int64)
