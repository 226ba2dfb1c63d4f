"""Any network as ONNX: it runs on an example, and each operation on the way is written down.

What depends on weights alone is computed on the way and stored. Operations are recorded as Python
calls them, so that one of torch's versions writes the same as another.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from graphlift.errors import ModelError
from graphlift.onnx_graph import OnnxGraph

Number = Tensor | float | int
EXAMPLES = (2, 3)
"""Frames of two runs: an axis whose length differs between them is as long as there are frames."""


def write_network(graph: OnnxGraph, network: nn.Module, joints: int, features: int) -> int:
    """Write a network in evaluation from the value ``keypoints`` to the value ``poses``.

    Args:
        graph: Gets the operations, with weights in single precision.
        network: Takes (frame, joint, feature).
        joints: How many it takes.
        features: Numbers per joint of its input.

    Returns:
        Numbers per joint of its output.

    Raises:
        ModelError: If it does what has no counterpart here.
    """
    was_training = network.training
    network.eval()
    shapes: list[torch.Size] = []
    try:
        for frames in EXAMPLES:
            example = torch.zeros(frames, joints, features)
            last = frames == EXAMPLES[-1]
            recorder = Recorder(example, graph if last else None, shapes)
            with torch.no_grad(), recorder:
                poses = network(example)
            shapes = recorder.shapes
    finally:
        network.train(was_training)
    graph.add("Identity", recorder.name(poses), name="poses")
    return int(poses.shape[-1])


class Recorder(TorchFunctionMode):
    """Follows what becomes of the keypoints, and writes each operation that touches it.

    Args:
        keypoints: The input of the run.
        graph: What to write to; None in a first run, for its shapes alone.
        earlier: Shapes of the first run, in the order of the operations.
    """

    def __init__(
        self, keypoints: Tensor, graph: OnnxGraph | None, earlier: Sequence[torch.Size]
    ) -> None:
        super().__init__()
        self.graph, self.earlier = graph, earlier
        self.shapes: list[torch.Size] = []
        self.values = {id(keypoints): (keypoints, "keypoints")}  # the tensor keeps its id taken
        self.stored: dict[int, tuple[Tensor, str]] = {}

    def __torch_function__(
        self,
        func: Any,  # noqa: ANN401
        types: Any,  # noqa: ANN401
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Run an operation; if it takes what became of the keypoints, write it, too."""
        options = dict(kwargs or {})
        out = func(*args, **options)
        outputs = out if isinstance(out, (tuple, list)) else (out,)
        tensors = all(isinstance(each, Tensor) for each in outputs)
        if not tensors or not any(id(each) in self.values for each in _flat(args, options)):
            return out
        self.shapes += [each.shape for each in outputs]
        names = [""] * len(outputs)
        if self.graph is not None:
            names = self._write(func.__name__.strip("_"), args, options, outputs)
        for each, name in zip(outputs, names, strict=True):
            self.values[id(each)] = each, name
        return out

    def _write(
        self,
        called: str,
        args: Sequence[Any],
        options: Mapping[str, Any],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        if called in _RESHAPES:
            return [self.reshape(self.name(args[0]), outputs[0])]
        if called not in _OPERATIONS:
            raise ModelError(
                f"the network has an operation, {called}, that is not known as ONNX: lift with "
                "a plain graph network"
            )
        written = _OPERATIONS[called](self, outputs, *args, **options)
        return [written] if isinstance(written, str) else written

    def name(self, value: Number) -> str:
        """Name of a value; numbers and weights are stored when they are first needed."""
        assert self.graph is not None
        if not isinstance(value, Tensor):
            return self.graph.constant(np.array(value, np.float32))
        if id(value) in self.values:
            return self.values[id(value)][1]
        if id(value) not in self.stored:
            array = value.detach().cpu().numpy()
            single = array.astype(np.float32) if array.dtype.kind == "f" else array
            self.stored[id(value)] = value, self.graph.constant(single)
        return self.stored[id(value)][1]

    def add(self, operator: str, *values: Number | str, **attributes: Any) -> str:  # noqa: ANN401
        """Write an operator with one output."""
        assert self.graph is not None
        inputs = (each if isinstance(each, str) else self.name(each) for each in values)
        return self.graph.add(operator, *inputs, **attributes)

    def integers(self, values: Sequence[int]) -> str:
        """Store whole numbers."""
        assert self.graph is not None
        return self.graph.constant(np.array(values, np.int64))

    def reshape(self, value: str, output: Tensor) -> str:
        """Write the change of a shape, whatever it was called."""
        before = self.earlier[len(self.shapes) - 1]
        shape = [-1 if a != b else b for a, b in zip(before, output.shape, strict=True)]
        return self.add("Reshape", value, self.integers(shape))


def _flat(args: Sequence[Any], options: Mapping[str, Any]) -> Iterator[Any]:
    for each in (*args, *options.values()):
        yield from each if isinstance(each, (tuple, list)) else (each,)


Outputs = Sequence[Tensor]
_RESHAPES = {"flatten", "unflatten", "view", "view_as", "reshape", "unsqueeze", "squeeze"}


def _operator(name: str, *, swapped: bool = False) -> Callable[..., str]:
    """Write an operator that takes its inputs as torch does, or the other way round."""

    def write(r: Recorder, _: Outputs, *values: Number, inplace: bool = False) -> str:
        assert not inplace
        return r.add(name, *(values[::-1] if swapped else values))

    return write


def _as_it_is(r: Recorder, _: Outputs, x: Tensor, *__: Any, **___: Any) -> str:  # noqa: ANN401
    return r.name(x)


def _getitem(r: Recorder, outputs: Outputs, x: Tensor, _: Any) -> str:  # noqa: ANN401
    if outputs[0].numel() != x.numel():
        raise ModelError("the network takes a part of a tensor by [...]: write index_select")
    return r.reshape(r.name(x), outputs[0])


def _transpose(r: Recorder, _: Outputs, x: Tensor, dim0: int, dim1: int) -> str:
    axes = list(range(x.ndim))
    axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return r.add("Transpose", x, perm=axes)


def _split(r: Recorder, outputs: Outputs, x: Tensor, _: Any, dim: int = 0) -> list[str]:  # noqa: ANN401
    assert r.graph is not None
    sizes = r.integers([each.shape[dim] for each in outputs])
    return r.graph.add_many("Split", r.name(x), sizes, names=[""] * len(outputs), axis=dim)


def _cat(r: Recorder, _: Outputs, tensors: Sequence[Tensor], dim: int = 0) -> str:
    return r.add("Concat", *tensors, axis=dim)


def _stack(r: Recorder, _: Outputs, tensors: Sequence[Tensor], dim: int = 0) -> str:
    apart = [r.add("Unsqueeze", each, r.integers([dim])) for each in tensors]
    return r.add("Concat", *apart, axis=dim)


def _index_select(r: Recorder, _: Outputs, x: Tensor, dim: int, index: Tensor) -> str:
    return r.add("Gather", x, index, axis=dim)


def _sum(r: Recorder, _: Outputs, x: Tensor, dim: int, keepdim: bool = False) -> str:
    return r.add("ReduceSum", x, r.integers([dim]), keepdims=int(keepdim))


def _mean(r: Recorder, _: Outputs, x: Tensor, dim: int, keepdim: bool = False) -> str:
    return r.add("ReduceMean", x, axes=[dim], keepdims=int(keepdim))


def _std(r: Recorder, _: Outputs, x: Tensor, dim: int, keepdim: bool = False) -> str:
    """√(Σ (x − mean)² / (n − 1))."""
    apart = r.add("Sub", x, r.add("ReduceMean", x, axes=[dim], keepdims=1))
    squares = r.add("Mul", apart, apart)
    summed = r.add("ReduceSum", squares, r.integers([dim]), keepdims=int(keepdim))
    return r.add("Sqrt", r.add("Div", summed, float(x.shape[dim] - 1)))


def _softmax(r: Recorder, _: Outputs, x: Tensor, dim: int) -> str:
    return r.add("Softmax", x, axis=dim)


def _leaky_relu(
    r: Recorder, _: Outputs, x: Tensor, negative_slope: float = 0.01, inplace: bool = False
) -> str:
    assert not inplace
    return r.add("LeakyRelu", x, alpha=negative_slope)


def _linear(r: Recorder, _: Outputs, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> str:
    product = r.add("MatMul", x, weight.T)
    return product if bias is None else r.add("Add", product, bias)


def _baddbmm(r: Recorder, _: Outputs, x: Tensor, one: Tensor, other: Tensor) -> str:
    return r.add("Add", x, r.add("MatMul", one, other))


def _addmm(r: Recorder, _: Outputs, x: Tensor, one: Tensor, other: Tensor) -> str:
    return r.add("Gemm", one, other, x)


def _gelu(r: Recorder, _: Outputs, x: Tensor, approximate: str = "none") -> str:
    """As torch: x (1 + erf(x / √2)) / 2."""
    assert approximate == "none"
    share = r.add("Add", r.add("Erf", r.add("Mul", x, 0.5**0.5)), 1.0)
    return r.add("Mul", r.add("Mul", x, 0.5), share)


def _layer_norm(
    r: Recorder,
    _: Outputs,
    x: Tensor,
    shape: Sequence[int],
    weight: Tensor,
    bias: Tensor,
    eps: float,
) -> str:
    return r.add("LayerNormalization", x, weight, bias, axis=-len(shape), epsilon=eps)


def _batch_norm(
    r: Recorder,
    _: Outputs,
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    eps: float,
    **_options: Any,  # noqa: ANN401
) -> str:
    """Of (row, channel), in evaluation: a gain and a shift of each channel."""
    gain = weight.double() / torch.sqrt(variance.double() + eps)
    shift = bias.double() - mean.double() * gain
    return r.add("Add", r.add("Mul", x, gain.float()), shift.float())


_OPERATIONS: Mapping[str, Callable[..., str | list[str]]] = {
    **{name: _operator("Add") for name in ("add", "radd")},
    **{name: _operator("Mul") for name in ("mul", "rmul")},
    **{name: _operator("Div") for name in ("div", "truediv")},
    **{name: _operator("MatMul") for name in ("matmul", "bmm")},
    "sub": _operator("Sub"),
    "rsub": _operator("Sub", swapped=True),
    "rmatmul": _operator("MatMul", swapped=True),
    "maximum": _operator("Max"),
    "abs": _operator("Abs"),
    "relu": _operator("Relu"),
    "leaky_relu": _leaky_relu,
    "sigmoid": _operator("Sigmoid"),
    **dict.fromkeys(("contiguous", "dropout"), _as_it_is),
    **dict.fromkeys(("chunk", "split"), _split),
    "getitem": _getitem,
    "transpose": _transpose,
    "cat": _cat,
    "stack": _stack,
    "index_select": _index_select,
    "sum": _sum,
    "mean": _mean,
    "std": _std,
    "softmax": _softmax,
    "linear": _linear,
    "baddbmm": _baddbmm,
    "addmm": _addmm,
    "gelu": _gelu,
    "layer_norm": _layer_norm,
    "batch_norm": _batch_norm,
}
"""By the last word of torch's name, how an operation is written."""
