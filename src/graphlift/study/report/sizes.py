"""A study of several sizes: which method wins at which, as plain data for the templates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from graphlift.study.grid import Study, detections_label
from graphlift.study.report.findings import Findings, best_of
from graphlift.study.report.formatting import DASH, number, one_of, size
from graphlift.study.report.tables import (
    Cell,
    Column,
    Measure,
    Row,
    Table,
    by_detections,
    mean_cells,
    text_columns,
)


@dataclass(frozen=True)
class Sized:
    """The runs of one size, and what the bootstrap shows of them.

    Args:
        study: The runs.
        found: Their pairs and claims.
    """

    study: Study
    found: Findings

    @property
    def label(self) -> str:
        """The mean number of parameters."""
        return size(fmean(self.study.parameters))


def winners(parts: Sequence[Sized]) -> Table:
    """The best method at each size, and those whose difference from it is not significant.

    Args:
        parts: From the smallest size to the largest.
    """
    columns = [
        *text_columns("Parameters", "Lowest error"),
        Column("MPJPE"),
        *text_columns("Not significantly worse"),
        *map(Column, ("Methods", "Runs")),
    ]

    def rows(kind: str) -> Iterable[Row]:
        for part in parts:
            if kind in part.study.detections:
                yield _winner(part, kind)

    return by_detections(columns, _all(parts), rows)


def _winner(part: Sized, kind: str) -> Row:
    best = best_of(part.study, kind, dict(part.found.pairs).get(kind, ()))
    alike = one_of([variant.spoken for variant in best.alike]) if best.alike else "none"
    runs = [run for run in part.study.runs if run.detections == kind]
    texts = (
        *(part.label, best.variant.label, number(best.error)),
        alike if best.tested else DASH,
        *(str(len(best.others) + 1), str(len(runs))),
    )
    return [*map(Cell, texts)]


def errors(parts: Sequence[Sized]) -> Table:
    """MPJPE of every method at every size."""
    mpjpe = Measure("MPJPE", lambda run: run.mpjpe_mm, best=min)

    def rows(kind: str) -> Iterable[Row]:
        columns = [mean_cells(part.study, kind, [mpjpe]) for part in parts]
        for variant in dict.fromkeys(v for part in reversed(parts) for v in part.study.variants):
            cells = [column.get(variant, [Cell(DASH)])[0] for column in columns]
            if any(cell.text != DASH for cell in cells):
                yield [Cell(variant.label), *cells]

    heads = [*text_columns("Method"), *(Column(part.label) for part in parts)]
    return by_detections(heads, _all(parts), rows)


def verdicts(parts: Sequence[Sized]) -> Table:
    """The paper's claims at each size."""
    claims = zip(*(part.found.claims for part in parts), strict=True)
    rows = [
        [
            Cell(of_sizes[0].text),
            *(Cell(each.verdict, mark=each.verdict.replace(" ", "-")) for each in of_sizes),
        ]
        for of_sizes in claims
    ]
    return Table(text_columns("Claim", *(part.label for part in parts)), rows)


def sizes_of(parts: Sequence[Sized]) -> str:
    """Name all sizes, and the detections that each has runs of."""
    return "; ".join(
        f"{part.label} on {', '.join(map(detections_label, part.study.detections))}"
        for part in parts
    )


def _all(parts: Sequence[Sized]) -> Study:
    """All runs, for the groups of a table."""
    return Study([run for part in parts for run in part.study.results])
