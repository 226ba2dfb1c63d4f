"""The paper's claims, each turned into comparisons that a study can decide.

A comparison is a difference, positive where the claim has it. A claim *holds* if the 95 % interval
of every one of its comparisons lies above zero, and the study has run every method that it speaks
of; it *does not hold* if any comparison lies below zero after Holm's correction over the claim's
comparisons; else it is *undecided*. A claim about networks of another size than the study's is
*not tested here*.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Literal

import numpy as np
from jaxtyping import Float

from graphlift.study import paper
from graphlift.study.grid import PAPER_FIVE, Read, Study, Variant, detections_label
from graphlift.study.results import Result
from graphlift.study.statistics import (
    LEVEL,
    Contrast,
    by_seeds,
    by_seeds_and_seconds,
    holm,
    oscillation,
    prior,
)
from graphlift.weight_sharing import DECOUPLED

Errors = Float[np.ndarray, "seed draw"]
Draws = Mapping[tuple[Variant, str, int], Float[np.ndarray, " draw"]]
"""Resampled MPJPE of each run, by method, detections and seed."""
Verdict = Literal["holds", "does not hold", "undecided", "not tested here"]
Difference = Callable[[Variant, Variant], Contrast | None]
"""The first method's number minus the second's; None where either has no runs."""


@dataclass(frozen=True)
class Comparison:
    """One difference that bears on a claim.

    Args:
        what: The two sides, in words.
        detections: On which detections; empty for all together.
        contrast: Positive where the claim has it.
        unit: Of the contrast.
    """

    what: str
    detections: str
    contrast: Contrast
    unit: str = "mm"


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper and what we measured about it.

    Args:
        text: The claim.
        source: Where the paper makes it.
        measure: What was compared, and which chance its interval counts.
        comparisons: For the claim to hold, every one of them has to be above zero.
        tested: Whether the networks are of the size that the claim is about.
        methods: That it speaks of, each with whether it is decoupled.
        lacking: Those of its methods that the study has not run on all of its detections, in
            words; as long as there are any, the claim does not hold yet.
    """

    text: str
    source: str
    measure: str
    comparisons: Sequence[Comparison] = ()
    tested: bool = True
    methods: Sequence[tuple[str, bool]] = ()
    lacking: Sequence[str] = ()

    @property
    def verdict(self) -> Verdict:
        """Holds, does not hold, undecided, or not tested here."""
        if not self.tested:
            return "not tested here"
        contrasts = [comparison.contrast for comparison in self.comparisons]
        known = [contrast.p for contrast in contrasts if contrast.p is not None]
        if not known or len(known) < len(contrasts):
            return "undecided"
        both = zip(contrasts, holm(known), strict=True)
        if any(contrast.estimate < 0 and p < LEVEL for contrast, p in both):
            return "does not hold"
        above = all(c.low is not None and c.low > 0 for c in contrasts)
        return "holds" if above and not self.lacking else "undecided"

    @property
    def least_favourable(self) -> list[Comparison]:
        """For each detections the comparison that speaks most against the claim."""
        groups = defaultdict(list)
        for comparison in self.comparisons:
            groups[comparison.detections].append(comparison)
        return [min(group, key=lambda each: each.contrast.estimate) for group in groups.values()]


def claims(study: Study, draws: Draws) -> list[Claim]:
    """Hold the paper's claims against a study.

    Args:
        study: The runs.
        draws: See :func:`graphlift.study.statistics.resample`.
    """
    sizes = dict(zip(study.variants, study.parameters, strict=True))
    full = study.find(*PAPER_FIVE[-1])
    large = full is not None and paper.comparable(sizes[full])
    return [
        replace(
            claim,
            comparisons=list(compare(study, draws)),
            tested=large or compare is not _oscillation,
            lacking=list(_lacking(study, claim.methods)),
        )
        for compare, claim in _CLAIMS.items()
    ]


def _lacking(study: Study, methods: Sequence[tuple[str, bool]]) -> Iterator[str]:
    """Name methods without runs, and on which detections if on others they have some."""
    for name in methods:
        variant = study.find(*name)
        without = [k for k in study.detections if variant is None or not study.at(variant, k)]
        if without:
            on = "" if variant is None else f" on {', '.join(map(detections_label, without))}"
            yield (variant or Variant(*name)).label + on


def errors_of(draws: Draws, variant: Variant, weights: Mapping[str, float]) -> Errors | None:
    """Add up a method's errors on several detections, each with its weight, seed by seed.

    Returns:
        None if there is no seed that has run on all of them.
    """
    seeds = sorted({seed for v, _, seed in draws if v == variant})
    whole = [s for s in seeds if all((variant, kind, s) in draws for kind in weights)]
    if not whole:
        return None
    parts = [[weight * draws[variant, kind, s] for s in whole] for kind, weight in weights.items()]
    return np.asarray(np.sum(parts, axis=0))


def _by_draws(study: Study, draws: Draws, weights: Mapping[str, float]) -> Difference:
    """Compare methods by their resampled errors: by test seconds and by seeds."""
    sums = {variant: errors_of(draws, variant, weights) for variant in study.variants}
    errors = {variant: some for variant, some in sums.items() if some is not None}
    common = prior(some[:, 0] for some in errors.values())

    def difference(first: Variant, second: Variant) -> Contrast | None:
        if first not in errors or second not in errors:
            return None
        return by_seeds_and_seconds(errors[first], errors[second], common)

    return difference


def _by_runs(study: Study, kind: str, read: Read) -> Difference:
    """Compare methods by one number of each run: by seeds alone."""
    values = {variant: study.values(variant, kind, read) for variant in study.variants}
    common = prior(values.values())

    def difference(first: Variant, second: Variant) -> Contrast | None:
        if not (values[first] and values[second]):
            return None
        return by_seeds(common, values[first], values[second])

    return difference


def _compared(
    pairs: Iterable[tuple[Variant | None, Variant | None]],
    difference: Difference,
    kind: str,
    name: Callable[[Variant, Variant], str],
) -> Iterator[Comparison]:
    for first, second in pairs:
        if first and second and (found := difference(first, second)) is not None:
            yield Comparison(name(first, second), kind, found)


def _decoupling(study: Study, draws: Draws) -> Iterator[Comparison]:
    pairs = [(study.find(method, False), study.find(method, True)) for method in DECOUPLED]
    for kind in study.detections:
        difference = _by_draws(study, draws, {kind: 1})
        yield from _compared(pairs, difference, kind, lambda coupled, _: coupled.method)


def _best_overall(study: Study, draws: Draws) -> Iterator[Comparison]:
    equal = dict.fromkeys(study.detections, 1 / len(study.detections))
    others = [v for v in study.variants if v.own and v.method != paper.BEST[0]]
    pairs = [(v, study.find(*paper.BEST)) for v in others]
    difference = _by_draws(study, draws, equal)
    yield from _compared(pairs, difference, "", lambda other, _: other.label)


def _noise(study: Study, draws: Draws) -> Iterator[Comparison]:
    pre, post, *others = (study.find(*name) for name in PAPER_FIVE)
    for kind in study.detections:
        if kind != "gt":
            lost = _by_draws(study, draws, {kind: 1, "gt": -1})
            pairs = [(post, other) for other in (pre, *others)]
            yield from _compared(pairs, lost, kind, lambda _, other: other.short)


def _against(
    study: Study,
    above: Sequence[tuple[str, bool]],
    below: Sequence[tuple[str, bool]],
    read: Read,
) -> Iterator[Comparison]:
    """Compare every method of one list with every one of the other, by seeds alone."""
    pairs = [(study.find(*a), study.find(*b)) for a, b in product(above, below)]
    for kind in study.detections:
        difference = _by_runs(study, kind, read)
        yield from _compared(pairs, difference, kind, lambda a, b: f"{a.short} against {b.short}")


def mean_log_loss(run: Result) -> float | None:
    """Mean logarithm of the training loss over the run; None if it ever is zero or absent."""
    losses = [point.loss for point in run.curve]
    return float(np.mean(np.log(losses))) if min(losses, default=0) > 0 else None


def late_validation(run: Result) -> float | None:
    """Mean validation error over the second half of training, mm."""
    if not run.curve:
        return None
    half = run.curve[-1].step / 2
    return float(np.mean([p.validation_mpjpe_mm for p in run.curve if p.step >= half]))


def curve_oscillation(run: Result) -> float | None:
    """Oscillation of a run's validation error, mm."""
    steps = [point.step for point in run.curve]
    return oscillation(steps, [point.validation_mpjpe_mm for point in run.curve])


def _loss(study: Study, _: Draws) -> Iterator[Comparison]:
    for each in _against(study, PAPER_FIVE[-1:], PAPER_FIVE[:-1], mean_log_loss):
        c = each.contrast
        low, high = (None if end is None else _per_cent(end) for end in (c.low, c.high))
        yield replace(each, contrast=Contrast(_per_cent(c.estimate), low, high, c.p), unit="%")


def _per_cent(log_ratio: float) -> float:
    return 100 * math.expm1(min(log_ratio, 50.0))


def _validation(study: Study, _: Draws) -> Iterator[Comparison]:
    pre, post, conv, none, full = PAPER_FIVE
    return _against(study, [full, conv], [pre, post, none], late_validation)


def _oscillation(study: Study, _: Draws) -> Iterator[Comparison]:
    return _against(study, PAPER_FIVE[-1:], PAPER_FIVE[:-1], curve_oscillation)


def joint_kind(joint: str) -> str:
    """Name a joint without its side: Wrist for LWrist and RWrist, Thorax for Thorax."""
    return joint[1:] if joint[:1] in ("L", "R") and joint[1:2].isupper() else joint


def joint_kinds(run: Result) -> dict[str, float]:
    """Mean error of each kind of joint: left and right together, the root (0) left out."""
    kinds = defaultdict(list)
    for name, error in run.per_joint_mm.items():
        if error:  # the root would count as a third hip
            kinds[joint_kind(name)].append(error)
    return {kind: float(np.mean(errors)) for kind, errors in kinds.items()}


def _within(study: Study, what: str, kind: str, read: Read) -> Iterator[Comparison]:
    """Test a difference measured within each run of the paper's best method, by seeds alone."""
    best = study.find(*paper.BEST)
    if best and (differences := study.values(best, kind, read)):
        common = prior(study.values(variant, kind, read) for variant in study.variants)
        yield Comparison(what, kind, by_seeds(common, differences))


def _gap(joint: str, other: str, run: Result) -> float | None:
    kinds = joint_kinds(run)
    return kinds[joint] - kinds[other] if {joint, other} <= kinds.keys() else None


def _arms(study: Study, _: Draws) -> Iterator[Comparison]:
    arms = ("Elbow", "Wrist")
    others = [name for name in study.names(joint_kinds) if name not in arms]
    for kind, arm, other in product(study.detections, arms, others):
        yield from _within(study, f"{arm} against {other}", kind, partial(_gap, arm, other))


def _occlusion(study: Study, _: Draws) -> Iterator[Comparison]:
    def read(run: Result) -> float | None:
        return run.occluded_mm - run.visible_mm if run.occluded_share > 0 else None

    for kind in study.detections:
        yield from _within(study, "occluded against visible", kind, read)


_FIG_1 = "supplement, section 1 and Fig. 1, at 4.2 M parameters"
_CLAIMS: Mapping[Callable[[Study, Draws], Iterator[Comparison]], Claim] = {
    _decoupling: Claim(
        "Decoupled self-connections lower the error.",
        "the paper's three extra variants; its own table of them was not available to us",
        "MPJPE of each coupled method minus that of its decoupled variant; by seconds and seeds",
        methods=[(method, decoupled) for method in DECOUPLED for decoupled in (False, True)],
    ),
    _best_overall: Claim(
        "Pre-aggregation is the best overall.",
        "supplement, section 3 and Table 1",
        "Mean MPJPE over all detections of every other method of that table, and of its "
        "variants, minus that of decoupled pre-aggregation; by seconds and seeds",
        methods=[(row.method, row.decoupled) for row in paper.TABLE_1],
    ),
    _loss: Claim(
        "The training loss of full-sharing falls slowest.",
        _FIG_1,
        "Geometric mean of the training loss over the run, decoupled full-sharing above each of "
        "the other four methods, per cent; by seeds alone",
        methods=PAPER_FIVE,
    ),
    _validation: Claim(
        "Validation errors of pre-aggregation, post-aggregation and no-sharing are below those "
        "of full-sharing and convolution-style.",
        _FIG_1,
        "Mean validation MPJPE over the second half of training, each of the latter two methods "
        "minus each of the former three; by seeds alone",
        methods=PAPER_FIVE,
    ),
    _oscillation: Claim(
        "A large full-sharing network oscillates most.",
        _FIG_1,
        "Oscillation of the validation error, decoupled full-sharing minus each of the other "
        "four methods; by seeds alone",
        methods=PAPER_FIVE,
    ),
    _noise: Claim(
        "Post-aggregation loses most when going from true to detected keypoints.",
        "supplement, Table 1 (our reading: 24.5 and 17.2 mm against at most 21.7 and 14.6)",
        "Increase of MPJPE from GT to detected keypoints, post-aggregation's minus that of each "
        "of the other four methods (decoupled); by seconds and seeds",
        methods=PAPER_FIVE,
    ),
    _arms: Claim(
        "Error sits on wrists and elbows.",
        "supplement, section 5 (of failures; here of all test frames)",
        "Decoupled pre-aggregation: mean error of elbows and of wrists minus that of every other "
        "kind of joint; by seeds alone",
        methods=[paper.BEST],
    ),
    _occlusion: Claim(
        "Error sits on hidden joints.",
        "supplement, section 5 (of failures, and as their main cause)",
        "Decoupled pre-aggregation, all test frames: mean error of joints hidden by a limb minus "
        "that of visible joints, whichever joints they are; no test of the cause; by seeds alone",
        methods=[paper.BEST],
    ),
}
"""Each claim without its comparisons, by the function that makes them."""
