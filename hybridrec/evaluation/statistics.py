"""Means over queries with their intervals and tests; the unit of all statistics is the user.

A unit (a user) may have several queries, each with a weight w and a value m of a metric. The mean over queries is the
ratio sum(w m) / sum(w). Everything here works on these two sums of each unit, so that the queries of one user are not
treated as independent. A column is one of several quantities that are computed at once: an arm's metric in a segment,
or the difference of two arms.

Interval: bootstrap over units of that ratio (Efron and Tibshirani 1993), percentiles expanded for few
units (Hesterberg 2015, section 5.3) and for heavy tails. Test: the arms of a unit are exchanged at
random (Fisher's randomization test; Smucker, Allan and Carterette 2007), two-sided, p = (b + 1) / (B + 1),
which is never 0 (Phipson and Smyth 2010). As a cross-check, t is the ratio over its standard error by
linearisation; this is the paired t test where all units have equal weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import ndtr, stdtr, stdtrit

from hybridrec.types import Bools, Doubles, Ints, Longs, Sparse

RESAMPLES = 10_000
LEVEL = 0.95
POWER = 0.8
TIE = 1e-12
"""A unit whose difference between two arms is at most this, in absolute value, counts as a tie."""

_DRAWN_CELLS = 1 << 18
"""Draws of units that are counted at once: few enough to stay in the CPU cache."""
_SIGN_CELLS = 1 << 21
"""Signs of units that are drawn at once."""
_MOST_GROUPS = 4096


def membership(units: Ints, weights: Doubles) -> Sparse:
    """Build the matrix that sums values of queries by unit: csr float64 [distinct units, Q].

    It holds the weight of each query in the row of the query's unit; rows are in ascending order of the units.
    """
    present, codes = np.unique(units, return_inverse=True)
    places = np.arange(len(units))
    return csr_matrix((weights.astype(np.float64), (codes, places)), shape=(len(present), len(units)))


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the queries of each unit, for M columns.

    sums: float64 [U, M], for each of U units the sum of w m, where w is the weight of a query and m its value
    weights: float64 [U, M], for each unit the sum of w

    Queries with an undefined value are in neither sum.
    """

    sums: Doubles
    weights: Doubles

    @classmethod
    def of(cls, members: Sparse, values: Doubles, where: Bools | None = None) -> Totals:
        """Sum values by unit.

        members: csr float64 [U, Q], the matrix that `membership` returns
        values: float64 [Q, M], NaN where not defined
        where: bool [Q], the queries that count; None for all
        """
        defined = ~np.isnan(values)
        if where is not None:
            defined &= where[:, None]
        return cls(members @ np.where(defined, values, 0.0), members @ defined.astype(np.float64))

    @classmethod
    def join(cls, parts: Sequence[Totals]) -> Totals:
        """Put the columns of all parts side by side; the parts must have the same units."""
        return cls(np.hstack([totals.sums for totals in parts]), np.hstack([totals.weights for totals in parts]))

    @property
    def means(self) -> Doubles:
        """float64 [M]: the weighted mean of each column, NaN where nothing is defined."""
        return ratio(self.sums.sum(axis=0), self.weights.sum(axis=0))

    @property
    def units(self) -> Longs:
        """int64 [M]: the number of units with a defined value in each column."""
        return np.count_nonzero(self.weights > 0, axis=0).astype(np.int64)

    @property
    def residuals(self) -> Doubles:
        """float64 [U, M]: sum(w m) - mean * sum(w) for each of U units, where mean is the mean of the column.

        Standard errors of means are computed from these residuals, by linearisation. The residuals of a column sum to
        0.
        """
        return self.sums - np.nan_to_num(self.means) * self.weights

    def grouped(self, rng: np.random.Generator) -> Totals:
        """Merge units at random into at most 4096 groups, which bounds the cost of resampling.

        The means do not change, and groups are as independent of each other as units. With so many groups, intervals
        and tests by groups differ little from intervals and tests by units.
        """
        n = len(self.sums)
        if n <= _MOST_GROUPS:
            return self
        group = rng.permutation(n) % _MOST_GROUPS
        member = csr_matrix((np.ones(n), (group, np.arange(n))), shape=(_MOST_GROUPS, n))
        return Totals(member @ self.sums, member @ self.weights)


def resampled_sums(columns: Doubles, rng: np.random.Generator, resamples: int = RESAMPLES) -> Doubles:
    """Sum each column over units drawn with replacement, once for each resample: float64 [M, B] for B resamples.

    `columns`, float64 [U, M], has a row for each of U units. All columns share the same draws, so their differences
    and ratios are paired.
    """
    n, width = columns.shape
    result = np.empty((width, resamples))
    for block in _blocks(resamples, n, _DRAWN_CELLS):
        size = block.stop - block.start
        drawn = rng.integers(0, n, (size, n))
        drawn += np.arange(size)[:, None] * n
        counts = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        result[:, block] = (counts.astype(np.float64) @ columns).T
    return result


def interval(samples: Doubles, units: Longs, freedom: Doubles, level: float = LEVEL) -> Doubles:
    """Return the bounds of the middle share `level` of bootstrap samples, expanded for few units: float64 [M, 2].

    samples: float64 [M, B], the value of each of M columns in B resamples; NaN (a resample without any unit of a
        segment) is ignored
    units: int64 [M], the number of units n of each column; with fewer than two the bounds are NaN
    freedom: float64 [M], the degrees of freedom of each column's standard error

    An interval between plain percentiles of the mean of n resampled values is too narrow for two reasons: the spread of
    these means is too small by the factor sqrt((n - 1) / n), and the width of the interval follows normal instead of t
    quantiles. The percentiles that bound the interval are chosen to correct both.
    """
    usable = np.maximum(units, 2)
    tails = ndtr(np.sqrt(usable / (usable - 1)) * stdtrit(freedom, (1 - level) / 2))
    ranked = np.sort(samples, axis=1)
    last = np.maximum(np.count_nonzero(~np.isnan(ranked), axis=1) - 1, 0)
    # The expected quantile of the k-th smallest of B samples is k / (B + 1).
    position = np.stack([tails, 1 - tails], axis=1) * (last[:, None] + 2) - 1
    position = np.clip(position, 0, last[:, None])
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, last[:, None])
    low, high = np.take_along_axis(ranked, below, axis=1), np.take_along_axis(ranked, above, axis=1)
    bounds = low + (high - low) * (position - below)
    return np.where((units > 1)[:, None], bounds, np.nan)


def degrees_of_freedom(residuals: Doubles, units: Longs) -> Doubles:
    """Compute the degrees of freedom of the standard error of each column: float64 [M], at most n - 1 for n units.

    residuals: float64 [U, M], a row for each of U units; 0 where a unit has no defined value in a column
    units: int64 [M], the number n of units with a defined value in each column

    The sample variance s^2 of n values has itself the variance sigma^4 (k - (n - 3) / (n - 1)) / n, where sigma^2 is
    the true variance and k the kurtosis. The degrees of freedom are chosen to give this variance (Satterthwaite 1946).
    They are n - 1 for normal values, and fewer for values with heavy tails; for such values, intervals with n - 1
    degrees of freedom are too narrow.
    """
    n = np.maximum(units, 2).astype(np.float64)
    kurtosis = n * ratio((residuals**4).sum(axis=0), np.square((residuals**2).sum(axis=0)))
    return np.fmin(ratio(2 * n, kurtosis - (n - 3) / (n - 1)), n - 1)


def mean_intervals(totals: Totals, rng: np.random.Generator, resamples: int = RESAMPLES) -> Doubles:
    """Compute the bootstrap interval of the mean of each column over units: float64 [M, 2]."""
    grouped = totals.grouped(rng)
    weights, column = _distinct(grouped.weights)
    drawn = resampled_sums(np.hstack([grouped.sums, weights]), rng, resamples)
    width = grouped.sums.shape[1]
    samples = ratio(drawn[:width], drawn[width:][column])
    return interval(samples, totals.units, degrees_of_freedom(totals.residuals, totals.units))


@dataclass(frozen=True, slots=True)
class PairedResult:
    """Results of M paired comparisons of a variant with a control, over the queries for which both have a value.

    delta: float64 [M], the mean of variant - control
    ci95: float64 [M, 2], the bootstrap interval of `delta`
    relative: float64 [M], `delta` divided by the control's mean
    relative_ci95: float64 [M, 2], the bootstrap interval of `relative`
    p_value: float64 [M], the p-value of the randomization test
    standard_error: float64 [M], the standard error of `delta`
    t, p_t: float64 [M], the t statistic and the p-value of the t test
    effect_size: float64 [M], `delta` divided by the standard deviation of a unit's difference
    units: int64 [M], the number of units
    wins, ties, losses: int64 [M], the number of units for which the variant's value is higher, equal or lower
    """

    delta: Doubles
    ci95: Doubles
    relative: Doubles
    relative_ci95: Doubles
    p_value: Doubles
    standard_error: Doubles
    t: Doubles
    p_t: Doubles
    effect_size: Doubles
    units: Longs
    wins: Longs
    ties: Longs
    losses: Longs

    def take(self, columns: Longs) -> PairedResult:
        """Return the results of these columns, in this order; `columns` may hold a column several times."""
        return PairedResult(
            **{column_field.name: getattr(self, column_field.name)[columns] for column_field in fields(self)}
        )

    def at(self, column: int) -> dict[str, Any]:
        """Return all results of one column by field name, as plain numbers and lists."""
        return {column_field.name: getattr(self, column_field.name)[column].tolist() for column_field in fields(self)}


def paired(differences: Totals, controls: Totals, rng: np.random.Generator, resamples: int = RESAMPLES) -> PairedResult:
    """Compute intervals and tests of M mean differences, variant minus control.

    `differences` has for each unit the sums of the differences, and `controls` the sums of the control's values over
    the same queries. `resamples` is the number of resamples of the bootstrap and of draws of the test. All draws come
    from `rng`, so the result does not depend on the number of threads.
    """
    width = differences.sums.shape[1]
    both = Totals.join([differences, controls]).grouped(rng)
    gains, bases = both.sums[:, :width], both.sums[:, width:]
    bases, base = _distinct(bases)
    weights, weight = _distinct(both.weights[:, :width])
    drawn = resampled_sums(np.hstack([gains, bases, weights]), rng, resamples)
    gain, drawn_bases, drawn_weights = np.split(drawn, [width, width + bases.shape[1]])
    units = differences.units
    per_unit = ratio(differences.sums, differences.weights)
    error = standard_errors(differences)
    t = ratio(differences.means, error)
    relative = Totals(differences.sums, controls.sums)
    return PairedResult(
        delta=differences.means,
        ci95=interval(ratio(gain, drawn_weights[weight]), units, degrees_of_freedom(differences.residuals, units)),
        relative=relative.means,
        relative_ci95=interval(ratio(gain, drawn_bases[base]), units, degrees_of_freedom(relative.residuals, units)),
        p_value=randomization_test(gains, rng, resamples),
        standard_error=error,
        t=t,
        p_t=2 * stdtr(np.maximum(units - 1, 1), -np.abs(t)),
        effect_size=ratio(t, np.sqrt(units)),
        units=units,
        wins=np.count_nonzero(per_unit > TIE, axis=0),
        ties=np.count_nonzero(np.abs(per_unit) <= TIE, axis=0),
        losses=np.count_nonzero(per_unit < -TIE, axis=0),
    )


def randomization_test(differences: Doubles, rng: np.random.Generator, resamples: int = RESAMPLES) -> Doubles:
    """Compute the p-value of the sum of each column of differences by a two-sided randomization test: float64 [M].

    `differences`, float64 [U, M], has a row for each of U units. To exchange the arms of a unit at random is to give
    its differences a random sign. The p-value is the share of draws whose sum is at least as far from 0 as the observed
    sum; the observed one counts as a draw.
    """
    n = len(differences)
    observed = np.abs(differences.sum(axis=0))
    # Sums in another order differ in their last bits; sums this close count as ties, as extreme as the observed one.
    reached = observed - 1e-10 * np.abs(differences).sum(axis=0)
    extreme = np.zeros(differences.shape[1], np.int64)
    for block in _blocks(resamples, n, _SIGN_CELLS):
        signs = rng.integers(0, 2, (block.stop - block.start, n), dtype=np.int8) * 2.0 - 1.0
        extreme += np.count_nonzero(np.abs(signs @ differences) >= reached, axis=0)
    return (extreme + 1) / (resamples + 1)


def standard_errors(totals: Totals) -> Doubles:
    """Compute the standard error of the mean of each column: float64 [M], NaN for fewer than two units.

    The mean is a ratio of two sums over units, which is linearised (Cochran 1977, section 6.4).
    """
    units = totals.units.astype(np.float64)
    return ratio(np.sqrt(ratio(units, units - 1) * (totals.residuals**2).sum(axis=0)), totals.weights.sum(axis=0))


def detectable(standard_error: float, units: int, significance: float) -> float:
    """Return the smallest true difference that a two-sided t test detects with 80 % power.

    `standard_error` is the standard error of the difference, `units` the number of units from which it was computed,
    and `significance` the level of the test. The result is NaN for fewer than two units.
    """
    if units < 2:
        return float("nan")
    return float((stdtrit(units - 1, 1 - significance / 2) + stdtrit(units - 1, POWER)) * standard_error)


def holm(p_values: Doubles) -> Doubles:
    """Adjust the p-values of one family, float64 [R], by Holm's method (1979): float64 [R].

    A NaN does not count as a member of the family and stays NaN.
    """
    adjusted = np.full(len(p_values), np.nan)
    members = np.flatnonzero(~np.isnan(p_values))
    ascending = members[np.argsort(p_values[members], kind="stable")]
    factors = np.arange(len(members), 0, -1)
    adjusted[ascending] = np.minimum(np.maximum.accumulate(p_values[ascending] * factors), 1.0)
    return adjusted


def benjamini_hochberg(p_values: Doubles) -> Doubles:
    """Adjust the p-values of one family for the false discovery rate (Benjamini and Hochberg 1995): float64 [R].

    A NaN does not count as a member of the family and stays NaN.
    """
    from scipy.stats import false_discovery_control  # takes longer to import than all else of a small run

    adjusted = np.full(len(p_values), np.nan)
    members = ~np.isnan(p_values)
    adjusted[members] = false_discovery_control(p_values[members])
    return adjusted


def ratio(numerator: Doubles, denominator: Doubles) -> Doubles:
    """Divide element by element; NaN where the denominator is 0."""
    usable: Bools = denominator != 0
    return np.divide(numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=usable)


def _distinct(columns: Doubles) -> tuple[Doubles, Longs]:
    """Return (distinct, indices): the D distinct columns among M, [U, D], and for each column its index in `distinct`.

    `indices` is int64 [M]. Resampling each distinct column once saves time, since most metrics have the same weights.
    """
    first: dict[bytes, int] = {}
    which = np.array([first.setdefault(column.tobytes(), len(first)) for column in columns.T], np.int64)
    _, places = np.unique(which, return_index=True)
    return columns[:, places], which


def _blocks(resamples: int, units: int, cells: int) -> Iterator[slice]:
    """Yield slices that split 0 to `resamples` into blocks of about `cells` draws each.

    A resample takes `units` draws, one for each unit.
    """
    step = max(1, cells // max(units, 1))
    for start in range(0, resamples, step):
        yield slice(start, min(start + step, resamples))
