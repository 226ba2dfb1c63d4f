"""Statistics against their formulas, scipy and plain simulation."""

from dataclasses import asdict

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from graphlift.study.results import SecondErrors
from graphlift.study.statistics import (
    DRAWS,
    FALSE_POSITIVES,
    Contrast,
    Prior,
    all_pairs,
    by_seeds,
    by_seeds_and_seconds,
    draws_for,
    holm,
    oscillation,
    prior,
    rank_correlation,
    resample,
)


def one_activity(errors, frames=None):
    errors = np.asarray(errors, dtype=float)
    return {"walk": SecondErrors(frames or [40] * errors.size, errors.tolist(), errors.tolist())}


def hard_seconds(blocks=200, seed=0):
    return 50 * np.random.default_rng(seed).lognormal(0, 0.4, blocks)


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
    blocks = {
        "walk": SecondErrors([4, 4, 2], [10, 20, 30], [0, 0, 0]),
        "run": SecondErrors([1], [50], [0]),
    }

    errors = resample({"a": blocks}, draws=5)

    mean = (4 * 10 + 4 * 20 + 2 * 30) / 10
    assert errors["a"][0] == pytest.approx((mean + 50) / 2)


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


def hsu(first, second):
    """Difference of means with its own variances and the least freedom, by scipy."""
    error = np.hypot(scipy.stats.sem(first), scipy.stats.sem(second))
    freedom = min(len(first), len(second)) - 1
    return scipy.stats.t(freedom, np.mean(first) - np.mean(second), error)


def test_many_runs_are_resampled_as_each_alone():
    runs = {seed: one_activity(hard_seconds(20, seed)) for seed in range(70)}

    together = resample(runs, draws=30)

    for seed in (0, 31, 32, 69):
        alone = resample({seed: runs[seed]}, draws=30)[seed]
        np.testing.assert_allclose(together[seed], alone, rtol=1e-12)


def test_two_methods_stand_each_for_itself():
    first, second = [48.0, 50.0, 53.0], [55.0, 56.5, 56.0]

    assert prior([first, second]) == Prior()
    found = by_seeds_and_seconds(
        *(seeds_of(*(one_activity([v] * 7) for v in m)) for m in (first, second)), Prior()
    )

    theirs = hsu(first, second)
    low, high = theirs.interval(0.95)
    assert found.estimate == pytest.approx(np.mean(first) - np.mean(second))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.05 * (high - low))
    assert found.p == pytest.approx(2 * theirs.sf(0), rel=0.15)


def test_a_planted_law_of_variances_is_fitted():
    """Variances s0^2 d0 / chi^2(d0), each seen through three seeds or four."""
    rng = np.random.default_rng(8)
    sds = np.sqrt(2.5 * 6 / rng.chisquare(6, 20_000))

    found = prior([rng.normal(0, sd, 3 + at % 2) for at, sd in enumerate(sds)])

    assert found.variance == pytest.approx(2.5, rel=0.05)
    assert found.freedom == pytest.approx(6, rel=0.1)


def test_the_more_alike_methods_spread_the_more_they_say_of_each_other():
    seeds = np.array([-1.0, 0.0, 1.0])
    alike, unlike = (
        [sd * seeds for sd in sds] for sds in ([2.0] * 10, np.geomspace(0.01, 90, 10))
    )

    assert prior(alike).freedom == pytest.approx(8)  # half of 2 for each of all methods but two
    assert prior(unlike).freedom < 1
    assert prior(alike[:3]).freedom == pytest.approx(1)
    assert prior([[1.0], [2.0], *alike[:2]]) == Prior()
    assert prior([[5.0, 5.0]] * 10) == Prior()


def test_a_spread_is_lifted_to_the_others_but_never_lowered():
    seeds = np.array([-1.0, 0.0, 1.0])
    common = Prior(4.0, 6.0)  # a standard deviation of 2, as if seen in seven seeds

    narrow, wide = by_seeds(common, 0.5 * seeds), by_seeds(common, 20 * seeds)

    moderated = np.sqrt((6 * 4 + 2 * 0.25) / 8 / 3)
    assert narrow.high == pytest.approx(scipy.stats.t.ppf(0.975, 8) * moderated)
    assert wide.high == pytest.approx(scipy.stats.t.ppf(0.975, 8) * 20 / np.sqrt(3))


def test_a_method_without_spread_is_given_the_others():
    seeds = np.array([-1.0, 0.0, 1.0])
    methods = {k: seeds_of(*(one_activity([50 + v] * 9) for v in seeds)) for k in range(9)}
    methods[9] = seeds_of(*[one_activity([50.5] * 9)] * 3)

    found = {(p.first, p.second): p.difference for p in all_pairs(methods)}

    assert found[0, 9].low < -1.5
    assert found[0, 9].p > 0.3


def test_pairing_cancels_what_is_hard_for_both():
    seconds = hard_seconds()

    first = seeds_of(*[one_activity(seconds + 0.3)] * 2)
    second = seeds_of(*[one_activity(seconds)] * 2)
    found = by_seeds_and_seconds(first, second, Prior())

    assert first.std() > 1
    assert (found.low, found.high) == pytest.approx((0.3, 0.3))
    assert found.p == pytest.approx(2 / (DRAWS + 1))


def test_the_order_of_the_seconds_does_not_matter():
    rng = np.random.default_rng(0)
    a, b, frames = hard_seconds(seed=1), hard_seconds(seed=2), rng.integers(1, 41, 200)
    order = rng.permutation(200)

    def run(turn):
        weights = frames[turn].tolist()
        return by_seeds_and_seconds(
            seeds_of(*[one_activity(a[turn], weights)] * 2),
            seeds_of(*[one_activity(b[turn], weights)] * 2),
            Prior(),
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
    assert not found["base", "same"].significant


def test_a_method_with_one_seed_is_compared_without_interval_and_counts_for_nothing_in_holms():
    far = seeds_of(one_activity([90.0] * 9))
    near = {
        k: seeds_of(one_activity([40.0 + k] * 9), one_activity([41.0 + k] * 9)) for k in (1, 9)
    }

    found = {(p.first, p.second): p for p in all_pairs({0: far, **near})}

    assert found[0, 1].difference == Contrast(90 - 41.5)
    assert found[0, 1].p_holm is None
    assert not found[0, 1].significant
    assert found[1, 9].p_holm == found[1, 9].difference.p


def one_wild(rng, methods):
    return np.full(methods, 50.0), np.array([rng.uniform(4, 8), *[1.0] * (methods - 1)])


def in_proportion(rng, methods):
    return np.repeat([50.0, 100.0], methods // 2), np.repeat([1.0, 2.0], methods // 2)


def drawn(rng, methods):
    return np.full(methods, 50.0), np.exp(rng.normal(0, 0.8, methods))


LAWS = {
    "alike": lambda rng, methods: (np.full(methods, 50.0), np.ones(methods)),
    "one wild": one_wild,
    "in proportion": in_proportion,
    "drawn": drawn,
}
"""True errors of so many methods, an even number, and how far their seeds spread."""


def false_positives(ratio, studies, law="alike", seeds=3, draws=2000, methods=10):
    """Simulate studies of so many methods.

    A run's error is its method's, and its seed's, normal with the method's spread; a method's
    seconds add ``ratio`` of that to its mean, the same for all its seeds, so that no spread over
    seeds shows it.

    Returns:
        The share of studies in which any pair of equal methods is called different, and that of
        intervals without the true difference.
    """
    found, missed, blocks = [], [], 20
    for study in range(studies):
        rng = np.random.default_rng([7, study])
        true, spreads = LAWS[law](rng, methods)
        chance = rng.normal(0, 1, (methods, seeds, 1)) + ratio * blocks**0.5 * rng.normal(
            0, 1, (methods, 1, blocks)
        )
        errors = true[:, None, None] + spreads[:, None, None] * chance + rng.normal(0, 5, blocks)
        runs = {at: one_activity(errors[at]) for at in np.ndindex(methods, seeds)}
        drawn = resample(runs, draws=draws)
        pairs = all_pairs(
            {m: np.stack([drawn[m, s] for s in range(seeds)]) for m in range(methods)}
        )
        gaps = [true[pair.first] - true[pair.second] for pair in pairs]
        both = list(zip(pairs, gaps, strict=True))
        found.append(any(pair.significant for pair, gap in both if gap == 0))
        missed += [not p.difference.low <= gap <= p.difference.high for p, gap in both]
    return np.mean(found), np.mean(missed)


def test_the_first_of_more_draws_are_those_of_the_usual_number():
    blocks = one_activity(hard_seconds()) | {"jump": one_activity(hard_seconds(70))["walk"]}

    few, many = (resample({"a": blocks}, draws)["a"] for draws in (DRAWS, 2 * DRAWS + 7))

    assert many.size == 2 * DRAWS + 8
    np.testing.assert_allclose(many[: DRAWS + 1], few, rtol=1e-12)
    assert many[DRAWS + 1 :].std() == pytest.approx(few[1:].std(), rel=0.05)


def test_more_pairs_are_told_apart_by_more_draws():
    assert draws_for(1) == draws_for(45) == DRAWS
    for pairs in (46, 231, 3 * 231):
        assert 0.0085 < pairs * 2 / (draws_for(pairs) + 1) < 0.009


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("ratio", [0, 0.5])
def test_methods_of_one_law_rarely_differ(ratio, law):
    """Drawing seeds with replacement, 63 % of studies had a 'real' pair at ratio 0."""
    found, missed = false_positives(ratio, 40, law)

    assert found <= FALSE_POSITIVES + 3 * np.sqrt(FALSE_POSITIVES / 40)
    assert missed < 0.08


def test_one_wild_method_does_not_hide_what_is_plain():
    """Ten methods 5 apart with seeds of 1, the last with seeds of 6 and 40 away."""
    found = []
    for study in range(10):
        rng = np.random.default_rng([9, study])
        means, sds = np.array([*range(50, 95, 5), 130.0]), np.array([1.0] * 9 + [6.0])
        runs = means[:, None] + sds[:, None] * rng.normal(0, 1, (10, 3))
        draws = {m: np.repeat(runs[m][:, None], 5001, axis=1) for m in range(10)}
        found.append(np.mean([pair.significant for pair in all_pairs(draws)]))

    assert np.mean(found) > 0.8


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
def test_differences_between_methods_agree_with_scipy(first, second):
    theirs = hsu(first, second)

    ours = by_seeds(Prior(), first, second)

    assert ours.p == pytest.approx(2 * min(theirs.sf(0), theirs.cdf(0)), abs=1e-6)
    assert (ours.low, ours.high) == pytest.approx(theirs.interval(0.95), rel=1e-6, abs=1e-6)


@given(seeds)
def test_differences_within_runs_agree_with_scipy(differences):
    theirs = scipy.stats.ttest_1samp(differences, 0)
    low, high = theirs.confidence_interval(0.95)

    ours = by_seeds(Prior(), differences)

    assert ours.p == pytest.approx(theirs.pvalue, abs=1e-4)
    assert (ours.low, ours.high) == pytest.approx((low, high), rel=2e-3, abs=2e-3 * (high - low))


def test_one_seed_gives_a_difference_without_an_interval():
    common = Prior(1.0, 9.0)
    for found in (by_seeds(common, [3.0], [1.0, 2.0]), by_seeds(common, [1.5])):
        assert found.estimate == 1.5
        assert found.low is None
        assert found.p is None


def test_seeds_without_spread_leave_no_doubt():
    assert by_seeds(Prior(), [3.0, 3.0], [1.0, 1.0]).p == 0
    assert by_seeds(Prior(), [0.0, 0.0]).p == 1


def test_rank_correlation_agrees_with_scipy_and_shares_ties():
    first, second = [1.0, 2.0, 2.0, 5.0, 3.0], [2.0, 2.0, 1.0, 9.0, 4.0]

    assert rank_correlation(first, second) == pytest.approx(
        scipy.stats.spearmanr(first, second).statistic
    )
    assert rank_correlation([1, 2], [1, 2]) is None
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
