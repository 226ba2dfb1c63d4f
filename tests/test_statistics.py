"""Statistics against their formulas, scipy and plain simulation."""

from dataclasses import asdict

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from graphlift.study.results import Blocks
from graphlift.study.statistics import (
    DRAWS,
    FALSE_FINDS,
    Contrast,
    all_pairs,
    contrast,
    holm,
    oscillation,
    paired_t,
    rank_correlation,
    resample,
    spread,
    welch,
)


def one_activity(errors, frames=None):
    errors = np.asarray(errors, dtype=float)
    return {"walk": Blocks(frames or [40] * errors.size, errors.tolist(), errors.tolist())}


def hard_seconds(blocks=200, seed=0):
    return 50 * np.random.default_rng(seed).lognormal(0, 0.4, blocks)


def test_spread_divides_by_one_less_than_the_number_of_seeds():
    assert spread([1.0, 2.0, 6.0]).mean == 3.0
    assert spread([1.0, 2.0, 6.0]).sd == pytest.approx(np.sqrt((4 + 1 + 9) / 2))
    assert spread([5.0]).sd is None
    with pytest.raises(ValueError, match="no values"):
        spread([])


def test_oscillation_of_a_smooth_decay_is_nearly_nothing():
    steps = np.arange(250, 20_001, 250)

    assert oscillation(steps, 50 + 60 * np.exp(-steps / 3000)) < 0.02


def test_oscillation_of_a_sine_is_known():
    k = np.arange(1, 4001)
    w, amplitude = 2 * np.pi / 8, 3.0

    got = oscillation(k, 50 + amplitude * np.sin(w * k))

    # the mean of two neighbours of sin(wk) is cos(w) sin(wk); three weights 1/4 + 1/4 + 1
    expected = (1 - np.cos(w)) * amplitude / np.sqrt(2) / np.sqrt(1.5)
    assert got == pytest.approx(expected, rel=1e-3)


def test_oscillation_of_noise_on_any_line_is_its_standard_deviation():
    rng = np.random.default_rng(3)
    steps = np.cumsum(rng.integers(50, 500, 20_000))  # not evenly spaced
    noise = rng.normal(0, 1.7, steps.size)

    flat, sloping = oscillation(steps, noise), oscillation(steps, noise + 9 - 0.01 * steps)

    assert flat == pytest.approx(1.7, rel=0.03)
    assert sloping == pytest.approx(flat, rel=1e-6)


def test_oscillation_looks_at_the_second_half_and_needs_three_evaluations():
    steps = [1, 2, 3, 4, 5, 6, 7, 8]

    assert oscillation(steps, [900, 5, 700, 0, 0, 0, 0, 0]) == 0
    assert oscillation([1, 2, 3], [5, 6, 5]) is None
    assert oscillation([], []) is None


def test_the_first_draw_is_the_protocols_error():
    blocks = {"walk": Blocks([4, 4, 2], [10, 20, 30], [0, 0, 0]), "run": Blocks([1], [50], [0])}

    errors = resample({"a": blocks}, draws=5)

    walk = (4 * 10 + 4 * 20 + 2 * 30) / 10
    assert errors["a"][0] == pytest.approx((walk + 50) / 2)


def test_the_bootstrap_spreads_as_independent_blocks_do():
    first, second = hard_seconds(seed=1), hard_seconds(seed=2)

    errors = resample({"a": one_activity(first), "b": one_activity(second)})
    difference = errors["a"] - errors["b"]

    analytic = np.std(first - second) / np.sqrt(first.size)
    assert difference[1:].std() == pytest.approx(analytic, rel=0.03)
    assert difference[1:].mean() == pytest.approx((first - second).mean(), abs=4 * analytic / 100)


def seeds_of(*runs):
    """Resample a method's runs, one a seed; same seconds for all methods, as the seed is fixed."""
    return np.stack(list(resample(dict(enumerate(runs))).values()))


def test_seeds_alone_give_welchs_interval():
    first, second = [48.0, 50.0, 53.0], [55.0, 56.5, 56.0]

    found = contrast(*(seeds_of(*(one_activity([v] * 7) for v in m)) for m in (first, second)))

    theirs = scipy.stats.ttest_ind(first, second, equal_var=False)
    low, high = theirs.confidence_interval(0.95)
    assert found.estimate == pytest.approx(np.mean(first) - np.mean(second))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.05 * (high - low))
    assert found.p == pytest.approx(theirs.pvalue, rel=0.15)


def test_pairing_cancels_what_is_hard_for_both():
    seconds = hard_seconds()

    first = seeds_of(*[one_activity(seconds + 0.3)] * 2)
    second = seeds_of(*[one_activity(seconds)] * 2)
    found = contrast(first, second)

    assert first.std() > 1
    assert (found.low, found.high) == pytest.approx((0.3, 0.3))
    assert found.p == pytest.approx(2 / (DRAWS + 1))


def test_the_order_of_the_seconds_does_not_matter():
    rng = np.random.default_rng(0)
    a, b, frames = hard_seconds(seed=1), hard_seconds(seed=2), rng.integers(1, 41, 200)
    order = rng.permutation(200)

    def run(turn):
        weights = frames[turn].tolist()
        return contrast(
            seeds_of(*[one_activity(a[turn], weights)] * 2),
            seeds_of(*[one_activity(b[turn], weights)] * 2),
        )

    plain, shuffled = run(np.arange(200)), run(order)
    assert plain.estimate == pytest.approx(shuffled.estimate)
    assert plain.low == pytest.approx(shuffled.low, abs=0.3)
    assert plain.high == pytest.approx(shuffled.high, abs=0.3)


def test_a_pair_turned_round_is_the_pair_negated():
    a, b = (seeds_of(*[one_activity(hard_seconds(seed=k))] * 2) for k in (1, 2))

    (pair,) = all_pairs({"a": a, "b": b})
    (turned,) = all_pairs({"b": b, "a": a})

    assert asdict(-pair.difference) == pytest.approx(asdict(turned.difference))


def test_a_planted_shift_is_found_and_no_shift_is_not():
    rng = np.random.default_rng(4)
    seconds = hard_seconds()
    noise = rng.normal(0, 3, (9, seconds.size))
    noise -= noise.mean(axis=1, keepdims=True)
    runs = {
        "base": seeds_of(*(one_activity(seconds + n) for n in noise[:3])),
        "same": seeds_of(*(one_activity(seconds + n) for n in noise[3:6])),
        "worse": seeds_of(*(one_activity(seconds + 2 + n) for n in noise[6:])),
    }

    found = {(p.first, p.second): p for p in all_pairs(runs)}

    assert found["base", "worse"].p_holm < 0.01
    assert found["base", "worse"].difference.estimate == pytest.approx(-2)
    assert found["base", "same"].difference.p > 0.5
    assert not found["base", "same"].real


def test_a_method_with_one_seed_is_compared_without_interval_and_counts_for_nothing_in_holms():
    far = seeds_of(one_activity([90.0] * 9))
    near = {
        k: seeds_of(one_activity([40.0 + k] * 9), one_activity([41.0 + k] * 9)) for k in (1, 9)
    }

    found = {(p.first, p.second): p for p in all_pairs({0: far, **near})}

    assert found[0, 1].difference == Contrast(90 - 41.5)
    assert found[0, 1].p_holm is None
    assert not found[0, 1].real
    assert found[1, 9].p_holm == found[1, 9].difference.p


def false_finds(ratio, studies):
    """Simulate studies of ten methods of one law with three seeds each.

    A run's error is its seed's, standard normal; a method's seconds add ``ratio`` of that to its
    mean, the same for all its seeds, so that no spread over seeds shows it.

    Returns:
        The share of studies in which any pair is called real, and that of intervals without 0.
    """
    real, missed, blocks = [], [], 20
    for study in range(studies):
        rng = np.random.default_rng([7, study])
        levels = rng.normal(0, 1, (10, 3, 1)) + 50 + rng.normal(0, 5, blocks)
        errors = levels + ratio * blocks**0.5 * rng.normal(0, 1, (10, 1, blocks))
        runs = {at: one_activity(errors[at]) for at in np.ndindex(10, 3)}
        draws = resample(runs, draws=2000)
        pairs = all_pairs({m: np.stack([draws[m, s] for s in range(3)]) for m in range(10)})
        real.append(any(pair.real for pair in pairs))
        missed += [p.difference.low > 0 or p.difference.high < 0 for p in pairs]
    return np.mean(real), np.mean(missed)


@pytest.mark.parametrize("ratio", [0, 0.5])
def test_methods_of_one_law_are_rarely_told_apart(ratio):
    """Drawing seeds with replacement, 63 % of studies had a 'real' pair at ratio 0."""
    real, missed = false_finds(ratio, studies=30)

    assert real <= FALSE_FINDS + 3 * np.sqrt(FALSE_FINDS / 30)
    assert missed < 0.07


def test_runs_over_other_frames_are_refused():
    with pytest.raises(ValueError, match="different test frames"):
        resample({"a": one_activity([1, 2]), "b": one_activity([1, 2], [40, 39])})
    assert resample({}) == {}


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


seeds = st.lists(st.floats(-100, 100), min_size=2, max_size=6).filter(lambda v: np.ptp(v) > 1e-3)


@given(seeds, seeds)
def test_welch_agrees_with_scipy(first, second):
    theirs = scipy.stats.ttest_ind(first, second, equal_var=False)
    low, high = theirs.confidence_interval(0.95)

    ours = welch(first, second)

    assert ours.p == pytest.approx(theirs.pvalue, abs=1e-4)
    assert (ours.low, ours.high) == pytest.approx((low, high), rel=2e-3, abs=2e-3 * (high - low))


@given(seeds)
def test_paired_t_agrees_with_scipy(differences):
    theirs = scipy.stats.ttest_1samp(differences, 0)
    low, high = theirs.confidence_interval(0.95)

    ours = paired_t(differences)

    assert ours.p == pytest.approx(theirs.pvalue, abs=1e-4)
    assert (ours.low, ours.high) == pytest.approx((low, high), rel=2e-3, abs=2e-3 * (high - low))


def test_one_seed_gives_a_difference_without_an_interval():
    for found in (welch([3.0], [1.0, 2.0]), paired_t([1.5])):
        assert found.estimate == 1.5
        assert found.low is None
        assert found.p is None


def test_seeds_without_spread_leave_no_doubt():
    assert welch([3.0, 3.0], [1.0, 1.0]).p == 0
    assert paired_t([0.0, 0.0]).p == 1


def test_rank_correlation_agrees_with_scipy_and_shares_ties():
    first, second = [1.0, 2.0, 2.0, 5.0, 3.0], [2.0, 2.0, 1.0, 9.0, 4.0]

    assert rank_correlation(first, second) == pytest.approx(
        scipy.stats.spearmanr(first, second).statistic
    )
    assert rank_correlation([1, 2], [1, 2]) is None
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
