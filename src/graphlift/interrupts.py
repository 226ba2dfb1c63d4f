"""Interrupts that wait until a piece of work is done."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def deferred(*, ignored: bool = False) -> Iterator[Callable[[], bool]]:
    """Hold SIGINT and SIGTERM back until the block ends.

    Outside the main thread nothing is held back: Python hands signals to that thread alone.

    Args:
        ignored: Whether to receive those that the process ignores, too, as one that a script
            started in the background ignores SIGINT.

    Yields:
        A function that tells whether one was received; what to do about it is for the caller.
    """
    received: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    before = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
        if main and (ignored or signal.getsignal(number) != signal.SIG_IGN)
    }
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
