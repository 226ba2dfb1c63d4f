"""Tables that take the scores apart: by pair, claim, joint, activity, noise, occlusion and run.

Most stand behind a figure and are shown on demand. The paper's own tables are in
:mod:`graphlift.study.report.tables`.
"""

from collections.abc import Mapping, Sequence

from graphlift.study.claims import Claim, Comparison, joint_kinds
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
    count,
    interval,
    mean_cell,
    number,
    probability,
    signed,
)
from graphlift.study.results import Result
from graphlift.study.statistics import Pair

CONFOUND = (
    "Which joints get hidden is no matter of chance (limbs hide other limbs or the trunk), and "
    "wrists err more than hips whether hidden or not; the lines do not part the two. This says "
    "where the error sits, not what hiding does."
)


def pairs(study: Study, found: Sequence[tuple[str, Sequence[Pair[Variant]]]]) -> Table:
    """Every pair of methods with its bootstrap."""
    names = {variant: variant.label for variant in study.variants}
    rows = []
    for kind, some in found:
        rows.append(Row([Cell(detections_label(kind))]))
        by_size = sorted(some, key=lambda pair: abs(pair.difference.estimate), reverse=True)
        rows += [_pair_row(pair, names) for pair in by_size]
    return Table(
        "Paired differences of MPJPE between methods, mm",
        "The better method first. Interval: 95 %, by seconds and seeds. p is two-sided; p (Holm) "
        "is corrected over all pairs on the same detections, in bold below 0.05. Where a method "
        "has one seed, neither is known: –.",
        [
            Column("Better", number=False),
            Column("than", number=False),
            Column("Difference"),
            Column("95 % interval"),
            Column("p"),
            Column("p (Holm)"),
        ],
        rows,
        folded=True,
    )


def _pair_row(pair: Pair[Variant], names: Mapping[Variant, str]) -> Row:
    """Write a pair, the better method first."""
    c, better, worse = pair.difference, pair.first, pair.second
    if c.estimate > 0:
        c, better, worse = -c, worse, better
    return Row(
        [
            Cell(names[better]),
            Cell(names[worse]),
            Cell(signed(c.estimate, 2)),
            Cell(interval(c.low, c.high)),
            Cell(DASH if c.p is None else probability(c.p)),
            Cell(DASH if pair.p_holm is None else probability(pair.p_holm), best=pair.real),
        ]
    )


def comparison_text(comparison: Comparison) -> str:
    """Write a comparison in one line: detections, sides, estimate and interval."""
    c, unit = comparison.contrast, comparison.unit
    extent = f" {interval(c.low, c.high, 1)}" if c.low is not None else " (one seed)"
    where = detections_label(comparison.detections) or "All detections together"
    return f"{where}: {comparison.what} {signed(c.estimate)} {unit}{extent}"


def verdicts(found: Sequence[Claim]) -> Table:
    """The paper's claims, what was measured, and whether they hold here."""
    rows = [
        Row(
            [
                Cell(claim.text, lines=[f"Source: {claim.source}."]),
                Cell(f"{claim.measure}.", lines=[_tally(claim), *_least(claim)]),
                Cell(claim.verdict, mark=claim.verdict.replace(" ", "-")),
            ]
        )
        for claim in found
    ]
    return Table(
        "The paper's claims, held against these runs",
        "A claim holds if every comparison it implies has its 95 % interval on the claimed side; "
        "it does not hold if any lies on the other side after Holm's correction; else it is "
        "undecided, as is everything with one seed. What the paper says of large networks is not "
        "tested by small ones; what they did is shown nevertheless. Positive numbers are on the "
        "claim's side; shown is the least favourable comparison on each detections.",
        [
            Column("Claim", number=False),
            Column("Measured", number=False),
            Column("Verdict", number=False),
        ],
        rows,
    )


def _tally(claim: Claim) -> str:
    tested = claim.comparisons
    if not tested:
        return "These runs have nothing to compare."
    above = sum(c.contrast.low is not None and c.contrast.low > 0 for c in tested)
    below = sum(c.contrast.high is not None and c.contrast.high < 0 for c in tested)
    rest = len(tested) - above - below
    tally = count(len(tested), "comparison", "comparisons")
    return f"{tally}: {above} for, {below} against, {rest} open."


def _least(claim: Claim) -> list[str]:
    return [comparison_text(comparison) for comparison in claim.least_favourable]


def joints(study: Study) -> Table:
    """Mean error by kind of joint."""
    names = list(dict.fromkeys(k for run in study.runs for k in joint_kinds(run.per_joint_mm)))

    def cells(variant: Variant, kind: str) -> list[Cell] | None:
        runs = [joint_kinds(run.per_joint_mm) for run in study.at(variant, kind)]
        return [mean_cell([r[n] for r in runs if n in r]) for n in names] if runs else None

    return Table(
        "Error by kind of joint, mm",
        "Left and right together; the root, always zero, left out.",
        [Column("Method", number=False), *(Column(name) for name in names)],
        list(by_detections(study, cells)),
        folded=True,
    )


def activities(study: Study) -> Table:
    """MPJPE by activity."""
    names = sorted({name for run in study.runs for name in run.per_activity})
    reads = [_mpjpe_in(name) for name in names]
    best = best_means(study, reads)

    def cells(variant: Variant, kind: str) -> list[Cell] | None:
        if not study.at(variant, kind):
            return None
        values = [study.values(variant, kind, read) for read in reads]
        return [mean_cell(v, b) for v, b in zip(values, best[kind], strict=True)]

    return Table(
        "MPJPE by activity, mm",
        "Best mean of each activity and detections in bold.",
        [Column("Method", number=False), *(Column(name) for name in names)],
        list(by_detections(study, cells)),
        folded=True,
    )


def _mpjpe_in(activity: str) -> Read:
    def read(result: Result) -> float | None:
        score = result.per_activity.get(activity)
        return None if score is None else score.mpjpe_mm

    return read


def noise(study: Study) -> Table:
    """Mean 3D error by the error of the 2D detection."""
    bins = sorted(
        {(b.from_px, b.to_px) for run in study.runs for b in run.noise_bins if b.to_px > b.from_px}
    )

    def cells(variant: Variant, kind: str) -> list[Cell] | None:
        runs = [
            {(b.from_px, b.to_px): b.mpjpe_mm for b in run.noise_bins if b.joints}
            for run in study.at(variant, kind)
        ]
        if not any(run.keys() & set(bins) for run in runs):
            return None
        return [mean_cell([run[b] for run in runs if b in run]) for b in bins]

    return Table(
        "3D error of a joint by the error of its 2D detection, mm",
        "Columns: error of the detection, px in the 1000 px image. The root is left out.",
        [Column("Method", number=False), *(Column(bin_label(*b)) for b in bins)],
        list(by_detections(study, cells)),
        folded=True,
    )


def bin_label(low: float, high: float) -> str:
    """Name a range of pixels; past an image's half it is open."""
    return f"{low:g} and more" if high >= 500 else f"{low:g} to {high:g}"


def occlusion(study: Study) -> Table:
    """Mean error of joints that are visible and that are hidden."""

    def cells(variant: Variant, kind: str) -> list[Cell] | None:
        runs = study.at(variant, kind)
        hidden = [run for run in runs if run.occluded_share > 0]
        if not runs:
            return None
        return [
            mean_cell([run.visible_mm for run in runs]),
            mean_cell([run.occluded_mm for run in hidden]),
            mean_cell(
                [run.occluded_mm / run.visible_mm for run in hidden if run.visible_mm], digits=2
            ),
            mean_cell([100 * run.occluded_share for run in runs]),
        ]

    return Table(
        "Visible and occluded joints, mm",
        "Occluded: another limb lies between the camera and the joint. The root is left out. "
        + CONFOUND,
        [
            Column("Method", number=False),
            Column("Visible"),
            Column("Occluded"),
            Column("Ratio"),
            Column("Occluded, % of joints"),
        ],
        list(by_detections(study, cells)),
        folded=True,
    )


def runs(study: Study) -> Table:
    """Every run."""
    heads = (
        "Seed",
        "MPJPE",
        "P-MPJPE",
        "N-MPJPE",
        "Validation",
        "at the end",
        "Best step",
        "PCK",
        "AUC",
        "Minutes",
    )
    rows = []
    for kind in study.detections:
        rows.append(Row([Cell(detections_label(kind))]))
        rows += [
            Row([Cell(study.variant(run).label), *map(Cell, _run_cells(run))])
            for variant in study.variants
            for run in study.at(variant, kind)
        ]
    return Table(
        "Every run, mm and per cent",
        "Tested with the weights of the best step on validation subjects.",
        [Column("Method", number=False), *map(Column, heads)],
        rows,
        folded=True,
    )


def _run_cells(run: Result) -> list[str]:
    return [
        str(run.seed),
        number(run.mpjpe_mm, 2),
        number(run.p_mpjpe_mm, 2),
        number(run.n_mpjpe_mm, 2),
        number(run.validation_mpjpe_mm, 2),
        number(run.validation_end_mm, 2),
        f"{run.best_step:,}",
        DASH if run.cross_pck is None else number(run.cross_pck),
        DASH if run.cross_auc is None else number(run.cross_auc),
        number(run.seconds / 60),
    ]
