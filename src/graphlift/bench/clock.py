"""Times of several functions that take turns, so that a disturbance reaches all of them."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles

SHORTEST = 0.002
"""s of a sample: what is faster runs several times for one."""
LEAST = 3
"""Samples of each function, unless a turn of all functions takes longer than :data:`SLOW`."""
MOST = 2000
"""Samples of each function, however short they are."""
SLOW = 1.0
"""s of a turn from which on one is enough, after the one that warms up."""
ASLEEP = 0.004
"""s for which threads must not have worked to count as asleep: longer than a system lets others
run in between."""
PATIENCE = 0.2
"""s that threads may take to fall asleep; then the next function is timed all the same."""

Clock = Callable[[], float]
"""Tells seconds, from any moment on."""


@dataclass(frozen=True)
class Timing:
    """How long a function takes.

    Args:
        seconds: Median of the samples.
        low: Their lower quartile, s.
        high: Their upper quartile, s.
        samples: How many there are.
    """

    seconds: float
    low: float
    high: float
    samples: int


def alternate(
    functions: Mapping[str, Callable[[], object]],
    seconds: float,
    clock: Clock = time.perf_counter,
    *,
    threads: int = 1,
) -> dict[str, Timing]:
    """Time functions in turns: each once, then each once more, until the time is up.

    Before, each is called to warm up, a short one twice or more. With several threads each sample
    waits until those of the function before are asleep (:func:`settle`), and then wakes its own by
    a call that does not count.

    Args:
        functions: By name; none takes arguments.
        seconds: For all of them together; each gets at least :data:`LEAST` samples, or one if a
            turn is slow.
        clock: Tells the seconds of samples.
        threads: That functions compute with.
    """
    once = {name: _once(function) for name, function in functions.items()}
    least = LEAST if sum(once.values()) <= SLOW else 1
    samples: dict[str, list[float]] = {name: [] for name in functions}
    end = time.perf_counter() + seconds
    for turn in range(MOST):
        if turn >= least and time.perf_counter() > end:
            break
        for name, function in functions.items():
            if threads > 1:
                settle()
                if once[name] <= SLOW / 10:  # in a longer call, waking threads does not count
                    function()
            samples[name].append(_sample(function, math.ceil(SHORTEST / once[name]), clock))
    return {name: timing(each) for name, each in samples.items()}


def settle() -> None:
    """Sleep until no thread of this process works.

    Engines keep their threads busy for a while after a call, waiting for the next one: OpenBLAS,
    OpenMP and ONNX Runtime for some milliseconds each. Within an engine that makes it faster, but
    the engine that computes next finds its cores taken. The processor's time of the process tells
    when it ends, whatever the engine and its version.
    """
    for _ in range(round(PATIENCE / ASLEEP)):
        worked = time.process_time()
        time.sleep(ASLEEP)
        if time.process_time() - worked < ASLEEP / 4:
            return


def timing(samples: list[float]) -> Timing:
    """Summarise samples, of which there is one at least."""
    if len(samples) == 1:
        return Timing(samples[0], samples[0], samples[0], 1)
    low, _, high = quantiles(samples, n=4, method="inclusive")
    return Timing(median(samples), low, high, len(samples))


def _once(function: Callable[[], object]) -> float:
    """Warm a function up, and say how many s a call takes."""
    once = SHORTEST
    for _ in range(2):  # the first call is slow, and what it takes says little
        once = max(_sample(function, math.ceil(SHORTEST / once), time.perf_counter), 1e-7)
        if once > SLOW / 4:
            break
    return once


def _sample(function: Callable[[], object], calls: int, clock: Clock) -> float:
    began = clock()
    for _ in range(calls):
        function()
    return (clock() - began) / calls
