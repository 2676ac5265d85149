"""Power: the rate at which differences of the promised size are found, and the users that a comparison needs."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from benchmarks.validity.population import Population, batches
from hybridrec.evaluation.compare import SIGNIFICANCE
from hybridrec.evaluation.interleaving import replay
from hybridrec.evaluation.report import Comparison
from hybridrec.evaluation.statistics import POWER, Totals, detectable, membership, randomization_test, standard_errors
from hybridrec.evaluation.summary import deciding
from hybridrec.runs.replay import stored_slates
from hybridrec.runs.run import Run
from hybridrec.types import Doubles

SIZES = (50, 100, 200, 500, 1000, 2000)
MULTIPLES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
"""Multiples of the detectable difference at which the curve of power is measured."""
CURVE = 200
"""Number of users for which the curve of power is measured."""


def detected(
    population: Population, row: Comparison, trials: int, rng: np.random.Generator, resamples: int
) -> list[dict[str, Any]]:
    """Measure the power of the randomization test at multiples of a comparison's detectable difference; return rows.

    The differences of the pair are shifted to the required mean, and users are drawn with replacement.
    """
    control, variant = (population.sums[population.arms.index(name)] for name in (row.control, row.variant))
    whole = Totals((variant - control)[:, None], population.weights[:, None])
    spread = float(standard_errors(whole)[0] * np.sqrt(len(population)))
    base = control.sum() / population.weights.sum()
    rows = []
    for n in SIZES:
        effect = detectable(spread / np.sqrt(n), n, SIGNIFICANCE)
        for multiple in MULTIPLES if n == CURVE else (1.0,):
            critical = -stdtrit(n - 1, SIGNIFICANCE / 2)
            promised = float(stdtr(n - 1, multiple * effect / (spread / np.sqrt(n)) - critical))
            moved = whole.residuals[:, 0] + multiple * effect * population.weights
            rows.append(
                {"pair": f"{row.variant} against {row.control}", "users": n, "of detectable": multiple,
                 "difference": multiple * effect, "relative": multiple * effect / base, "trials": trials,
                 "promised": promised, "found": _power(moved, n, trials, rng, resamples)}
            )  # fmt: skip
    return rows


def _power(values: Doubles, n: int, trials: int, rng: np.random.Generator, resamples: int) -> float:
    """Return the share of samples of n values, drawn with replacement, in which the test finds a difference."""
    rejected = [
        randomization_test(values[rng.integers(0, len(values), (n, size))], rng, resamples) < SIGNIFICANCE
        for size in batches(trials)
    ]
    return float(np.concatenate(rejected).mean())


def sensitivity(run: Run, trials: int, rng: np.random.Generator, resamples: int) -> list[dict[str, Any]]:
    """Estimate the users that each kind of comparison needs for 80 % power, for the deciding comparisons of a run.

    The number is predicted from the mean of the users' values over their standard deviation; `found` is the simulated
    power of the randomization test with so many of the run's users, drawn with replacement. Returns the rows.
    """
    rows = []
    quantiles = -(stdtrit(1e6, SIGNIFICANCE / 2) + stdtrit(1e6, 1 - POWER))
    for row in deciding(run.report):
        ways = _ways(run, row, rng)
        needed: dict[str, float] = {}
        for way, totals in ways.items():
            if not totals.sums.any():
                break  # the same arm under two names
            spread = standard_errors(totals)[0] * np.sqrt(totals.units[0])
            needed[way] = max(float(np.ceil((quantiles * spread / totals.means[0]) ** 2)), 5)
            simulated = None
            if needed[way] <= SIZES[-1]:
                simulated = _power(totals.sums[:, 0], int(needed[way]), trials, rng, resamples)
            rows.append(
                {"pair": f"{row.variant} against {row.control}", "way": way, "sign": float(np.sign(totals.means[0])),
                 "users": needed[way], "times": needed[way] / needed[f"paired {row.metric}"], "found": simulated}
            )  # fmt: skip
    return rows


def _ways(run: Run, row: Comparison, rng: np.random.Generator) -> dict[str, Totals]:
    """Return kind of comparison -> differences by user, in one column; the paired comparison comes first."""
    import polars as pl

    sample, measured = run.sample(), run.per_query()
    members = membership(sample.units, sample.weights)
    control, variant = (
        Totals.of(members, measured.filter(pl.col("pipeline") == name)[row.metric].to_numpy()[:, None])
        for name in (row.control, row.variant)
    )
    ways = {f"paired {row.metric}": Totals(variant.sums - control.sums, variant.weights)}
    (before, after), truth = stored_slates(run, [row.control, row.variant], "items")
    for method, rounds in (("team-draft", 1), ("team-draft", 10), ("balanced", 10)):
        lost, won = replay(before, after, truth, 20, method, rng, rounds)  # type: ignore[arg-type]
        ways[f"{method} x {rounds}"] = Totals.of(members, (won - lost)[:, None])
    # Half of the users see one arm, half the other, so a user counts as twice the deviation from the common mean.
    middle = (control.means + variant.means) / 2
    halves = [2 * (variant.sums - middle * variant.weights), 2 * (middle * control.weights - control.sums)]
    ways[f"unpaired {row.metric}"] = Totals(np.concatenate(halves), np.concatenate([variant.weights, control.weights]))
    return ways
