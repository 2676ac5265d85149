"""Means over queries with their intervals and tests; the unit of all statistics is the user.

A unit (a user) may ask several queries, each with a weight. A mean over queries is the ratio
sum(w m) / sum(w); everything here works on the two sums of each unit, so queries of one user are
not treated as independent. A column is any quantity measured in parallel with others: an arm's metric in a
segment, the difference of two arms.

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
"""Differences of a unit up to this value are ties."""

_DRAWN_CELLS = 1 << 18
"""Draws of units that are counted at once: few enough to stay in the CPU cache."""
_SIGN_CELLS = 1 << 21
"""Signs of units that are drawn at once."""
_MOST_GROUPS = 4096


def membership(units: Ints, weights: Doubles) -> Sparse:
    """Return csr float64 [distinct units, Q]: the weight of each query in the sum of its unit."""
    present, codes = np.unique(units, return_inverse=True)
    places = np.arange(len(units))
    return csr_matrix((weights.astype(np.float64), (codes, places)), shape=(len(present), len(units)))


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums per unit of M columns: `sums` = sum of w m, `weights` = sum of w, both float64 [units, M]."""

    sums: Doubles
    weights: Doubles

    @classmethod
    def of(cls, members: Sparse, values: Doubles, where: Bools | None = None) -> Totals:
        """Sum values float64 [Q, M], NaN where not defined, by unit; only the queries at `where`, bool [Q], count."""
        defined = ~np.isnan(values)
        if where is not None:
            defined &= where[:, None]
        return cls(members @ np.where(defined, values, 0.0), members @ defined.astype(np.float64))

    @classmethod
    def join(cls, parts: Sequence[Totals]) -> Totals:
        """Join the columns of all parts; the units must be the same."""
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
        """float64 [units, M]: the contribution of each unit to the linearised error of the mean; they sum to 0."""
        return self.sums - np.nan_to_num(self.means) * self.weights

    def grouped(self, rng: np.random.Generator) -> Totals:
        """Join units at random into at most 4096 groups, which bounds the cost of resampling.

        The means do not change, and groups are as independent of each other as units; with this many groups the
        interval and the test agree with those of the units for practical purposes.
        """
        n = len(self.sums)
        if n <= _MOST_GROUPS:
            return self
        group = rng.permutation(n) % _MOST_GROUPS
        member = csr_matrix((np.ones(n), (group, np.arange(n))), shape=(_MOST_GROUPS, n))
        return Totals(member @ self.sums, member @ self.weights)


def resampled_sums(columns: Doubles, rng: np.random.Generator, resamples: int = RESAMPLES) -> Doubles:
    """Sum columns [units, M] over units drawn with replacement: float64 [M, resamples].

    All columns share the same draws, so differences and ratios of them are paired.
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
    """Return float64 [M, 2]: the middle `level` of bootstrap samples [M, B], expanded for few units.

    Percentiles of a mean of n values are too narrow by the factor sqrt((n - 1) / n), and because they follow
    normal instead of t quantiles (`freedom`: degrees of freedom, float64 [M]); the tail probability is chosen to
    correct for both. NaN samples (resamples without a unit of a segment) are ignored; fewer than two units
    yield NaN.
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
    """Return float64 [M]: the degrees of freedom of the standard error of each column, at most n - 1.

    The variance of s^2 is sigma^4 (k - (n - 3) / (n - 1)) / n, where k is the kurtosis. The degrees of freedom
    that match it (Satterthwaite 1946) are n - 1 for normal values and fewer for heavy tails, for which intervals
    with n - 1 are too narrow. residuals: float64 [at least units, M], 0 for units without a defined value.
    """
    n = np.maximum(units, 2).astype(np.float64)
    kurtosis = n * ratio((residuals**4).sum(axis=0), np.square((residuals**2).sum(axis=0)))
    return np.fmin(ratio(2 * n, kurtosis - (n - 3) / (n - 1)), n - 1)


def mean_intervals(totals: Totals, rng: np.random.Generator, resamples: int = RESAMPLES) -> Doubles:
    """Return float64 [M, 2]: the bootstrap interval of the mean of each column."""
    grouped = totals.grouped(rng)
    weights, column = _distinct(grouped.weights)
    drawn = resampled_sums(np.hstack([grouped.sums, weights]), rng, resamples)
    width = grouped.sums.shape[1]
    samples = ratio(drawn[:width], drawn[width:][column])
    return interval(samples, totals.units, degrees_of_freedom(totals.residuals, totals.units))


@dataclass(frozen=True, slots=True)
class PairedResult:
    """Results for M differences: `delta` = mean of variant - control over queries that both define.

    delta, relative (to the control's mean over the same queries), p_value, standard_error (of delta),
    t, p_t (of the t test), effect_size (delta over the standard deviation of a unit's difference): float64 [M]
    ci95, relative_ci95: float64 [M, 2]
    units, wins, ties, losses: int64 [M], counted in units
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
        """Return these columns, in this order; a column may be repeated."""
        return PairedResult(
            **{column_field.name: getattr(self, column_field.name)[columns] for column_field in fields(self)}
        )

    def at(self, column: int) -> dict[str, Any]:
        """Return all fields of one column as plain numbers and lists."""
        return {column_field.name: getattr(self, column_field.name)[column].tolist() for column_field in fields(self)}


def paired(differences: Totals, controls: Totals, rng: np.random.Generator, resamples: int = RESAMPLES) -> PairedResult:
    """Compute interval and test of variant - control; `controls` holds the control alone, over the same queries.

    Interval and test draw from `rng` only: the result does not depend on the number of threads.
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
    """Return float64 [M]: two-sided p of the sums of differences [units, M] under random signs of the units."""
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
    """Return float64 [M]: standard errors of the means, by linearising the ratio (Cochran 1977, section 6.4).

    NaN for fewer than two units.
    """
    units = totals.units.astype(np.float64)
    return ratio(np.sqrt(ratio(units, units - 1) * (totals.residuals**2).sum(axis=0)), totals.weights.sum(axis=0))


def detectable(standard_error: float, units: int, significance: float) -> float:
    """Return the smallest true difference that a two-sided t test on this number of units detects with 80 % power."""
    if units < 2:
        return float("nan")
    return float((stdtrit(units - 1, 1 - significance / 2) + stdtrit(units - 1, POWER)) * standard_error)


def holm(p_values: Doubles) -> Doubles:
    """Adjust the p-values of one family, float64, shape as given (Holm 1979); NaN is not counted and stays NaN."""
    adjusted = np.full(len(p_values), np.nan)
    members = np.flatnonzero(~np.isnan(p_values))
    ascending = members[np.argsort(p_values[members], kind="stable")]
    factors = np.arange(len(members), 0, -1)
    adjusted[ascending] = np.minimum(np.maximum.accumulate(p_values[ascending] * factors), 1.0)
    return adjusted


def benjamini_hochberg(p_values: Doubles) -> Doubles:
    """Adjust the p-values of one family for the false discovery rate (Benjamini and Hochberg 1995).

    NaN is not counted and stays NaN.
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
    """Return the distinct columns, and the index of each column in them: most metrics share their weights."""
    first: dict[bytes, int] = {}
    which = np.array([first.setdefault(column.tobytes(), len(first)) for column in columns.T], np.int64)
    _, places = np.unique(which, return_index=True)
    return columns[:, places], which


def _blocks(resamples: int, units: int, cells: int) -> Iterator[slice]:
    """Yield slices over the resamples, each of about `cells` cells, one cell for each unit and resample."""
    step = max(1, cells // max(units, 1))
    for start in range(0, resamples, step):
        yield slice(start, min(start + step, resamples))
