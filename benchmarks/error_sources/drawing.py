"""The errors by cause as stacked bars."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from error_sources.tables import Row

COLOURS = ("#0072b2", "#d99000", "#b8558f")
"""As in the study's reports: also for the colour-blind."""


def draw(path: Path, models: Mapping[str, Sequence[Row]], causes: Sequence[str]) -> None:
    """Draw one bar for each model and people, its parts the causes, the total above it."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    people = list(dict.fromkeys(row.people for rows in models.values() for row in rows))
    values = {
        (row.people, name, row.what): float(row.value)
        for name, rows in models.items()
        for row in rows
    }
    figure, axes = plt.subplots(1, len(people), figsize=(8, 3.6), sharey=True, squeeze=False)
    for panel, whom in zip(axes[0], people, strict=True):
        base = dict.fromkeys(models, 0.0)
        for cause, colour in zip(causes, COLOURS, strict=True):
            heights = [values[whom, name, cause] for name in models]
            bars = panel.bar(
                list(models), heights, 0.6, bottom=list(base.values()), color=colour, label=cause
            )
            panel.bar_label(bars, fmt="%.0f", label_type="center", color="white", fontsize=8)
            base = {n: b + h for (n, b), h in zip(base.items(), heights, strict=True)}
        for name, top in base.items():
            total = f"{values[whom, name, 'total']:.1f}"
            panel.text(name, top + 1, total, ha="center", fontsize=9, fontweight="bold")
        panel.margins(y=0.1)
        panel.set_title(whom, loc="left", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(axis="x", labelrotation=20 if len(models) > 3 else 0)
    axes[0, 0].set_ylabel("MPJPE, mm")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)
