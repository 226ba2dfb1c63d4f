"""Devices to train on: the processor, or an accelerator with a random state of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from graphlift.errors import ModelError
from graphlift.training.config import Device, MatmulPrecision


def is_there(name: Device) -> bool:
    """Return whether torch can use a device on this machine."""
    match name:
        case "cuda":
            return torch.cuda.is_available()
        case "mps":
            return torch.backends.mps.is_available()
        case _:
            return True


def open_device(name: Device) -> torch.device:
    """Give a device.

    Raises:
        ModelError: If there is none of that kind here, or torch was built without it.
    """
    if not is_there(name):
        raise ModelError(
            f"device = {name!r}: torch finds no such device on this machine: write "
            'device = "cpu", or install a build of torch for it'
        )
    return torch.device(name)


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Random states that a run depends on: the processor's, and the device's if it has one."""
    state = {"random": torch.get_rng_state()}
    if device.type != "cpu":
        state["random_device"] = getattr(torch, device.type).get_rng_state()
    return state


def set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Restore states that :func:`random_state` returned."""
    torch.set_rng_state(state["random"])
    if device.type != "cpu":
        getattr(torch, device.type).set_rng_state(state["random_device"])


@contextmanager
def matmul_precision(precision: MatmulPrecision) -> Iterator[None]:
    """Take products of float32 matrices with torch's precision of that name until the block ends.

    ``medium`` rounds their factors to bfloat16 and still sums in float32, where the processor can;
    graph convolutions round what they give, too (:mod:`graphlift.nn.precision`).
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
