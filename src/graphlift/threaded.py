"""Many frames through a network by several threads, each of which computes blocks by itself.

ONNX Runtime has all threads of a session compute each operation together, and wait for each other
at its end. That is right for a single frame. Of many frames each thread takes a block after the
other here, through a session of one thread that all of them run at once, and they wait for each
other once a call. Answers are the same but for rounding.
"""

import contextlib
import math
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import Float

from graphlift.onnx_session import open_session

BATCH = 256
"""Poses at once: as many as keep a layer's features in the caches of one or two processors."""
LEAST, MOST = 64, 128
"""Frames of a block that one of several threads computes by itself."""
BLOCKS = 4
"""Blocks a thread in a call of a long clip, so that a thread that is held up has fewer of them."""


def together(
    session: Any,  # noqa: ANN401  # untyped library
    inputs: Float[np.ndarray, "frame joint before"],
) -> Float[np.ndarray, "frame joint after"]:
    """Run a network on one frame or more, block after block.

    Args:
        session: Of ONNX Runtime.
        inputs: As the network takes them.
    """
    blocks = [inputs[n : n + BATCH] for n in range(0, len(inputs), BATCH)]
    answers = [_answer(session, block) for block in blocks]
    return answers[0] if len(answers) == 1 else np.concatenate(answers)


class SharedOut:
    """A network whose frames several threads share out.

    The session of one thread is opened, and threads are started, when they are first needed.

    Args:
        content: Of its ``.onnx`` file.
        where: The file, for errors.
        threads: How many; two or more.

    Attributes:
        least: Frames that are worth sharing out: a block for each thread.
        at_once: As many frames of a long clip as one call should be of.
    """

    def __init__(self, content: bytes, where: object, *, threads: int) -> None:
        self.least, self.at_once = LEAST * threads, BLOCKS * MOST * threads
        self._content, self._where, self._threads = content, where, threads
        self._opening = Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def __call__(
        self, inputs: Float[np.ndarray, "frame joint before"]
    ) -> Float[np.ndarray, "frame joint after"]:
        """Run the network on frames of which each thread takes a block, until none is left.

        Args:
            inputs: As the network takes them; as many frames as threads, at least.
        """
        blocks = math.ceil(len(inputs) / (MOST * self._threads)) * self._threads
        ends = [len(inputs) * n // blocks for n in range(blocks + 1)]
        left = iter([slice(*each) for each in pairwise(ends)])
        with self._opening:  # of several callers at once, the first
            session, pool = self._session, self._pool_here()
        after = session.get_outputs()[0].shape[1:]
        answers = np.empty((len(inputs), *after), np.float32)

        def compute() -> None:
            for at in left:  # gives each block once, whoever asks
                answers[at] = _answer(session, inputs[at])

        others = []
        with contextlib.suppress(RuntimeError):  # no thread can be started; at the end, none may
            for _ in range(self._threads - 1):
                others.append(pool.submit(compute))  # noqa: PERF401  # those before one that fails
        compute()
        for each in others:
            if not each.cancel():  # else it has not begun, and nothing is left for it
                each.result()
        return answers

    @cached_property
    def _session(self) -> Any:  # noqa: ANN401  # untyped library
        session = open_session(self._content, self._where, threads=1)
        self._content = b""
        return session

    def _pool_here(self) -> ThreadPoolExecutor:
        """Threads beside the one that calls; a forked process has none of its parent's."""
        if self._pool is None or self._process != os.getpid():
            self._process = os.getpid()
            self._pool = ThreadPoolExecutor(self._threads - 1, "blocks")
        return self._pool


def _answer(session: Any, inputs: np.ndarray) -> np.ndarray:  # noqa: ANN401  # untyped library
    (poses,) = session.run(["poses"], {"keypoints": np.asarray(inputs, np.float32)})
    return np.asarray(poses)
