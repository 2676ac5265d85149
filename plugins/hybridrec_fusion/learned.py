"""What all models of features share: examples to learn from, cross-fitting, the guard, and item statistics."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hybridrec import TARGETS, Bools, Dataset, Doubles, Floats, Longs, Pool, QueryBatch, State, Target, kernels
from hybridrec_fusion.columns import heard, weighed
from hybridrec_fusion.guard import Guarded, GuardedConfig, Verdict
from hybridrec_fusion.item_stats import Facts
from hybridrec_fusion.validation import EVERYWHERE, Validation

M = TypeVar("M")
_BLOCK = 512
"""Queries whose features exist at a time: some 100 MB for 500 candidates with 100 features."""


class LearnedConfig(GuardedConfig):
    """What a model is learned from."""

    depth: int = Field(50, ge=1)
    """Candidates that no column has among its first `depth` are not learned from: easy cases in great number."""


@dataclass(frozen=True, slots=True)
class Examples:
    """R candidates of Q queries, those of a query beside one another; every query has an answer among them.

    features: float32 [R, F]
    relevant: bool[R]
    sizes: int64[Q], candidates of each query
    wanted: int[Q], relevant ids in all, also those that are not among the candidates
    weights: float64[Q], what each query counts
    parts: int64[Q], the part of the users that its user belongs to
    """

    features: Floats
    relevant: Bools
    sizes: Longs
    wanted: NDArray[np.integer]
    weights: Doubles
    parts: Longs

    def where(self, rows: Bools) -> Examples:
        """The queries at which `rows` is true."""
        kept = np.repeat(rows, self.sizes)
        queries = (self.sizes[rows], self.wanted[rows], self.weights[rows], self.parts[rows])
        return Examples(self.features[kept], self.relevant[kept], *queries)


class LearnedRanker(Guarded, Generic[M]):
    """A model of features that ranks all segments alike, except those where the guard does not let it.

    The users of the validation queries are cut into parts; a model is learned without each of them and
    judged on it. The mean of these models' scores ranks.
    """

    Config = LearnedConfig
    config: LearnedConfig

    facts: dict[Target, Facts]
    names: tuple[str, ...]
    """Of the features."""
    models: list[M]
    """Learned without each part of the users; none if there was nothing to learn from."""

    @abstractmethod
    def features(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Name -> float32 [Q, K]."""

    @abstractmethod
    def train(self, examples: Examples, turn: int) -> M:
        """A model of these examples; `turn` counts the models, from 0."""

    @abstractmethod
    def predict(self, models: list[M], features: dict[str, Floats], pool: Pool) -> Floats:
        """Mean score of the models: float32 [Q, K]."""

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Count and describe the ids of both targets."""
        self.facts = {target: Facts.of(data, target) for target in TARGETS}
        return self

    def learn_from(self, validation: Validation, queries: QueryBatch, pool: Pool) -> None:
        """Learn without each part of the users, judge on it."""
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
        """There is no model; the columns are added up."""
        self.verdicts = {EVERYWHERE: Verdict(0)}
        self.names, self.models = (), []

    def examples(self, validation: Validation, queries: QueryBatch, pool: Pool) -> tuple[Examples, Bools]:
        """What there is to learn from, and which queries it comes from: bool[Q]."""
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
        """Mean score of the models: float32 [Q, K]; the features of a block of queries exist at a time."""
        parts = []
        for rows in _blocks(len(queries)):
            given = pool.take(rows)
            parts.append(self.predict(models, self.features(queries.take(rows), given), given))
        return np.concatenate(parts)

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """By the models; where they may not rank, by the column that stands in."""
        replaced = self.replaced(queries)
        final = np.sum(list(self.alone(queries, pool).values()), axis=0)
        if not replaced.all():
            final = np.where(replaced[:, None], final, self.scores(self.models, queries, pool))
        return pool.ranked(final)

    def replaced(self, queries: QueryBatch) -> Bools:
        """bool[Q]: the queries that the models do not rank."""
        if not self.models:
            return np.ones(len(queries), bool)
        segments = queries.segments()
        replaced = np.full(len(queries), self.verdicts[EVERYWHERE].guarded)
        for segment, verdict in self.verdicts.items():
            replaced[segments == segment] = verdict.guarded
        return replaced

    def alone(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """What ranks in the place of the models: the best single column; all, if there was nothing to learn from."""
        segments = queries.segments()
        weights = np.ones((len(self.labels), len(queries)), np.float32)
        if self.models:
            best = np.full(len(queries), self.verdicts[EVERYWHERE].single)
            for segment, verdict in self.verdicts.items():
                best[segments == segment] = verdict.single
            weights = np.eye(len(self.labels), dtype=np.float32)[best].T
        scaled = self.scaled(pool)
        columns = {label: scaled[label] for label in self.labels}
        return weighed(heard(weights, columns, pool), columns)

    def state(self) -> State:
        """The verdicts, the names of the features, and the facts of both targets."""
        facts = [self.facts[target].state(target) for target in TARGETS]
        return {**super().state(), "names": np.array(self.names, str), **facts[0], **facts[1]}

    def restore(self, state: State) -> Self:
        """The way back from `state`."""
        super().restore(state)
        self.names = tuple(str(name) for name in state["names"])
        self.facts = {target: Facts.restore(state, target) for target in TARGETS}
        return self

    def summary(self) -> dict[str, Any]:
        """The verdicts by segment, and what the features are worth."""
        judgements = {segment: self.judgement(verdict) for segment, verdict in self.verdicts.items()}
        return {"segments": judgements, "features": self.importance()}

    @abstractmethod
    def importance(self) -> dict[str, float]:
        """What each feature is worth to the models, by its name, the most important first."""


def _blocks(queries: int) -> list[slice]:
    """Rows in blocks; one empty block if there are none."""
    return [slice(start, start + _BLOCK) for start in range(0, max(queries, 1), _BLOCK)]
