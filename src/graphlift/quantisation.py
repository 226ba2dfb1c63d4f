"""Models whose inner products are of integers: smaller files, and single frames in a fraction.

A layer's product of features x with a matrix W becomes one of 8-bit integers,

    x W ≈ S · (X Q),   X = round(x / s) + z,   Q = round(W · 63 / max|W|)

where s is the largest |x| that a joint had on sample inputs, over 255 steps, or over 127 around z
= 128 where features may be negative, and max|W| is that of a column of a joint's matrix; S joins
both scales. So an answer does not depend on what else is lifted with it, but for rounding: a
feature halfway between two integers may become either, which moves joints by some mm. Q has 7 bits
in place of 8, so that sums of two products fit the 16 bits in which processors without
instructions for this (VNNI) keep them. The first and the last layer, sums over neighbours and
biases stay in float32.

Integers do not only scatter what a layer gives, they also shift its mean, and later layers pass
that on. So a bias is corrected for each joint i and channel c, from the first layer to the last
(but for those inside attention, whose shift the layers after it take up):

    b'_ic = b_c + E[y_ic] - E[y'_ic]

where y is what the layer gave, y' what it gives with b from the corrected layers before it, and E
the mean over sample inputs. Source: Nagel et al., "Data-free quantization through weight
equalization and bias correction", ICCV 2019, section 4.2.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from graphlift.card import ModelCard
from graphlift.errors import ModelError
from graphlift.joint_order import joint_by_joint
from graphlift.model_files import SEAL, sealed
from graphlift.onnx_session import open_session

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

HIDDEN = 16
"""Channels: products that take or give fewer a joint, such as the first and the last, are kept."""
_LARGEST_WEIGHT = 63
_FRAMES = 251
"""As many as nothing else in a network is: these tell an axis of frames."""
_ZERO = 128
"""Of features that may be negative."""


def quantise(
    content: bytes, where: str, card: ModelCard, inputs: Float[np.ndarray, "frame joint number"]
) -> bytes:
    """Make a model of an .onnx whose matrices are a joint's own, or shared by its neighbours.

    Those are networks of pre-aggregation, post-aggregation or no-sharing, decoupled or not, as
    :func:`graphlift.export.export_onnx` writes them.

    Args:
        content: Of the .onnx.
        where: What to call it in an error.
        card: Of the model that is made; ``arithmetic`` is filled in.
        inputs: What the model may be given, finite; some thousand frames. Scales and means are
            taken from them.

    Returns:
        Content of an .onnx with the same inputs and outputs.

    Raises:
        FormatError: If it is no ONNX model.
        ModelError: If it has no such products, its products are of integers already, or inputs
            are none or not finite.
    """
    from onnx import helper, load_from_string

    open_session(content, where, threads=1)  # says what is wrong with a file that is no model
    model = load_from_string(joint_by_joint(content))
    nodes = list(model.graph.node)
    if any(node.op_type == "MatMulInteger" for node in nodes):
        raise ModelError(f"{where}: its products are of integers already: give it as exported")
    weights = _weights(model)
    products = [
        n
        for n in nodes
        if n.op_type == "MatMul" and (w := weights.get(n.input[1])) is not None
        and w.ndim == 3 and min(w.shape[1:]) >= HIDDEN
    ]  # fmt: skip
    if not products:
        raise ModelError(
            f"{where}: has no products of a joint's features with a matrix of its own, of "
            f"{HIDDEN} channels or more: models of pre-aggregation, post-aggregation and "
            "no-sharing have them, others are not taken"
        )
    if not (len(inputs) and np.isfinite(inputs).all()):
        raise ModelError(
            f"{where}: scales are taken from sample inputs: give some, and finite numbers only"
        )
    ranges = _ranges(model, where, list(dict.fromkeys(n.input[0] for n in products)), inputs)
    biases = _biases_of_joints(model, where, weights, inputs)
    made = _Replaced(ranges)
    for node in nodes:
        if node in products:
            made.product(node, weights[node.input[1]])
        elif made.scales and node.output[0] in biases:
            made.bias(node, weights[node.input[1]])
        else:
            made.nodes.append(node)
    if made.biases:
        _correct(model, where, made, inputs)
    _put(model, made)
    helper.set_model_props(model, {"card": replace(card, arithmetic="int8").to_json(), **SEAL})
    return sealed(bytes(model.SerializeToString()))


class _Replaced:
    """Nodes and constants of the new graph, in the order in which they are computed."""

    def __init__(self, ranges: Mapping[str, np.ndarray]) -> None:
        self.ranges = ranges
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.scales: dict[str, np.ndarray] = {}
        self.biases: list[str] = []

    def product(self, node: "NodeProto", matrices: np.ndarray) -> None:
        """Compute by integers what a node computed."""
        from onnx import TensorProto, helper

        (x, weight), out = node.input, node.output[0]
        if x not in self.scales:
            self._features(x)
        scale = np.maximum(np.abs(matrices).max(axis=1, keepdims=True), 1e-30) / _LARGEST_WEIGHT
        self.constants[f"{weight}_integers"] = np.rint(matrices / scale).astype(np.int8)
        both = scale * self.scales[x][:, None, None]
        self.constants[f"{out}_scale"] = both.astype(np.float32)
        factors = [f"{x}_integers", f"{weight}_integers", f"{x}_zero"]
        self.nodes += [
            helper.make_node("MatMulInteger", factors, [f"{out}_integers"]),
            helper.make_node("Cast", [f"{out}_integers"], [f"{out}_sum"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{out}_sum", f"{out}_scale"], [out]),
        ]

    def bias(self, node: "NodeProto", shift: np.ndarray) -> None:
        """Add what a node added, by a constant that is this node's alone."""
        from onnx import helper

        out = node.output[0]
        self.constants[f"{out}_bias"] = shift
        self.biases.append(out)
        self.nodes.append(helper.make_node("Add", [node.input[0], f"{out}_bias"], [out]))

    def _features(self, x: str) -> None:
        from onnx import helper

        low, high = self.ranges[x]
        zero = np.uint8(_ZERO if (low < 0).any() else 0)
        largest = np.maximum(np.maximum(-low, high), 1e-30)
        self.scales[x] = self.constants[f"{x}_scale"] = (largest / (255 - zero)).astype(np.float32)
        self.constants[f"{x}_zero"] = np.array(zero)
        self.constants[f"{x}_zeros"] = np.full(len(largest), zero)
        given = [x, f"{x}_scale", f"{x}_zeros"]
        self.nodes.append(helper.make_node("QuantizeLinear", given, [f"{x}_integers"], axis=0))


def _weights(model: "ModelProto") -> dict[str, np.ndarray]:
    """Constants by name, and those that are converted where they are used, by the result's."""
    from onnx import numpy_helper

    found = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    casts = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "Cast"}
    found |= {out: found[of].astype(np.float32) for out, of in casts.items() if of in found}
    return found


def _biases_of_joints(
    model: "ModelProto", where: str, weights: Mapping[str, np.ndarray], inputs: np.ndarray
) -> set[str]:
    """What has a number a channel added and is laid out joint, frame, channel.

    Attention has another order; what it shifts is corrected by the layers that follow.
    """
    names = [
        n.output[0]
        for n in model.graph.node
        if n.op_type == "Add" and (w := weights.get(n.input[1])) is not None and w.ndim == 1
    ]
    if not names:
        return set()
    found = next(_values(model, where, names, np.resize(inputs, (_FRAMES, *inputs.shape[1:]))))
    laid_out = zip(names, (x.shape for x in found), strict=True)
    return {name for name, shape in laid_out if len(shape) == 3 and shape[1] == _FRAMES}


def _ranges(
    model: "ModelProto", where: str, names: list[str], inputs: np.ndarray
) -> dict[str, np.ndarray]:
    """Least and largest of each joint of some features on inputs: (2, joint) by name."""
    parts = [
        [np.stack([x.min(axis=(1, 2)), x.max(axis=(1, 2))]) for x in found]
        for found in _values(model, where, names, inputs)
    ]
    of_names = (np.stack(of_blocks) for of_blocks in zip(*parts, strict=True))
    return {
        name: np.stack([x[:, 0].min(axis=0), x[:, 1].max(axis=0)])
        for name, x in zip(names, of_names, strict=True)
    }


def _correct(model: "ModelProto", where: str, made: _Replaced, inputs: np.ndarray) -> None:
    """Give what follows a bias the mean on inputs that it has in a model, layer by layer."""
    from onnx import ModelProto

    expected = _means(model, where, made.biases, inputs)
    for name in made.biases:
        corrected = ModelProto()
        corrected.CopyFrom(model)
        _put(corrected, made)
        found = _means(corrected, where, [name], inputs)[name]
        bias = made.constants[f"{name}_bias"]
        made.constants[f"{name}_bias"] = (bias + expected[name] - found).astype(np.float32)


def _means(
    model: "ModelProto", where: str, names: list[str], inputs: np.ndarray
) -> dict[str, np.ndarray]:
    """Mean of each joint's features on inputs: (joint, 1, channel) by name."""
    parts = [
        [x.sum(axis=1, keepdims=True, dtype=np.float64) for x in found]
        for found in _values(model, where, names, inputs)
    ]
    sums = (np.sum(of_blocks, axis=0) for of_blocks in zip(*parts, strict=True))
    return {name: total / len(inputs) for name, total in zip(names, sums, strict=True)}


def _values(
    model: "ModelProto", where: str, names: list[str], inputs: np.ndarray
) -> Iterator[list[np.ndarray]]:
    """Features (joint, frame, channel) of these names on inputs, block by block."""
    from onnx import ModelProto, TensorProto, helper

    watched = ModelProto()
    watched.CopyFrom(model)
    for name in names:
        watched.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = open_session(watched.SerializeToString(), where, threads=1)
    for start in range(0, len(inputs), 256):
        block = {"keypoints": np.asarray(inputs[start : start + 256], np.float32)}
        yield session.run(names, block)


def _put(model: "ModelProto", made: _Replaced) -> None:
    """Give a model its new nodes and constants; what no node needs any more is left out."""
    from onnx import checker, numpy_helper

    kept, needed = [], {output.name for output in model.graph.output}
    for node in reversed(made.nodes):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    constants = [c for c in model.graph.initializer if c.name in needed]
    constants += [numpy_helper.from_array(a, n) for n, a in made.constants.items() if n in needed]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(kept[::-1])
    model.graph.initializer.extend(constants)
    checker.check_model(model, full_check=True)
