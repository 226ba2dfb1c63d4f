"""What the bootstrap shows: differences between methods, claims, and the best of each column."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from graphlift.study.claims import Claim, claims, errors_of
from graphlift.study.grid import Study, Variant
from graphlift.study.statistics import Pair, all_pairs, block_layout, draws_for, resample

if TYPE_CHECKING:
    from graphlift.study.results import SecondErrors


@dataclass(frozen=True)
class Findings:
    """What the bootstrap shows.

    Args:
        pairs: All pairs of methods, by detections.
        claims: The paper's claims.
        left_out: Names of runs over other test frames than most, which no pair can hold.
        draws: How many were drawn.
    """

    pairs: Sequence[tuple[str, Sequence[Pair[Variant]]]]
    claims: Sequence[Claim]
    left_out: Sequence[str]
    draws: int


def find(study: Study) -> Findings:
    """Resample a study's runs once and draw every conclusion from the same draws."""
    layouts = Counter(block_layout(run.blocks) for run in study.runs if run.blocks)
    common = layouts.most_common(1)[0][0] if layouts else None
    kept: dict[tuple[Variant, str, int], Mapping[str, SecondErrors]] = {}
    left_out = []
    for run in study.runs:
        if common is not None and block_layout(run.blocks) == common:
            kept[study.variant(run), run.detections, run.seed] = run.blocks
        else:
            left_out.append(run.name)
    seeds = Counter((kind, variant) for variant, kind, _ in kept)
    methods = Counter(kind for (kind, _), count in seeds.items() if count > 1)
    count = draws_for(max((math.comb(n, 2) for n in methods.values()), default=0))
    draws = resample(kept, count)
    pairs = []
    for kind in study.detections:
        errors = {v: errors_of(draws, v, {kind: 1}) for v in study.variants}
        some = all_pairs({v: e for v, e in errors.items() if e is not None})
        pairs += [(kind, some)] if some else []
    return Findings(pairs, claims(study, draws), left_out, count)


@dataclass(frozen=True)
class Best:
    """The method with the lowest mean error on some detections, and how the others compare.

    Args:
        detections: The detections.
        variant: The method.
        error: Its mean MPJPE, mm.
        others: All other methods there, best first.
        tested: Those of the others that were tested against it.
        alike: Those of the tested whose difference is not significant.
    """

    detections: str
    variant: Variant
    error: float
    others: Sequence[Variant]
    tested: Sequence[Variant]
    alike: Sequence[Variant]


def best_of(study: Study, kind: str, pairs: Sequence[Pair[Variant]]) -> Best:
    """Find the best method on some detections."""
    ranked = sorted(
        (fmean(values), variant.label, variant)
        for variant in study.variants
        if (values := study.values(variant, kind, lambda run: run.mpjpe_mm))
    )
    (error, _, best), *rest = ranked
    others = [variant for _, _, variant in rest]
    significant = {
        other: pair.significant
        for pair in pairs
        for other in {pair.first, pair.second} - {best}
        if best in (pair.first, pair.second) and pair.p_holm is not None
    }
    tested = [other for other in others if other in significant]
    return Best(kind, best, error, others, tested, [v for v in tested if not significant[v]])
