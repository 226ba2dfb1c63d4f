"""The roofline: how fast networks are against the two limits of the machine."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from graphlift.bench.engines import TITLES
from graphlift.bench.results import Mode, Result, Row
from graphlift.bench.subjects import NETWORKS, PAPER
from graphlift.study.plan import NAMES
from graphlift.study.report.figures import COLOURS, WIDTH, plain, style

Dash = Literal["-", "--"]
MARKERS = {"numpy": "s", "torch": "^", "onnxruntime": "o"}
MODELS = ("#222222", "#e6007e", "#7a4b00", "#6699cc")
"""Of models for lifting, which are none of the methods."""
FEW = 8
"""Networks up to which all are drawn together, in colour."""
INK, FAINT = "#222222", "#d4d4d4"
"""Of roofs; of networks whose colours and names are in another panel."""
LINE = 0.052
"""Least distance of two names, of a panel's height."""


def draw_roofline(result: Result, path: Path) -> None:
    """Draw rates over operations a byte, a column each for inference and training, as a PNG.

    A line is a network at the largest of its sizes, and its points are batches: the fastest engine
    at each. Many networks are parted into those of others, and the paper's with the models for
    lifting: a row of panels each, where the rest is grey. The slanted roofs are the rates of
    memory and of the cache, the level one that of the fastest product of all.
    """
    rows = _largest(row for row in result.rows if row.mode != "in all")
    modes = list(dict.fromkeys(row.mode for row in rows))
    pens = _pens(row.name for row in rows)
    groups = _groups([*pens])
    with style():
        figure = Figure(figsize=(WIDTH, 1.2 + 3.4 * len(groups)), dpi=120, layout="constrained")
        panels = figure.subplots(len(groups), len(modes), squeeze=False, sharex=True, sharey=True)
        for line, (group, names) in zip(panels, groups.items(), strict=True):
            for axes, mode in zip(line, modes, strict=True):
                _panel(axes, [row for row in rows if row.mode == mode], pens, names)
                _roofs(axes, result)
                axes.set_title(f"{mode}: {group}" if group else mode)
            line[0].set_ylabel("GFLOP/s")
        for axes in panels[-1]:
            axes.set_xlabel("operations a byte of the products' factors and results")
        for (_, names), line in zip(groups.items(), panels, strict=True):  # once limits are known
            for axes, mode in zip(line, modes, strict=True):
                _name(axes, [row for row in rows if row.mode == mode and row.name in names], pens)
        handles = [*_roof_handles(result), *_marks(rows)]
        if any(dash == "--" for _, dash in pens.values()):
            handles += [Line2D([], [], color="#555555", linestyle="--", label="not decoupled")]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        figure.suptitle(f"{_title(result)}\n{_batches(rows)}", x=0.01, ha="left", fontsize=9)
        figure.savefig(path, format="png")


def _groups(names: Sequence[str]) -> dict[str, list[str]]:
    """Part networks into panels; few of them share one, which then has no name."""
    if len(names) <= FEW:
        return {"": list(names)}
    others = [name for name in names if name in NETWORKS and name not in PAPER]
    parted = {
        "networks of the paper, models": [name for name in names if name not in others],
        "networks of others": others,
    }
    return {group: members for group, members in parted.items() if members}


def _batches(rows: Iterable[Row]) -> str:
    batches: dict[Mode, set[int]] = {}
    for row in rows:
        batches.setdefault(row.mode, set()).add(row.batch)
    return "; ".join(
        f"{mode}, batches of {', '.join(f'{n:,}' for n in sorted(several))}, left to right"
        for mode, several in batches.items()
    )


def _marks(rows: Sequence[Row]) -> list[Line2D]:
    used = {row.engine for row in rows}
    return [
        Line2D([], [], linewidth=0, marker=mark, color="#555555", label=f"by {TITLES[engine]}")
        for engine, mark in MARKERS.items()
        if engine in used
    ]


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


def _panel(
    axes: Axes, rows: Sequence[Row], pens: Mapping[str, tuple[str, Dash]], names: Sequence[str]
) -> None:
    """Draw all lines, those of some names in colour and above the others."""
    for name in sorted(pens, key=names.__contains__):
        ink, dash = pens[name] if name in names else (FAINT, "-")
        own = _fastest(row for row in rows if row.name == name)
        axes.plot([r.intensity for r in own], [r.gflops for r in own], color=ink, linestyle=dash)
        for row in own if name in names else ():
            mark = MARKERS.get(row.engine, "x")
            axes.plot(row.intensity, row.gflops, mark, color=ink, markersize=4)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")


def _name(axes: Axes, rows: Sequence[Row], pens: Mapping[str, tuple[str, Dash]]) -> None:
    """Write the names beside the panel, each at the height where its line ends or near it."""
    names = dict.fromkeys(row.name for row in rows)
    ends = [_fastest(row for row in rows if row.name == name)[-1] for name in names]
    several = sorted(ends, key=lambda row: row.gflops)
    low, high = np.log(axes.get_ylim())
    heights = [(np.log(row.gflops) - low) / (high - low) for row in several]
    for row, height in zip(several, spread(heights), strict=True):
        ink = pens[row.name][0]
        axes.annotate(
            plain(row.name),
            (row.intensity, row.gflops),
            (1.03, height),
            textcoords="axes fraction",
            va="center",
            color=ink,
            fontsize=8,
            arrowprops={
                "arrowstyle": "-",
                "color": ink,
                "linewidth": 0.5,
                "relpos": (0, 0.5),
                "shrinkA": 1,
                "shrinkB": 3,
            },
        )


def spread(heights: Sequence[float]) -> list[float]:
    """Move heights apart, which ascend, to be :data:`LINE` from each other and at most 1."""
    apart: list[float] = []
    for height in heights:
        apart.append(max(height, apart[-1] + LINE) if apart else height)
    ceiling = 1.0
    for place in reversed(range(len(apart))):
        apart[place] = min(apart[place], ceiling)
        ceiling = apart[place] - LINE
    return apart


def _roofs(axes: Axes, result: Result) -> None:
    """The rates of memory and of the cache, up to that of the fastest product."""
    intensities = [row.intensity for row in result.rows]
    low, high = min(intensities) / 1.6, max(intensities) * 1.6
    for rate, dash in ((result.memory.cache, ":"), (_memory(result), "-")):
        best = _best(result)
        x = np.array([low, max(low, best / rate), high])
        axes.plot(x, np.minimum(x * rate, best), dash, color=INK, linewidth=1)


def _roof_handles(result: Result) -> list[Line2D]:
    told: dict[str, Literal["-", ":"]] = {
        f"cache, {result.memory.cache:.0f} GB/s": ":",
        f"memory, {_memory(result):.0f} GB/s; fastest product, {_best(result):.0f} GFLOP/s": "-",
    }
    return [
        Line2D([], [], color=INK, linewidth=1, linestyle=dash, label=words)
        for words, dash in told.items()
    ]


def _best(result: Result) -> float:
    return max(rate.best for rate in (result.square, *result.products))


def _memory(result: Result) -> float:
    return max(result.memory.copy, result.memory.triad, result.memory.read)


def _fastest(rows: Iterable[Row]) -> list[Row]:
    """The row of the fastest engine at each batch, by batch."""
    best: dict[int, Row] = {}
    for row in rows:
        if row.batch not in best or row.seconds < best[row.batch].seconds:
            best[row.batch] = row
    return [best[batch] for batch in sorted(best)]
