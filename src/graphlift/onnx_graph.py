"""The one builder of ONNX files: for networks that were trained and for detectors converted."""

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

Shape = Sequence[int | str]
"""Lengths of axes; a name stands for any length."""


@dataclass(eq=False)
class OnnxGraph:
    """Nodes and constants in the order in which they were added; every value has a fresh name.

    Args:
        value_name: Pattern of a value's name, from ``operator``, ``count`` (of the nodes before)
            and ``output`` (its number). Names are part of a file, and so of its digest.
        constant_name: Pattern of a constant's name, from ``count`` (of the constants before).
        small: Weights of at most so many numbers stay in single precision, where half precision
            saves nothing.
    """

    value_name: str = "v{count}_{output}"
    constant_name: str = "c{count}"
    small: int = 64
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

        fresh = {"operator": operator.lower(), "count": len(self.nodes)}
        outputs = [n or self.value_name.format(output=k, **fresh) for k, n in enumerate(names)]
        self.nodes.append(helper.make_node(operator, inputs, outputs, **attributes))
        return outputs

    def add_clip(self, value: str, low: float, high: float) -> str:
        """Limit a value to an interval."""
        ends = [self.constant(np.array(end, np.float32)) for end in (low, high)]
        return self.add("Clip", value, *ends)

    def add_float(self, value: str) -> str:
        """Convert a value's numbers to float32."""
        from onnx import TensorProto

        return self.add("Cast", value, to=TensorProto.FLOAT)

    def constant(self, array: np.ndarray | Sequence[int]) -> str:
        """Store an array (integers become int64) and return its name."""
        from onnx import numpy_helper

        values = np.array(array, order="C")
        if values.dtype.kind == "i":
            values = values.astype(np.int64)
        name = self.constant_name.format(count=len(self.constants))
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def weight(self, array: np.ndarray) -> str:
        """Store a weight in half precision, converted back where it is used.

        ONNX Runtime converts it once, when it loads the model.
        """
        if array.size <= self.small:
            return self.constant(array.astype(np.float32))
        return self.add_float(self.constant(array.astype(np.float16)))

    def serialise(
        self,
        inputs: Mapping[str, tuple[type[np.generic], Shape]],
        outputs: Mapping[str, Shape],
        *,
        name: str = "graphlift",
        metadata: Mapping[str, str] | None = None,
    ) -> bytes:
        """Write the model without the nodes that no output needs, once the checker passes it.

        Args:
            inputs: Element type and shape of each.
            outputs: Shape of each; all are float32.
            name: Of the graph.
            metadata: Text to store in the file, by key.

        Raises:
            FormatError: If operators and shapes do not fit together, as in a damaged file.
        """
        from onnx import checker, helper, shape_inference

        needed, kept = set(outputs), []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                kept.append(node)
                needed.update(node.input)

        def describe(name: str, kind: type[np.generic], shape: Shape) -> Any:  # noqa: ANN401
            element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
            return helper.make_tensor_value_info(name, element, shape)

        graph = helper.make_graph(
            kept[::-1],
            name,
            [describe(key, *each) for key, each in inputs.items()],
            [describe(key, np.float32, shape) for key, shape in outputs.items()],
            [constant for constant in self.constants if constant.name in needed],
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(
            graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="graphlift"
        )
        helper.set_model_props(model, dict(metadata or {}))
        try:
            checker.check_model(model, full_check=True)
        except (checker.ValidationError, shape_inference.InferenceError) as error:
            raise FormatError(
                "the model's operators and shapes do not fit together "
                f"({reason(error)}): get the file again"
            ) from error
        return bytes(model.SerializeToString())
