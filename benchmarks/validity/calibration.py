"""Calibration of the statistics: false positives between equal arms, and coverage of true differences by intervals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from benchmarks.validity.population import Drawn, Population, batches, draw
from hybridrec.evaluation.compare import CORRECTIONS, SIGNIFICANCE
from hybridrec.evaluation.statistics import (
    Totals,
    detectable,
    paired,
    randomization_test,
    standard_errors,
)
from hybridrec.types import Bools, Doubles

SIZES = (50, 200, 1000)
ARMS = 10


def equal_arms(
    population: Population, comparisons: int, rng: np.random.Generator, resamples: int
) -> list[dict[str, Any]]:
    """Measure the rate at which each test, at a level of 5 %, finds a difference of equal arms; return the rows."""
    rows = []
    for kind in ("exchanged", "centred"):
        for n in SIZES:
            rejected = []
            for size in batches(comparisons):
                drawn = draw(population, n, size, rng, kind)
                result = paired(drawn.differences, drawn.controls, rng, resamples)
                rejected.append(np.stack([result.p_value, result.p_t, _wilcoxon(drawn)]) < SIGNIFICANCE)
            randomization, t, wilcoxon = np.concatenate(rejected, axis=1).mean(axis=1).tolist()
            rows.append(
                {"run": population.name, "equal arms": kind, "users": n, "comparisons": comparisons,
                 "randomization": randomization, "t": t, "Wilcoxon": wilcoxon}
            )  # fmt: skip
    return rows


def _wilcoxon(drawn: Drawn) -> Doubles:
    from scipy import stats

    per_user = drawn.differences.sums / drawn.differences.weights
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # raised for samples that are all ties
        return stats.wilcoxon(per_user, axis=0, method="asymptotic").pvalue


def coverage(
    population: Population, comparisons: int, rng: np.random.Generator, resamples: int
) -> list[dict[str, Any]]:
    """Measure the rate at which intervals contain the difference of the whole population; return the rows.

    A relative difference counts only if it has an interval, which it lacks if the control is 0 for the drawn users.
    """
    rows = []
    for n in SIZES:
        held, missed_low, missed_high = [], [], []
        for size in batches(comparisons):
            drawn = draw(population, n, size, rng, "as they are")
            result = paired(drawn.differences, drawn.controls, rng, resamples)
            held.append([_holds(result.ci95, drawn.truth), _holds(result.relative_ci95, drawn.relative_truth)])
            missed_low.append(result.ci95[:, 1] < drawn.truth)
            missed_high.append(result.ci95[:, 0] > drawn.truth)
        delta, relative = np.nanmean(np.concatenate(held, axis=1), axis=1).tolist()
        rows.append(
            {"run": population.name, "users": n, "comparisons": comparisons, "difference": delta,
             "relative": relative, "below": np.concatenate(missed_low).mean().item(),
             "above": np.concatenate(missed_high).mean().item()}
        )  # fmt: skip
    return rows


def _holds(bounds: Doubles, truth: Doubles) -> Doubles:
    """Return for each comparison 1 if the bounds contain the truth, 0 if not, NaN without an interval."""
    inside = (bounds[:, 0] <= truth) & (truth <= bounds[:, 1])
    return np.where(np.isnan(bounds).any(axis=1), np.nan, inside)


def families(population: Population, count: int, rng: np.random.Generator, resamples: int) -> list[dict[str, Any]]:
    """Measure the chance of any false verdict among ARMS variants of one control, with 200 users; return the rows.

    Control and variants are equal: each takes the value of a random arm of the run for every drawn user. In half of the
    rows the first half of the variants gain the difference that is detectable with as many users.
    """
    n, rows = SIZES[1], []
    for better in (0, ARMS // 2):
        wrong: dict[str, list[Bools]] = {"uncorrected": [], "holm": [], "bh": []}
        shares: dict[str, list[float]] = {name: [] for name in wrong}
        for size in batches(count, 100):
            p_values = randomization_test(_family(population, n, size, better, rng), rng, resamples)
            for family in p_values.reshape(size, ARMS):
                corrected = {name: adjust(family) for name, (_, adjust) in CORRECTIONS.items()}
                for name, adjusted in {"uncorrected": family, **corrected}.items():
                    rejected = adjusted < SIGNIFICANCE
                    wrong[name].append(rejected[better:].any())
                    shares[name].append(rejected[better:].sum() / max(rejected.sum(), 1))
        rows += [
            {"run": population.name, "better variants": better, "families": count, "correction": name,
             "any false": float(np.mean(wrong[name])), "share of false": float(np.mean(shares[name]))}
            for name in wrong
        ]  # fmt: skip
    return rows


def _family(population: Population, n: int, count: int, better: int, rng: np.random.Generator) -> Doubles:
    """Draw weighted differences of the variants from their control: float64 [n, count * ARMS], family by family."""
    users = rng.integers(0, len(population), (n, count, 1))
    arms = rng.integers(0, len(population.arms), (n, count, ARMS + 1))
    sums, weights = population.sums[arms, users], population.weights[users]
    gains = sums[:, :, 1:] - sums[:, :, :1]
    flat = Totals(gains.reshape(n, -1), np.broadcast_to(weights, gains.shape).reshape(n, -1))
    effect = detectable(float(np.nanmean(standard_errors(flat))), n, SIGNIFICANCE)
    gains[:, :, :better] += effect * weights
    return gains.reshape(n, -1)
