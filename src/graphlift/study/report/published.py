"""The paper's own numbers beside ours: what it printed, what came out here, the difference."""

from collections.abc import Iterator, Sequence

from graphlift.study import paper
from graphlift.study.grid import Study, Variant
from graphlift.study.report.cells import (
    DASH,
    Cell,
    Column,
    Row,
    Table,
    by_detections,
    number,
    signed,
)
from graphlift.study.report.tables import PROTOCOLS, SCENES, pck_in
from graphlift.study.statistics import rank_correlation, spread

PUBLISHED = "Human3.6M, 4.2 M, published"
_PUBLISHED = {"gt": "GT", "hg": "HG", "cpn": "CPN"}
_PROTOCOL_NAMES = {"mpjpe_mm": "MPJPE", "p_mpjpe_mm": "P-MPJPE"}
COMPARED = ("here", "printed", "difference")


def beside_paper(study: Study) -> Table:
    """Our MPJPE and P-MPJPE with the supplement's Table 1 beside them."""
    kinds = [kind for kind in study.detections if paper.column(kind) in _PUBLISHED]
    simulated = " (HG and CPN simulated)" if set(kinds) - {*_PUBLISHED} else ""
    columns = [Column("Method", number=False)]
    here = f"Here, open data{simulated}"
    columns += [
        Column(f"{_PUBLISHED[paper.column(k)]}/{p}", here) for k in kinds for p in ("P1", "P2")
    ]
    columns.append(Column("As printed", PUBLISHED, number=False))
    columns += [Column(f"{k}/{p}", PUBLISHED) for k in _PUBLISHED.values() for p in ("P1", "P2")]
    rows = []
    for printed in paper.TABLE_1:
        variant = study.find(printed.method, printed.decoupled)
        name = variant or Variant(printed.method, printed.decoupled)
        ours = [
            Cell(number(spread(values).mean))
            if variant and (values := study.values(variant, kind, read))
            else Cell(DASH)
            for kind in kinds
            for _, read in PROTOCOLS
        ]
        rows.append(Row([Cell(name.label), *ours, Cell(printed.label), *_printed(printed)]))
    return Table(
        "The paper's own errors beside ours, mm",
        "P1: MPJPE; P2: P-MPJPE. Not the same quantity on both sides: other people and cameras, "
        "true detectors there and simulated ones here, networks of 4.2 M parameters, and weights "
        "selected on the test subjects by the published code. The paper's plain pre-agg, post-agg "
        "and full-sharing most likely denote the decoupled versions, so they stand on those rows.",
        columns,
        rows,
    )


def differences(study: Study) -> Table:
    """Table 1 of the supplement again: here, as printed, and the difference."""

    def cells(variant: Variant, kind: str) -> list[Cell] | None:
        printed = next(
            (r for r in paper.TABLE_1 if (r.method, r.decoupled) == _named(variant)), None
        )
        if printed is None or kind not in printed.errors:
            return None
        row = [Cell(printed.label)]
        for (_, read), published in zip(PROTOCOLS, printed.errors[kind], strict=True):
            row += _compared(study.values(variant, kind, read), published)
        return row

    return Table(
        "Table 1 of the supplement: here, as printed, and the difference, mm",
        f"Protocol {study.errors_by}; mean over seeds here. The published code kept the "
        "weights that were best on the test subjects; here nothing is chosen on them. The paper's "
        "plain pre-agg, post-agg and full-sharing most likely denote the decoupled versions."
        + study.adapted,
        [
            Column("Method", number=False),
            Column("As printed", number=False),
            *(Column(c, p) for p, _ in PROTOCOLS for c in COMPARED),
        ],
        list(by_detections(study, cells)),
    )


def activities(study: Study) -> Table | None:
    """The main paper's rows by activity, with ours and the difference; None without any."""
    columns, triples, sources = [Column("Activity", number=False)], [], {}
    for printed in paper.PER_ACTIVITY:
        variant = study.find(printed.method, printed.decoupled)
        runs = study.at(variant, printed.detections) if variant else []
        if not runs:
            continue
        group = f"{_PUBLISHED[printed.detections]}, {_PROTOCOL_NAMES[printed.protocol]}"
        columns += [Column(head, group) for head in COMPARED]
        here = [
            [getattr(r.per_activity[a], printed.protocol) for r in runs if a in r.per_activity]
            for a in paper.ACTIVITIES
        ]
        triples.append(list(map(_compared, here, printed.errors)))
        sources[group] = printed.source
    if not triples:
        return None
    rows = [
        Row([Cell(activity), *(cell for column in triples for cell in column[at])])
        for at, activity in enumerate(paper.ACTIVITIES)
    ]
    printed_in = "; ".join(f"{group}: {source}" for group, source in sources.items())
    note = f"Mean over seeds here. Printed, by sources of the second hand: {printed_in}."
    title = "Pre-agg by activity: here, as printed, and the difference, mm"
    return Table(title, note, columns, rows)


def cross_differences(study: Study) -> Table | None:
    """The paper's own row of Table 2 with ours; None if its best method was not trained."""
    best, printed = study.find("pre-aggregation", True), paper.TABLE_2[-1]
    reads = [*map(pck_in, SCENES), lambda r: r.cross_pck, lambda r: r.cross_auc]
    values = [study.values(best, "gt", read) for read in reads] if best else []
    if not any(values):
        return None
    compared = zip(values, (*printed.pck, printed.auc), strict=True)
    triples = [_compared(ours, published) for ours, published in compared]
    return Table(
        "The paper's row of Table 2: here, as printed, and the difference, per cent",
        "What the paper's network saw and whether it was adapted is not printed; ours saw the "
        f"annotated keypoints; {study.cross_adapted}.",
        [
            Column(best.label if best else "", number=False),
            *(Column(name, "PCK") for name in (*SCENES, "all")),
            Column("AUC", "all"),
        ],
        [
            Row([Cell(name), *(triple[at] for triple in triples)])
            for at, name in enumerate(COMPARED)
        ],
    )


def cross_paper(study: Study) -> Table:
    """Table 2 of the supplement as printed."""

    def show(value: float | None) -> Cell:
        return Cell(DASH if value is None else number(value))

    return Table(
        "The paper's Table 2, per cent",
        "MPI-INF-3DHP's test set, as printed. The rows differ in training data, adaptation and "
        "joints scored."
        if study.licensed
        else "MPI-INF-3DHP's test set, as printed: another data set than ours, for orientation "
        "only.",
        [
            Column("Method", number=False),
            Column("Trained on", number=False),
            *(Column(name, "PCK, published") for name in ("GS", "noGS", "Outdoor", "all")),
            Column("AUC, published"),
        ],
        [
            Row([Cell(r.label), Cell(r.training_data), *map(show, r.pck), show(r.auc)])
            for r in paper.TABLE_2
        ],
        folded=True,
    )


def order_kept(study: Study) -> list[tuple[str, float]]:
    """Rank correlation of our MPJPE with the paper's over the rows both have, by detections."""
    kept = []
    for kind in study.detections:
        both = []
        for printed in paper.TABLE_1:
            variant = study.find(printed.method, printed.decoupled)
            ours = study.values(variant, kind, lambda r: r.mpjpe_mm) if variant else []
            if ours and paper.column(kind) in printed.errors:
                both.append((spread(ours).mean, printed.errors[paper.column(kind)][0]))
        correlation = rank_correlation([a for a, _ in both], [b for _, b in both])
        if correlation is not None:
            kept.append((kind, correlation))
    return kept


def _named(variant: Variant) -> tuple[str, bool]:
    return variant.method, variant.decoupled


def _compared(values: Sequence[float], printed: float | None) -> list[Cell]:
    """Ours, what is printed, and by how much ours is larger."""
    shown = Cell(DASH if printed is None else number(printed, 2))
    if not values:
        return [Cell(DASH), shown, Cell(DASH)]
    mean = spread(values).mean
    difference = Cell(DASH if printed is None else signed(mean - printed, 2))
    return [Cell(number(mean, 2)), shown, difference]


def _printed(row: paper.PublishedErrors) -> Iterator[Cell]:
    for kind in _PUBLISHED:
        for protocol in range(2):
            if kind not in row.errors:
                yield Cell(DASH)
                continue
            least = min(r.errors[kind][protocol] for r in paper.TABLE_1 if kind in r.errors)
            value = row.errors[kind][protocol]
            yield Cell(number(value, 2), best=value == least)
