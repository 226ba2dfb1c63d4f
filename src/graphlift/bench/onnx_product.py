"""A model of one product as ONNX, written byte by byte: ONNX Runtime then needs no other package.

Weights are constants of the file, as in networks, because ONNX Runtime lays constants out for its
products when it loads a model.

Source: the field numbers of ``onnx.proto``; messages are Protocol Buffers.
"""

import numpy as np

from graphlift.bench.products import Product
from graphlift.onnx_graph import IR_VERSION, OPSET

_FLOAT = 1
"""TensorProto.FLOAT."""


def product_model(product: Product, weights: np.ndarray) -> bytes:
    """Write the model c = a W, with float32 ``a`` as its input and ``c`` as its output.

    Args:
        product: The shapes; a and c have no axis of matrices if there is but one.
        weights: W, (matrices, inner, columns), or without the first axis if there is but one.
    """
    before = [product.matrices] if product.matrices > 1 else []
    node = _text(1, "a") + _text(1, "W") + _text(2, "c") + _text(4, "MatMul")
    stored = b"".join(_integer(1, length) for length in weights.shape)
    stored += _integer(2, _FLOAT) + _text(8, "W") + _bytes(9, weights.astype("<f4").tobytes())
    graph = _bytes(1, node) + _text(2, "product") + _bytes(5, stored)
    graph += _bytes(11, _value("a", [*before, product.rows, product.inner]))
    graph += _bytes(12, _value("c", [*before, product.rows, product.columns]))
    return (
        _integer(1, IR_VERSION) + _bytes(7, graph) + _bytes(8, _text(1, "") + _integer(2, OPSET))
    )


def _value(name: str, shape: list[int]) -> bytes:
    """ValueInfoProto: a name, and the type of a tensor."""
    lengths = b"".join(_bytes(1, _integer(1, length)) for length in shape)
    tensor = _integer(1, _FLOAT) + _bytes(2, lengths)
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
