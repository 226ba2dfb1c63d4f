"""What a report says, section by section, before it becomes HTML or Markdown."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from graphlift.study.claims import Claim, Draws, claims, seeds_of
from graphlift.study.grid import Study, Variant
from graphlift.study.report import (
    breakdowns,
    failures,
    figures,
    heatmaps,
    prose,
    published,
    tables,
)
from graphlift.study.report.cells import Table, count
from graphlift.study.report.figures import Drawing
from graphlift.study.statistics import Pair, all_pairs, block_layout, resample

if TYPE_CHECKING:
    from graphlift.study.results import Blocks

Kind = Literal["text", "facts", "code", "table", "figure"]
Pairs = Sequence[tuple[str, Sequence[Pair[Variant]]]]


@dataclass(frozen=True)
class Block:
    """A paragraph, list of facts, command, table or figure, the last two with their number."""

    kind: Kind
    value: Any
    label: str = ""


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """Where links to the section lead."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower()).strip("-")


@dataclass(frozen=True)
class Findings:
    """What the bootstrap says.

    Args:
        pairs: All pairs of methods, by detections.
        claims: The paper's claims.
        left_out: Runs over other test frames than most, which no pair can hold.
    """

    pairs: Pairs
    claims: Sequence[Claim]
    left_out: Sequence[str]


def find(study: Study) -> Findings:
    """Resample a study's runs once and draw every conclusion from the same draws."""
    layouts = Counter(block_layout(run.blocks) for run in study.runs if run.blocks)
    common = layouts.most_common(1)[0][0] if layouts else None
    kept: dict[tuple[Variant, str, int], Mapping[str, Blocks]] = {}
    left_out = []
    for run in study.runs:
        if common is not None and block_layout(run.blocks) == common:
            kept[study.variant(run), run.detections, run.seed] = run.blocks
        else:
            left_out.append(run.name)
    draws: Draws = resample(kept)
    pairs = []
    for kind in study.detections:
        errors = {v: seeds_of(draws, v, {kind: 1}) for v in study.variants}
        some = all_pairs({v: e for v, e in errors.items() if e is not None})
        pairs += [(kind, some)] if some else []
    return Findings(pairs, claims(study, draws), left_out)


def sections(study: Study) -> list[Section]:
    """Write the whole report."""
    found = find(study)
    parts: list[tuple[str, list[object]]] = [
        ("In brief", [*prose.brief(study, found.pairs, found.claims)]),
        ("Accuracy", _accuracy(study)),
        ("Other cameras" if tables.crossed_on_prior(study) else "Another data set", _cross(study)),
        ("Training", [figures.curves(study), tables.training(study)]),
        ("Which differences are real", _differences(study, found)),
        ("The paper's claims", [breakdowns.verdicts(found.claims)]),
        ("Where the error sits", [*_where(study)]),
        ("Failure cases", _failures(study)),
        ("Appendix: how this was made", _appendix(study)),
    ]
    return number(parts)


def number(parts: Sequence[tuple[str, Sequence[object]]]) -> list[Section]:
    """Turn plain values into blocks; tables and figures are numbered through."""
    numbers: Counter[str] = Counter()
    made = []
    for title, values in parts:
        blocks = []
        for value in values:
            kind = _kind(value)
            numbers[kind] += 1
            label = f"{kind.capitalize()} {numbers[kind]}" if kind in ("table", "figure") else ""
            blocks.append(Block(kind, value, label))
        made.append(Section(title, blocks))
    return made


def _kind(value: object) -> Kind:
    match value:
        case Table():
            return "table"
        case Drawing():
            return "figure"
        case Mapping():
            return "facts"
        case list():
            return "code"
        case _:
            return "text"


def _accuracy(study: Study) -> list[object]:
    blocks: list[object] = [tables.accuracy(study)]
    if study.licensed:
        by_activity = published.activities(study)
        blocks += [published.differences(study), *([by_activity] if by_activity else [])]
    else:
        blocks.append(published.beside_paper(study))
    return [*blocks, *prose.order(study), tables.cost(study)]


def _cross(study: Study) -> list[object]:
    if not any(run.cross_pck is not None for run in study.runs):
        return ["These runs were not tested on another data set: –.", published.cross_paper(study)]
    beside = published.cross_differences(study) if study.licensed else None
    return [tables.cross(study), *([beside] if beside else []), published.cross_paper(study)]


def _differences(study: Study, found: Findings) -> list[object]:
    left_out = found.left_out
    notes = [f"Left out, over other test frames: {', '.join(left_out)}."] if left_out else []
    if not found.pairs:
        return [*notes, "There are not two methods to compare."]
    return [
        *prose.bootstrap(study),
        *notes,
        heatmaps.pair_matrix(study, found.pairs),
        breakdowns.pairs(study, found.pairs),
    ]


def _where(study: Study) -> Iterator[object]:
    errors = [item for run in study.runs for item in run.per_joint_mm.items()]
    names = list(dict.fromkeys(name for name, error in errors if error))
    yield heatmaps.by_joint(study, names)
    yield breakdowns.joints(study)
    yield heatmaps.by_activity(study, sorted({a for run in study.runs for a in run.per_activity}))
    yield breakdowns.activities(study)
    noise = figures.noise(study)
    if noise is None:
        yield "No run here had noisy detections, so error against 2D noise has nothing to show: –."
    else:
        yield noise
        yield breakdowns.noise(study)
    yield figures.occlusion(study)
    yield breakdowns.occlusion(study)
    yield figures.parameters(study)


def _failures(study: Study) -> list[object]:
    gallery = failures.gallery(study)
    if gallery is None:
        return ["These runs kept no frames to draw."]
    table = failures.listed(gallery)
    if not gallery.posed:
        return [prose.UNPUBLISHED, table]
    return [failures.worst_frames(gallery), prose.failing(gallery), table]


def _appendix(study: Study) -> list[object]:
    return [
        prose.definitions(study),
        "Settings that all runs share:",
        prose.shared_settings(study.runs),
        *prose.varied_settings(study.runs),
        breakdowns.runs(study),
        "To repeat the runs and the report:",
        ["graphlift study run PLAN", "graphlift study report DIR"],
        prose.provenance(study),
        prose.acknowledgements(study),
    ]


def heading(study: Study) -> tuple[str, Mapping[str, str], list[str]]:
    """Write what stands above the sections: a subtitle, the facts, the introduction."""
    grid = (
        count(len(study.variants), "network", "networks"),
        count(len(study.detections), "kind of detections", "kinds of detections"),
        count(len(study.seeds), "seed", "seeds"),
    )
    subtitle = f"{', '.join(grid)}: {count(len(study.runs), 'run', 'runs')}"
    return subtitle, prose.facts(study), prose.introduction(study)
