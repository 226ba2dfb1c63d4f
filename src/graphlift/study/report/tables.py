"""The tables of our own runs, as plain data: text in cells, ready for HTML and Markdown.

The words around them, titles and notes, are in ``templates/report.j2``.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, stdev

from graphlift.study import curves
from graphlift.study.claims import Claim, Comparison, curve_oscillation, joint_kinds
from graphlift.study.grid import (
    Read,
    Study,
    Variant,
    detections_label,
    error_in,
    mpjpe_in,
    pck_in,
)
from graphlift.study.report.failures import Gallery
from graphlift.study.report.formatting import (
    DASH,
    bin_label,
    count,
    interval,
    number,
    probability,
    signed,
    size,
    sizes,
)
from graphlift.study.results import Result
from graphlift.study.statistics import Pair


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
        text: Its text.
        sd: A standard deviation to print behind it, smaller; empty for none.
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


Row = Sequence[Cell]
"""A row; one with a single cell is a heading inside the table."""


@dataclass(frozen=True)
class Table:
    """Columns from left to right and rows from top to bottom."""

    columns: Sequence[Column]
    rows: Sequence[Row]

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


@dataclass(frozen=True)
class Measure:
    """A column of means over seeds.

    Args:
        head: Of the column.
        read: Reads the number of one run.
        group: Of the column.
        digits: After the point.
        best: ``min`` or ``max``: which mean of a column is set in bold.
        deviation: Whether the standard deviation stands behind the mean.
    """

    head: str
    read: Read
    group: str = ""
    digits: int = 1
    best: Callable[[Iterable[float]], float] | None = None
    deviation: bool = True


def text_columns(*heads: str) -> list[Column]:
    """Make columns of words."""
    return [Column(head, number=False) for head in heads]


def mean_cell(
    values: Sequence[float], digits: int = 1, *, deviation: bool = True, best: float | None = None
) -> Cell:
    """Write mean and standard deviation, or a dash; bold if the mean is the best."""
    if not values:
        return Cell(DASH)
    mean = fmean(values)
    sd = number(stdev(values), digits) if deviation and len(values) > 1 else ""
    return Cell(number(mean, digits), sd, mean == best)


def mean_cells(study: Study, kind: str, measures: Sequence[Measure]) -> dict[Variant, list[Cell]]:
    """Write one kind of detections: for every method a cell of each measure."""
    rows: dict[Variant, list[Cell]] = {variant: [] for variant in study.variants}
    for each in measures:
        values = {variant: study.values(variant, kind, each.read) for variant in rows}
        means = [fmean(some) for some in values.values() if some]
        best = each.best(means) if each.best and means else None
        for variant, some in values.items():
            rows[variant].append(mean_cell(some, each.digits, deviation=each.deviation, best=best))
    return rows


def by_detections(
    columns: Sequence[Column], study: Study, rows: Callable[[str], Iterable[Row]]
) -> Table:
    """Make a table with a heading over the rows of each kind of detections that has any."""
    made: list[Row] = []
    for kind in study.detections:
        if some := list(rows(kind)):
            made += [[Cell(detections_label(kind))], *some]
    return Table(columns, made)


def by_method(study: Study, measures: Sequence[Measure]) -> Table:
    """Make a table with a row a method; methods without any of the numbers are left out."""

    def rows(kind: str) -> Iterable[Row]:
        for variant, cells in mean_cells(study, kind, measures).items():
            if any(cell.text != DASH for cell in cells):
                yield [Cell(variant.label), *cells]

    columns = [*text_columns("Method"), *(Column(each.head, each.group) for each in measures)]
    return by_detections(columns, study, rows)


ERRORS = (
    Measure("MPJPE", lambda run: run.mpjpe_mm, best=min),
    Measure("P-MPJPE", lambda run: run.p_mpjpe_mm, best=min),
)
SCENES = ("GS", "noGS", "Outdoor")
"""MPI-INF-3DHP's groups of test sequences, in the order of the paper."""


def accuracy(study: Study) -> Table:
    """Table 1 of the supplement with our errors: methods × detections."""
    columns = [*text_columns("Method"), Column("Parameters")]
    rows = [
        [Cell(variant.label), Cell(size(parameters))]
        for variant, parameters in zip(study.variants, study.parameters, strict=True)
    ]
    for kind in study.detections:
        columns += [Column(each.head, detections_label(kind)) for each in ERRORS]
        for row, cells in zip(rows, mean_cells(study, kind, ERRORS).values(), strict=True):
            row += cells
    return Table(columns, rows)


def cost(study: Study) -> Table:
    """Size and cost of the networks."""
    heads = (
        "Channels",
        "Parameters",
        "MACs, unified",
        "MACs, reduced",
        "Poses/s",
        "Minutes a run",
    )
    rows = []
    for variant in study.variants:
        runs = study.all_of(variant)
        first = runs[0]
        macs = (size(first.macs_unified), size(first.macs_reduced))
        texts = (variant.label, str(first.channels), f"{first.parameters:,}", *macs)
        speed = mean_cell([run.poses_per_second for run in runs], digits=0)
        minutes = mean_cell([run.seconds / 60 for run in runs], deviation=False)
        rows.append([*map(Cell, texts), speed, minutes])
    return Table([*text_columns("Method"), *map(Column, heads)], rows)


def cross(study: Study) -> Table:
    """Table 2 of the supplement with our scores on the other data set."""
    names = sorted(study.names(lambda run: run.cross_per_activity))
    groups = [name for name in SCENES if name in names] if study.licensed else names
    by = f"PCK by {'scene' if study.licensed else 'activity'}"
    return by_method(
        study,
        [
            *(Measure(name, partial(pck_in, name), by, best=max) for name in groups),
            Measure("PCK", lambda run: run.cross_pck, "all", best=max),
            Measure("AUC", lambda run: run.cross_auc, "all", best=max),
        ],
    )


def training(study: Study) -> Table:
    """How the runs trained: oscillation, what was still falling, where the best step lay."""
    return by_method(
        study,
        [
            Measure("Oscillation", curve_oscillation, digits=2),
            Measure("Last quarter, per 1,000 steps", curves.last_quarter_slope, digits=2),
            Measure("Best validation MPJPE", lambda run: run.validation_mpjpe_mm),
            Measure("Validation MPJPE at the end", lambda run: run.validation_end_mm),
            Measure(
                "Best step, % of run",
                lambda run: 100 * run.best_step / run.steps,
                digits=0,
                deviation=False,
            ),
        ],
    )


def selection(study: Study) -> Table:
    """What choosing the step on the test subjects would have gained; no rows without curves."""
    return by_method(
        study,
        [
            Measure("Chosen on validation", curves.chosen_on_validation),
            Measure("Chosen on test", curves.chosen_on_test),
            Measure("Flattered by", curves.flattered, digits=2),
        ],
    )


def pairs(study: Study, found: Sequence[tuple[str, Sequence[Pair[Variant]]]]) -> Table:
    """Every pair of methods with its bootstrap, the largest difference first."""
    columns = [
        *text_columns("Better", "than"),
        *map(Column, ("Difference", "95 % interval", "p", "p (Holm)")),
    ]
    pairs_of = dict(found)

    def rows(kind: str) -> Iterable[Row]:
        some = pairs_of.get(kind, ())
        return map(_pair, sorted(some, key=lambda pair: -abs(pair.difference.estimate)))

    return by_detections(columns, study, rows)


def _pair(pair: Pair[Variant]) -> Row:
    """Write a pair, the better method first."""
    c, better, worse = pair.difference, pair.first, pair.second
    if c.estimate > 0:
        c, better, worse = -c, worse, better
    numbers = (signed(c.estimate, 2), interval(c.low, c.high), probability(c.p))
    corrected = Cell(probability(pair.p_holm), best=pair.significant)
    return [*map(Cell, (better.label, worse.label, *numbers)), corrected]


def verdicts(study: Study, found: Sequence[Claim]) -> Table:
    """The paper's claims, what was measured, and whether they hold here."""
    rows = [
        [
            Cell(claim.text, lines=[f"Source: {claim.source}."]),
            Cell(
                f"{claim.measure}; at {sizes(study.parameters)} parameters.",
                lines=[_tally(claim), *map(comparison_text, claim.least_favourable)],
            ),
            Cell(claim.verdict, mark=claim.verdict.replace(" ", "-")),
        ]
        for claim in found
    ]
    return Table(text_columns("Claim", "Measured", "Verdict"), rows)


def comparison_text(comparison: Comparison) -> str:
    """Write a comparison in one line: detections, sides, estimate and interval."""
    c, unit = comparison.contrast, comparison.unit
    extent = f" {interval(c.low, c.high, 1)}" if c.low is not None else " (one seed)"
    where = detections_label(comparison.detections) or "All detections together"
    return f"{where}: {comparison.what} {signed(c.estimate)} {unit}{extent}"


def _tally(claim: Claim) -> str:
    contrasts = [comparison.contrast for comparison in claim.comparisons]
    lacking = f" Not run: {'; '.join(claim.lacking)}." if claim.lacking else ""
    if not contrasts:
        return f"These runs have nothing to compare.{lacking}"
    above = sum(c.low is not None and c.low > 0 for c in contrasts)
    below = sum(c.high is not None and c.high < 0 for c in contrasts)
    rest = len(contrasts) - above - below
    compared = count(len(contrasts), "comparison")
    return f"{compared}: {above} for, {below} against, {rest} open.{lacking}"


def joints(study: Study) -> Table:
    """Mean error by kind of joint."""

    def read(kind: str, run: Result) -> float | None:
        return joint_kinds(run).get(kind)

    return by_method(study, [Measure(k, partial(read, k)) for k in study.names(joint_kinds)])


def activities(study: Study) -> Table:
    """MPJPE by activity."""
    names = sorted(study.names(lambda run: run.per_activity))
    return by_method(study, [Measure(n, partial(mpjpe_in, n), best=min) for n in names])


def noise(study: Study) -> Table:
    """Mean 3D error by the error of the 2D detection."""
    spans = study.noise_bins(*study.detections)
    return by_method(study, [Measure(bin_label(*s), partial(error_in, s)) for s in spans])


def occlusion(study: Study) -> Table:
    """Mean error of joints that are visible and that are hidden."""

    def ratio(run: Result) -> float | None:
        hidden = run.occluded_share > 0 and run.visible_mm
        return run.occluded_mm / run.visible_mm if hidden else None

    return by_method(
        study,
        [
            Measure("Visible", lambda run: run.visible_mm),
            Measure("Occluded", lambda run: run.occluded_mm if run.occluded_share > 0 else None),
            Measure("Ratio", ratio, digits=2),
            Measure("Occluded, % of joints", lambda run: 100 * run.occluded_share),
        ],
    )


def runs(study: Study) -> Table:
    """Every run."""
    heads = (
        *("Seed", "MPJPE", "P-MPJPE", "N-MPJPE", "Validation", "at the end", "Best step"),
        *("PCK", "AUC", "Minutes"),
    )

    def rows(kind: str) -> Iterable[Row]:
        for variant in study.variants:
            for run in study.at(variant, kind):
                yield [*map(Cell, (variant.label, *_run(run)))]

    return by_detections([*text_columns("Method"), *map(Column, heads)], study, rows)


def _run(run: Result) -> list[str]:
    errors = (
        *(run.mpjpe_mm, run.p_mpjpe_mm, run.n_mpjpe_mm),
        *(run.validation_mpjpe_mm, run.validation_end_mm),
    )
    return [
        str(run.seed),
        *(number(error, 2) for error in errors),
        f"{run.best_step:,}",
        *(DASH if score is None else number(score) for score in (run.cross_pck, run.cross_auc)),
        number(run.seconds / 60),
    ]


def worst_frames(found: Gallery, most: int = 12) -> Table:
    """The worst frames by name, which can be published where their poses cannot."""
    columns = [
        *text_columns("Activity", "Clip"),
        *map(Column, ("Frame", "Camera", "MPJPE", "Runs")),
        *text_columns("Largest error at"),
    ]
    rows = []
    for frame, seeds in list(zip(found.frames, found.seeds, strict=True))[:most]:
        where = (frame.activity, frame.clip, str(frame.frame), str(frame.camera))
        joint = found.worst_joint(frame) if len(frame.predicted) else DASH
        rows.append([*map(Cell, (*where, number(frame.mpjpe_mm), str(seeds), joint))])
    return Table(columns, rows)
