"""The paper's claims, each turned into comparisons that a study can decide.

A comparison is a difference, positive where the claim has it. A claim *holds* if every one of its
comparisons has its 95 % interval above zero; it *does not hold* if any lies below zero after
Holm's correction over the claim's comparisons; else it is *undecided*. A claim about networks of
another size than the study's is *not tested here*.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from graphlift.graph import DECOUPLED
from graphlift.study import paper
from graphlift.study.grid import PAPER_FIVE, Study, Variant
from graphlift.study.report.cells import size
from graphlift.study.results import Failure, Result
from graphlift.study.statistics import (
    LEVEL,
    Contrast,
    Prior,
    by_seeds,
    contrast,
    holm,
    oscillation,
    paired,
    prior,
)

Errors = Float[np.ndarray, "seed draw"]
Draws = Mapping[tuple[Variant, str, int], Float[np.ndarray, " draw"]]
"""Resampled MPJPE of each run, by method, detections and seed."""
Word = Literal["holds", "does not hold", "undecided", "not tested here"]
BEST = ("pre-aggregation", True)
"""The paper's best method."""


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
        measure: What was compared, and by which chance its interval was made.
        comparisons: Every one has to be above zero for the claim to hold.
        tested: Whether the runs are of the kind that the claim is about.
    """

    text: str
    source: str
    measure: str
    comparisons: Sequence[Comparison]
    tested: bool = True

    @property
    def verdict(self) -> Word:
        """Holds, does not hold, undecided, or not tested here."""
        if not self.tested:
            return "not tested here"
        tested = [c.contrast for c in self.comparisons]
        if not tested or any(c.p is None for c in tested):
            return "undecided"
        corrected = holm([c.p if c.p is not None else 1.0 for c in tested])
        if any(c.estimate < 0 and p < LEVEL for c, p in zip(tested, corrected, strict=True)):
            return "does not hold"
        return "holds" if all(c.low is not None and c.low > 0 for c in tested) else "undecided"

    @property
    def least_favourable(self) -> list[Comparison]:
        """For each detections the comparison that speaks most against the claim."""
        worst: dict[str, Comparison] = {}
        for comparison in self.comparisons:
            rival = worst.get(comparison.detections)
            if rival is None or comparison.contrast.estimate < rival.contrast.estimate:
                worst[comparison.detections] = comparison
        return list(worst.values())


def claims(study: Study, draws: Draws) -> list[Claim]:
    """Hold the paper's claims against a study.

    Args:
        study: The runs.
        draws: See :func:`graphlift.study.statistics.resample`.
    """
    made = [
        _decoupling(study, draws),
        _best_overall(study, draws),
        _loss(study),
        _validation(study),
        _oscillation(study),
        _noise(study, draws),
        _arms(study),
        _occlusion(study),
    ]
    counts = study.parameters
    ends = dict.fromkeys((size(min(counts)), size(max(counts))))
    measured = f"at {' to '.join(ends)} parameters"
    return [replace(claim, measure=f"{claim.measure}; {measured}") for claim in made]


def seeds_of(draws: Draws, variant: Variant, weights: Mapping[str, float]) -> Errors | None:
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


def _each(
    study: Study, draws: Draws, weights: Mapping[str, float]
) -> tuple[dict[Variant, Errors], Prior]:
    """Every method's errors by :func:`seeds_of`, and what their spreads have in common."""
    sums = {variant: seeds_of(draws, variant, weights) for variant in study.variants}
    errors = {variant: some for variant, some in sums.items() if some is not None}
    return errors, prior(some[:, 0] for some in errors.values())


def five(study: Study) -> list[Variant]:
    """Those of the paper's five methods that the study has."""
    return [v for v in (study.find(*name) for name in PAPER_FIVE) if v is not None]


def _decoupling(study: Study, draws: Draws) -> Claim:
    comparisons = []
    for kind in study.detections:
        errors, common = _each(study, draws, {kind: 1})
        for method in DECOUPLED:
            coupled, free = study.find(method, False), study.find(method, True)
            if coupled in errors and free in errors:
                difference = contrast(errors[coupled], errors[free], common)
                comparisons.append(Comparison(method, kind, difference))
    return Claim(
        "Decoupled self-connections lower the error.",
        "the paper's three extra variants; its own table of them was not available to us",
        "MPJPE of each coupled method minus its decoupled variant; seconds and seeds",
        comparisons,
    )


def _best_overall(study: Study, draws: Draws) -> Claim:
    best = study.find(*BEST)
    equal = dict.fromkeys(study.detections, 1 / len(study.detections))
    overall, common = _each(study, draws, equal)
    return Claim(
        "Pre-aggregation is the best overall.",
        "supplement, section 3 and Table 1",
        "Mean MPJPE over all detections of every other method minus that of decoupled "
        "pre-aggregation; seconds and seeds",
        [
            Comparison(v.label, "", contrast(overall[v], overall[best], common))
            for v in overall
            if best in overall and v.method != BEST[0]
        ],
    )


def _against(
    study: Study,
    slow: Sequence[tuple[str, bool]],
    fast: Sequence[tuple[str, bool]],
    read: Callable[[Result], float | None],
) -> Iterator[tuple[str, str, Contrast]]:
    """Compare every method of one list with every one of the other, by seeds alone."""
    for kind in study.detections:
        common = prior(study.values(variant, kind, read) for variant in study.variants)
        for a in filter(None, (study.find(*name) for name in slow)):
            for b in filter(None, (study.find(*name) for name in fast)):
                first, second = study.values(a, kind, read), study.values(b, kind, read)
                if first and second:
                    difference = by_seeds(first, second, common)
                    yield f"{a.short} against {b.short}", kind, difference


def mean_log_loss(result: Result) -> float | None:
    """Mean logarithm of the training loss over the run; None if it ever is zero or absent."""
    losses = [point.loss for point in result.curve]
    if not losses or min(losses) <= 0:
        return None
    return float(np.mean(np.log(losses)))


def late_validation(result: Result) -> float | None:
    """Mean validation error over the second half of training, mm."""
    if not result.curve:
        return None
    half = result.curve[-1].step / 2
    return float(np.mean([p.validation_mpjpe_mm for p in result.curve if p.step >= half]))


def curve_oscillation(result: Result) -> float | None:
    """Oscillation of a run's validation error, mm."""
    steps = [point.step for point in result.curve]
    return oscillation(steps, [point.validation_mpjpe_mm for point in result.curve])


def _loss(study: Study) -> Claim:
    full, others = PAPER_FIVE[-1], PAPER_FIVE[:-1]
    return Claim(
        "The training loss of full-sharing falls slowest.",
        "supplement, section 1 and Fig. 1, at 4.2 M parameters",
        "Geometric mean of the training loss over the run, decoupled full-sharing above each of "
        "the other four, per cent; seeds alone",
        [
            Comparison(what, kind, _per_cent(c), "%")
            for what, kind, c in _against(study, [full], others, mean_log_loss)
        ],
    )


def _per_cent(log_ratio: Contrast) -> Contrast:
    def convert(value: float | None) -> float | None:
        return None if value is None else 100 * math.expm1(min(value, 50.0))

    estimate = 100 * math.expm1(log_ratio.estimate)
    return Contrast(estimate, convert(log_ratio.low), convert(log_ratio.high), log_ratio.p)


def _validation(study: Study) -> Claim:
    pre, post, conv, none, full = PAPER_FIVE
    return Claim(
        "Validation errors of pre-aggregation, post-aggregation and no-sharing are below those "
        "of full-sharing and convolution-style.",
        "supplement, section 1 and Fig. 1, at 4.2 M parameters",
        "Mean validation MPJPE over the second half of training, each of the latter two minus "
        "each of the former three; seeds alone",
        [
            Comparison(what, kind, c)
            for what, kind, c in _against(study, [full, conv], [pre, post, none], late_validation)
        ],
    )


def _oscillation(study: Study) -> Claim:
    full = study.find(*PAPER_FIVE[-1])
    counts = dict(zip(study.variants, study.parameters, strict=True))
    return Claim(
        "A large full-sharing network oscillates most.",
        "supplement, section 1 and Fig. 1, at 4.2 M parameters",
        "Oscillation of the validation error, decoupled full-sharing minus each of the other "
        "four; seeds alone",
        [
            Comparison(what, kind, c)
            for what, kind, c in _against(
                study, PAPER_FIVE[-1:], PAPER_FIVE[:-1], curve_oscillation
            )
        ],
        tested=full is not None and not paper.far(counts[full]),
    )


def _noise(study: Study, draws: Draws) -> Claim:
    post = study.find("post-aggregation", True)
    comparisons = []
    for kind in study.detections if post else []:
        if kind == "gt":
            continue
        lost, common = _each(study, draws, {kind: 1, "gt": -1})
        comparisons += [
            Comparison(v.short, kind, contrast(lost[post], lost[v], common))
            for v in five(study)
            if v != post and post in lost and v in lost
        ]
    return Claim(
        "Post-aggregation loses most when going from true to detected keypoints.",
        "supplement, Table 1 (read off: 24.5 and 17.2 mm against at most 21.7 and 14.6)",
        "Gain in MPJPE from GT to detected keypoints, post-aggregation's minus each of the "
        "other four's (decoupled); seconds and seeds",
        comparisons,
    )


def joint_kinds(per_joint: Mapping[str, float]) -> dict[str, float]:
    """Mean error of each kind of joint: left and right together, the root (0) left out."""
    kinds: dict[str, list[float]] = {}
    for name, error in per_joint.items():
        twin = {"L": "R", "R": "L"}.get(name[:1], "") + name[1:]
        if error:  # the root would count as a third hip
            kinds.setdefault(name[1:] if twin in per_joint else name, []).append(error)
    return {kind: float(np.mean(errors)) for kind, errors in kinds.items()}


def _within(
    study: Study, what: str, kind: str, read: Callable[[Result], float | None]
) -> list[Comparison]:
    """Test a difference measured within each run of the paper's best method, by seeds alone."""
    best = study.find(*BEST)
    differences = study.values(best, kind, read) if best else []
    common = prior(study.values(variant, kind, read) for variant in study.variants)
    return [Comparison(what, kind, paired(differences, common))] if differences else []


def _between(joint: str, other: str) -> Callable[[Result], float | None]:
    def read(run: Result) -> float | None:
        kinds = joint_kinds(run.per_joint_mm)
        return kinds[joint] - kinds[other] if {joint, other} <= kinds.keys() else None

    return read


def _arms(study: Study) -> Claim:
    names = dict.fromkeys(name for run in study.runs for name in joint_kinds(run.per_joint_mm))
    comparisons = [
        comparison
        for kind in study.detections
        for arm in ("Elbow", "Wrist")
        for other in names
        if other not in ("Elbow", "Wrist")
        for comparison in _within(study, f"{arm} against {other}", kind, _between(arm, other))
    ]
    return Claim(
        "Error sits on wrists and elbows.",
        "supplement, section 5 (of failures; here of all test frames)",
        "Decoupled pre-aggregation: mean error of elbows and of wrists minus that of every other "
        "kind of joint; seeds alone",
        comparisons,
    )


def _occlusion(study: Study) -> Claim:
    def read(run: Result) -> float | None:
        return run.occluded_mm - run.visible_mm if run.occluded_share > 0 else None

    comparisons = [
        comparison
        for kind in study.detections
        for comparison in _within(study, "occluded against visible", kind, read)
    ]
    return Claim(
        "Error sits on hidden joints.",
        "supplement, section 5 (of failures, and as their main cause)",
        "Decoupled pre-aggregation, all test frames: mean error of joints hidden by a limb minus "
        "that of visible joints, whichever joints they are; no test of the cause; seeds alone",
        comparisons,
    )


def worst_joint(failure: Failure, joints: Sequence[str]) -> str:
    """Name the joint with the largest error in a frame."""
    errors = np.linalg.norm(np.subtract(failure.predicted, failure.truth), axis=1)
    return joints[int(errors.argmax())]
