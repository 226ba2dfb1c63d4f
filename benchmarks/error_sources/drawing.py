"""The errors by cause as stacked bars."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from error_sources.tables import Row

COLOURS = ("#0072b2", "#d99000", "#b8558f")
"""As in the study's reports: also for the colour-blind."""


def draw(path: Path, models: Mapping[str, Sequence[Row]], causes: Sequence[str]) -> None:
    """Draw one bar for each model and people, its parts the causes, the total above it."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    people = list(dict.fromkeys(row.people for rows in models.values() for row in rows))
    figure, axes = plt.subplots(1, len(people), figsize=(8, 3.6), sharey=True, squeeze=False)
    for panel, whom in zip(axes[0], people, strict=True):
        _draw_bars(
            panel,
            {
                name: {row.what: float(row.value) for row in rows if row.people == whom}
                for name, rows in models.items()
            },
            causes,
        )
        panel.set_title(whom, loc="left", fontsize=10)
    axes[0, 0].set_ylabel("MPJPE, mm")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_bars(
    panel: Any, values: Mapping[str, Mapping[str, float]], causes: Sequence[str]
) -> None:
    names = list(values)
    base = [0.0] * len(names)
    for cause, colour in zip(causes, COLOURS, strict=True):
        heights = [values[name][cause] for name in names]
        bars = panel.bar(names, heights, 0.6, bottom=base, color=colour, label=cause)
        panel.bar_label(bars, fmt="%.0f", label_type="center", color="white", fontsize=8)
        base = [b + h for b, h in zip(base, heights, strict=True)]
    for name, top in zip(names, base, strict=True):
        total = f"{values[name]['total']:.1f}"
        panel.text(name, top + 1, total, ha="center", fontsize=9, fontweight="bold")
    panel.margins(y=0.1)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(axis="x", labelrotation=20 if len(names) > 3 else 0)
