"""The tables of a benchmark as Markdown, of one result or of several side by side."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from graphlift.bench.engines import TITLES
from graphlift.bench.products import Product
from graphlift.bench.results import Mode, ProductRate, Result, Row
from graphlift.words import counted, plain

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BUSY = 0.5
"""Processes that want to run besides, from which on a machine is called busy."""
DASH = "–"


def tables(results: Sequence[Result]) -> dict[str, str]:
    """Make the tables by name; where there are several results, each row says whose it is.

    Args:
        results: Of at most 26 machines.
    """
    marked = list(zip(LETTERS, results, strict=False))
    several = len(marked) > 1

    def each(
        head: Sequence[str],
        rows: Callable[[Result], Iterable[Sequence[str]]],
        words: int,
    ) -> str:
        every = [
            [letter, *row] if several else [*row]
            for letter, result in marked
            for row in rows(result)
        ]
        return _table(["", *head] if several else [*head], every, words + several)

    found = {
        "Machine": _table(
            ["", *(LETTERS[: len(marked)] if several else [""])],
            _machines(results),
            1 + len(marked),
        ),
        "Limits of the machine": each(
            ["", *TITLES.values(), "copy", "triad", "read", "read in the cache"], _limits, 1
        ),
        "Shares of the limit": _shares(marked, several),
        "Inference": each(_TIMES, lambda r: _timed(r, "inference"), 2),
        "Training steps": each(_TIMES, lambda r: _timed(r, "training"), 2),
        "Lifting": each(_LIFTING, _lifting, 1),
        "Products": each(
            ["product", "10^6 operations", *TITLES.values(), "operations a byte"], _products, 1
        ),
    }
    return {name: content for name, content in found.items() if content}


def report(result: Result) -> str:
    """Make the whole report as Markdown."""
    parts = ["# graphlift bench", _words(result)]
    parts += [f"## {name}\n\n{content}" for name, content in tables([result]).items()]
    if result.left_out:
        lines = (f"* {plain(each, 400)}" for each in result.left_out)
        parts.append("## Left out\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def summary(result: Result) -> str:
    """Make what a terminal shows at the end: machine, shares, lifting, and what was left out."""
    of = tables([result])
    names = ("Machine", "Limits of the machine", "Shares of the limit", "Lifting")
    parts = [_words(result), *(f"{name}\n\n{of[name]}" for name in names if name in of)]
    parts += [f"left out: {plain(each, 400)}" for each in result.left_out]
    return "\n\n".join(parts)


def _words(result: Result) -> str:
    """What the numbers mean."""
    clock = "time on the processor, of one thread" if result.clock == "processor" else "time"
    text = (
        "Float32. Times are medians. The limit of a network is what its products with weights "
        "alone take, each by the engine that is fastest at its shape, timed in turns with the "
        f"network; the share is the limit over the network's own {clock}."
    )
    if result.missing:
        text += f" An interrupt left {counted(result.missing, 'measurement')} out."
    load = result.machine.load
    if load is not None and load > BUSY and result.clock == "wall":
        text += (
            f" The machine was busy at the start ({load:g} processes wanted to run): stop what "
            "else runs, or measure one thread by --cpu-time."
        )
    return text


def _machines(results: Sequence[Result]) -> list[list[str]]:
    facts: list[dict[str, str]] = []
    for result in results:
        machine = result.machine
        caches = (f"{name} {size / 2**10:,.0f} KB" for name, size in machine.caches.items())
        facts.append(
            {
                "processor": plain(machine.processor),
                "instructions": ", ".join(map(plain, machine.instructions)) or DASH,
                "cores, threads": f"{machine.cores}, {machine.threads}",
                "caches": ", ".join(map(plain, caches)) or DASH,
                "system": plain(machine.system) or DASH,
            }
            | {plain(name): plain(version) for name, version in machine.versions.items()}
        )
    names = dict.fromkeys(name for each in facts for name in each)
    return [[name, *(each.get(name, DASH) for each in facts)] for name in names]


def _limits(result: Result) -> Iterable[Sequence[str]]:
    engines = (result.square.gflops.get(name) for name in TITLES)
    memory = result.memory
    rates = (memory.copy, memory.triad, memory.read, memory.cache)
    side = result.square.product.rows
    yield (
        f"product of {side} × {side}, GFLOP/s; memory, GB/s",
        *(DASH if rate is None else f"{rate:.0f}" for rate in engines),
        *(f"{rate:.1f}" for rate in rates),
    )


_TIMES = (
    *("network", "engine", "channels", "parameters", "batch", "ms", "quartiles", "poses/s"),
    *("GFLOP/s", "share"),
)


def _timed(result: Result, mode: Mode) -> Iterable[Sequence[str]]:
    for row in result.rows:
        if row.mode == mode:
            yield (
                plain(row.name),
                TITLES.get(row.engine, plain(row.engine)),
                f"{row.channels}",
                f"{row.parameters / 1e6:.2f} M",
                f"{row.batch:,}",
                milliseconds(row.seconds),
                f"{milliseconds(row.low)} - {milliseconds(row.high)}",
                f"{row.poses_per_second:,.0f}",
                f"{row.gflops:.1f}",
                f"{row.share:.0%}",
            )


def _shares(marked: Sequence[tuple[str, Result]], several: bool) -> str:
    """A row for each network, a column for each batch: poses a second and share of the fastest."""
    every = [row for _, result in marked for row in result.rows if row.mode != "in all"]
    columns = sorted({(row.mode == "training", row.batch) for row in every})
    rows: dict[tuple[str, str, str], dict[tuple[bool, int], str]] = {}
    for letter, result in marked:
        for row in _fastest(result.rows):
            name = (letter, plain(row.name), f"{row.parameters / 1e6:.2f} M")
            text = f"{row.poses_per_second:,.0f} ({row.share:.0%})"
            rows.setdefault(name, {})[row.mode == "training", row.batch] = text
    head = [f"{'training' if training else 'inference'}, {n:,}" for training, n in columns]
    return _table(
        [*([""] if several else []), "poses/s (share)", "parameters", *head],
        [
            [*name[not several :], *(cells.get(column, DASH) for column in columns)]
            for name, cells in rows.items()
        ],
        1 + several,
    )


def _fastest(rows: Iterable[Row]) -> Iterable[Row]:
    """Of each network at each batch, the row of the fastest engine."""
    best: dict[tuple[object, ...], Row] = {}
    for row in rows:
        key = (row.name, row.parameters, row.mode, row.batch)
        if row.mode != "in all" and (key not in best or row.seconds < best[key].seconds):
            best[key] = row
    return best.values()


_LIFTING = (
    *("model", "batch", "network, ms", "share", "poses/s"),
    *("with input and turn, ms", "quartiles", "poses/s"),
)


def _lifting(result: Result) -> Iterable[Sequence[str]]:
    alone = {(r.name, r.batch): r for r in result.rows if r.mode == "inference"}
    for row in result.rows:
        if row.mode == "in all":
            network = alone[row.name, row.batch]
            yield (
                plain(row.name),
                f"{row.batch:,}",
                milliseconds(network.seconds),
                f"{network.share:.0%}",
                f"{network.poses_per_second:,.0f}",
                milliseconds(row.seconds),
                f"{milliseconds(row.low)} - {milliseconds(row.high)}",
                f"{row.poses_per_second:,.0f}",
            )


def _products(result: Result) -> Iterable[Sequence[str]]:
    def size(rate: ProductRate) -> tuple[int, ...]:
        p = rate.product
        return (p.matrices, p.inner, p.columns, p.rows)

    for rate in sorted(result.products, key=size):
        product = rate.product
        yield (
            shape(product),
            f"{2 * product.macs / 1e6:,.2f}",
            *(_rate(rate.gflops, name) for name in TITLES),
            f"{2 * product.macs / product.bytes:.1f}",
        )


def _rate(gflops: Mapping[str, float], engine: str) -> str:
    return f"{gflops[engine]:.1f}" if engine in gflops else DASH


def shape(product: Product) -> str:
    """Write a shape as rows × inner by inner × columns, with how many there are of it."""
    one = f"{product.rows} × {product.inner} by {product.inner} × {product.columns}"
    return f"{product.matrices} of {one}" if product.matrices > 1 else one


def milliseconds(seconds: float) -> str:
    """Write a time in ms with three digits."""
    ms = 1e3 * seconds
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:.1f}" if ms >= 10 else f"{ms:.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> str:
    """Markdown, of which so many columns are words; nothing without rows."""
    if not rows:
        return ""
    ruler = ["---"] * words + ["---:"] * (len(head) - words)
    # A model may have any name, and this sign would end the cell.
    written = ([cell.replace("|", "/") for cell in row] for row in (head, ruler, *rows))
    return "\n".join("| " + " | ".join(row) + " |" for row in written)
