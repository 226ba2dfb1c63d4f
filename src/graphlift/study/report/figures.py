"""The figures of a report, as SVG text; the only module that imports matplotlib.

No global state is touched: figures are objects, and settings last for one drawing. The same
method has the same colour everywhere; decoupled variants are drawn solid, coupled ones dashed.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import matplotlib as mpl
import matplotlib.axis
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.textpath import TextPath, text_to_path
from matplotlib.transforms import IdentityTransform

from graphlift.study.grid import Study, Variant, detections_label
from graphlift.study.report.breakdowns import CONFOUND, bin_label
from graphlift.study.results import CurvePoint

COLOURS = {
    "pre-aggregation": "#0072b2",
    "post-aggregation": "#009e73",
    "convolution-style": "#d99000",
    "no-sharing": "#b8558f",
    "full-sharing": "#d55e00",
    "semgcn": "#4b4b4b",
    "martinez": "#8f8f8f",
}
"""Source: after Okabe and Ito, "Color universal design", 2008: told apart by the colour-blind."""
NAMES = 1.4
"""Room for the names of methods beside a panel, inches."""
WIDTH = 10.0
"""Of every figure, inches: one unit of text size is the same in all of them."""
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#555555",
    "axes.labelcolor": "#222222",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.labelcolor": "#222222",
    "ytick.labelcolor": "#222222",
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "svg.fonttype": "path",
    "svg.hashsalt": "graphlift",
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Drawing:
    """A finished figure.

    Args:
        name: Of its file, without suffix.
        title: What it shows.
        note: How to read it.
        svg: The drawing.
    """

    name: str
    title: str
    note: str
    svg: str


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's style for the length of a block."""
    with mpl.rc_context(STYLE):
        yield


def to_svg(figure: Figure) -> str:
    """Render a figure; the same figure gives the same text."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def plain(name: str) -> str:
    """Make a name from a file fit for a figure: known letters only, not too long."""
    kept = "".join(c if c.isprintable() and ord(c) < 0x250 else "?" for c in name)
    return kept if len(kept) <= 28 else kept[:27] + "."


def colour(variant: Variant) -> str:
    """Give a method its colour; strangers share a violet."""
    return COLOURS.get(variant.method, "#6a51a3")


def dashed(variant: Variant, study: Study) -> bool:
    """Whether a method is drawn dashed or hollow: coupled, with a decoupled twin."""
    return not variant.decoupled and study.find(variant.method, True) is not None


def line(variant: Variant, study: Study) -> Literal["-", "--"]:
    """Solid for decoupled variants and methods that have no other; dashed for coupled ones."""
    return "--" if dashed(variant, study) else "-"


def legend(figure: Figure, study: Study, *, marker: str = "") -> None:
    """Put one legend for all panels above them."""
    handles = [
        Line2D(
            [],
            [],
            color=colour(variant),
            linestyle=line(variant, study),
            linewidth=0 if marker else None,
            marker=marker,
            label=plain(variant.short),
            markerfacecolor="white" if dashed(variant, study) else colour(variant),
        )
        for variant in study.variants
    ]
    columns = min(len(handles), 5)
    figure.legend(handles=handles, loc="upper left", ncols=columns, handlelength=2.6)


@dataclass(frozen=True)
class Margins:
    """Room around and between panels, inches: fixed, so that panels of all figures line up."""

    left: float = 0.55
    right: float = 0.1
    top: float = 0.3
    bottom: float = 0.5
    across: float = 0.6
    down: float = 0.75


def blank(
    panel: float, rows: int, columns: int, margins: Margins, *, sharey: bool = False
) -> tuple[Figure, np.ndarray]:
    """Lay out a figure of panels, each ``panel`` inches high, and return it with its axes."""
    m = margins
    height = m.top + rows * panel + (rows - 1) * m.down + m.bottom
    width = (WIDTH - m.left - m.right - (columns - 1) * m.across) / columns
    figure = Figure(figsize=(WIDTH, height))
    figure.subplots_adjust(
        left=m.left / WIDTH,
        right=1 - m.right / WIDTH,
        top=1 - m.top / height,
        bottom=m.bottom / height,
        wspace=m.across / width,
        hspace=m.down / panel,
    )
    return figure, figure.subplots(rows, columns, squeeze=False, sharey=sharey)


def canvas(height: float) -> tuple[Figure, Axes]:
    """Make one empty drawing area as large as the page: inches, y downwards, nothing around."""
    figure = Figure(figsize=(WIDTH, height))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, WIDTH), ylim=(height, 0))
    ax.set_axis_off()
    return figure, ax


@lru_cache(maxsize=256)
def _glyph(letter: str, points: float) -> tuple[Path, float]:
    """Outline of a letter, its middle line at 0, and its advance; in points."""
    font = FontProperties(family=STYLE["font.family"], size=points)
    outline = TextPath((0, -0.36 * points), letter, prop=font)
    return outline, float(text_to_path.get_text_width_height_descent(letter, font, False)[0])


def words(
    ax: Axes,
    places: Sequence[tuple[float, float]],
    texts: Sequence[str],
    inks: Sequence[str],
    points: float,
) -> None:
    """Write many numbers, centred on places.

    The letters of one kind are one collection: hundreds of texts would take seconds.
    """
    left, right = ax.get_xlim()
    unit = (right - left) / (72 * WIDTH * ax.get_position().width)
    spots: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for (x, y), text, ink in zip(places, texts, inks, strict=True):
        pen = x - unit * sum(_glyph(letter, points)[1] for letter in text) / 2
        for letter in text:
            spots.setdefault((letter, ink), []).append((pen, y))
            pen += unit * _glyph(letter, points)[1]
    for (letter, ink), offsets in spots.items():
        outline = _glyph(letter, points)[0]
        drawn = PathCollection(
            [outline], sizes=[1.0], facecolors=ink, lw=0, offsets=offsets, clip_on=False
        )
        drawn.set_offset_transform(ax.transData)
        drawn.set_transform(IdentityTransform())
        ax.add_collection(drawn, autolim=False)


def panels(study: Study, rows: int, columns: int, height: float) -> tuple[Figure, np.ndarray]:
    """Lay out equal panels, ``height`` inches each, with room for the legend above."""
    legend_rows = (len(study.variants) + 4) // 5
    return blank(height, rows, columns, Margins(top=0.4 + 0.17 * legend_rows))


def curves(study: Study) -> Drawing:
    """Fig. 1 of the supplement: training loss and validation error."""
    figure, axes = panels(study, len(study.detections), 2, 2.1)
    reads: list[Callable[[CurvePoint], float]] = [
        lambda point: point.loss,
        lambda point: point.validation_mpjpe_mm,
    ]
    for row, kind in zip(axes, study.detections, strict=True):
        for ax, read in zip(row, reads, strict=True):
            for variant in study.variants:
                _band(ax, study, variant, kind, read)
            ax.set_xlabel("optimiser step")
            ax.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
        row[0].set(title=f"Training loss · {plain(detections_label(kind))}", yscale="log")
        plain_logarithms(row[0].yaxis)
        row[1].set(title=f"Validation MPJPE, mm · {plain(detections_label(kind))}")
        _crop(row[1], study, kind)
    legend(figure, study)
    return Drawing(
        "curves",
        "Training loss and validation error",
        "Lines: mean over seeds, dashed where self-connections are coupled; bands: lowest to "
        "highest seed, paler behind dashed lines. The loss is on a logarithmic "
        "scale; validation leaves the frame where its first evaluations, or one in a hundred of "
        "the later ones, are far off.",
        to_svg(figure),
    )


def plain_logarithms(axis: mpl.axis.Axis) -> None:
    """Label 1, 2 and 5 times the powers of ten of a logarithmic axis, as plain numbers."""
    axis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(mpl.ticker.NullLocator())


def _band(
    ax: Axes, study: Study, variant: Variant, kind: str, read: Callable[[CurvePoint], float]
) -> None:
    """Draw the mean over seeds at the steps that all of them have, and their range."""
    runs = [{point.step: read(point) for point in run.curve} for run in study.at(variant, kind)]
    steps = sorted(set.intersection(*(set(run) for run in runs))) if runs else []
    if not steps:
        return
    values = np.array([[run[step] for step in steps] for run in runs])
    mean = values.mean(axis=0)
    ax.plot(steps, mean, line(variant, study), color=colour(variant), lw=1.2)
    if len(values) > 1:
        low, high = values.min(axis=0), values.max(axis=0)
        alpha = 0.07 if dashed(variant, study) else 0.13
        ax.fill_between(steps, low, high, color=colour(variant), alpha=alpha, lw=0)


def _crop(ax: Axes, study: Study, kind: str) -> None:
    """Cut off what would press everything else flat: first evaluations, and one in a hundred."""
    ends = [
        point.validation_mpjpe_mm
        for variant in study.variants
        for run in study.at(variant, kind)
        for point in run.curve[len(run.curve) // 4 :]
    ]
    if ends:
        low, high = min(ends), float(np.quantile(ends, 0.99))
        margin = 0.04 * (high - low) + 0.5
        ax.set_ylim(low - margin, high + margin)


def noise(study: Study) -> Drawing | None:
    """3D error of a joint against the error of its 2D detection; None without noisy runs."""
    bins = {kind: _noise_bins(study, kind) for kind in study.detections}
    kinds = [kind for kind in study.detections if len(bins[kind]) > 1]
    if not kinds:
        return None
    figure, axes = panels(study, 1, len(kinds), 2.2)
    for ax, kind in zip(axes[0], kinds, strict=True):
        for variant in study.variants:
            means = [_noise_mean(study, variant, kind, span) for span in bins[kind]]
            ax.plot(means, line(variant, study), color=colour(variant), marker="o", ms=2.5)
        labels = [bin_label(*b).replace(" and more", "+").replace(" to ", "–") for b in bins[kind]]
        ax.set_xticks(range(len(labels)), labels)
        ax.set(xlabel="error of the 2D detection, px", ylim=(0, None))
        ax.set(ylabel="3D error of the joint, mm", title=plain(detections_label(kind)))
    legend(figure, study)
    return Drawing(
        "noise",
        "Error against 2D noise",
        "Mean 3D error of the test joints whose detection is off by so much, without the root; "
        "mean over seeds.",
        to_svg(figure),
    )


def _noise_bins(study: Study, kind: str) -> list[tuple[float, float]]:
    bins = (b for v in study.variants for run in study.at(v, kind) for b in run.noise_bins)
    return sorted({(b.from_px, b.to_px) for b in bins if b.to_px > b.from_px})


def _noise_mean(study: Study, variant: Variant, kind: str, span: tuple[float, float]) -> float:
    found = [
        b.mpjpe_mm
        for run in study.at(variant, kind)
        for b in run.noise_bins
        if (b.from_px, b.to_px) == span and b.joints
    ]
    return float(np.mean(found)) if found else float("nan")


def parameters(study: Study) -> Drawing:
    """MPJPE against the number of parameters."""
    figure, axes = panels(study, 1, len(study.detections), 2.2)
    sizes = study.parameters
    wide = max(sizes) > 1.5 * min(sizes)
    for ax, kind in zip(axes[0], study.detections, strict=True):
        for variant, count in zip(study.variants, sizes, strict=True):
            values = study.values(variant, kind, lambda run: run.mpjpe_mm)
            if not values:
                continue
            ax.errorbar(
                count / 1e6,
                np.mean(values),
                yerr=np.std(values, ddof=1) if len(values) > 1 else None,
                fmt="o",
                ms=5,
                color=colour(variant),
                mfc="white" if dashed(variant, study) else colour(variant),
                elinewidth=1,
            )
        if wide:
            ax.set_xscale("log")
            plain_logarithms(ax.xaxis)
        ax.set(xlabel="parameters, millions", ylabel="MPJPE, mm")
        ax.set_title(plain(detections_label(kind)))
    legend(figure, study, marker="o")
    return Drawing(
        "parameters",
        "Error against parameters",
        "Points: mean over seeds; bars: standard deviation. Hollow: coupled self-connections.",
        to_svg(figure),
    )


def occlusion(study: Study) -> Drawing:
    """Visible against occluded joints."""
    height = 0.2 * len(study.variants)
    margins = Margins(left=NAMES, across=0.25)
    figure, (axes,) = blank(height, 1, len(study.detections), margins, sharey=True)
    for ax, kind in zip(axes, study.detections, strict=True):
        for place, variant in enumerate(study.variants):
            runs = [run for run in study.at(variant, kind) if run.occluded_share > 0]
            if not runs:
                continue
            seen = float(np.mean([run.visible_mm for run in runs]))
            hidden = float(np.mean([run.occluded_mm for run in runs]))
            ax.plot([seen, hidden], [place] * 2, color=colour(variant), lw=1.2)
            ax.plot(seen, place, "o", color=colour(variant), mfc="white", ms=5)
            ax.plot(hidden, place, "o", color=colour(variant), ms=5)
        ax.set(xlabel="mean error, mm")
        ax.set_title(plain(detections_label(kind)))
    axes[0].set_yticks(range(len(study.variants)), [plain(v.short) for v in study.variants])
    axes[0].set_ylim(len(study.variants) - 0.5, -0.5)
    return Drawing(
        "occlusion",
        "Visible and occluded joints",
        "Hollow: joints that no limb hides from the camera; filled: joints that one does. "
        + CONFOUND,
        to_svg(figure),
    )
