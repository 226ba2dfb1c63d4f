"""Times of several functions that take turns, so that a disturbance reaches all of them."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles

SHORTEST = 0.002
"""s of a sample: what is faster runs several times for one."""
LEAST = 3
"""Samples of each function, however long they take."""
MOST = 2000
"""Samples of each function, however short they are."""

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
) -> dict[str, Timing]:
    """Time functions in turns: each once, then each once more, until the time is up.

    Before, each is called twice or more, to warm up.

    Args:
        functions: By name; none takes arguments.
        seconds: For all of them together; each gets at least :data:`LEAST` samples.
        clock: Tells the seconds of samples.
    """
    calls = {name: _calls(function) for name, function in functions.items()}
    samples: dict[str, list[float]] = {name: [] for name in functions}
    end = time.perf_counter() + seconds
    for turn in range(MOST):
        if turn >= LEAST and time.perf_counter() > end:
            break
        for name, function in functions.items():
            samples[name].append(_sample(function, calls[name], clock))
    return {name: timing(each) for name, each in samples.items()}


def timing(samples: list[float]) -> Timing:
    """Summarise samples, of which there are two at least."""
    low, _, high = quantiles(samples, n=4, method="inclusive")
    return Timing(median(samples), low, high, len(samples))


def _calls(function: Callable[[], object]) -> int:
    """Warm a function up, and say how many calls make a sample."""
    once = SHORTEST
    for _ in range(2):  # the first call is slow, and what it takes says little
        once = max(_sample(function, math.ceil(SHORTEST / once), time.perf_counter), 1e-7)
    return math.ceil(SHORTEST / once)


def _sample(function: Callable[[], object], calls: int, clock: Clock) -> float:
    began = clock()
    for _ in range(calls):
        function()
    return (clock() - began) / calls
