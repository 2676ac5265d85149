"""Base of feature-based rankers: training examples, cross-fitting, the guard, and item statistics."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hybridrec import Bools, Dataset, Doubles, Floats, Longs, Pool, QueryBatch, State, Target, kernels
from hybridrec_fusion.guard import Guarded, GuardedConfig, Verdict
from hybridrec_fusion.item_stats import Facts
from hybridrec_fusion.pool_columns import weigh_unscored_equally, weighed
from hybridrec_fusion.validation import EVERYWHERE, Validation

M = TypeVar("M")
_BLOCK = 512
"""Number of queries whose features are in memory at a time: about 100 MB for 500 candidates with 100 features."""


class LearnedConfig(GuardedConfig):
    """Options of fusions that learn from features of candidates: the candidates to learn from, and the guard."""

    depth: int = Field(50, ge=1)
    """Train on candidates that at least one column ranks this high or higher; lower ones are numerous and easy."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Training examples: R candidates of Q queries, grouped by query; each query has a relevant id among them.

    features: float32 [R, F]
    relevant: bool[R]
    sizes: int64[Q], number of candidates of each query
    wanted: int[Q], number of relevant ids of each query, including those that are not candidates
    weights: float64[Q], weight of each query
    parts: int64[Q], number of the part of the users to which the query's user belongs
    """

    features: Floats
    relevant: Bools
    sizes: Longs
    wanted: NDArray[np.integer]
    weights: Doubles
    parts: Longs

    def where(self, rows: Bools) -> Examples:
        """Return the examples of the queries for which `rows`, bool[Q], is true."""
        kept = np.repeat(rows, self.sizes)
        queries = (self.sizes[rows], self.wanted[rows], self.weights[rows], self.parts[rows])
        return Examples(self.features[kept], self.relevant[kept], *queries)


class LearnedRanker(Guarded, Generic[M]):
    """Fusion by models that score candidates by their features, the same models for all segments.

    The users of the validation queries are divided into parts. For each part a model is learned from the other parts,
    and judged on this part. Candidates are ranked by the mean of these models' scores; in segments where the guard
    finds the best single column at least as good, that column ranks instead.
    """

    Config = LearnedConfig
    config: LearnedConfig

    facts: dict[Target, Facts]
    names: tuple[str, ...]
    """Names of the features."""
    models: list[M]
    """Models, one for each part of the users that it was learned without; empty if there was nothing to learn from."""

    @abstractmethod
    def features(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Return the features of the candidates: name -> float32 [Q, K]."""

    @abstractmethod
    def train(self, examples: Examples, turn: int) -> M:
        """Learn a model from these examples and return it; `turn` is the number of the model, from 0."""

    @abstractmethod
    def predict(self, models: list[M], features: dict[str, Floats], pool: Pool) -> Floats:
        """Return the mean score of the models: float32 [Q, K]."""

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Compute the statistics of the ids of each target; return self."""
        self.facts = {target: Facts.of(data, target) for target in data.targets}
        return self

    def learn_from(self, validation: Validation, queries: QueryBatch, pool: Pool) -> None:
        """Learn a model for each part of the users, from the other parts, judge it on that part, and set `verdicts`."""
        examples, answered = self.examples(validation, queries, pool)
        gains = np.full(len(validation), np.nan)
        self.models = []
        for turn, (_, inside) in enumerate(validation.by_part()):
            self.models.append(self.train(examples.where(~inside[answered]), turn))
            asked, given = queries.take(np.flatnonzero(inside)), pool.take(inside)
            gains[inside] = validation.where(inside).ndcg(self.scores(self.models[-1:], asked, given))
        if not self.models:
            self.models = [self.train(examples, 0)]
        for segment, rows in validation.by_segment(self.config.min_queries):
            self.verdicts[segment] = Verdict.of(validation.where(rows), gains[rows])

    def learn_nothing(self) -> None:
        """Set no model, so that candidates are ranked by the sum of the columns."""
        self.verdicts = {EVERYWHERE: Verdict(0)}
        self.names, self.models = (), []

    def examples(self, validation: Validation, queries: QueryBatch, pool: Pool) -> tuple[Examples, Bools]:
        """Return the training examples, and bool[Q], true for the queries that they come from."""
        chosen = np.zeros(pool.ids.shape, bool)
        for values in pool.columns.values():
            chosen |= kernels.ranks(values) <= self.config.depth
        answered = (chosen & validation.relevant).sum(axis=1) > 0
        chosen[~answered] = False
        tables = []
        for rows in _blocks(len(queries)):
            features = self.features(queries.take(rows), pool.take(rows))
            tables.append(np.stack([values[chosen[rows]] for values in features.values()], axis=1))
        self.names = tuple(features)
        examples = Examples(
            features=np.concatenate(tables),
            relevant=validation.relevant[chosen],
            sizes=chosen.sum(axis=1)[answered],
            wanted=validation.wanted[answered],
            weights=validation.weights[answered],
            parts=validation.parts[answered],
        )
        return examples, answered

    def scores(self, models: list[M], queries: QueryBatch, pool: Pool) -> Floats:
        """Return the mean score of the models, float32 [Q, K], with one block of features in memory at a time."""
        parts = []
        for rows in _blocks(len(queries)):
            given = pool.take(rows)
            parts.append(self.predict(models, self.features(queries.take(rows), given), given))
        return np.concatenate(parts)

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Rank by the models, or by the best single column where the guard prefers it."""
        replaced = self.replaced(queries)
        final = np.sum(list(self.alone(queries, pool).values()), axis=0)
        if not replaced.all():
            final = np.where(replaced[:, None], final, self.scores(self.models, queries, pool))
        return pool.ranked(final)

    def replaced(self, queries: QueryBatch) -> Bools:
        """Return bool[Q]: true for queries that `alone` ranks instead of the models."""
        if not self.models:
            return np.ones(len(queries), bool)
        segments = queries.segments()
        replaced = np.full(len(queries), self.verdicts[EVERYWHERE].guarded)
        for segment, verdict in self.verdicts.items():
            replaced[segments == segment] = verdict.guarded
        return replaced

    def alone(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Return the summands of the final score where the models do not rank: label -> float32 [Q, K].

        Only the best single column has a weight; if nothing was learned, all columns have weight 1.
        """
        segments = queries.segments()
        weights = np.ones((len(self.labels), len(queries)), np.float32)
        if self.models:
            best = np.full(len(queries), self.verdicts[EVERYWHERE].single)
            for segment, verdict in self.verdicts.items():
                best[segments == segment] = verdict.single
            weights = np.eye(len(self.labels), dtype=np.float32)[best].T
        scaled = self.scaled(pool)
        columns = {label: scaled[label] for label in self.labels}
        return weighed(weigh_unscored_equally(weights, columns, pool), columns)

    def state(self) -> State:
        """Return the verdicts, the names of the features, and the statistics of each target."""
        state = super().state() | {"names": np.array(self.names, str), "targets": np.array(list(self.facts))}
        for target, facts in self.facts.items():
            state |= facts.state(target)
        return state

    def restore(self, state: State) -> Self:
        """Take the verdicts, the names of the features and the statistics from `state`; return self."""
        super().restore(state)
        self.names = tuple(str(name) for name in state["names"])
        self.facts = {target: Facts.restore(state, target) for target in map(str, state["targets"])}
        return self

    def summary(self) -> dict[str, Any]:
        """Return the verdicts by segment, and the importance of the features."""
        judgements = {segment: self.judgement(verdict) for segment, verdict in self.verdicts.items()}
        return {"segments": judgements, "features": self.importance()}

    @abstractmethod
    def importance(self) -> dict[str, float]:
        """Return the importance of each feature by name, highest first."""


def _blocks(queries: int) -> list[slice]:
    """Return the blocks of rows for this number of queries; one empty block for 0."""
    return [slice(start, start + _BLOCK) for start in range(0, max(queries, 1), _BLOCK)]
