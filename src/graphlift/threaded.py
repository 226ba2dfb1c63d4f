"""Many frames through a network by several threads, in the faster of two ways.

*Together*, all threads compute each operation of a block of frames, as ONNX Runtime has it.
*Shared out*, each computes blocks of frames by itself, through a session of one thread that all of
them run at once; they wait for each other once a call and not at each operation, which is faster
where operations are short, as those of a narrow network are. Answers are the same but for
rounding.

Which way is faster is measured by what is lifted anyway: once many frames were, calls go either
way in turns, and the faster way stays. A single frame and a small batch are computed together.
"""

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from threading import Lock
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from graphlift.onnx_session import open_session

BATCH = 256
"""Poses at once: as many as keep a layer's features in the cache."""
LEAST, MOST = 64, 128
"""Frames of a block that a thread computes by itself."""
NARROW = 2**21
"""Bytes of the largest file whose frames may be shared out. In a wider network operations are
longer, so that there is little to gain, and a second session holds all weights once more."""
WAIT = 2**14
"""Frames that are lifted before ways are compared: fewer would not repay the second session."""
CALLS, TURNS = 16, 4
"""Calls of a turn, and turns: each way has two. A turn is longer than threads of ONNX Runtime stay
awake after the one before."""
GAIN = 0.95
"""Of the time together: what shared out must take at most to be chosen."""

Way = Literal["together", "shared out"]
WAYS: tuple[Way, Way] = ("together", "shared out")


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


class Threaded:
    """A network that several threads compute.

    Args:
        content: Of its ``.onnx`` file.
        where: The file, for errors.
        threads: How many; two or more.
        clock: Tells the seconds of calls.

    Attributes:
        way: The faster way, once it is known.
    """

    def __init__(
        self,
        content: bytes,
        where: object,
        *,
        threads: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.way: Way | None = None
        self._content, self._where, self._threads, self._clock = content, where, threads, clock
        self._comparing = Lock()
        self._frames = self._calls = 0
        self._fastest: dict[Way, float] = dict.fromkeys(WAYS, math.inf)

    def run(
        self,
        session: Any,  # noqa: ANN401  # untyped library
        inputs: Float[np.ndarray, "frame joint before"],
    ) -> Float[np.ndarray, "frame joint after"]:
        """Run the network on one frame or more, in the way that is faster as far as is known.

        Args:
            session: Of the same network and of all threads.
            inputs: As the network takes them.
        """
        if len(inputs) < LEAST * self._threads or self.way == "together":
            return together(session, inputs)
        if self.way == "shared out":
            return self.shared_out(inputs)
        if not self._comparing.acquire(blocking=False):  # calls at once disturb each other
            return together(session, inputs)
        try:
            return self._compared(session, inputs)
        finally:
            self._comparing.release()

    def compare(self, session: Any) -> None:  # noqa: ANN401  # untyped library
        """Find at once which way is faster; what is timed afterwards is then one of both.

        Args:
            session: As in :meth:`run`.
        """
        frames = max(BATCH, LEAST * self._threads)
        inputs = np.zeros((frames, *session.get_inputs()[0].shape[1:]), np.float32)
        while self.way is None:
            self.run(session, inputs)

    def shared_out(
        self, inputs: Float[np.ndarray, "frame joint before"]
    ) -> Float[np.ndarray, "frame joint after"]:
        """Run the network on frames of which each thread takes a block, until none is left.

        Args:
            inputs: As the network takes them; as many frames as threads, at least.
        """
        blocks = math.ceil(len(inputs) / (MOST * self._threads)) * self._threads
        ends = [len(inputs) * n // blocks for n in range(blocks + 1)]
        left = iter([slice(*each) for each in pairwise(ends)])
        after = self._session.get_outputs()[0].shape[1:]
        answers = np.empty((len(inputs), *after), np.float32)

        def compute() -> None:
            for at in left:  # gives each block once, whoever asks
                answers[at] = _answer(self._session, inputs[at])

        others = [self._pool.submit(compute) for _ in range(self._threads - 1)]
        compute()
        for each in others:
            each.result()
        return answers

    def _compared(self, session: Any, inputs: np.ndarray) -> np.ndarray:  # noqa: ANN401
        """Run the network, and learn from it which way is faster."""
        if self._frames < WAIT or self.way is not None:  # by another call, since this one looked
            self._frames += len(inputs)
            return together(session, inputs)
        way = WAYS[self._calls // CALLS % 2]
        self._calls += 1
        began = self._clock()
        answers = together(session, inputs) if way == "together" else self.shared_out(inputs)
        seconds = (self._clock() - began) / len(inputs)
        self._fastest[way] = min(self._fastest[way], seconds)
        if self._calls >= CALLS * TURNS:
            self._choose()
        return answers

    def _choose(self) -> None:
        """Keep the faster way, and what it needs."""
        faster = self._fastest["shared out"] <= GAIN * self._fastest["together"]
        self._content = b""
        if faster:
            self.way = "shared out"
        else:
            self.way = "together"
            self._pool.shutdown()
            del self._pool, self._session

    @cached_property
    def _session(self) -> Any:  # noqa: ANN401  # untyped library
        return open_session(self._content, self._where, threads=1)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        """Threads beside the one that calls."""
        return ThreadPoolExecutor(self._threads - 1, "blocks")


def _answer(session: Any, inputs: np.ndarray) -> np.ndarray:  # noqa: ANN401  # untyped library
    (poses,) = session.run(["poses"], {"keypoints": np.asarray(inputs, np.float32)})
    return np.asarray(poses)
