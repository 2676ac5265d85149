"""Population of real results from which simulated comparisons are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hybridrec.evaluation.statistics import TIE, Totals, membership
from hybridrec.runs.run import Run
from hybridrec.types import Doubles, Longs


@dataclass(frozen=True, slots=True)
class Population:
    """Users of a run: sums float64 [arms, U] and weights float64 [U] of their metric values."""

    name: str
    metric: str
    arms: list[str]
    sums: Doubles
    weights: Doubles

    @classmethod
    def of(cls, run: Run) -> Population:
        """Take the first metric of a run, which is the deciding one; queries without it are left out."""
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
        """Pairs of different arms that are not the same for everybody: int64 [P, 2]."""
        arms = range(len(self.arms))
        different = [(a, b) for a in arms for b in arms if a < b and np.abs(self.sums[a] - self.sums[b]).max() > TIE]
        return np.array(different)

    def description(self) -> dict[str, float]:
        """Measure how far the differences of its pairs are from normal: medians of ties and of absolute skew."""
        control, variant = self.pairs.T
        differences = (self.sums[variant] - self.sums[control]) / self.weights
        centred = differences - differences.mean(axis=1, keepdims=True)
        skew = np.abs((centred**3).mean(axis=1)) / centred.std(axis=1) ** 3
        ties = (np.abs(differences) <= TIE).mean(axis=1)
        return {"users": len(self), "ties": np.median(ties), "skew": np.median(skew), "largest skew": skew.max()}


@dataclass(frozen=True, slots=True)
class Drawn:
    """Simulated comparisons, M of n users each, drawn with replacement, as columns.

    `truth`, float64 [M], is the difference of the population they were drawn from, `relative_truth` over its control.
    """

    differences: Totals
    controls: Totals
    truth: Doubles
    relative_truth: Doubles


def draw(population: Population, n: int, comparisons: int, rng: np.random.Generator, kind: str) -> Drawn:
    """Draw a pair of arms at random for each comparison, and n of its users.

    kind: `as they are`: two different arms; `exchanged`: the two values of each drawn user are exchanged by a fair
    coin, so that both arms have the same distribution; `centred`: the mean difference is subtracted, so that both have
    the same mean, but skew and everything else stays.
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
    """Yield sizes that sum up to `comparisons`."""
    for start in range(0, comparisons, largest):
        yield min(largest, comparisons - start)
