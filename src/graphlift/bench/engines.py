"""What computes products and networks: NumPy, torch and ONNX Runtime, each if it is installed."""

import importlib.util
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from graphlift.bench.numpy_network import drawn_network
from graphlift.bench.onnx_product import product_model
from graphlift.bench.products import Product
from graphlift.errors import ConfigError
from graphlift.onnx_session import open_session
from graphlift.threaded import SharedOut, together
from graphlift.weight_sharing import METHODS

if TYPE_CHECKING:
    from graphlift.bench.subjects import Network

Engine = Literal["numpy", "torch", "onnxruntime"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
TITLES: dict[str, str] = {"numpy": "NumPy", "torch": "torch", "onnxruntime": "ONNX Runtime"}
NEEDED = ("torch", "safetensors", "onnx")
"""Packages without which networks cannot be built, trained or exported (extra ``train``)."""
CONSTANT: tuple[Engine, ...] = ("onnxruntime",)
"""Engines whose products have a constant factor, laid out when a model is loaded. Both factors of
a training step's products are new at each step, so these are no limit for it."""
Run = Callable[[], object]


def missing() -> tuple[str, ...]:
    """Those of :data:`NEEDED` that are not installed."""
    return tuple(name for name in NEEDED if not installed(name))


def installed(package: str) -> bool:
    """Whether a package can be imported, without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # from an import hook
        return False


def chosen(names: Sequence[str]) -> tuple[Engine, ...]:
    """The engines of these names that are installed; all of them without names.

    Raises:
        ConfigError: If there is none of a name.
    """
    for name in names:
        if name not in ENGINES:
            raise ConfigError(f"no engine is named {name!r}: use some of {', '.join(ENGINES)}")
    return tuple(
        engine
        for engine in ENGINES
        if engine in (names or ENGINES) and (engine != "torch" or not missing())
    )


def product_runs(product: Product, engines: Sequence[Engine], threads: int) -> dict[str, Run]:
    """Give functions that compute a product, by engine, with nothing to allocate."""
    rng = np.random.default_rng(0)
    before = (product.matrices,) * (product.matrices > 1)

    def drawn(*shape: int) -> np.ndarray:
        return rng.standard_normal((*before, *shape), np.float32)

    a, b = drawn(product.rows, product.inner), drawn(product.inner, product.columns)
    out = np.empty((*before, product.rows, product.columns), np.float32)
    runs: dict[str, Run] = {}
    for engine in engines:
        match engine:
            case "numpy":
                runs[engine] = lambda: np.matmul(a, b, out=out)
            case "torch":
                from graphlift.bench.torch_engine import product_run

                runs[engine] = product_run(a, b, out)
            case "onnxruntime":
                runs[engine] = _bound(product_model(product, b), a, out.shape, threads)
    return runs


def _bound(model: bytes, a: np.ndarray, shape: tuple[int, ...], threads: int) -> Run:
    """Run a model of one product with its input and output kept where they are."""
    import onnxruntime

    session = open_session(model, "a product", threads=threads)
    given = onnxruntime.OrtValue.ortvalue_from_numpy(a)
    got = onnxruntime.OrtValue.ortvalue_from_numpy(np.empty(shape, np.float32))
    binding = session.io_binding()
    binding.bind_ortvalue_input("a", given)
    binding.bind_ortvalue_output("c", got)
    return lambda: session.run_with_iobinding(binding)


class Built:
    """A network built for every engine that can compute it.

    Args:
        network: Which.
        engines: That are asked for; those that cannot are left out.
        threads: To compute with.
    """

    def __init__(self, network: "Network", engines: Sequence[Engine], threads: int) -> None:
        self.network, self.engines = network, engines
        self._plain = self._torch = self._session = self._shared = None
        if {"torch", "onnxruntime"} & {*engines} and not missing():
            from graphlift.bench.torch_engine import TorchNetwork

            self._torch = TorchNetwork(network, threads)
            if "onnxruntime" in engines:
                model = self._torch.as_onnx()
                self._session = open_session(model, network.name, threads=threads)
                if threads > 1:
                    self._shared = SharedOut(model, network.name, threads=threads)
        if "numpy" in engines and network.method in METHODS:
            self._plain = drawn_network(
                network.method, decouple_self=network.decoupled, channels=network.channels
            )

    def inference(self, batch: int) -> dict[str, Run]:
        """Give functions that lift a batch, by engine; ONNX Runtime's as a lifter uses it."""
        x = np.random.default_rng(0).normal(0, 0.5, (batch, 16, 2)).astype(np.float32)
        runs: dict[str, Run] = {}
        if (plain := self._plain) is not None:
            runs["numpy"] = lambda: plain(x)
        if self._torch is not None and "torch" in self.engines:
            runs["torch"] = self._torch.inference(x)
        if (shared := self._shared) is not None and batch >= shared.least:
            runs["onnxruntime"] = lambda: shared(x)
        elif (session := self._session) is not None:
            runs["onnxruntime"] = lambda: together(session, x)
        return runs

    def training(self, batch: int) -> dict[str, Run]:
        """Give a function that takes a training step, if torch is asked for."""
        if self._torch is None or "torch" not in self.engines:
            return {}
        return {"torch": self._torch.training(batch)}


def model_runs(lifter: Any, batch: int) -> dict[str, dict[str, Run]]:  # noqa: ANN401  # a Lifter
    """Give functions that lift with a model, by mode and engine.

    ``inference`` is the network alone; ``in all`` of one pose is a streamed frame of keypoints in
    px, of several :meth:`graphlift.lifting.Lifter.lift_rays`, with the input made and the answer
    turned back.
    """
    joints, before = lifter.session.get_inputs()[0].shape[1:]
    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.5, (batch, joints, before)).astype(np.float32)
    rays, sure = rng.normal(0, 0.2, (batch, joints, 2)), np.ones((batch, joints))
    runs: dict[str, dict[str, Run]] = {"inference": {"onnxruntime": lambda: lifter.run(x)}}
    if batch == 1:
        stream = lifter.stream(skeleton="h36m-17", image_size=(1000, 1000))
        frame = rays[0, :17] * 1000 + 500
        return runs | {"in all": {"onnxruntime": lambda: stream(frame)}}
    return runs | {"in all": {"onnxruntime": lambda: lifter.lift_rays(rays, sure)}}
