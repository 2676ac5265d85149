"""Populations of real results, from which simulated comparisons are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hybridrec.evaluation.statistics import TIE, Totals, membership
from hybridrec.runs.run import Run
from hybridrec.types import Doubles, Longs


@dataclass(frozen=True, slots=True)
class Population:
    """Users of a run with the values of a metric.

    sums: float64 [arms, U], the weighted sum of each user's values
    weights: float64 [U], the sum of the weights of each user's queries
    """

    name: str
    metric: str
    arms: list[str]
    sums: Doubles
    weights: Doubles

    @classmethod
    def of(cls, run: Run) -> Population:
        """Take the users of a run with its first metric, which is the deciding one; queries without it are left out."""
        import polars as pl

        metric = run.report.comparison[0].metric
        measured = run.per_query().partition_by("pipeline", maintain_order=True)
        values = np.stack([arm[metric].cast(pl.Float64).to_numpy() for arm in measured], axis=1)
        sample = run.sample()
        totals = Totals.of(membership(sample.units, sample.weights), values, ~np.isnan(values).any(axis=1))
        asked = totals.weights[:, 0] > 0
        names = [arm["pipeline"][0] for arm in measured]
        return cls(run.report.name, metric, names, totals.sums[asked].T, totals.weights[asked, 0])

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def pairs(self) -> Longs:
        """Pairs of different arms whose values differ for at least one user: int64 [P, 2]."""
        arms = range(len(self.arms))
        different = [(a, b) for a in arms for b in arms if a < b and np.abs(self.sums[a] - self.sums[b]).max() > TIE]
        return np.array(different)

    def description(self) -> dict[str, float]:
        """Describe the distribution of the pairs' differences: medians of the share of ties and of absolute skew."""
        control, variant = self.pairs.T
        differences = (self.sums[variant] - self.sums[control]) / self.weights
        centred = differences - differences.mean(axis=1, keepdims=True)
        skew = np.abs((centred**3).mean(axis=1)) / centred.std(axis=1) ** 3
        ties = (np.abs(differences) <= TIE).mean(axis=1)
        return {"users": len(self), "ties": np.median(ties), "skew": np.median(skew), "largest skew": skew.max()}


@dataclass(frozen=True, slots=True)
class Drawn:
    """M simulated comparisons, as columns, of n users each, drawn with replacement.

    differences: totals [n, M] of the differences between variant and control
    controls: totals [n, M] of the values of the control
    truth: float64 [M], the difference in the population
    relative_truth: float64 [M], `truth` over the mean of the control in the population
    """

    differences: Totals
    controls: Totals
    truth: Doubles
    relative_truth: Doubles


def draw(population: Population, n: int, comparisons: int, rng: np.random.Generator, kind: str) -> Drawn:
    """Draw a pair of arms and n users for each comparison.

    kind: with `as they are` the values stay; with `exchanged` the two values of each drawn user are exchanged by a fair
        coin, so that both arms have the same distribution; with `centred` the mean difference is subtracted, so that
        both have the same mean, but skew and everything else stays
    """
    control, variant = population.pairs[rng.integers(0, len(population.pairs), comparisons)].T
    users = rng.integers(0, len(population), (n, comparisons))
    weights, base = population.weights[users], population.sums[control, users]
    gain = population.sums[variant, users] - base
    truth = (population.sums[variant].sum(axis=1) - population.sums[control].sum(axis=1)) / population.weights.sum()
    if kind == "exchanged":
        swapped = rng.random(gain.shape) < 0.5
        base, gain, truth = np.where(swapped, base + gain, base), np.where(swapped, -gain, gain), 0 * truth
    elif kind == "centred":
        gain, truth = gain - truth * weights, 0 * truth
    relative = truth * population.weights.sum() / population.sums[control].sum(axis=1)
    return Drawn(Totals(gain, weights), Totals(base, weights), truth, relative)


def batches(comparisons: int, largest: int = 1000) -> Iterator[int]:
    """Yield sizes of batches, at most `largest`, that sum up to `comparisons`."""
    for start in range(0, comparisons, largest):
        yield min(largest, comparisons - start)
