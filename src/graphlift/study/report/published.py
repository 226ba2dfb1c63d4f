"""Tables of the paper's own numbers beside ours: as printed, from our runs, the difference."""

from collections.abc import Iterable, Sequence
from functools import partial
from statistics import fmean

from graphlift.study import paper
from graphlift.study.grid import LABELS, Read, Study, Variant, detections_label, pck_in
from graphlift.study.report.formatting import DASH, number, signed, size
from graphlift.study.report.tables import (
    ERRORS,
    SCENES,
    Cell,
    Column,
    Row,
    Table,
    by_detections,
    mean_cell,
    text_columns,
)
from graphlift.study.statistics import rank_correlation

PUBLISHED = "Human3.6M, 4.2 M, published"
COLUMNS = ("gt", "hg", "cpn")
"""The paper's kinds of detections."""
COMPARED = ("here", "printed", "difference")


def values_of(study: Study, name: tuple[str, bool], kind: str, read: Read) -> list[float]:
    """One number from each run of a method, by its name; empty if the study has none."""
    variant = study.find(*name)
    return study.values(variant, kind, read) if variant else []


def beside_paper(study: Study) -> Table:
    """Our MPJPE and P-MPJPE with the supplement's Table 1 beside them."""
    kinds = [kind for kind in study.detections if paper.column(kind) in COLUMNS]
    simulated = " (HG and CPN simulated)" if set(kinds) - {*COLUMNS} else ""
    heads = [f"{LABELS[paper.column(kind)]}/{p}" for kind in kinds for p in ("P1", "P2")]
    columns = [
        *text_columns("Method"),
        *(Column(head, f"Here, open data{simulated}") for head in heads),
        Column("As printed", PUBLISHED, number=False),
        *(Column(f"{LABELS[k]}/{p}", PUBLISHED) for k in COLUMNS for p in ("P1", "P2")),
    ]
    rows = []
    for printed in paper.TABLE_1:
        name = printed.method, printed.decoupled
        ours = [
            mean_cell(values_of(study, name, kind, each.read), deviation=False)
            for kind in kinds
            for each in ERRORS
        ]
        label = (study.find(*name) or Variant(*name)).label
        rows.append([Cell(label), *ours, Cell(printed.label), *_printed(printed)])
    return Table(columns, rows)


def _printed(row: paper.PublishedErrors) -> Iterable[Cell]:
    for kind in COLUMNS:
        for at in range(len(ERRORS)):
            values = [each.errors[kind][at] for each in paper.TABLE_1 if kind in each.errors]
            value = row.errors[kind][at] if kind in row.errors else None
            yield Cell(_or_dash(value, 2), best=value == min(values))


def differences(study: Study) -> Table:
    """Table 1 of the supplement again: here, as printed, and the difference."""
    columns = [
        *text_columns("Method", "As printed"),
        *(Column(head, each.head) for each in ERRORS for head in COMPARED),
    ]

    def rows(kind: str) -> Iterable[Row]:
        printed = {(row.method, row.decoupled): row for row in paper.TABLE_1}
        for variant in study.variants:
            row = printed.get((variant.method, variant.decoupled))
            if row is not None and kind in row.errors:
                yield [
                    *(Cell(variant.label), Cell(row.label)),
                    *(
                        cell
                        for each, published in zip(ERRORS, row.errors[kind], strict=True)
                        for cell in _compared(study.values(variant, kind, each.read), published)
                    ),
                ]

    return by_detections(columns, study, rows)


def activities(study: Study) -> tuple[Table, dict[str, str]] | None:
    """The main paper's rows by activity, with ours and the difference.

    Returns:
        The table, and where each group of its columns is printed; None without any.
    """
    columns, sources = text_columns("Activity"), {}
    rows = [[Cell(activity)] for activity in paper.ACTIVITIES]
    best = study.find(*paper.BEST)
    for (kind, error), (printed, source) in paper.BEST_BY_ACTIVITY.items():
        runs = study.at(best, kind) if best else []
        if not runs:
            continue
        group = f"{LABELS[kind]}, {'MPJPE' if error == 'mpjpe_mm' else 'P-MPJPE'}"
        columns += [Column(head, group) for head in COMPARED]
        sources[group] = source
        for row, activity, published in zip(rows, paper.ACTIVITIES, printed, strict=True):
            scores = [run.per_activity[activity] for run in runs if activity in run.per_activity]
            row += _compared([getattr(score, error) for score in scores], published)
    return (Table(columns, rows), sources) if sources else None


def cross_differences(study: Study) -> Table | None:
    """The paper's own row of Table 2 with ours; None if its best method was not trained."""
    best, printed = study.find(*paper.BEST), paper.TABLE_2[-1]
    reads: list[Read] = [
        *(partial(pck_in, scene) for scene in SCENES),
        *(lambda run: run.cross_pck, lambda run: run.cross_auc),
    ]
    values = [study.values(best, "gt", read) for read in reads] if best else []
    if not best or not any(values):
        return None
    compared = list(map(_compared, values, (*printed.pck, printed.auc)))
    columns = [
        *text_columns(best.label),
        *(Column(name, "PCK") for name in (*SCENES, "all")),
        Column("AUC", "all"),
    ]
    return Table(columns, list(zip(map(Cell, COMPARED), *compared, strict=True)))


def cross_paper() -> Table:
    """Table 2 of the supplement as printed."""
    columns = [
        *text_columns("Method", "Trained on"),
        *(Column(name, "PCK, published") for name in (*SCENES, "all")),
        Column("AUC, published"),
    ]
    rows = [
        [*map(Cell, (row.label, row.training_data, *map(_or_dash, (*row.pck, row.auc))))]
        for row in paper.TABLE_2
    ]
    return Table(columns, rows)


CROSS: tuple[tuple[str, Read], ...] = (
    ("PCK", lambda run: run.cross_pck),
    ("AUC", lambda run: run.cross_auc),
)


def cross_beside_paper(study: Study) -> Table:
    """The supplement's Table 2 in its order, and beside each row what stands for it here."""
    kinds = [kind for kind in study.detections if _crossed(study, kind)]
    columns = [
        *text_columns("As printed", "Trained on"),
        *(Column(head, "Published") for head, _ in CROSS),
        Column("Here", number=False),
        *(Column(head, detections_label(kind)) for kind in kinds for head, _ in CROSS),
        *map(Column, ("Parameters", "MACs", "Poses/s")),
    ]
    return Table(columns, [_beside(study, kinds, printed) for printed in paper.TABLE_2])


def _crossed(study: Study, kind: str) -> bool:
    return any(run.cross_pck is not None for run in study.runs if run.detections == kind)


def _beside(study: Study, kinds: Sequence[str], printed: paper.PublishedCross) -> Row:
    name = printed.method, printed.decoupled, printed.objective
    variant = study.find(*name)
    published = map(_or_dash, (printed.pck[-1], printed.auc))
    head = [*map(Cell, (printed.label, printed.training_data, *published))]
    if variant is None:
        absent = Variant(printed.method, printed.decoupled, objective=printed.objective)
        return [*head, Cell(f"{absent.label}: no run"), *[Cell(DASH)] * (2 * len(kinds) + 3)]
    runs = study.all_of(variant)
    return [
        *(*head, Cell(variant.label)),
        *(mean_cell(study.values(variant, kind, read)) for kind in kinds for _, read in CROSS),
        Cell(size(runs[0].parameters)),
        Cell(size(runs[0].macs_reduced)),
        mean_cell([run.poses_per_second for run in runs], digits=0),
    ]


def rank_correlations(study: Study) -> list[tuple[str, float]]:
    """Rank correlation of our MPJPE with the paper's over the rows both have, by detections."""
    kept = []
    for kind in study.detections:
        both = [
            (fmean(ours), printed.errors[paper.column(kind)][0])
            for printed in paper.TABLE_1
            if paper.column(kind) in printed.errors
            and (
                ours := values_of(
                    study, (printed.method, printed.decoupled), kind, lambda run: run.mpjpe_mm
                )
            )
        ]
        correlation = rank_correlation([a for a, _ in both], [b for _, b in both])
        if correlation is not None:
            kept.append((kind, correlation))
    return kept


def _compared(values: Sequence[float], printed: float | None) -> list[Cell]:
    """Ours, what is printed, and by how much ours is larger."""
    mean = fmean(values) if values else None
    difference = DASH if mean is None or printed is None else signed(mean - printed, 2)
    return [Cell(_or_dash(mean, 2)), Cell(_or_dash(printed, 2)), Cell(difference)]


def _or_dash(value: float | None, digits: int = 1) -> str:
    return DASH if value is None else number(value, digits)
