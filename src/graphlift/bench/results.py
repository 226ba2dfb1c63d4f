"""What a benchmark found, as it is stored: every table and figure is made of this alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Literal

from graphlift.bench.machine import Machine, MemoryRates
from graphlift.bench.products import Product
from graphlift.errors import FormatError
from graphlift.plain_json import json_as, parse_json
from graphlift.words import problems

Mode = Literal["inference", "in all", "training"]


@dataclass(frozen=True)
class ProductRate:
    """How fast a product is, by engine.

    Args:
        product: Its shape.
        gflops: 10^9 operations a second (a multiply-accumulate is two), by engine.
    """

    product: Product
    gflops: Mapping[str, float]

    @property
    def best(self) -> float:
        """Of the fastest engine."""
        return max(self.gflops.values())


@dataclass(frozen=True)
class Row:
    """How long a network takes for a batch.

    Args:
        name: Of the network or the model.
        parameters: Its learnt numbers.
        channels: Its width.
        mode: ``inference`` is the network alone; ``in all`` is lifting by a model, with the input
            made and the answer turned back, and of one pose a streamed frame from keypoints in
            px; ``training`` is a step.
        batch: Poses.
        engine: What computed it.
        seconds: Median.
        low: Lower quartile, s.
        high: Upper quartile, s.
        samples: How often it was timed.
        operations: Of its products: two for a multiply-accumulate.
        traffic: Bytes of the factors and results of its products, each counted once.
        limit: s that its products take by the engine that is fastest at each shape, measured in
            turns with the network.
    """

    name: str
    parameters: int
    channels: int
    mode: Mode
    batch: int
    engine: str
    seconds: float
    low: float
    high: float
    samples: int
    operations: float
    traffic: float
    limit: float

    @property
    def share(self) -> float:
        """Of the limit: 1 if it takes no longer than its products alone."""
        return self.limit / self.seconds

    @property
    def gflops(self) -> float:
        """10^9 operations a second."""
        return self.operations / self.seconds / 1e9

    @property
    def poses_per_second(self) -> float:
        """Poses a second."""
        return self.batch / self.seconds

    @property
    def intensity(self) -> float:
        """Operations a byte."""
        return self.operations / self.traffic


@dataclass(frozen=True)
class Result:
    """A whole benchmark.

    Args:
        machine: Where it ran.
        memory: Rates of its memory.
        square: The rate of products of two large square matrices.
        products: The best rate of each shape that occurred; of batches as they were measured.
        rows: What networks took.
        left_out: What was not measured, and why.
        seconds: How long all of it took.
        missing: Networks and models at a batch that an interrupt left unmeasured.
        clock: ``wall``, or ``processor`` for the processor's time of a thread.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    machine: Machine
    memory: MemoryRates
    square: ProductRate
    products: tuple[ProductRate, ...]
    rows: tuple[Row, ...]
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0
    missing: int = 0
    clock: Literal["wall", "processor"] = "wall"

    def to_json(self) -> dict[str, object]:
        """As plain values."""
        return asdict(self)


def read_result(path: Path) -> Result:
    """Read what a benchmark stored.

    Raises:
        FormatError: If it is something else.
        OSError: If it cannot be read.
    """
    from pydantic import ValidationError

    text = path.read_bytes()
    way_out = "give the bench.json of graphlift bench"
    try:
        parse_json(text)
        return json_as(Result, text)
    except ValidationError as error:
        raise FormatError(f"{path}: {problems(error, 'result')}: {way_out}") from error
    except ValueError as error:
        raise FormatError(f"{path}: {error}: {way_out}") from error
