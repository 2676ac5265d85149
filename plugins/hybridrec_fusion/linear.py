"""A linear ranker: a weighted sum of features, learned with a listwise softmax loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
from pydantic import Field

from hybridrec import FIELDS, Doubles, Floats, Pool, QueryBatch, State
from hybridrec_fusion.features import opinions, provenance, statistics
from hybridrec_fusion.learned import Examples, LearnedConfig, LearnedRanker


class LinearConfig(LearnedConfig):
    """What is learned, and how freely."""

    depth: int = Field(20, ge=1)
    """Candidates that no column has among its first `depth` are not learned from: easy cases in great number."""
    l2: float = Field(1e-3, gt=0)
    """Strength of the penalty on the squared weights of standardised features, beside the mean loss of a query."""


class Linear(LearnedRanker[Doubles]):
    """A linear model of features, learned listwise: -sum over the answers of log softmax(score), a query at a time.

    The loss of ListNet's top-one model with binary relevance (Cao, Qin, Liu, Tsai and Li 2007), which bounds
    1 - nDCG (Bruch, Wang, Bendersky and Najork 2019). An answer of a query weighs 1 / the number of all its
    answers, found or not. What says the same of all candidates of a query cannot order them, so it counts
    through its products with normalised scores. An unknown value is 0, beside a flag that says that it is known;
    a missing opinion is what `missing` says, beside its flag.
    """

    name = "linear"
    Config = LinearConfig
    config: LinearConfig

    def features(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Without NaN; the part of a name before the colon is the label of a column, if there is one."""
        return dict(self._features(queries, pool))

    def _features(self, queries: QueryBatch, pool: Pool) -> Iterator[tuple[str, Floats]]:
        """Name and values, float32 [Q, K], of every feature; 0 where it is unknown, as a flag beside it tells."""
        filled = self.scaled(pool)
        flags = {field: queries.knows(field).astype(np.float32)[:, None] for field in FIELDS}
        for label, feature, values in opinions(pool, self.config.normalise):
            known = ~np.isnan(values)
            if feature == "normalised":
                yield f"{label}: normalised", filled[label]
                yield f"{label}: has an opinion", known.astype(np.float32)
                for field, flag in flags.items():
                    yield f"{label}: normalised, knows {field}", filled[label] * flag
            else:
                yield f"{label}: {feature}", np.where(known, values, np.float32(0))
        yield from provenance(pool)
        for feature, values in statistics(queries, pool, self.facts[pool.target]):
            known = ~np.isnan(values)
            yield feature, np.where(known, values, np.float32(0))
            yield f"{feature}, known", known.astype(np.float32)

    def train(self, examples: Examples, turn: int) -> Doubles:
        """Weights of the features, float64[F], by L-BFGS."""
        from scipy.optimize import minimize

        if not len(examples.sizes):
            return np.zeros(examples.features.shape[1])
        scale = examples.features.std(axis=0, dtype=np.float64)
        scale[scale < 1e-9] = np.inf  # a constant orders nothing: weight 0
        loss = SoftmaxLoss(examples, scale, self.config.l2)
        return minimize(loss, np.zeros(len(scale)), jac=True, method="L-BFGS-B").x / scale

    def predict(self, models: list[Doubles], features: dict[str, Floats], pool: Pool) -> Floats:
        """Sum of weight times feature."""
        final = np.zeros(pool.ids.shape, np.float32)
        for weight, values in zip(np.mean(models, axis=0), features.values(), strict=True):
            final += np.float32(weight) * values
        return final

    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """What each column adds through its features, and what each other feature adds."""
        replaced = self.replaced(queries)[:, None]
        parts = {label: np.where(replaced, part, 0) for label, part in self.alone(queries, pool).items()}
        if replaced.all():
            return parts
        features = self.features(queries, pool)
        for weight, (name, values) in zip(np.mean(self.models, axis=0), features.items(), strict=True):
            owner, before = name.partition(":")[0], np.float32(0)
            part = np.where(replaced, np.float32(0), np.float32(weight) * values)
            parts[owner] = parts.get(owner, before) + part
        return parts

    def importance(self) -> dict[str, float]:
        """The mean weights of the models."""
        means = np.mean(self.models, axis=0) if self.models else np.empty(0)
        order = np.argsort(-np.abs(means), kind="stable")
        return {self.names[place]: round(float(means[place]), 5) for place in order}

    def state(self) -> State:
        """The weights, [models, features], beside what all rankers keep."""
        return {**super().state(), "weights": np.array(self.models).reshape(len(self.models), len(self.names))}

    def restore(self, state: State) -> Self:
        """The way back from `state`."""
        super().restore(state)
        self.models = list(state["weights"])
        return self


class SoftmaxLoss:
    """Mean softmax loss of the queries and its gradient, as a function of the weights of standardised features."""

    def __init__(self, examples: Examples, scale: Doubles, l2: float) -> None:
        self.features = examples.features / scale.astype(np.float32)
        self.sizes = examples.sizes
        self.starts = np.concatenate(([0], np.cumsum(examples.sizes)[:-1]))
        self.l2 = l2
        shares = examples.weights / examples.weights.sum()
        self.targets = examples.relevant * np.repeat(shares / examples.wanted, self.sizes)
        self.masses = np.add.reduceat(self.targets, self.starts)

    def __call__(self, weights: Doubles) -> tuple[float, Doubles]:
        """Loss and gradient, float64[F]."""
        scores = (self.features @ weights.astype(np.float32)).astype(np.float64)
        scores -= np.repeat(np.maximum.reduceat(scores, self.starts), self.sizes)
        odds = np.exp(scores)
        totals = np.add.reduceat(odds, self.starts)
        loss = self.masses @ np.log(totals) - self.targets @ scores + self.l2 / 2 * weights @ weights
        slope = odds * np.repeat(self.masses / totals, self.sizes) - self.targets
        return float(loss), (slope.astype(np.float32) @ self.features).astype(np.float64) + self.l2 * weights
