"""Means, spreads, paired bootstrap, intervals and oscillation of finished runs.

Two kinds of chance are at work: which seconds of motion happen to be in the test set, and which
seed a network started from. :func:`by_seeds_and_seconds` counts both, the second by Student's t
and the first by bootstrap; :func:`by_seeds` counts seeds only, for numbers that were not measured
frame by frame. Three seeds show little of how far a method spreads, so each method's variance is
drawn towards those of the others: :func:`prior`.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float

from graphlift.study.results import SecondErrors

DRAWS = 10_000
"""Enough that the smallest p, 2/(DRAWS + 1), survives Holm's correction over :data:`PAIRS`."""
PAIRS = 45
"""Of ten methods; more need more draws (:func:`draws_for`)."""
SEED = 20_200_823
"""Of the draws: the day ECCV 2020 opened. Any number would do, if it is chosen beforehand."""
_TOGETHER = 32
"""Runs that are resampled at once: products of all would need their memory twice more."""
LEVEL = 0.05
"""Significance level of all tests; intervals are of 95 %."""
FALSE_POSITIVES = 0.029
"""Largest share of simulated studies in which equal methods differed after Holm's correction.

Measured with ``false_positives`` of ``tests/study/test_statistics.py`` over 1,000 studies of ten
methods with three seeds, 10,000 draws, frame noise 0, 0.2 and 0.5 of the spread of seeds. Per cent
and behind it the 95 % intervals that missed:

* spreads alike: 0.3, 0.6, 1.6 (3.3, 3.2, 3.5);
* one spread 4 to 8 times the others': 2.9, 2.0, 0.9 (4.1, 3.6, 3.2);
* spreads in proportion to errors, half of them twice the rest: 2.3, 2.7, 2.8 (3.7, 3.5, 3.7);
* spreads drawn at random, their logarithm with a deviation of 0.8: 1.6, 1.4, 1.8 (5.3, 4.9, 4.0).
"""
FALSE_POSITIVES_OF_22 = 0.02
"""The same of studies of 22 methods, with the draws that :func:`draws_for` gives 231 pairs.

Measured over 200 studies of each kind without frame noise, in the order above: 0.0, 2.0, 1.0, 1.0
(2.8, 2.9, 3.4, 4.1 of the intervals missed).
"""
UNEVEN_MISSES = 0.11
"""Share of 95 % intervals that miss, of a method whose seeds spread 4 to 8 times as far.

Over 1,000 such studies without frame noise: 11.1 per cent, and 2.3 of the other intervals.
"""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Contrast:
    """A difference and how sure it is.

    Args:
        estimate: The difference as observed.
        low: Lower end of the 95 % interval; None where there is none.
        high: Upper end.
        p: Two-sided.
    """

    estimate: float
    low: float | None = None
    high: float | None = None
    p: float | None = None

    def __neg__(self) -> "Contrast":
        """Turn the difference round."""
        low = None if self.high is None else -self.high
        high = None if self.low is None else -self.low
        return Contrast(-self.estimate, low, high, self.p)


def oscillation(steps: Sequence[int], errors: Sequence[float]) -> float | None:
    """Measure how much a validation curve jumps between evaluations, in the curve's unit.

    Over the second half of training, each value is compared with the straight line through its
    two neighbours; a smooth decay stays near that line, so only what goes up and down is left.
    The differences are scaled so that independent noise of standard deviation s on any straight
    line gives s.

    Returns:
        The root mean square, or None with fewer than three evaluations in the second half.

    Source: Gasser, Sroka and Jennen-Steinmetz, "Residual variance and residual pattern in
    nonlinear regression", Biometrika 73, 1986 (their pseudo-residuals).
    """
    t, v = np.asarray(steps, dtype=float), np.asarray(errors, dtype=float)
    late = t >= t.max(initial=0) / 2
    t, v = t[late], v[late]
    if t.size < 3:
        return None
    before = (t[2:] - t[1:-1]) / (t[2:] - t[:-2])
    after = 1 - before
    residual = before * v[:-2] + after * v[2:] - v[1:-1]
    return float(np.sqrt(np.mean(residual**2 / (before**2 + after**2 + 1))))


def resample(
    runs: Mapping[Key, Mapping[str, SecondErrors]], draws: int = DRAWS, seed: int = SEED
) -> dict[Key, Float[np.ndarray, " draw"]]:
    """Draw the seconds of the test set many times, the same seconds for every run.

    Within each activity as many blocks are drawn, with replacement, as it has; the error of an
    activity is the mean over the frames drawn, that of a run the plain mean of its activities
    (protocol ``open-16``).

    Args:
        runs: The blocks of each run; all over the same frames.
        draws: How many; of more than :data:`DRAWS`, the first are those of :data:`DRAWS`.
        seed: Of the draws.

    Returns:
        For each run MPJPE in mm: first as observed, then draw by draw.

    Raises:
        ValueError: If two runs do not have the same blocks of the same lengths.
    """
    rng = np.random.default_rng(seed)
    columns = list(runs.values())
    if not columns:
        return {}
    layout = block_layout(columns[0])
    if any(block_layout(blocks) != layout for blocks in columns):
        raise ValueError("runs over different test frames cannot be compared in pairs")
    errors = np.zeros((draws + 1, len(columns)))
    for first in range(0, draws + 1, DRAWS + 1):  # counts of all would need too much memory
        rows = slice(first, min(first + DRAWS + 1, draws + 1))
        for activity, frames in layout:
            counts = _block_counts(len(frames), rows.stop - first - (not first), rng)
            if not first:  # the data themselves, each block once
                counts = np.concatenate([np.ones((1, len(frames))), counts])
            weights = counts * np.array(frames)
            frames_drawn = weights.sum(axis=1, keepdims=True)
            for some in range(0, len(columns), _TOGETHER):
                part = slice(some, some + _TOGETHER)
                table = np.array([blocks[activity].mpjpe_mm for blocks in columns[part]]).T
                errors[rows, part] += weights @ table / frames_drawn / len(layout)
    return dict(zip(runs, errors.T, strict=True))


def draws_for(pairs: int) -> int:
    """Say how many draws let the smallest p survive Holm's correction over so many pairs.

    After the correction it is 0.009, as it is over :data:`PAIRS` with :data:`DRAWS`.
    """
    return max(DRAWS, math.ceil(DRAWS * pairs / PAIRS))


def block_layout(blocks: Mapping[str, SecondErrors]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """List the seconds a run was tested on: equal for runs that can be compared in pairs."""
    return tuple(sorted((name, tuple(block.frames)) for name, block in blocks.items()))


def _block_counts(
    blocks: int, draws: int, rng: np.random.Generator
) -> Float[np.ndarray, "draw block"]:
    """Count how often each block is drawn."""
    drawn = rng.integers(blocks, size=(draws, blocks))
    drawn += blocks * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * blocks).reshape(draws, blocks)


@dataclass(frozen=True)
class Prior:
    """What all methods of a study together show of the variance of one of them over seeds.

    Args:
        variance: The typical variance, in the squared unit of the numbers.
        freedom: Its degrees of freedom: more, the more alike methods spread; 0 where nothing is
            taken from other methods.
    """

    variance: float = 0.0
    freedom: float = 0.0


def prior(methods: Iterable[Sequence[float] | Float[np.ndarray, " seed"]]) -> Prior:
    """Fit the distribution of a study's variances over seeds, by moments of their logarithms.

    Its degrees of freedom are limited to half of those of all methods but two (two numbers are
    fitted), so with two methods nothing is taken from the other. This limit, and that no variance
    is taken for smaller than it was measured (:func:`_standard_error`), are ours: without them,
    and with Welch's degrees of freedom, 14 % of simulated studies called equal methods different
    where one method in ten spreads 4 to 8 times as far.

    The numbers are used as they are, not their logarithms, because increases and differences
    between joints may be negative. Only methods on the same detections are taken together: among
    three kinds of detections, one method of thirty with a large spread would hardly count.

    Args:
        methods: The same number from each seed of each method, on the same detections. Methods
            with one seed are passed over.

    Source: Smyth, "Linear models and empirical Bayes methods for assessing differential
    expression in microarray experiments", Statistical Applications in Genetics and Molecular
    Biology 3, 2004, section 6.2.
    """
    from scipy.optimize import brentq
    from scipy.special import digamma, polygamma

    seen = [values for values in methods if len(values) > 1]
    variances = np.array([np.var(values, ddof=1) for values in seen])
    if len(seen) < 3 or not np.median(variances) > 0:
        return Prior()
    half = np.array([len(values) - 1 for values in seen]) / 2
    # a variance of zero has no logarithm
    logs = np.log(np.maximum(variances, 1e-5 * np.median(variances)))
    logs += np.log(half) - digamma(half)
    excess = np.var(logs, ddof=1) - np.mean(polygamma(1, half))
    half_prior = (len(seen) - 2) * np.mean(half) / 2
    if excess > polygamma(1, half_prior):
        half_prior = brentq(lambda x: polygamma(1, x) - excess, 1e-6, half_prior)
    variance = np.exp(np.mean(logs) + digamma(half_prior) - np.log(half_prior))
    return Prior(float(variance), float(2 * half_prior))


def by_seeds_and_seconds(
    first: Float[np.ndarray, "seed draw"], second: Float[np.ndarray, "seed draw"], common: Prior
) -> Contrast:
    """Mean of the first minus mean of the second, by test seconds and by seeds.

    Three seeds drawn with replacement hardly spread, so seeds are not drawn: to each draw of
    seconds is added the standard error of the difference over seeds times Student's t.

    Args:
        first: Resampled errors of one method, a row for each seed.
        second: Those of another.
        common: Of errors as observed, over all methods of the study.

    Returns:
        Without interval when either has fewer than two seeds.
    """
    frames = first.mean(axis=0) - second.mean(axis=0)
    estimate = float(frames[0])
    if min(len(first), len(second)) < 2:
        return Contrast(estimate)
    error, freedom = _standard_error(common, first[:, 0], second[:, 0])
    draws = frames[1:] + error * _shuffled_t(freedom, frames.size - 1)
    low, high = np.quantile(draws, [LEVEL / 2, 1 - LEVEL / 2])
    tail = min(np.count_nonzero(draws <= 0), np.count_nonzero(draws >= 0))
    p = min(1.0, float(2 * (tail + 1) / (draws.size + 1)))
    return Contrast(estimate, float(low), float(high), p)


@lru_cache(maxsize=8)  # all pairs of a table mostly have one freedom
def _shuffled_t(freedom: float, draws: int) -> Float[np.ndarray, " draw"]:
    """Take Student's t at even steps of probability, in random order: its tails are exact."""
    from scipy.stats import t

    steps = (np.arange(draws) + 0.5) / draws
    return np.random.default_rng(SEED).permutation(t.ppf(steps, freedom))


def _standard_error(
    common: Prior, *samples: Sequence[float] | Float[np.ndarray, " seed"]
) -> tuple[float, float]:
    """Standard error of a mean, or of a difference of means, and its degrees of freedom.

    Each variance is Smyth's, between the method's own and the common one, but never below its own.
    The degrees of freedom are those of the method that has fewest: no other choice is sure to be
    safe when variances differ.

    Source: Hsu, "Contribution to the theory of 'Student's' t-test as applied to the problem of
    two samples", Statistical Research Memoirs 2, 1938 (the least freedom).
    """
    error, freedom = 0.0, math.inf
    for values in samples:
        own, degrees = float(np.var(values, ddof=1)), len(values) - 1
        moderated = (common.freedom * common.variance + degrees * own) / (common.freedom + degrees)
        error += max(own, moderated) / len(values)
        freedom = min(freedom, common.freedom + degrees)
    return math.sqrt(error), freedom


@dataclass(frozen=True)
class Pair(Generic[Key]):
    """One pair of methods.

    Args:
        first: By its key.
        second: By its key.
        difference: Error of the first minus that of the second: below zero, the first is better.
        p_holm: ``difference.p`` corrected for all the pairs of the table; None without it.
    """

    first: Key
    second: Key
    difference: Contrast
    p_holm: float | None

    @property
    def significant(self) -> bool:
        """Whether the difference is significant after correction."""
        return self.p_holm is not None and self.p_holm < LEVEL


def all_pairs(errors: Mapping[Key, Float[np.ndarray, "seed draw"]]) -> list[Pair[Key]]:
    """Compare every method with every later one, corrected together.

    Pairs in which a method has one seed only are not tested.
    """
    keys, common = list(errors), prior(seeds[:, 0] for seeds in errors.values())
    pairs = [(a, b) for i, a in enumerate(keys) for b in keys[i + 1 :]]
    contrasts = [by_seeds_and_seconds(errors[a], errors[b], common) for a, b in pairs]
    corrected = iter(holm([c.p for c in contrasts if c.p is not None]))
    return [
        Pair(a, b, c, None if c.p is None else next(corrected))
        for (a, b), c in zip(pairs, contrasts, strict=True)
    ]


def holm(p: Sequence[float]) -> list[float]:
    """Correct p-values for their number, so that a single false one among all is unlikely.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal
    of Statistics 6, 1979.
    """
    order = np.argsort(p, kind="stable")
    stepped = np.asarray(p, dtype=float)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return [float(value) for value in corrected]


def by_seeds(common: Prior, *samples: Sequence[float]) -> Contrast:
    """Mean of the first sample, minus that of the second if there is one, by seeds alone.

    One sample holds differences that were each measured within one run. Without any spread there
    is no doubt.

    Args:
        common: Of the same number, over all methods of the study.
        samples: One or two; a number from each seed.

    Returns:
        Without interval when a sample has fewer than two seeds.
    """
    from scipy.stats import t

    means = [float(np.mean(sample)) for sample in samples]
    estimate = means[0] - sum(means[1:])
    if min(map(len, samples)) < 2:
        return Contrast(estimate)
    error, freedom = _standard_error(common, *samples)
    if error == 0:
        return Contrast(estimate, estimate, estimate, 0.0 if estimate else 1.0)
    extent = float(t.ppf(1 - LEVEL / 2, freedom)) * error
    p = 2 * float(t.sf(abs(estimate) / error, freedom))
    return Contrast(estimate, estimate - extent, estimate + extent, p)


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's, ties sharing their mean rank; None with fewer than three or without order."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)
