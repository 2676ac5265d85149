"""Base classes of metrics, their input, and the parsing of names such as `ndcg@20`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.frozen import freeze
from hybridrec.data.queries import QueryBatch
from hybridrec.errors import ConfigError, PluginError, did_you_mean
from hybridrec.paths import printable
from hybridrec.plugin import Plugin
from hybridrec.types import Bools, Doubles, Ints, Longs, Sparse, Target


@dataclass(frozen=True, slots=True)
class EvalBatch:
    """The input of a metric: the slates of Q queries with their truth, for one target, which has N ids in all.

    ids: int32 [Q, n], best first, -1 as padding
    hits: bool [Q, n], True where the id is relevant
    truth: csr [Q, N] of ones, the relevant ids
    train: the training part of the fold, for metrics that need the popularity or the tags of ids
    candidate_items: bool [N], the ids that may be recommended; None for all
    queries: the queries that the slates answer; None where they are not known
    gains: csr [Q, N] with the sparsity of the truth, the gain of each relevant id; None where all are 1
    """

    target: Target
    ids: Ints
    hits: Bools
    truth: Sparse
    train: Dataset
    candidate_items: Bools | None = None
    queries: QueryBatch | None = None
    gains: Sparse | None = None

    def __post_init__(self) -> None:
        """Make the arrays read-only, since every holder of the object shares them."""
        freeze(self)

    def take(self, rows: Bools) -> EvalBatch:
        """Return a batch of only those queries at which `rows`, bool [Q], is True."""
        return replace(
            self,
            ids=self.ids[rows],
            hits=self.hits[rows],
            truth=self.truth[rows],
            queries=None if self.queries is None else self.queries.take(np.flatnonzero(rows)),
            gains=None if self.gains is None else self.gains[rows],
        )

    def hit_gains(self, k: int) -> Doubles:
        """Return the gain of each of the first k places, 0 where the id is not relevant: float64 [Q, at most k]."""
        hits = self.hits[:, :k]
        if self.gains is None:
            return hits.astype(np.float64)
        result = np.zeros(hits.shape)
        rows, places = np.nonzero(hits)
        result[rows, places] = np.asarray(self.gains[rows, self.ids[rows, places]]).ravel()
        return result

    @property
    def relevant(self) -> Longs:
        """int64 [Q]: the number of relevant ids of each query, recommended or not."""
        return np.diff(self.truth.indptr).astype(np.int64)


class Metric(Plugin):
    """Base class of metrics that give a number per query; a report has the mean over queries and its interval."""

    higher_is_better: bool = True
    """False for a metric that should be small."""
    cut_off: ClassVar[bool] = True
    """True if the metric is written with a cut-off (`ndcg@20`); otherwise `k` is the width of the slates."""

    @abstractmethod
    def values(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Compute the metric of each query over the first k places: float64 [Q], NaN where it is not defined."""


class SetMetric(Metric):
    """Base class of metrics that give one number for all slates of a run together, without an interval or a test.

    The engine calls `value` once for each arm, with the slates of all folds. If the metric is a guardrail, the engine
    divides the users into groups, calls `value` once more for each group, with the slates of this group left out, and
    computes the interval from these numbers.
    """

    @abstractmethod
    def value(self, folds: Sequence[EvalBatch], k: int) -> float:
        """Compute one number over the first k places of all slates; the folds share one vocabulary."""

    def values(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Return the number of all slates together, repeated for every query: float64 [Q]."""
        return np.full(len(eval_batch.ids), self.value([eval_batch], k))


def combine(values: Mapping[str, Doubles], weights: Mapping[str, float]) -> Doubles:
    """Compute the weighted sum of several metrics for each query: float64 [Q].

    values: name of a metric -> float64 [Q], its value for each query
    weights: name of each metric of the sum -> its weight

    If a metric is NaN for a query, its weight is shared out among the other metrics of the sum, in proportion to their
    own weights. If all are NaN, the sum is NaN.
    """
    parts, shares = np.array([values[name] for name in weights]), np.array(list(weights.values()))[:, None]
    defined = ~np.isnan(parts)
    present = (shares * defined).sum(axis=0)
    total = (shares * np.where(defined, parts, 0.0)).sum(axis=0)
    return np.where(present > 0, total * shares.sum() / np.where(present > 0, present, 1.0), np.nan)


class MetricAtK(NamedTuple):
    """A metric with its cut-off `k`, which is None for a metric without one.

    `label` replaces the name in reports, so that two metrics that differ only in their options have different names.
    """

    metric: Metric
    k: int | None
    label: str | None = None

    @property
    def name(self) -> str:
        """The name in reports: the label, or the name as in the YAML, `ndcg@20`."""
        if self.label is not None:
            return self.label
        return self.metric.name if self.k is None else f"{self.metric.name}@{self.k}"

    def key(self, target: Target) -> str:
        """Return the name in reports for a target: `ndcg@20` for items, `tags/ndcg@20` for tags."""
        return self.name if target == "items" else f"{target}/{self.name}"

    def values(self, eval_batch: EvalBatch) -> Doubles:
        """Compute the metric of each query: float64 [Q], NaN where it is not defined.

        Raises PluginError if the metric returns another type or shape, or an infinite value.
        """
        values = self.metric.values(eval_batch, self._depth(eval_batch))
        wanted = (len(eval_batch.ids),)
        if not isinstance(values, np.ndarray) or values.dtype != np.float64 or values.shape != wanted:
            returned = (
                f"{values.dtype} {list(values.shape)}" if isinstance(values, np.ndarray) else type(values).__name__
            )
            raise PluginError(f"metric {self.name}: values must be float64 {list(wanted)}, not {returned}")
        if np.isinf(values).any():
            row = int(np.argmax(np.isinf(values)))
            raise PluginError(
                f"metric {self.name}: the value of query {row} is {values[row]}; return NaN where it is not defined"
            )
        return values

    def value(self, folds: Sequence[EvalBatch]) -> float:
        """Compute the number of a `SetMetric` over all folds; raises TypeError for a metric per query."""
        if not isinstance(self.metric, SetMetric):
            raise TypeError(f"{self.name} is a metric per query; use `values`")
        return self.metric.value(folds, max((self._depth(fold) for fold in folds), default=0))

    def without_each(self, folds: Sequence[EvalBatch], groups: Longs) -> Doubles:
        """Compute `value` once for each group of queries, with the queries of that group left out: float64 [G].

        groups: int64 [Q], the group of each query, over the queries of all folds in order
        """
        ends = np.cumsum([len(fold.ids) for fold in folds])[:-1]
        kept = (np.split(groups != group, ends) for group in np.unique(groups))
        return np.array([self.value([f.take(rows) for f, rows in zip(folds, parts, strict=True)]) for parts in kept])

    def _depth(self, eval_batch: EvalBatch) -> int:
        return eval_batch.ids.shape[1] if self.k is None else self.k


def parse_metric(text: str, classes: Mapping[str, type[Metric]]) -> MetricAtK:
    """Parse a metric's name, given the metric classes by name.

    `ndcg@20` becomes `MetricAtK(Ndcg(), 20)`, and `r-precision`, a metric without cut-off, becomes
    `MetricAtK(RPrecision(), None)`. Raises ConfigError for an unknown name, and for a missing, superfluous or
    invalid cut-off.
    """
    name, at, depth = text.strip().partition("@")
    if name not in classes:
        raise ConfigError(f"unknown metric '{name}' in '{text}'; {did_you_mean(name, classes)}")
    metric = classes[name]
    if not metric.cut_off:
        if at:
            raise ConfigError(f"metric '{text}': {name} takes no cut-off; write '{name}'")
        return MetricAtK(metric(), None)
    # isdecimal alone accepts digits of other scripts, which int() reads but people may not.
    if not (depth.isascii() and depth.isdecimal() and len(depth) < 10 and int(depth) > 0):
        wrong = f"{printable(depth)} is not a whole number of 1 or more" if at else "the cut-off is missing"
        raise ConfigError(f"metric '{text}': {wrong}; write '{name}@10' to look at the first ten places")
    return MetricAtK(metric(), int(depth))
