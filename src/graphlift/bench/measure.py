"""The benchmark: networks and the products they consist of, timed in turns."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from graphlift.bench.clock import Clock, Timing, alternate
from graphlift.bench.engines import (
    CONSTANT,
    ENGINES,
    NEEDED,
    TITLES,
    Built,
    Engine,
    Run,
    chosen,
    missing,
    model_runs,
    product_runs,
)
from graphlift.bench.machine import Machine, free_bytes, memory_rates, this_machine
from graphlift.bench.products import Product
from graphlift.bench.results import Mode, ProductRate, Result, Row
from graphlift.bench.subjects import Model, Network, models, networks, sorted_out
from graphlift.bench.unfinished import Measured, Start, keep, kept_in, read_unfinished
from graphlift.errors import ConfigError
from graphlift.interrupts import deferred

SQUARE = Product(1, 2048, 2048, 2048)
"""The product whose rate stands for the machine's."""
LONGEST = 4.0
"""s that a call may take at most, by its operations and the rate of :data:`SQUARE`."""
USUAL = 0.6
"""Share of the limit by which the time of a run is estimated."""
MINOR = 0.01
"""Shapes with a smaller share of a network's operations are timed by the fastest engine alone."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to measure.

    Args:
        names: Networks, models and groups of them.
        sizes: Millions of parameters of networks, or 0 as they were published.
        batches: Poses at once, in inference.
        training_batches: Poses of a training step.
        engines: Some of :data:`graphlift.bench.engines.ENGINES`; all that are installed if empty.
        threads: To compute with.
        seconds: For each network, batch and mode: all engines and products together. Where one
            turn of all takes longer, they have two turns, of which the second counts.
        cpu_time: Count the processor's time of this process in place of the clock's: for one
            thread, on a machine that does other work.
    """

    names: Sequence[str] = ("paper", "models")
    sizes: Sequence[float] = (4.2,)
    batches: Sequence[int] = (1, 64, 256, 1024)
    training_batches: Sequence[int] = (64, 256)
    engines: Sequence[str] = ()
    threads: int = 1
    seconds: float = 2.0
    cpu_time: bool = False


Show = Callable[[float, float, str], None]
"""Told how many seconds of how many are done, and what comes next."""


@dataclass(eq=False)
class _Bench:
    """What is known so far."""

    options: Options
    engines: tuple[Engine, ...]
    clock: Clock
    square: ProductRate
    built: Built | None = None
    products: dict[Product, ProductRate] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class _Cell:
    """A network or model at a batch, in one mode."""

    subject: Network | Model
    batch: int
    training: bool

    @property
    def label(self) -> str:
        what = "training" if self.training else "inference"
        millions = self.subject.parameters / 1e6
        return f"{self.subject.name}, {millions:.2g} M, {what}, batch {self.batch:,}"

    @property
    def what(self) -> str:
        """As :attr:`label`, and the same of no other cell."""
        return f"{self.label}, {self.subject.parameters} in {self.subject.channels} channels"

    @property
    def products(self) -> Counter[Product]:
        subject = self.subject
        of = (
            subject.products(self.batch, training=self.training)
            if isinstance(subject, Network)
            else subject.products(self.batch)
        )
        return Counter(product.shape for product in of)


def bench(options: Options, show: Show = lambda *_: None, folder: Path | None = None) -> Result:
    """Measure.

    An interrupt ends it with what was measured by then, once there is anything to hold a network
    against.

    Args:
        options: What, and how.
        show: Told how far it is.
        folder: Where each measurement is kept as it comes, and from where those of a benchmark
            that was interrupted are taken.

    Raises:
        BlockingIOError: If another benchmark runs in the folder.
        ConfigError: If there is no network, model or engine of a name, or what the folder has was
            measured under other conditions.
        FormatError: As :func:`graphlift.bench.subjects.models`; or what the folder has is damaged.
        OSError: If the folder cannot be written to.
    """
    if options.cpu_time and options.threads != 1:
        raise ConfigError("the time of one thread says nothing of several: use one (--threads 1)")
    machine = this_machine(options.threads)
    clock = time.process_time if options.cpu_time else time.perf_counter
    of_networks, of_models = sorted_out(options.names)
    engines = chosen(options.engines)
    loaded = list(models(of_models, options.threads))
    with kept_in(folder) as unfinished:
        start, before = read_unfinished(unfinished, _conditions(machine, engines, options))
        if start is None:
            show(0, 1, "memory and the largest product")
            start = _start(machine, engines, options, clock)
            keep(start, unfinished)
        found = _Bench(options, engines, clock, start.square)
        found.left_out += _not_installed(options, of_networks)
        cells = list(_cells(options, list(networks(of_networks, options.sizes)), loaded, found))
        missing = _measure_all(cells, before, found, show, unfinished)
    loads = [each.load for each in (start.machine, machine) if each.load is not None]
    return Result(
        machine=replace(machine, load=max(loads, default=None)),
        memory=start.memory,
        square=start.square,
        products=tuple(found.products.values()),
        rows=tuple(found.rows),
        left_out=tuple(found.left_out),
        seconds=start.seconds + found.seconds,
        missing=missing,
        clock="processor" if options.cpu_time else "wall",
    )


def _conditions(
    machine: Machine, engines: Sequence[Engine], options: Options
) -> Mapping[str, str]:
    """What must be the same throughout a benchmark, by name."""
    facts = {name: fact for name, fact in asdict(machine).items() if name != "load"}
    versions = facts.pop("versions")
    how = {"engines": ", ".join(engines), "seconds": options.seconds, "cpu-time": options.cpu_time}
    return {name: str(fact) for name, fact in (facts | versions | how).items()}


def _start(machine: Machine, engines: Sequence[Engine], options: Options, clock: Clock) -> Start:
    """Measure what all networks are held against."""
    began = time.perf_counter()
    memory = memory_rates(options.threads, options.seconds, clock)
    square = _square(engines, options, clock)
    conditions = _conditions(machine, engines, options)
    return Start(conditions, machine, memory, square, time.perf_counter() - began)


def _measure_all(
    cells: Sequence[_Cell],
    before: Mapping[str, Measured],
    found: _Bench,
    show: Show,
    unfinished: Path | None,
) -> int:
    """Measure what was not before; return how many cells an interrupt left out."""
    weights = [_expected(cell, found) for cell in cells]
    of, done = sum(weights), 0.0
    for number, (cell, weight) in enumerate(zip(cells, weights, strict=True)):
        try:
            show(done, of, cell.label)
            measured = before.get(cell.what) or _measured(cell, found)
        except KeyboardInterrupt:
            return len(cells) - number
        with deferred() as interrupted:
            _take(measured, found)
            if measured.rows and cell.what not in before:
                keep(measured, unfinished)
        done += weight
        if interrupted():
            return len(cells) - number - 1
    show(done, of, "")
    return 0


def _measured(cell: _Cell, found: _Bench) -> Measured:
    began = time.perf_counter()
    rows, products = _measure(cell, _runs(cell, found), found)
    return Measured(cell.what, rows, products, time.perf_counter() - began)


def _take(measured: Measured, found: _Bench) -> None:
    found.rows += measured.rows
    found.seconds += measured.seconds
    for rate in measured.products:
        _keep(rate, found)


def _not_installed(options: Options, of_networks: Sequence[str]) -> Iterator[str]:
    """Say what is left out for want of packages."""
    wanted = {*(options.engines or ENGINES)}
    if of_networks and wanted & {"torch", "onnxruntime"} and (lacking := missing()):
        yield (
            f"networks by torch and ONNX Runtime, and training, because {', '.join(lacking)} "
            f"{'is' if len(lacking) == 1 else 'are'} not installed (torch trains, "
            f"{NEEDED[-1]} exports): pip install 'graphlift[train]'"
        )


def _cells(
    options: Options, several: Sequence[Network], loaded: Sequence[Model], found: _Bench
) -> Iterator[_Cell]:
    """All that can be measured; what would take too long, or too much memory, is left out."""
    able = "torch" in found.engines
    subjects: list[Network | Model] = [*loaded, *several]
    for subject in subjects:
        of_training = options.training_batches if able and isinstance(subject, Network) else ()
        for training, batches in ((False, options.batches), (True, of_training)):
            for batch in batches:
                cell = _Cell(subject, batch, training)
                if (seconds := _seconds(cell, found.square)) > LONGEST:
                    found.left_out.append(f"{cell.label}: a call takes {seconds:.0f} s")
                elif (size := _bytes(cell)) > (free_bytes() or size) / 2:
                    found.left_out.append(f"{cell.label}: needs {size / 1e9:.0f} GB of memory")
                elif batch == 1 and training:
                    found.left_out.append(f"{cell.label}: one pose has no statistics")
                else:
                    yield cell


def _seconds(cell: _Cell, square: ProductRate) -> float:
    """Seconds of a call at the rate of a large product."""
    return _operations(cell.products) / square.best / 1e9


def _expected(cell: _Cell, found: _Bench) -> float:
    """Seconds that a cell will take: what it is given, or two turns of all engines."""
    several = 1 if cell.training or isinstance(cell.subject, Model) else len(found.engines)
    each = _seconds(cell, found.square)
    apart = sum(2e-9 * product.macs for product in cell.products) / found.square.best
    return max(found.options.seconds, 2 * (several * each / USUAL + len(found.engines) * apart))


def _operations(products: Counter[Product]) -> float:
    return 2.0 * sum(product.macs * times for product, times in products.items())


def _bytes(cell: _Cell) -> float:
    """Memory that a call may take: what products give, kept for gradients or a few at a time."""
    products = cell.products
    if not cell.training:
        return 6.0 * max(product.bytes for product in products)
    return 4.0 * sum(4 * p.matrices * p.rows * p.columns * n for p, n in products.items())


def _runs(cell: _Cell, found: _Bench) -> dict[tuple[str, str], Run]:
    """Give what a cell consists of, by mode and engine."""
    if isinstance(cell.subject, Model):
        if "onnxruntime" not in found.engines:
            found.left_out.append(f"{cell.label}: it runs by {TITLES['onnxruntime']} alone")
            return {}
        of_modes = model_runs(cell.subject.lifter, cell.batch)
        return {(mode, name): run for mode, each in of_modes.items() for name, run in each.items()}
    if found.built is None or found.built.network != cell.subject:
        found.built = Built(cell.subject, found.engines, found.options.threads)
    built = found.built
    runs = built.training(cell.batch) if cell.training else built.inference(cell.batch)
    mode: Mode = "training" if cell.training else "inference"
    return {(mode, engine): run for engine, run in runs.items()}


def _measure(
    cell: _Cell, runs: dict[tuple[str, str], Run], found: _Bench
) -> tuple[tuple[Row, ...], tuple[ProductRate, ...]]:
    """Time a cell's networks and its products in turns."""
    if not runs:
        return (), ()
    products = cell.products
    operations = _operations(products)
    major = [p for p, times in products.items() if 2 * p.macs * times >= MINOR * operations]
    engines = [e for e in found.engines if not (cell.training and e in CONSTANT)]
    known = {product: _of_engines(rate, engines) for product, rate in found.products.items()}
    of_products = {
        (product, engine): run
        for product in products
        if product in major or not known.get(product)
        for engine, run in product_runs(product, engines, found.options.threads).items()
    }
    functions = {str(key): run for key, run in (*runs.items(), *of_products.items())}
    threads = found.options.threads
    times = alternate(functions, found.options.seconds, found.clock, threads=threads)
    now: dict[Product, ProductRate] = {}
    for product in products:
        measured: dict[str, float] = {
            engine: 2 * product.macs / times[str((product, engine))].seconds / 1e9
            for engine in engines
            if (product, engine) in of_products
        }
        now[product] = ProductRate(product, measured or known[product])
    limit = sum(2e-9 * p.macs * n / now[p].best for p, n in products.items())
    traffic = float(sum(p.bytes * n for p, n in products.items()))
    work = (operations, traffic, limit)
    rows = tuple(_row(cell, *key, times[str(key)], work) for key in runs)
    return rows, tuple(now.values())


def _of_engines(rate: ProductRate, engines: Sequence[Engine]) -> dict[str, float]:
    return {engine: rate.gflops[engine] for engine in engines if engine in rate.gflops}


def _keep(rate: ProductRate, found: _Bench) -> None:
    """Keep the best rate of each engine over the whole run."""
    before = found.products.get(rate.product)
    best = dict(before.gflops) if before else {}
    for engine, gflops in rate.gflops.items():
        best[engine] = max(gflops, best.get(engine, 0.0))
    found.products[rate.product] = replace(rate, gflops=best)


def _row(
    cell: _Cell, mode: str, engine: str, timed: Timing, work: tuple[float, float, float]
) -> Row:
    subject = cell.subject
    return Row(
        subject.name,
        subject.parameters,
        subject.channels,
        mode,  # type: ignore[arg-type]  # one of Mode: the keys of what engines give
        cell.batch,
        engine,
        timed.seconds,
        timed.low,
        timed.high,
        timed.samples,
        *work,
    )


def _square(engines: Sequence[Engine], options: Options, clock: Clock) -> ProductRate:
    runs = product_runs(SQUARE, engines, options.threads)
    times = alternate(runs, options.seconds, clock, threads=options.threads)
    gflops = {name: 2 * SQUARE.macs / each.seconds / 1e9 for name, each in times.items()}
    return ProductRate(SQUARE, gflops)
