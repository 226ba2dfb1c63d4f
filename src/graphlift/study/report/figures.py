"""The figures of a report: their style, how panels are laid out, and the curves.

Figures are objects and no global state is touched: settings hold inside :func:`style`. The same
method has the same colour everywhere; decoupled variants are drawn solid, coupled ones dashed.
Titles and notes are in ``templates/report.j2``.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import fmean, stdev
from typing import Any

import matplotlib as mpl
import matplotlib.axis
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from graphlift.study.grid import Read, Study, Variant, detections_label, error_in
from graphlift.study.objectives import NETWORK
from graphlift.study.report.formatting import bin_label
from graphlift.study.results import CurvePoint

COLOURS = {
    "pre-aggregation": "#0072b2",
    "post-aggregation": "#009e73",
    "convolution-style": "#d99000",
    "no-sharing": "#b8558f",
    "full-sharing": "#d55e00",
    "semgcn": "#4b4b4b",
    "martinez": "#8f8f8f",
    "modulated": "#332288",
    "lcn": "#117733",
    "mixture": "#882255",
    "bidirectional": "#ddcc77",
    "ordinal-depth": "#cc6677",
    "high-order": "#44aa99",
    "graph-hourglass": "#999933",
    "graformer": "#aa4499",
    "htnet": "#88ccee",
    "bone-ratios": "#7a4b00",
    "critic": "#222222",
    "part-triplets": "#6699cc",
}
"""By method, or objective where there is one.

Source: the study's own after Okabe and Ito, "Color universal design", 2008; networks of others
after Tol, "Colour schemes", 2021, "muted": both also for the colour-blind.
"""
MANY = 12
"""Networks beyond which a figure of lines is parted, and panels stand below each other."""
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


def groups(study: Study) -> list[Study]:
    """Part a study that has too many networks for one figure of lines.

    Returns:
        The study; or the networks of the paper's Table 1 with their variants, and all others, to
        which the network that objectives are tried on is added once more.
    """
    own = [variant for variant in study.variants if variant.own]
    if len(study.variants) <= MANY or len(own) in (0, len(study.variants)):
        return [study]
    others = [v for v in study.variants if not v.own or (v.method, v.decoupled) == NETWORK]
    return [
        Study([run for run in study.results if study.variant(run) in some])
        for some in (own, others)
    ]


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
    """Make a name from a file fit for a figure: letters that the font has, and not too many."""
    kept = "".join(c if c.isprintable() and ord(c) < 0x250 else "?" for c in name)
    return kept if len(kept) <= 28 else kept[:27] + "."


def colour(variant: Variant) -> str:
    """Give a row its colour; methods that the study did not plan for are all violet."""
    return COLOURS.get(variant.objective or variant.method, "#6a51a3")


def coupled(variant: Variant, study: Study) -> bool:
    """Whether a method has a decoupled variant in the study; then it is dashed or hollow."""
    return not variant.decoupled and study.find(variant.method, True) is not None


def pen(variant: Variant, study: Study) -> dict[str, Any]:
    """Give the settings of a method's line and markers; dashed and hollow if it is coupled.

    With an objective the line is of dashes and dots.
    """
    ink, other = colour(variant), coupled(variant, study)
    line = "-." if variant.objective else "--" if other else "-"
    return {"color": ink, "linestyle": line, "markerfacecolor": "white" if other else ink}


def legend(figure: Figure, study: Study, *, marker: str = "") -> None:
    """Put one legend for all panels above them."""
    width = 0 if marker else None
    handles = [
        Line2D([], [], linewidth=width, marker=marker, label=plain(v.short), **pen(v, study))
        for v in study.variants
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


def panels(
    kinds: Sequence[str],
    height: float,
    margins: Margins,
    *,
    stacked: bool = False,
    sharey: bool = False,
) -> tuple[Figure, list[tuple[Axes, str]]]:
    """Lay out a panel, ``height`` inches high, for each kind of detections, with its title.

    Args:
        kinds: Detections.
        height: Of a panel.
        margins: Around and between panels.
        stacked: Below each other, not side by side.
        sharey: Whether all have one vertical axis.
    """
    shape = (len(kinds), 1) if stacked else (1, len(kinds))
    figure, axes = blank(height, *shape, margins, sharey=sharey)
    for ax, kind in zip(axes.ravel(), kinds, strict=True):
        ax.set_title(plain(detections_label(kind)))
    return figure, list(zip(axes.ravel(), kinds, strict=True))


def below_legend(study: Study) -> Margins:
    """Leave room above the panels for the legend."""
    return Margins(top=0.4 + 0.17 * ((len(study.variants) + 4) // 5))


def curves(study: Study) -> Figure:
    """Fig. 1 of the supplement: training loss and validation error."""
    figure, axes = blank(2.1, len(study.detections), 2, below_legend(study))
    for (loss, validation), kind in zip(axes, study.detections, strict=True):
        for variant in study.variants:
            if variant.method != "mixture":  # whose loss is a likelihood, in nats
                _band(loss, study, variant, kind, lambda point: point.loss)
            _band(validation, study, variant, kind, lambda point: point.validation_mpjpe_mm)
        for ax in (loss, validation):
            ax.set_xlabel("optimiser step")
            ax.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
        loss.set(title=f"Training loss · {plain(detections_label(kind))}", yscale="log")
        plain_logarithms(loss.yaxis)
        validation.set(title=f"Validation MPJPE, mm · {plain(detections_label(kind))}")
        _crop(validation, study, kind)
    legend(figure, study)
    return figure


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
    ax.plot(steps, mean, lw=1.2, **pen(variant, study))
    if len(values) > 1:
        low, high = values.min(axis=0), values.max(axis=0)
        alpha = 0.07 if coupled(variant, study) else 0.13
        ax.fill_between(steps, low, high, color=colour(variant), alpha=alpha, lw=0)


def _crop(ax: Axes, study: Study, kind: str) -> None:
    """Cut off the first evaluations and one in a hundred: they would flatten all others."""
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


def noise(study: Study) -> Figure | None:
    """3D error of a joint against the error of its 2D detection; None without noisy runs."""
    kinds = [kind for kind in study.detections if len(study.noise_bins(kind)) > 1]
    if not kinds:
        return None
    figure, axes = panels(kinds, 2.2, below_legend(study))
    for ax, kind in axes:
        spans = study.noise_bins(kind)
        for variant in study.variants:
            means = [mean(study, variant, kind, partial(error_in, span)) for span in spans]
            filled = pen(variant, study) | {"markerfacecolor": colour(variant)}
            ax.plot(means, marker="o", ms=2.5, **filled)
        labels = [bin_label(*b).replace(" and more", "+").replace(" to ", "–") for b in spans]
        ax.set_xticks(range(len(labels)), labels)
        ax.set(xlabel="error of the 2D detection, px", ylim=(0, None))
        ax.set(ylabel="3D error of the joint, mm")
    legend(figure, study)
    return figure


def mean(study: Study, variant: Variant, kind: str, read: Read) -> float:
    """Average a number over the seeds of a cell; NaN without any."""
    values = study.values(variant, kind, read)
    return float(np.mean(values)) if values else float("nan")


def parameters(study: Study) -> Figure:
    """MPJPE against the number of parameters."""
    figure, axes = panels(study.detections, 2.2, below_legend(study))
    sizes = study.parameters
    for ax, kind in axes:
        for variant, count in zip(study.variants, sizes, strict=True):
            values = study.values(variant, kind, lambda run: run.mpjpe_mm)
            if values:
                sd = stdev(values) if len(values) > 1 else None
                line = pen(variant, study) | {"linestyle": "none", "marker": "o", "ms": 5}
                ax.errorbar(count / 1e6, fmean(values), yerr=sd, elinewidth=1, **line)
        if max(sizes) > 1.5 * min(sizes):
            ax.set_xscale("log")
            plain_logarithms(ax.xaxis)
        ax.set(xlabel="parameters, millions", ylabel="MPJPE, mm")
    legend(figure, study, marker="o")
    return figure


def across_sizes(parts: Sequence[Study]) -> Figure | None:
    """MPJPE of every method against the size of the network; None if no panel has two sizes.

    Args:
        parts: The runs of each size, from the smallest.
    """
    whole = parts[-1]
    seen = Counter(kind for part in parts for kind in part.detections)
    kinds = [kind for kind in whole.detections if seen[kind] > 1]
    if not kinds:
        return None
    figure, axes = panels(kinds, 2.6, below_legend(whole))
    for ax, kind in axes:
        for variant in whole.variants:
            found = [
                (fmean(part.parameters) / 1e6, values)
                for part in parts
                if (values := part.values(variant, kind, lambda run: run.mpjpe_mm))
            ]
            at = [size for size, _ in found]
            ax.plot(at, [fmean(v) for _, v in found], marker="o", ms=3.5, **pen(variant, whole))
            low, high = ([end(v) for _, v in found] for end in (min, max))
            alpha = 0.07 if coupled(variant, whole) else 0.13
            ax.fill_between(at, low, high, color=colour(variant), alpha=alpha, lw=0)
        ax.set_xscale("log")
        sizes = [fmean(part.parameters) / 1e6 for part in parts]
        ax.set_xticks(sizes, [f"{size:.2g}" for size in sizes])
        ax.xaxis.set_minor_locator(mpl.ticker.NullLocator())
        ax.set(xlabel="parameters, millions", ylabel="MPJPE, mm")
    legend(figure, whole, marker="o")
    return figure


def occlusion(study: Study) -> Figure:
    """Visible against occluded joints."""
    height, margins = 0.2 * len(study.variants), Margins(left=NAMES, across=0.25)
    figure, axes = panels(study.detections, height, margins, sharey=True)
    for ax, kind in axes:
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
    first = axes[0][0]
    first.set_yticks(range(len(study.variants)), [plain(v.short) for v in study.variants])
    first.set_ylim(len(study.variants) - 0.5, -0.5)
    return figure
