"""Figures that are matrices: differences between methods, errors by joint and by activity."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from graphlift.study.grid import Study, Variant
from graphlift.study.report.figures import MANY, NAMES, WIDTH, Margins, mean, panels, plain
from graphlift.study.report.formatting import number, signed
from graphlift.study.results import Result
from graphlift.study.statistics import Pair

INK, PALE = "#222222", "#a0a0a0"
Matrix = Float[np.ndarray, "row column"]


def pair_matrix(study: Study, found: Sequence[tuple[str, Sequence[Pair[Variant]]]]) -> Figure:
    """Differences between all methods, row minus column, coloured where they are significant."""
    order = study.variants
    stacked = len(order) > MANY
    margins = Margins(left=NAMES, right=0.75, bottom=1.2, across=0.12, down=1.5)
    height = (0.17 if stacked else 0.25) * len(order)
    figure, axes = panels([kind for kind, _ in found], height, margins, stacked=stacked)
    limit = max((abs(p.difference.estimate) for _, some in found for p in some), default=1.0)
    write = partial(signed, digits=1 if limit < 10 else 0)
    names = [plain(variant.short) for variant in order]
    for (ax, _), (_, some) in zip(axes, found, strict=True):
        matrix = np.full((len(order), len(order)), np.nan)
        significant = np.zeros_like(matrix, dtype=bool)
        for pair in some:
            i, j = order.index(pair.first), order.index(pair.second)
            matrix[i, j], matrix[j, i] = pair.difference.estimate, -pair.difference.estimate
            significant[i, j] = significant[j, i] = pair.significant
        inks = np.where(np.abs(matrix) > 0.6 * limit, "white", INK)
        colours = np.where(significant, matrix, 0.0)
        mesh = draw_matrix(ax, colours, "RdBu_r", (-limit, limit))
        write_matrix(ax, matrix, write, np.where(significant, inks, PALE), 5.5)
        ax.set_xticks(np.arange(len(order)) + 0.5, names, rotation=90)
        ax.set_yticks(np.arange(len(order)) + 0.5, names if stacked or ax is axes[0][0] else [])
    bar = figure.colorbar(mesh, cax=figure.add_axes((1 - 0.65 / WIDTH, 0.45, 0.012, 0.4)))
    bar.ax.set_title("mm", fontsize=8)
    return figure


def draw_matrix(ax: Axes, values: Matrix, palette: str, limits: tuple[float, float]) -> QuadMesh:
    """Draw a matrix as a grid of coloured cells, first row on top."""
    low, high = limits
    shown = np.ma.masked_invalid(values)
    mesh = ax.pcolormesh(shown, cmap=palette, vmin=low, vmax=high, ec="white", lw=0.8)
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return mesh


def write_matrix(
    ax: Axes, values: Matrix, write: Callable[[float], str], inks: np.ndarray, points: float
) -> None:
    """Write the known values into the cells of a matrix, each in its ink."""
    for i, j in zip(*np.nonzero(np.isfinite(values)), strict=True):
        text = ax.text(j + 0.5, i + 0.5, write(values[i, j]), color=inks[i, j], size=points)
        text.set(ha="center", va="center_baseline")


def heatmap(
    study: Study, names: Sequence[str], read: Callable[[str, Result], float | None]
) -> Figure:
    """Draw methods × names, one panel for each detections, on one scale.

    Args:
        study: The runs.
        names: Of the columns.
        read: Reads the number of one name from a run.
    """
    margins = Margins(left=NAMES, bottom=0.3, down=0.55)
    figure, axes = panels(study.detections, 0.19 * len(study.variants), margins, stacked=True)
    reads = [partial(read, name) for name in names]
    matrices = [
        np.array([[mean(study, variant, kind, r) for r in reads] for variant in study.variants])
        for kind in study.detections
    ]
    known = [value for matrix in matrices for value in matrix.ravel() if np.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    extent = high - low
    for (ax, _), matrix in zip(axes, matrices, strict=True):
        draw_matrix(ax, matrix, "YlOrBr", (low - 0.1 * extent, high + 0.15 * extent))
        inks = np.where(matrix > low + 0.7 * extent, "white", INK)
        write_matrix(ax, matrix, partial(number, digits=0), inks, 6.5)
        ax.set_xticks(np.arange(len(names)) + 0.5, [plain(name) for name in names])
        rows = [plain(variant.short) for variant in study.variants]
        ax.set_yticks(np.arange(len(rows)) + 0.5, rows)
    return figure
