"""Accuracy metrics, which compare a slate with the relevant ids; relevance is binary unless an option says otherwise.

The value of a query without relevant ids is NaN. The denominators do not depend on the candidates: a relevant id that
no generator proposed counts as missed. Definitions follow Manning, Raghavan and Schütze, "Introduction to Information
Retrieval" (2008), chapter 8, for slates that are cut off at k.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

import numpy as np

from hybridrec.evaluation.metrics import EvalBatch, Metric
from hybridrec.plugin import Options
from hybridrec.types import Bools, Doubles, Longs, Sparse


class AccuracyMetric(Metric):
    """Base class of metrics that need only the hits and the number of relevant ids: subclasses implement `of`."""

    def values(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Compute `of` for each query: float64 [Q], NaN for queries without relevant ids."""
        relevant = eval_batch.relevant
        values = self.of(eval_batch.hits[:, :k], np.maximum(relevant, 1), k)
        return np.where(relevant > 0, values, np.nan)

    @abstractmethod
    def of(self, hits: Bools, relevant: Longs, k: int) -> Doubles:
        """Compute the metric of each query, which has at least one relevant id: float64 [Q].

        hits: bool [Q, at most k], True at each place whose id is relevant
        relevant: int64 [Q], the number of relevant ids of each query, at least 1
        """


class NdcgOptions(Options):
    """Options of the metric `ndcg`: the gain of a hit."""

    gain: Literal["binary", "linear", "exponential"] = "binary"
    """The gain of a hit: 1 for `binary`, g for `linear` (Järvelin and Kekäläinen 2002), and 2^g - 1 for `exponential`
    (Burges et al. 2005), which suits grades such as ratings of 1 to 5. Here g is the gain of the hidden interaction:
    the column `gain` of the data, else the weight, else 1. A g below 0 counts as 0."""


class Ndcg(AccuracyMetric):
    """nDCG@k: the DCG of the first k places divided by the DCG of the best possible slate of k places.

    DCG sums the gain of each hit, 1 by default, times the discount 1 / log2(rank + 1). The best slate begins with
    min(k, R) hits, where R is the number of relevant ids; ids of the largest gain come first (Järvelin and Kekäläinen
    2002). Some libraries (RecTools by default) divide by the DCG of k hits instead, which makes the metric smaller for
    queries with fewer than k relevant ids. With graded gains, the metric of a query whose relevant ids all have the
    gain 0 is NaN.
    """

    name = "ndcg"
    Config = NdcgOptions
    config: NdcgOptions

    def values(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Compute the nDCG of each query: float64 [Q], NaN where no relevant id has a positive gain."""
        if self.config.gain == "binary" or eval_batch.gains is None:
            return super().values(eval_batch, k)
        discounts = 1 / np.log2(np.arange(2, k + 2))
        shown = self._gain(eval_batch.hit_gains(k))
        ideal = _best_gain(eval_batch.gains, self._gain(eval_batch.gains.data.astype(np.float64)), discounts)
        return np.where(ideal > 0, shown @ discounts[: shown.shape[1]] / np.where(ideal > 0, ideal, 1.0), np.nan)

    def _gain(self, weights: Doubles) -> Doubles:
        """Convert weights of hidden interactions to gains by the option `gain`, in the shape of `weights`."""
        positive = np.maximum(weights, 0)
        return np.exp2(positive) - 1 if self.config.gain == "exponential" else positive

    def of(self, hits: Bools, relevant: Longs, k: int) -> Doubles:
        """Return the DCG with binary gains divided by the DCG of the best slate: float64 [Q]."""
        discounts = 1 / np.log2(np.arange(2, k + 2))
        ideal = np.cumsum(discounts)[np.minimum(relevant, k) - 1]
        return hits @ discounts[: hits.shape[1]] / ideal


def _best_gain(relevant: Sparse, gains: Doubles, discounts: Doubles) -> Doubles:
    """Compute the DCG of the best possible slate of each query: float64 [Q].

    relevant: csr [Q, N], the relevant ids of each query
    gains: float64, the gain of each stored entry of `relevant`, in the order of `relevant.data`
    discounts: float64 [k], the discount of each place
    """
    lengths = np.diff(relevant.indptr)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    best_first = gains[np.lexsort((-gains, rows))]
    places = np.arange(len(rows)) - np.repeat(relevant.indptr[:-1], lengths)
    within = places < len(discounts)
    ideal = np.bincount(rows[within], best_first[within] * discounts[places[within]], len(lengths))
    return ideal.astype(np.float64, copy=False)  # without any entry bincount counts in integers


class Recall(AccuracyMetric):
    """Recall@k: the number of hits in the first k places divided by the number R of relevant ids, not by min(k, R)."""

    name = "recall"

    def of(self, hits: Bools, relevant: Longs, k: int) -> Doubles:
        """Return the number of hits divided by the number of relevant ids: float64 [Q]."""
        return hits.sum(axis=1) / relevant


class Precision(AccuracyMetric):
    """Precision@k: the number of hits in the first k places divided by k, even if the slate is shorter."""

    name = "precision"

    def of(self, hits: Bools, relevant: Longs, k: int) -> Doubles:
        """Return the number of hits divided by k: float64 [Q]."""
        return hits.sum(axis=1) / k


class MeanAveragePrecision(AccuracyMetric):
    """MAP@k: the sum of the precision at each hit in the first k places, divided by min(k, number of relevant ids)."""

    name = "map"

    def of(self, hits: Bools, relevant: Longs, k: int) -> Doubles:
        """Return the average precision of each query, float64 [Q], whose mean over queries is MAP."""
        at_rank = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
        return (hits * at_rank).sum(axis=1) / np.minimum(relevant, k)


class ReciprocalRank(AccuracyMetric):
    """MRR@k: 1 / rank of the first hit; 0 for a query without a hit in the first k places (Voorhees 1999)."""

    name = "mrr"

    def of(self, hits: Bools, relevant: Longs, k: int) -> Doubles:
        """Return the reciprocal rank of each query, float64 [Q], whose mean over queries is MRR."""
        return (hits / np.arange(1, hits.shape[1] + 1)).max(axis=1, initial=0.0)


class HitRate(AccuracyMetric):
    """Hit rate@k: 1 if any of the first k ids is relevant, else 0."""

    name = "hit-rate"

    def of(self, hits: Bools, relevant: Longs, k: int) -> Doubles:
        """Return 1 for each query with a hit, and 0 for every other query: float64 [Q]."""
        return np.where(hits.any(axis=1), 1.0, 0.0)


class RPrecision(AccuracyMetric):
    """R-precision: the number of hits in the first R places divided by R, the number of relevant ids.

    Places beyond the end of the slate count as misses, so slates should be as wide as the largest R.
    """

    name = "r-precision"
    cut_off = False

    def of(self, hits: Bools, relevant: Longs, k: int) -> Doubles:
        """Return the number of hits within the first R places divided by R, where R is `relevant`: float64 [Q]."""
        within = np.arange(hits.shape[1]) < relevant[:, None]
        return (hits & within).sum(axis=1) / relevant


ACCURACY_METRICS: tuple[type[Metric], ...] = (
    Ndcg,
    Recall,
    Precision,
    MeanAveragePrecision,
    ReciprocalRank,
    HitRate,
    RPrecision,
)
