"""The paper's own tables again, one row a method: errors, cost, the other data set, training.

What goes deeper than one number a method and detections is in
:mod:`graphlift.study.report.breakdowns`.
"""

from graphlift.study.claims import curve_oscillation
from graphlift.study.grid import Study, Variant, detections_label
from graphlift.study.report.cells import (
    DASH,
    Cell,
    Column,
    Read,
    Row,
    Table,
    best_means,
    by_detections,
    mean_cell,
    number,
    one_of,
    size,
)
from graphlift.study.results import Result
from graphlift.study.statistics import spread

PROTOCOLS: tuple[tuple[str, Read], ...] = (
    ("MPJPE", lambda run: run.mpjpe_mm),
    ("P-MPJPE", lambda run: run.p_mpjpe_mm),
)

SCENES = ("GS", "noGS", "Outdoor")
"""MPI-INF-3DHP's groups of test sequences, in the order of the paper."""


def accuracy(study: Study) -> Table:
    """Table 1 of the supplement with our errors: methods × detections."""
    best = best_means(study, [read for _, read in PROTOCOLS])
    columns = [Column("Method", number=False), Column("Parameters")]
    for kind in study.detections:
        columns += [Column(head, detections_label(kind)) for head, _ in PROTOCOLS]
    rows = []
    for variant, count in zip(study.variants, study.parameters, strict=True):
        cells = [Cell(variant.label), Cell(size(count))]
        for kind in study.detections:
            values = [study.values(variant, kind, read) for _, read in PROTOCOLS]
            cells += [mean_cell(v, b) for v, b in zip(values, best[kind], strict=True)]
        rows.append(Row(cells))
    return Table(
        "Errors on the test subjects, mm: mean ± standard deviation over seeds",
        f"Protocol {study.errors_by}: mean over frames and cameras of each activity, then the "
        f"plain mean of activities. Best mean of a column in bold.{study.adapted}",
        columns,
        rows,
    )


def cost(study: Study) -> Table:
    """Size and cost of the networks."""
    rows = []
    for variant in study.variants:
        runs = [run for kind in study.detections for run in study.at(variant, kind)]
        rows.append(
            Row(
                [
                    Cell(variant.label),
                    Cell(str(runs[0].channels)),
                    Cell(f"{runs[0].parameters:,}"),
                    Cell(size(runs[0].macs_unified)),
                    Cell(size(runs[0].macs_reduced)),
                    mean_cell([run.poses_per_second for run in runs], digits=0),
                    Cell(number(spread([run.seconds for run in runs]).mean / 60)),
                ]
            )
        )
    at_once = sorted({run.runs_at_once for run in study.runs})
    return Table(
        "Size and cost of the networks",
        "MACs: multiply-accumulates of the weight products for one pose, with every neighbour "
        "transformed (unified) and in the order the layer chooses (reduced). Poses/s "
        f"in training, with {one_of([str(n) for n in at_once])} runs at once and whatever else "
        "the machine did; mean ± standard deviation over all runs of a method. It is this "
        "implementation's speed, not a property of a method: pre-aggregation's training step is "
        "written by hand (fused), the others' gradients are left to autograd.",
        [
            Column("Method", number=False),
            Column("Channels"),
            Column("Parameters"),
            Column("MACs, unified"),
            Column("MACs, reduced"),
            Column("Poses/s"),
            Column("Minutes a run"),
        ],
        rows,
    )


def cross(study: Study) -> Table:
    """Table 2 of the supplement with our scores on the other data set."""
    runs = [run for run in study.runs if run.cross_pck is not None]
    groups = sorted({name for run in runs for name in run.cross_per_activity})
    if study.licensed:
        groups = [name for name in SCENES if name in groups]
    reads: list[Read] = [
        *(pck_in(name) for name in groups),
        lambda r: r.cross_pck,
        lambda r: r.cross_auc,
    ]

    best = best_means(study, reads, highest=True)

    def cells(variant: Variant, kind: str) -> list[Cell] | None:
        values = [study.values(variant, kind, read) for read in reads]
        if not any(values):
            return None
        return [mean_cell(v, b) for v, b in zip(values, best[kind], strict=True)]

    meaning = (
        "Groups are the test set's scenes; all is weighted by frames. Keypoints are the annotated "
        f"ones; {study.cross_adapted}."
        if study.licensed
        else "Groups are activities: the paper's green screen, no green screen and outdoor have "
        "no analogue here."
    )
    return Table(
        f"PCK at 150 mm and AUC {_crossed_where(study, runs)}, per cent",
        f"Protocol {study.crossed_by}; nothing was chosen on these people. {meaning}",
        [
            Column("Method", number=False),
            *(
                Column(name, f"PCK by {'scene' if study.licensed else 'activity'}")
                for name in groups
            ),
            Column("PCK", "all"),
            Column("AUC", "all"),
        ],
        list(by_detections(study, cells)),
    )


def _crossed_where(study: Study, runs: list[Result]) -> str:
    if crossed_on_prior(study):
        return "through other cameras, other people of the same prior"
    other = one_of(sorted({run.cross_data or "unnamed" for run in runs})) if runs else DASH
    return f"on another data set ({other})"


def crossed_on_prior(study: Study) -> bool:
    """Whether the other test is of the prior, too: no other data set, but other cameras."""
    other = [run.cross_data for run in study.runs if run.cross_data]
    return bool(other) and all("prior" in name.lower() for name in other)


def pck_in(group: str) -> Read:
    """Read the PCK of one group of the other data set."""

    def read(result: Result) -> float | None:
        score = result.cross_per_activity.get(group)
        return None if score is None else score.pck

    return read


def training(study: Study) -> Table:
    """How the runs trained: oscillation, where the best step lay, what was lost after it."""

    def cells(variant: Variant, kind: str) -> list[Cell] | None:
        runs = study.at(variant, kind)
        if not runs:
            return None
        return [
            mean_cell(study.values(variant, kind, curve_oscillation), digits=2),
            mean_cell(study.values(variant, kind, lambda r: r.validation_mpjpe_mm)),
            mean_cell(study.values(variant, kind, lambda r: r.validation_end_mm)),
            Cell(number(spread([100 * r.best_step / r.steps for r in runs]).mean, 0)),
        ]

    return Table(
        "How much the validation error oscillates, mm",
        "Oscillation: root mean square, over the second half of training, of what is left of each "
        "evaluation after the straight line through its two neighbours, scaled so that noise of "
        "standard deviation s gives s; a smooth decay gives nothing.",
        [
            Column("Method", number=False),
            Column("Oscillation"),
            Column("Best validation MPJPE"),
            Column("Validation MPJPE at the end"),
            Column("Best step, % of run"),
        ],
        list(by_detections(study, cells)),
    )
