"""Queries with known truth out of a component's own training part, for early stopping and other choices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.splits.base import Fold
from hybridrec.stages import kernels
from hybridrec.stages.candidates import Exclude
from hybridrec.stages.component import Generator, VectorModel
from hybridrec.types import Doubles, Target

_BLOCK = 2048
"""The number of queries for which candidates are asked at once."""


@dataclass(frozen=True, slots=True)
class ValidationSplit:
    """A fold inside the training part of a component, made by the splitter of the experiment.

    fold: the data to learn from (`fold.train`), the queries, and their truth. The truth, too, comes from the
        component's training part
    exclude: for each target of the truth, the ids that all pipelines of the experiment exclude, and what queries show
        if any pipeline excludes that (the truth then has none of it)
    """

    fold: Fold
    exclude: dict[Target, Exclude]

    @property
    def train(self) -> Dataset:
        """The component's training part without the truth of the queries."""
        return self.fold.train

    def target(self, generator: Generator) -> Target | None:
        """Return the first target for which there is truth and which the generator recommends; None without one."""
        asked = (target for target, truth in self.fold.truth.items() if truth.nnz and generator.recommends(target))
        return next(asked, None)

    def ndcg(self, generator: Generator, k: int = 20) -> float:
        """Return the mean nDCG@k of the candidates of a generator that has learned from `train` alone.

        Gains are binary, queries have the weights of the fold, and the target is the one that the method `target`
        returns. The result is NaN if `target` returns None.
        """
        values, weights = self.ndcg_by_query(generator, k)
        return float(np.average(values, weights=weights)) if len(values) else float("nan")

    def ndcg_by_query(self, generator: Generator, k: int = 20) -> tuple[Doubles, Doubles]:
        """Return (nDCG@k, weights) of the queries that have truth for the target of the generator; both are float64."""
        target = self.target(generator)
        if target is None:
            return np.empty(0), np.empty(0)
        truth = self.fold.truth[target]
        wanted = np.diff(truth.indptr)
        asked = np.flatnonzero(wanted)
        values = np.empty(len(asked))
        if isinstance(generator, VectorModel):
            generator.forget()
        for start in range(0, len(asked), _BLOCK):
            rows = asked[start : start + _BLOCK]
            ids = generator.candidates(self.fold.queries.take(rows), k, target, self.exclude[target].take(rows)).ids
            order = np.tile(-np.arange(k, dtype=np.float32), (len(rows), 1))
            values[start : start + _BLOCK] = kernels.ndcg(order, kernels.hits(ids, truth[rows]), wanted[rows], k)
        return values, self.fold.weights[asked]

    def best_step(self, generator: Generator, steps: Iterable[object], of: int, patience: int, k: int = 20) -> int:
        """Return the number, from 1, of the first step after which the nDCG@k of a generator is highest.

        `steps` yields at most `of` times; before it yields, it makes the generator learn more from `train`. The
        iteration ends after `patience` steps in a row without a higher nDCG@k. The nDCG@k of each step is reported
        by `Component.report`. The result is `of` if there are no steps, or if `target` returns None.
        """
        if self.target(generator) is None:
            return of
        best, best_value = of, -np.inf
        for step, _ in enumerate(steps, 1):
            value = self.ndcg(generator, k)
            generator.report(step, of, **{f"validation_ndcg@{k}": value})
            if value > best_value:
                best, best_value = step, value
            elif step - best >= patience:
                break
        return best
