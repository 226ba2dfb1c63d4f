"""An ONNX graph under construction: what both converters write their operators into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.words import reason

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

OPSET = 17
IR_VERSION = 9
"""Old enough for every ONNX Runtime we allow."""

Shape = list[int | str]
"""Lengths of axes; a name stands for any length."""

SMALL = 64
"""Weights of at most so many numbers stay float32: halving them saves nothing."""


@dataclass(eq=False)
class OnnxGraph:
    """Nodes and constants in the order in which they were added; every value has a fresh name."""

    nodes: "list[NodeProto]" = field(default_factory=list)
    constants: "list[TensorProto]" = field(default_factory=list)

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:  # noqa: ANN401
        """Add an operator with one output and return that output's name."""
        (output,) = self.add_many(operator, *inputs, names=[name], **attributes)
        return output

    def add_many(
        self,
        operator: str,
        *inputs: str,
        names: Sequence[str],
        **attributes: Any,  # noqa: ANN401
    ) -> list[str]:
        """Add an operator with several outputs; an empty name means a fresh one."""
        from onnx import helper

        count = len(self.nodes)
        outputs = [name or f"v{count}_{k}" for k, name in enumerate(names)]
        self.nodes.append(helper.make_node(operator, inputs, outputs, **attributes))
        return outputs

    def constant(self, array: np.ndarray | Sequence[int]) -> str:
        """Store an array (plain integers become int64) and return its name."""
        from onnx import numpy_helper

        values = np.array(array, order="C")
        if values.dtype.kind == "i":
            values = values.astype(np.int64)
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def weight(self, array: np.ndarray) -> str:
        """Store a weight in half precision, widened again where it is used.

        The runtime widens it once, when it loads the model.
        """
        from onnx import TensorProto

        if array.size <= SMALL:
            return self.constant(array.astype(np.float32))
        return self.add("Cast", self.constant(array.astype(np.float16)), to=TensorProto.FLOAT)

    def serialise(
        self,
        inputs: Mapping[str, tuple[int, Shape]],
        outputs: Mapping[str, Shape],
    ) -> bytes:
        """Write the model, without what no output needs; the checker has passed it.

        Args:
            inputs: Element type and shape of each.
            outputs: Shape of each, all float32.

        Raises:
            FormatError: If operators and shapes do not go together, as in a damaged file's.
        """
        from onnx import TensorProto, checker, helper, shape_inference

        needed, kept = set(outputs), []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                kept.append(node)
                needed.update(node.input)
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            kept[::-1],
            "graphlift",
            [value(name, kind, shape) for name, (kind, shape) in inputs.items()],
            [value(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            [constant for constant in self.constants if constant.name in needed],
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="graphlift",
        )
        try:
            checker.check_model(model, full_check=True)
        except (checker.ValidationError, shape_inference.InferenceError) as error:
            raise FormatError(
                "the model's operators and shapes do not go together "
                f"({reason(error)}): get the file again"
            ) from error
        return bytes(model.SerializeToString())
