"""The parts of a report's tables, as plain data: text in cells, ready for HTML and Markdown."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from graphlift.study.grid import Study, Variant, detections_label
from graphlift.study.results import Result
from graphlift.study.statistics import Spread, spread

DASH = "–"
Read = Callable[[Result], float | None]
"""One number of a run, or None where it has none."""


@dataclass(frozen=True)
class Column:
    """A column: its head, the group of columns it stands under, and whether it holds numbers."""

    head: str
    group: str = ""
    number: bool = True


@dataclass(frozen=True)
class Cell:
    """A cell.

    Args:
        text: What stands there.
        sd: A spread to stand behind it, smaller; empty for none.
        best: Whether it is the best of its kind.
        mark: A word for the style sheet, such as a verdict.
        lines: Further lines below, smaller.
    """

    text: str
    sd: str = ""
    best: bool = False
    mark: str = ""
    lines: Sequence[str] = ()

    def __str__(self) -> str:
        return f"{self.text} ± {self.sd}" if self.sd else self.text


@dataclass(frozen=True)
class Row:
    """A row; one with a single cell is a heading inside the table."""

    cells: Sequence[Cell]


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        title: What it shows.
        note: How to read it.
        columns: From left to right.
        rows: From top to bottom.
        folded: Whether to show it on demand only.
    """

    title: str
    note: str
    columns: Sequence[Column]
    rows: Sequence[Row] = field(default_factory=list)
    folded: bool = False

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Groups of columns with their widths; empty when no column is in one."""
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and spans[-1][0] == column.group:
                spans[-1] = column.group, spans[-1][1] + 1
            else:
                spans.append((column.group, 1))
        return spans if any(name for name, _ in spans) else []


def number(value: float, digits: int = 1) -> str:
    """Write a number with a true minus sign."""
    text = f"{value:,.{digits}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")


def signed(value: float, digits: int = 1) -> str:
    """Write a number with its sign."""
    text = number(value, digits)
    return text if text.startswith("−") or not text.strip("0.") else f"+{text}"


def size(count: float) -> str:
    """Write a large number: 135,631 is 0.136 M."""
    return f"{count / 1e6:.3f} M" if count < 9_995_000 else f"{count / 1e6:.1f} M"


def probability(p: float) -> str:
    """Write a p-value."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """Write an interval, a dash where there is none."""
    if low is None or high is None:
        return DASH
    return f"[{signed(low, digits)}, {signed(high, digits)}]"


def count(things: int, one: str, many: str) -> str:
    """Write how many there are: 1 seed, 3 seeds."""
    return f"{things:,} {one if things == 1 else many}"


def one_of(words: Sequence[str]) -> str:
    """Join words with commas and "or"."""
    return ", ".join(words[:-1]) + (" or " if len(words) > 1 else "") + words[-1]


def mean_cell(values: Sequence[float], best: float | None = None, digits: int = 1) -> Cell:
    """Write mean and standard deviation over seeds, or a dash; bold if the mean is the best."""
    if not values:
        return Cell(DASH)
    s = spread(values)
    return Cell(number(s.mean, digits), _sd(s, digits), best is not None and s.mean == best)


def _sd(s: Spread, digits: int) -> str:
    return "" if s.sd is None else number(s.sd, digits)


def best_means(
    study: Study, reads: Sequence[Read], *, highest: bool = False
) -> dict[str, list[float | None]]:
    """Find the best mean over seeds of each number, for each detections."""
    best = max if highest else min
    return {
        kind: [
            best(
                (spread(v).mean for w in study.variants if (v := study.values(w, kind, read))),
                default=None,
            )
            for read in reads
        ]
        for kind in study.detections
    }


def by_detections(
    study: Study, cells: Callable[[Variant, str], list[Cell] | None]
) -> Iterator[Row]:
    """Put a heading over each detections' rows; methods without cells are left out."""
    for kind in study.detections:
        rows = [(v, made) for v in study.variants if (made := cells(v, kind)) is not None]
        if rows:
            yield Row([Cell(detections_label(kind))])
        for variant, made in rows:
            yield Row([Cell(variant.label), *made])
