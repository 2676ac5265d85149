"""Weighted sums of columns; weights are searched on all validation queries, and on the queries of each segment."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np

from hybridrec import Doubles, Pool, QueryBatch, State
from hybridrec_fusion.guard import Guarded, Verdict
from hybridrec_fusion.pool_columns import Weighing, WeightedColumns, weigh_unscored_equally
from hybridrec_fusion.validation import EVERYWHERE, Validation


class SearchedWeights(Guarded, WeightedColumns):
    """Weighted sum of normalised scores; a subclass implements the search for weights.

    The users of the validation queries are divided into parts. For each part, weights are found on the other parts and
    judged on that part. The blend uses the mean of these weights.
    """

    weights: dict[str, Doubles]
    """Segment -> weights, float64[L]; where a single column replaced the blend, 1 for it and 0 for all others."""

    @abstractmethod
    def search(self, validation: Validation, starts: list[Doubles]) -> Doubles:
        """Search for weights, float64[L], not negative and not all 0, that rank these queries well.

        `starts` are weights that rank a larger set of queries, including these, well.
        """

    def learn_from(self, validation: Validation, queries: QueryBatch, pool: Pool) -> None:
        """Search for weights on all queries first, then on each segment with enough of them.

        Each part of the users is judged with weights that were found on the other parts.
        """
        self.weights = {}
        everywhere: dict[int, Doubles] = {}
        for segment, rows in validation.by_segment(self.config.min_queries):
            here = validation.where(rows)
            weights_without: dict[int, Doubles] = {}
            gains = np.full(len(here), np.nan)
            for number, inside in here.by_part():
                starts = [everywhere[number]] if number in everywhere else []
                weights_without[number] = self.search(here.where(~inside), starts)
                gains[inside] = here.where(inside).gains(weights_without[number])
            verdict = Verdict.of(here, gains)
            if verdict.guarded:
                weights = np.eye(len(self.labels))[verdict.single]
            elif weights_without:
                weights = np.mean(list(weights_without.values()), axis=0)
            else:
                weights = self.search(here, list(everywhere.values()))
            if segment == EVERYWHERE:
                everywhere = weights_without
            self.verdicts[segment] = verdict
            self.weights[segment] = weights / weights.max()

    def learn_nothing(self) -> None:
        """Set all weights to 1."""
        self.verdicts = {EVERYWHERE: Verdict(0)}
        self.weights = {EVERYWHERE: np.ones(len(self.labels))}

    def weighing(self, queries: QueryBatch, pool: Pool) -> Weighing:
        """Return the weights of each query's segment, float32 [L, Q], and the L normalised columns, float32 [Q, K]."""
        scaled = self.scaled(pool)
        columns = {label: scaled[label] for label in self.labels}
        segments = queries.segments()
        chosen = np.tile(self.weights[EVERYWHERE], (len(queries), 1))
        for segment, weights in self.weights.items():
            chosen[segments == segment] = weights
        return weigh_unscored_equally(chosen.astype(np.float32).T, columns, pool), columns

    def state(self) -> State:
        """Return the labels and verdicts, and the weights, [segments, labels]."""
        return {**super().state(), "weights": np.stack(list(self.weights.values()))}

    def restore(self, state: State) -> Self:
        """Take labels, verdicts and weights from `state`; return self."""
        super().restore(state)
        self.weights = dict(zip(self.verdicts, state["weights"], strict=True))
        return self

    def summary(self) -> dict[str, Any]:
        """Return for each segment the weights by label, and the comparison with the best single column."""
        return {
            segment: {"weights": self._by_label(self.weights[segment]), **self.judgement(verdict)}
            for segment, verdict in self.verdicts.items()
        }

    def _by_label(self, weights: Doubles) -> dict[str, float]:
        return {label: round(float(weight), 4) for label, weight in zip(self.labels, weights, strict=True)}
