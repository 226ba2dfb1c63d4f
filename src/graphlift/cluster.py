"""A Ray cluster: joined where one runs, or started of this machine alone (extra ``cluster``).

Whoever reaches the ports of a cluster can run programs on it. It belongs into a network of its
own; graphlift starts one of this machine without a dashboard, and sends no usage statistics.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graphlift.errors import ConfigError
from graphlift.words import reason

STORE_BYTES = 200_000_000
"""Of Ray's memory for objects where graphlift starts it: what passes through is small."""


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Join a cluster until the block ends, and give the module ``ray``.

    Args:
        address: As ``ray.init`` takes it, such as ``10.0.0.1:6379``; empty for the one that
            ``RAY_ADDRESS`` names or that runs on this machine, or else for one that is started
            here with all processors, and ended with the block.

    Raises:
        ConfigError: If no cluster answers, or the address is none.
        ModuleNotFoundError: If Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    ends = signal.getsignal(signal.SIGTERM)
    try:
        _join(ray, address)
    except (ConnectionError, ValueError) as error:
        raise ConfigError(
            f"--ray {address}: no Ray cluster answers there ({reason(error)}): start one by "
            "`ray start --head`, or leave the address out to use this machine alone"
        ) from error
    try:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ends)  # Ray's own ends the process without a word
        yield ray
    finally:
        ray.shutdown()


def _join(ray: Any, address: str) -> None:  # noqa: ANN401  # untyped library
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        ray.init(address or "auto", **quiet)
    except ConnectionError:
        if address or "RAY_ADDRESS" in os.environ:
            raise
        local = {"include_dashboard": False, "object_store_memory": STORE_BYTES}
        ray.init("local", **local, **quiet)
