"""The roofline: how fast networks are against the two limits of the machine."""

from collections.abc import Iterable
from itertools import cycle
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from graphlift.bench.engines import TITLES
from graphlift.bench.results import Mode, Result, Row
from graphlift.study.plan import NAMES
from graphlift.study.report.figures import COLOURS, WIDTH, plain, style

Dash = Literal["-", "--"]
MARKERS = {"numpy": "s", "torch": "^", "onnxruntime": "o"}
MODELS = ("#222222", "#e6007e", "#7a4b00", "#6699cc")
"""Of models for lifting, which are none of the methods."""


def draw_roofline(result: Result, path: Path) -> None:
    """Draw rates over operations a byte, a panel each for inference and training, as a PNG.

    A line is a network at the largest of its sizes, and its points are batches: the fastest engine
    at each. The slanted roofs are the rates of memory and of the cache, the level one that of the
    fastest product of all.
    """
    rows = _largest(row for row in result.rows if row.mode != "in all")
    modes = list(dict.fromkeys(row.mode for row in rows))
    pens = _pens(row.name for row in rows)
    with style():
        figure = Figure(figsize=(WIDTH, 5.4), dpi=130, layout="constrained")
        panels = figure.subplots(1, len(modes), squeeze=False, sharex=True, sharey=True)[0]
        for axes, mode in zip(panels, modes, strict=True):
            _panel(axes, [row for row in rows if row.mode == mode], pens)
            _roofs(axes, result)
            axes.set_title(_batches(rows, mode))
        panels[0].set_ylabel("GFLOP/s")
        handles = [
            Line2D([], [], color=ink, linestyle=dash, label=plain(name))
            for name, (ink, dash) in pens.items()
        ]
        handles += [
            Line2D([], [], linewidth=0, marker=mark, color="#555555", label=f"by {TITLES[engine]}")
            for engine, mark in MARKERS.items()
            if engine in {row.engine for row in rows}
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=4)
        figure.suptitle(_title(result), x=0.01, ha="left", fontsize=9)
        figure.savefig(path, format="png")


def _batches(rows: Iterable[Row], mode: Mode) -> str:
    batches = sorted({row.batch for row in rows if row.mode == mode})
    return f"{mode}, batches of {', '.join(f'{n:,}' for n in batches)}, left to right"


def _title(result: Result) -> str:
    machine = result.machine
    name = machine.processor.encode("ascii", "replace").decode()
    which = [each for each in machine.instructions if each in ("AVX2", "AVX-512", "NEON", "SVE")]
    return ", ".join((name, f"{machine.threads} thread{'s' * (machine.threads != 1)}", *which))


def _largest(rows: Iterable[Row]) -> list[Row]:
    """Of each network, the rows of its largest size."""
    several = list(rows)
    sizes: dict[str, int] = {}
    for row in several:
        sizes[row.name] = max(row.parameters, sizes.get(row.name, 0))
    return [row for row in several if row.parameters == sizes[row.name]]


def _pens(names: Iterable[str]) -> dict[str, tuple[str, Dash]]:
    """Colour and dashes of each network: dashed if there is a decoupled variant of it."""
    pens: dict[str, tuple[str, Dash]] = {}
    models = cycle(MODELS)
    for name in dict.fromkeys(names):
        if name in NAMES:
            dash: Dash = "--" if f"decoupled {name}" in NAMES else "-"
            pens[name] = (COLOURS.get(NAMES[name][0], "#6a51a3"), dash)
        else:
            pens[name] = (next(models), "-")
    return pens


def _panel(axes: Axes, rows: Iterable[Row], pens: dict[str, tuple[str, Dash]]) -> None:
    several = list(rows)
    for name, (ink, dash) in pens.items():
        own = _fastest(row for row in several if row.name == name)
        x, y = [r.intensity for r in own], [r.gflops for r in own]
        axes.plot(x, y, color=ink, linestyle=dash)
        for row in own:
            mark = MARKERS.get(row.engine, "x")
            axes.plot(row.intensity, row.gflops, mark, color=ink, markersize=4)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    axes.set_xlabel("operations a byte of the products' factors and results")


def _roofs(axes: Axes, result: Result) -> None:
    """The rates of memory and of the cache, up to that of the fastest product."""
    intensities = [row.intensity for row in result.rows]
    low, high = min(intensities) / 1.6, max(intensities) * 1.6
    best = max(rate.best for rate in (result.square, *result.products))
    memory = max(result.memory.copy, result.memory.triad, result.memory.read)
    ink = "#222222"
    for rate, dash, name in ((result.memory.cache, ":", "cache"), (memory, "-", "memory")):
        x = np.array([low, max(low, best / rate), high])
        axes.plot(x, np.minimum(x * rate, best), dash, color=ink, linewidth=1)
        if 2 * low * rate < best:
            left = name == "cache"  # of its line; the other to the right
            axes.annotate(
                f"{name}, {rate:.0f} GB/s",
                (best / 2 / rate, best / 2) if left else (low, low * rate),
                (-6, 0) if left else (10, -2),
                textcoords="offset points",
                ha="right" if left else "left",
                color=ink,
            )
    axes.annotate(
        f"fastest product, {best:.0f} GFLOP/s",
        (high, best),
        (0, 4),
        textcoords="offset points",
        ha="right",
        color=ink,
    )


def _fastest(rows: Iterable[Row]) -> list[Row]:
    """The row of the fastest engine at each batch, by batch."""
    best: dict[int, Row] = {}
    for row in rows:
        if row.batch not in best or row.seconds < best[row.batch].seconds:
            best[row.batch] = row
    return [best[batch] for batch in sorted(best)]
