"""Figures that are matrices: differences between methods, errors by joint and by activity."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from graphlift.study.grid import Study, Variant, detections_label
from graphlift.study.report.cells import number, signed
from graphlift.study.report.figures import (
    NAMES,
    WIDTH,
    Drawing,
    Margins,
    blank,
    plain,
    to_svg,
    words,
)
from graphlift.study.results import Result
from graphlift.study.statistics import Pair

INK = "#222222"
Read = Callable[[Result, str], float | None]

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh


def pair_matrix(study: Study, found: Sequence[tuple[str, Sequence[Pair[Variant]]]]) -> Drawing:
    """Which differences are real: rows against columns, by detections."""
    order = study.variants
    margins = Margins(left=NAMES, right=0.75, bottom=1.2, across=0.12)
    figure, (axes,) = blank(0.25 * len(order), 1, len(found), margins)
    limit = max((abs(p.difference.estimate) for _, some in found for p in some), default=1.0)
    for ax, (kind, some) in zip(axes, found, strict=True):
        matrix = np.full((len(order), len(order)), np.nan)
        real = np.zeros_like(matrix, dtype=bool)
        for pair in some:
            i, j = order.index(pair.first), order.index(pair.second)
            matrix[i, j], matrix[j, i] = pair.difference.estimate, -pair.difference.estimate
            real[i, j] = real[j, i] = pair.real
        shown = np.where(real, matrix, 0.0)
        mesh = draw_matrix(ax, shown, "RdBu_r", (-limit, limit))
        _matrix_words(ax, matrix, real, limit)
        names = [plain(variant.short) for variant in order]
        ax.set_xticks(np.arange(len(order)) + 0.5, names, rotation=90)
        ax.set_yticks(np.arange(len(order)) + 0.5, names if ax is axes[0] else [])
        ax.set_title(plain(detections_label(kind)))
    bar = figure.colorbar(mesh, cax=figure.add_axes((1 - 0.65 / WIDTH, 0.45, 0.012, 0.4)))
    bar.ax.set_title("mm", fontsize=8)
    return Drawing(
        "differences",
        "Which differences are real",
        "Row minus column, mm: blue, the row is better. Coloured cells stand at 5 % after Holm's "
        "correction over all pairs of a panel; pale figures do not.",
        to_svg(figure),
    )


def _matrix_words(
    ax: "Axes", matrix: Float[np.ndarray, "out in"], real: Bool[np.ndarray, "out in"], limit: float
) -> None:
    digits = 1 if limit < 10 else 0
    known = list(zip(*np.nonzero(np.isfinite(matrix)), strict=True))
    inks = [
        ("white" if abs(matrix[i, j]) > 0.6 * limit else INK) if real[i, j] else "#a0a0a0"
        for i, j in known
    ]
    places = [(j + 0.5, i + 0.5) for i, j in known]
    words(ax, places, [signed(matrix[at], digits) for at in known], inks, 5.5)


def draw_matrix(
    ax: "Axes", values: Float[np.ndarray, "out in"], palette: str, limits: tuple[float, float]
) -> "QuadMesh":
    """Draw a matrix as a grid of coloured cells, first row on top."""
    mesh = ax.pcolormesh(
        np.ma.masked_invalid(values),
        cmap=palette,
        vmin=limits[0],
        vmax=limits[1],
        ec="white",
        lw=0.8,
    )
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return mesh


def heatmap(
    study: Study, names: Sequence[str], read: Read, name: str, title: str, note: str
) -> Drawing:
    """Draw methods × names, one panel for each detections, on one scale."""
    kinds = study.detections
    margins = Margins(left=NAMES, bottom=0.3, down=0.55)
    figure, grid = blank(0.19 * len(study.variants), len(kinds), 1, margins)
    panels = [
        np.array([[_mean(study, v, kind, n, read) for n in names] for v in study.variants])
        for kind in kinds
    ]
    known = [value for panel in panels for value in panel.ravel() if np.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    for ax, kind, panel in zip(grid[:, 0], kinds, panels, strict=True):
        draw_matrix(ax, panel, "YlOrBr", (low - 0.1 * (high - low), high + 0.15 * (high - low)))
        filled = list(zip(*np.nonzero(np.isfinite(panel)), strict=True))
        dark = low + 0.7 * (high - low)
        inks = ["white" if panel[at] > dark else INK for at in filled]
        texts = [number(panel[at], 0) for at in filled]
        words(ax, [(j + 0.5, i + 0.5) for i, j in filled], texts, inks, 6.5)
        ax.set_xticks(np.arange(len(names)) + 0.5, [plain(n) for n in names])
        rows = [plain(v.short) for v in study.variants]
        ax.set_yticks(np.arange(len(rows)) + 0.5, rows)
        ax.set_title(plain(detections_label(kind)))
    return Drawing(name, title, note, to_svg(figure))


def _mean(study: Study, variant: Variant, kind: str, name: str, read: Read) -> float:
    values = study.values(variant, kind, lambda run: read(run, name))
    return float(np.mean(values)) if values else float("nan")


def by_joint(study: Study, names: Sequence[str]) -> Drawing:
    """Errors by joint."""
    return heatmap(
        study,
        names,
        lambda run, name: run.per_joint_mm.get(name) or None,
        "joints",
        "Error by joint, mm",
        "Mean over seeds, weighted over frames as MPJPE is. The root, always zero, is left out.",
    )


def by_activity(study: Study, names: Sequence[str]) -> Drawing:
    """MPJPE by activity."""

    def read(run: Result, name: str) -> float | None:
        score = run.per_activity.get(name)
        return None if score is None else score.mpjpe_mm

    note = f"Mean over seeds; the plain mean of a row is the MPJPE of {study.errors_by}."
    return heatmap(study, names, read, "activities", "MPJPE by activity, mm", note)
