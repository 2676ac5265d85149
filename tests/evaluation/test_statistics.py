"""Intervals, tests and corrections: against closed forms, enumeration, scipy, and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from hybridrec.evaluation import statistics
from hybridrec.evaluation.statistics import (
    Totals,
    benjamini_hochberg,
    degrees_of_freedom,
    detectable,
    holm,
    interval,
    mean_intervals,
    membership,
    paired,
    randomization_test,
    resampled_sums,
    standard_errors,
)

NAN = np.nan


def totals(values, units=None, weights=None, where=None):
    values = np.array(values, float)
    values = values[:, None] if values.ndim == 1 else values
    units = np.arange(len(values)) if units is None else np.array(units)
    weights = np.ones(len(values)) if weights is None else np.array(weights, float)
    return Totals.of(membership(units, weights), values, where)


def test_totals_are_weighted_sums_of_units():
    summed = totals([1, 3, NAN, 5], units=[7, 7, 2, 2], weights=[1, 2, 4, 8])
    np.testing.assert_array_equal(summed.sums, [[40], [7]])
    np.testing.assert_array_equal(summed.weights, [[8], [3]])
    assert summed.means == pytest.approx(47 / 11)
    assert summed.units == [2]


def test_totals_of_a_part_and_of_nothing():
    summed = totals([1, 3, 5], where=np.array([True, False, True]))
    assert (summed.means, summed.units) == (3, 2)
    nothing = totals([1, 3, 5], where=np.zeros(3, bool))
    assert np.isnan(nothing.means)
    assert nothing.units == 0


def test_resampled_sums_share_their_draws(rng):
    columns = np.random.default_rng(1).random((20, 2))
    drawn = resampled_sums(np.hstack([columns, columns[:, :1] - columns[:, 1:], np.ones((20, 1))]), rng, 500)
    assert drawn.shape == (4, 500)
    np.testing.assert_allclose(drawn[0] - drawn[1], drawn[2])
    np.testing.assert_array_equal(drawn[3], 20)
    assert drawn[0].mean() == pytest.approx(columns[:, 0].sum(), rel=0.02)


def test_blocks_do_not_change_the_draws(monkeypatch):
    columns = np.random.default_rng(1).random((30, 3))
    whole = paired(totals(columns), totals(columns + 1), np.random.default_rng(4), 400)
    monkeypatch.setattr(statistics, "_DRAWN_CELLS", 1000)
    blocks = paired(totals(columns), totals(columns + 1), np.random.default_rng(4), 400)
    np.testing.assert_allclose(whole.ci95, blocks.ci95)
    np.testing.assert_allclose(whole.p_value, blocks.p_value, atol=0.05)


def test_interval_is_the_t_interval_for_normal_samples():
    # Means of n normal values with spread s scatter by s / sqrt(n) * sqrt((n - 1) / n) in the bootstrap.
    quantiles = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    for n in (5, 30, 1000):
        low, high = interval(quantiles[None] * np.sqrt((n - 1) / n / n), np.array([n]), np.array([n - 1.0]))[0]
        t = stats.t.ppf(0.975, n - 1) / np.sqrt(n)
        assert (low, high) == pytest.approx((-t, t), rel=1e-3)


def test_interval_passes_over_resamples_without_the_segment():
    samples = np.array([[NAN, *range(101), NAN], [NAN] * 103, list(range(103))], float)
    low, high = interval(samples, np.array([1000, 2, 1]), np.array([999.0, 1.0, 1.0])).T
    assert (low[0], high[0]) == pytest.approx((0.025 * 102 - 1, 0.975 * 102 - 1), abs=0.1)
    assert np.isnan([low[1:], high[1:]]).all()


def test_heavy_tails_leave_fewer_degrees_of_freedom():
    source = np.random.default_rng(2)
    columns = [source.normal(size=5000), source.random(5000), source.standard_t(9, 5000), np.zeros(5000)]
    normal, flat, heavy, constant = degrees_of_freedom(totals(np.stack(columns, axis=1)).residuals, np.full(4, 5000))
    assert normal == pytest.approx(4999, rel=0.1)
    assert (flat, constant) == (4999, 4999)  # never more than n - 1
    kurtosis = stats.kurtosis(columns[2], fisher=False)
    assert heavy == pytest.approx(2 * 5000 / (kurtosis - 4997 / 4999), rel=1e-6)
    two = totals([[0.0], [1.0]])
    assert degrees_of_freedom(two.residuals, two.units) == 1


def test_mean_interval_of_a_ratio(rng):
    source = np.random.default_rng(0)
    units = np.repeat(np.arange(400), 3)
    weights = np.tile([0.5, 0.3, 0.2], 400)
    values = source.random(1200)
    summed = totals(values, units, weights)
    (low, high) = mean_intervals(summed, rng, 4000)[0]
    error = 1.96 * np.sqrt(np.square(summed.sums - summed.means * summed.weights).sum()) / summed.weights.sum()
    assert (low, high) == pytest.approx((summed.means[0] - error, summed.means[0] + error), abs=error * 0.08)


def test_queries_of_a_unit_are_not_independent(rng):
    values = np.random.default_rng(0).random(50)
    once = mean_intervals(totals(values), np.random.default_rng(1), 1000)
    many = mean_intervals(totals(np.repeat(values, 20), np.repeat(np.arange(50), 20)), np.random.default_rng(1), 1000)
    np.testing.assert_allclose(once, many)


def test_paired_counts_and_means(rng):
    control = np.array([[0.2], [0.4], [0.6], [0.0], [0.5]])
    gain = np.array([[0.1], [-0.1], [1e-15], [NAN], [0.3]])
    comparison = paired(totals(gain), totals(np.where(np.isnan(gain), NAN, control)), rng, 200)
    assert comparison.delta == pytest.approx(0.3 / 4)
    assert comparison.relative == pytest.approx(0.3 / 1.7)
    assert (comparison.units, comparison.wins, comparison.ties, comparison.losses) == (4, 2, 1, 1)
    row = comparison.at(0)
    assert row["wins"] == 2
    assert isinstance(row["wins"], int)
    assert row["ci95"] == comparison.ci95[0].tolist()


def test_paired_interval_is_of_the_difference(rng):
    source = np.random.default_rng(3)
    hard = source.random(500)
    gain = source.normal(0.02, 0.05, 500)
    comparison = paired(totals(gain), totals(hard), rng, 4000)
    half = 1.96 * gain.std(ddof=1) / np.sqrt(500)
    np.testing.assert_allclose(comparison.ci95[0], gain.mean() + np.array([-half, half]), atol=half * 0.08)
    assert comparison.relative_ci95[0, 0] < comparison.relative[0] < comparison.relative_ci95[0, 1]
    assert comparison.p_value[0] == 1 / 4001


def test_no_queries_no_numbers(rng):
    nothing = totals([NAN, NAN, NAN])
    comparison = paired(nothing, nothing, rng, 50)
    assert np.isnan([comparison.delta, comparison.relative, *comparison.ci95.T, *comparison.relative_ci95.T]).all()
    assert comparison.units == comparison.wins == comparison.ties == comparison.losses == 0


def test_a_single_unit_has_no_interval(rng):
    comparison = paired(totals([0.5]), totals([0.5]), rng, 50)
    assert comparison.delta == 0.5
    assert np.isnan(comparison.ci95).all()
    assert comparison.p_value == 1


def test_randomization_equals_enumeration(rng):
    differences = np.array([0.3, -0.1, 0.2, 0.2, -0.2, 0.5, 0.1, 0.3])
    sums = [abs(np.dot(signs, differences)) for signs in itertools.product((-1, 1), repeat=8)]
    exact = np.mean(np.array(sums) >= abs(differences.sum()) - 1e-12)
    assert randomization_test(differences[:, None], rng, 40_000)[0] == pytest.approx(exact, abs=0.01)


def test_randomization_agrees_with_scipy(rng):
    source = np.random.default_rng(8)
    differences = source.normal(0.1, 1, 300)
    expected = stats.ttest_1samp(differences, 0).pvalue
    assert randomization_test(differences[:, None], rng, 20_000)[0] == pytest.approx(expected, abs=0.015)


def test_p_is_never_zero_and_one_for_equal_arms(rng):
    columns = np.stack([np.ones(200), np.zeros(200)], axis=1)
    np.testing.assert_allclose(randomization_test(columns, rng, 99), [1 / 100, 1])


def test_t_is_that_of_scipy_where_all_units_weigh_alike(rng):
    gains = np.random.default_rng(5).exponential(1, (80, 2)) - 0.8
    comparison = paired(totals(gains), totals(np.ones_like(gains)), rng, 100)
    expected = stats.ttest_1samp(gains, 0)
    np.testing.assert_allclose(comparison.t, expected.statistic, rtol=1e-10)
    np.testing.assert_allclose(comparison.p_t, expected.pvalue, rtol=1e-10)
    np.testing.assert_allclose(comparison.effect_size, gains.mean(axis=0) / gains.std(axis=0, ddof=1))
    np.testing.assert_allclose(comparison.standard_error, stats.sem(gains))


def test_standard_errors_of_weighted_means_are_those_of_the_bootstrap(rng):
    source = np.random.default_rng(6)
    units, weights = np.sort(source.integers(0, 400, 1500)), source.exponential(1, 1500)
    summed = totals(source.normal(1, 1, 1500) + units / 200, units, weights)
    drawn = resampled_sums(np.hstack([summed.sums, summed.weights]), rng, 4000)
    assert standard_errors(summed)[0] == pytest.approx((drawn[0] / drawn[1]).std(), rel=0.05)


def test_a_detectable_difference_is_found_with_the_promised_power():
    sd, units = 2.0, 60
    effect = detectable(sd / np.sqrt(units), units, 0.05)
    trials = np.random.default_rng(9).normal(effect, sd, (units, 4000))
    assert np.mean(stats.ttest_1samp(trials, 0).pvalue < 0.05) == pytest.approx(0.8, abs=0.03)
    assert np.isnan(detectable(1.0, 1, 0.05))


def test_benjamini_hochberg_rejects_what_the_step_up_procedure_rejects():
    p_values = np.random.default_rng(3).random(30) ** 3
    ascending = np.sort(p_values)
    for level in (0.01, 0.05, 0.2):
        passing = np.flatnonzero(ascending <= level * np.arange(1, 31) / 30)
        cut = ascending[passing[-1]] if len(passing) else -1.0
        assert ((benjamini_hochberg(p_values) <= level) == (p_values <= cut)).all()


def test_benjamini_hochberg():
    np.testing.assert_allclose(benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.005])), [0.02, 0.04, 0.04, 0.02])
    np.testing.assert_allclose(benjamini_hochberg(np.array([0.01, NAN, 0.9])), [0.02, NAN, 0.9])
    assert benjamini_hochberg(np.array([])).shape == (0,)


def test_holm():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, NAN])), [0.03, 0.06, 0.06, NAN])
    np.testing.assert_allclose(holm(np.array([0.9, 0.5])), [1, 1])
    assert holm(np.array([])).shape == (0,)


def test_many_units_are_grouped(monkeypatch):
    # Sorted: groups of neighbours would be far from alike.
    values = np.sort(np.random.default_rng(0).normal(0.05, 1, (1000, 1)), axis=0)
    single = paired(totals(values), totals(values + 3), np.random.default_rng(1), 4000)
    monkeypatch.setattr(statistics, "_MOST_GROUPS", 250)
    grouped = paired(totals(values), totals(values + 3), np.random.default_rng(1), 4000)
    np.testing.assert_allclose(grouped.delta, single.delta)
    assert grouped.wins == single.wins
    assert grouped.units == 1000
    width = np.diff(single.ci95)[0, 0]
    np.testing.assert_allclose(grouped.ci95, single.ci95, atol=0.2 * width)


def simulated(seed, comparisons, units, effect=0.0):
    """Differences of two arms as they look in practice: most queries tie, the rest is skewed."""
    source = np.random.default_rng(seed)
    tied = source.random((units, comparisons)) < 0.6
    size = source.exponential(0.2, (units, comparisons)) * source.choice([-1, 1], (units, comparisons))
    return np.where(tied, 0.0, size) + effect * source.exponential(1, (units, comparisons))


def test_equal_arms_differ_at_the_promised_rate(rng):
    gains = simulated(1, 400, 150)
    comparison = paired(totals(gains), totals(np.ones_like(gains)), rng, 1000)
    assert 0.02 <= np.mean(comparison.p_value < 0.05) <= 0.08


def test_intervals_cover_the_true_difference(rng):
    gains = simulated(2, 400, 60, effect=0.03)
    low, high = paired(totals(gains), totals(np.ones_like(gains)), rng, 1000).ci95.T
    assert 0.92 <= np.mean((low <= 0.03) & (high >= 0.03)) <= 0.98
