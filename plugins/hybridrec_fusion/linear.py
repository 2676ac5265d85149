"""Linear ranker: a weighted sum of features, learned with a listwise softmax loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
from pydantic import Field

from hybridrec import Doubles, Floats, Pool, QueryBatch, State
from hybridrec_fusion.features import opinions, provenance, statistics
from hybridrec_fusion.learned import Examples, LearnedConfig, LearnedRanker


class LinearConfig(LearnedConfig):
    """Options of `linear`: the penalty on weights, and the options of fusions that learn from features."""

    depth: int = Field(20, ge=1)
    """Train on candidates that at least one column ranks this high or higher; lower ones are numerous and easy."""
    l2: float = Field(1e-3, ge=1e-9, le=1e12)
    """Penalty on the squared weights of standardised features, relative to the mean loss of a query."""


class Linear(LearnedRanker[Doubles]):
    """Linear model of features that minimizes a listwise loss: - log softmax(score), summed over relevant candidates.

    The softmax is taken over the candidates of a query. This is the loss of ListNet's top-one model with binary
    relevance (Cao, Qin, Liu, Tsai and Li 2007), which bounds 1 - nDCG (Bruch, Wang, Bendersky and Najork 2019). A
    relevant candidate weighs 1 over the number of all relevant ids of its query, proposed or not. A feature that is
    equal for all candidates of a query cannot order them, so it enters through its products with normalised scores. An
    unknown value is 0, with a flag feature for known values; a missing opinion is replaced according to `missing`, with
    a flag as well.
    """

    name = "linear"
    Config = LinearConfig
    config: LinearConfig

    def features(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Return name -> float32 [Q, K] without NaN; names of a column's features begin with its label and a colon."""
        return dict(self._features(queries, pool))

    def _features(self, queries: QueryBatch, pool: Pool) -> Iterator[tuple[str, Floats]]:
        """Yield (name, float32 [Q, K]) of every feature: 0 where unknown, with a flag feature for known values."""
        pool = pool.only(self.config.columns)
        filled = self.scaled(pool)
        flags = {field: queries.has(field).astype(np.float32)[:, None] for field in queries.fields}
        for label, feature, values in opinions(pool, self.config.normalise):
            is_given = ~np.isnan(values)
            if feature == "normalised":
                yield f"{label}: normalised", filled[label]
                yield f"{label}: has an opinion", is_given.astype(np.float32)
                for field, flag in flags.items():
                    yield f"{label}: normalised, knows {field}", filled[label] * flag
            else:
                yield f"{label}: {feature}", np.where(is_given, values, np.float32(0))
        yield from provenance(pool)
        for feature, values in statistics(queries, pool, self.facts[pool.target]):
            is_given = ~np.isnan(values)
            yield feature, np.where(is_given, values, np.float32(0))
            yield f"{feature}, known", is_given.astype(np.float32)

    def train(self, examples: Examples, turn: int) -> Doubles:
        """Learn the weights of the features, float64[F], by L-BFGS."""
        from scipy.optimize import minimize

        if not len(examples.sizes):
            return np.zeros(examples.features.shape[1])
        scale = examples.features.std(axis=0, dtype=np.float64)
        scale[scale < 1e-9] = np.inf  # a constant feature cannot order: weight 0
        loss = SoftmaxLoss(examples, scale, self.config.l2)
        return minimize(loss, np.zeros(len(scale)), jac=True, method="L-BFGS-B").x / scale

    def predict(self, models: list[Doubles], features: dict[str, Floats], pool: Pool) -> Floats:
        """Return the sum of the features, each times the mean of its weights in the models: float32 [Q, K]."""
        final = np.zeros(pool.ids.shape, np.float32)
        for weight, values in zip(np.mean(models, axis=0), features.values(), strict=True):
            final += np.float32(weight) * values
        return final

    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Return the summands of the score: label of a column, or name of another feature -> float32 [Q, K].

        The summand of a column is the sum of its features' summands.
        """
        replaced = self.replaced(queries)[:, None]
        parts = {
            label: np.where(replaced, contribution, 0) for label, contribution in self.alone(queries, pool).items()
        }
        if replaced.all():
            return parts
        features = self.features(queries, pool)
        for weight, (name, values) in zip(np.mean(self.models, axis=0), features.items(), strict=True):
            owner, before = name.partition(":")[0], np.float32(0)
            contribution = np.where(replaced, np.float32(0), np.float32(weight) * values)
            parts[owner] = parts.get(owner, before) + contribution
        return parts

    def importance(self) -> dict[str, float]:
        """Return the mean weight of each feature over the models, by name, the largest absolute value first."""
        means = np.mean(self.models, axis=0) if self.models else np.empty(0)
        order = np.argsort(-np.abs(means), kind="stable")
        return {self.names[place]: round(float(means[place]), 5) for place in order}

    def state(self) -> State:
        """Return the weights, [models, features], and the state of `LearnedRanker`."""
        return {**super().state(), "weights": np.array(self.models).reshape(len(self.models), len(self.names))}

    def restore(self, state: State) -> Self:
        """Take the weights and the state of `LearnedRanker` from `state`; return self."""
        super().restore(state)
        self.models = list(state["weights"])
        return self


class SoftmaxLoss:
    """Mean softmax loss of the queries, and its gradient, as a function of the weights of F features.

    The features of the examples are divided by `scale`, float64 [F]. The squared weights have the penalty `l2` / 2.
    """

    def __init__(self, examples: Examples, scale: Doubles, l2: float) -> None:
        self.features = examples.features / scale.astype(np.float32)
        self.sizes = examples.sizes
        self.starts = np.concatenate(([0], np.cumsum(examples.sizes)[:-1]))
        self.l2 = l2
        shares = examples.weights / examples.weights.sum()
        self.targets = examples.relevant * np.repeat(shares / examples.wanted, self.sizes)
        self.masses = np.add.reduceat(self.targets, self.starts)

    def __call__(self, weights: Doubles) -> tuple[float, Doubles]:
        """Return the loss and the gradient, float64[F]."""
        scores = (self.features @ weights.astype(np.float32)).astype(np.float64)
        scores -= np.repeat(np.maximum.reduceat(scores, self.starts), self.sizes)
        odds = np.exp(scores)
        totals = np.add.reduceat(odds, self.starts)
        loss = self.masses @ np.log(totals) - self.targets @ scores + self.l2 / 2 * weights @ weights
        slope = odds * np.repeat(self.masses / totals, self.sizes) - self.targets
        return float(loss), (slope.astype(np.float32) @ self.features).astype(np.float64) + self.l2 * weights
