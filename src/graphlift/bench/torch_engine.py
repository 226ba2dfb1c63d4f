"""What torch computes in a benchmark: products, networks, training steps."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from graphlift.card import ModelCard
from graphlift.export import onnx_model
from graphlift.nn.build import build_network
from graphlift.training.loop import clip_gradients
from graphlift.training.losses import loss_of
from graphlift.training.optimizer import Optimizer

if TYPE_CHECKING:
    from graphlift.bench.subjects import Network


def product_run(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Callable[[], object]:
    """Give a function that multiplies matrices, or stacks of them."""
    one, other, result = (torch.from_numpy(each) for each in (a, b, out))
    product = torch.mm if a.ndim == 2 else torch.bmm

    def run() -> None:
        product(one, other, out=result)

    return run


class TorchNetwork:
    """A network with drawn weights, and its optimiser once it is trained.

    Args:
        network: Which.
        threads: To compute with, from now on.
    """

    def __init__(self, network: "Network", threads: int) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.described = network
        self.network = build_network(
            network.method, decouple_self=network.decoupled, channels=network.channels
        ).eval()

    def as_onnx(self) -> bytes:
        """Give the ONNX model that an export would write."""
        card = ModelCard(
            name="bench",
            skeleton="h36m-16",
            inputs="screen",
            method=self.described.method,
            parameters=self.described.parameters,
        )
        return onnx_model(self.network, card)[0]

    def inference(self, x: np.ndarray) -> Callable[[], object]:
        """Give a function that lifts keypoints."""
        keypoints = torch.from_numpy(x)

        def run() -> None:
            self.network.eval()
            with torch.inference_mode():
                self.network(keypoints)

        return run

    def training(self, batch: int) -> Callable[[], object]:
        """Give a function that takes a step as training does by default, on data in memory."""
        network = self.network
        optimizer = Optimizer(list(network.parameters()), 1e-3)
        x, y = torch.randn(batch, 16, 2), torch.randn(batch, 16, 3)

        def step() -> None:
            network.train()
            loss = loss_of("mse", network(x), y)
            network.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            clip_gradients(network, 1.0)
            optimizer.step()

        return step
