"""LambdaMART: regression trees boosted for ranking, by LightGBM."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import Field

from hybridrec import Doubles, Floats, MissingDependencyError, Pool, QueryBatch, State
from hybridrec_fusion.features import features
from hybridrec_fusion.learned import Examples, LearnedConfig, LearnedRanker

if TYPE_CHECKING:
    from lightgbm import Booster


class LambdaMARTConfig(LearnedConfig):
    """Options of `lambdamart`: the number and size of the trees, and the options of every fusion by learned models."""

    trees: int = Field(300, ge=1)
    """Largest number of trees of a model; growth ends earlier if more trees do not help on held-out users."""
    patience: int = Field(30, ge=1)
    """Number of consecutive trees without a better nDCG on held-out users after which growth ends."""
    learning_rate: float = Field(0.05, gt=0, le=1)
    """Factor by which each tree's values are multiplied (shrinkage)."""
    leaves: int = Field(15, ge=2)
    """Largest number of leaves of a tree."""
    min_leaf: int = Field(200, ge=1)
    """Smallest number of candidates in a leaf."""


class Trees:
    """LightGBM model, kept as text that is parsed on first use; with an empty text all candidates score 0."""

    def __init__(self, text: str, gains: Doubles) -> None:
        self.text = text
        self.gains = gains
        """Total gain of the splits on each feature, float64[F]."""

    @cached_property
    def booster(self) -> Booster:
        """Parsed model, ready to predict."""
        from lightgbm import Booster

        return Booster(model_str=self.text)

    def parse(self) -> Self:
        """Parse the text now, so that no query waits for it; return self.

        Raises MissingDependencyError if LightGBM is not installed, or misses a library of the system (OpenMP).
        """
        if self.text:
            try:
                _ = self.booster
            except ImportError as error:
                hint = LambdaMART.install_hint
                raise MissingDependencyError(f"'lambdamart' needs LightGBM: {error}: {hint}") from error
            except OSError as error:
                raise MissingDependencyError(f"'lambdamart' needs LightGBM, which cannot be loaded: {error}") from error
        return self

    def scores(self, matrix: Floats) -> Doubles:
        """Return the scores of R candidates, float64[R], by their features, float32 [R, F]."""
        if not self.text or not len(matrix):
            return np.zeros(len(matrix))
        return np.asarray(self.booster.predict(matrix, num_threads=1))


class LambdaMART(LearnedRanker[Trees]):
    """Gradient-boosted trees on the lambdas of nDCG@k (Burges 2010), grown by LightGBM's `lambdarank`.

    Trees are given every feature, and an unknown value as NaN; they find products of features on their own. A model
    learns its trees from all parts of the users but two. One of the two parts ends its growth: no trees are added once
    its nDCG@k there falls. On the other part the guard compares the model with the best single column. A relevant id
    that no generator proposed lowers the nDCG of its query, and thereby the weight of the query.
    """

    name = "lambdamart"
    Config = LambdaMARTConfig
    config: LambdaMARTConfig
    requires = ("lightgbm",)
    install_hint = "pip install 'hybridrec[lightgbm]'"

    def features(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Return all features by name: float32 [Q, K], NaN where unknown."""
        pool = pool.only(self.config.columns)
        return dict(features(queries, pool, self.facts[pool.target], self.config.normalise))

    def train(self, examples: Examples, turn: int) -> Trees:
        """Train on all parts of the users in `examples` but one; end when more trees do not improve nDCG@k on that one.

        `turn`, the number of the model, decides which part is left out.
        """
        import lightgbm

        parts = np.unique(examples.parts)
        if not len(parts):
            return Trees("", np.zeros(examples.features.shape[1]))
        held = examples.parts == parts[turn % len(parts)] if len(parts) > 1 else np.zeros(len(examples.parts), bool)
        grown = _dataset(examples.where(~held), self.config.k)
        stopping: dict[str, Any] = {}
        if held.any():
            stopping["valid_sets"] = [_dataset(examples.where(held), self.config.k, reference=grown)]
            stopping["callbacks"] = [lightgbm.early_stopping(self.config.patience, verbose=False)]
        booster = lightgbm.train(self._parameters(), grown, self.config.trees, **stopping)
        used = booster.best_iteration if held.any() else None
        gains = booster.feature_importance("gain", iteration=used)
        return Trees(booster.model_to_string(num_iteration=used), gains)

    def predict(self, models: list[Trees], features: dict[str, Floats], pool: Pool) -> Floats:
        """Return the mean of the models' scores: float32 [Q, K], 0 at padding."""
        valid = pool.valid
        matrix = np.stack([values[valid] for values in features.values()], axis=1)
        final = np.zeros(pool.ids.shape, np.float32)
        final[valid] = np.mean([model.scores(matrix) for model in models], axis=0)
        return final

    def importance(self) -> dict[str, float]:
        """Return the share of each feature in the gain of all splits; features without a split are left out."""
        gains = np.sum([model.gains for model in self.models], axis=0) if self.models else np.zeros(0)
        order = np.argsort(-gains, kind="stable")
        return {self.names[place]: round(float(gains[place] / gains.sum()), 5) for place in order if gains[place]}

    def state(self) -> State:
        """Return the models as joined UTF-8 bytes, the end of each, their gains, and the state of `LearnedRanker`."""
        texts = [model.text.encode() for model in self.models]
        gains = np.array([model.gains for model in self.models])
        return {
            **super().state(),
            "models": np.frombuffer(b"".join(texts), np.uint8),
            "ends": np.cumsum([len(text) for text in texts], dtype=np.int64),
            "gains": gains.reshape(len(texts), len(self.names)),
        }

    def restore(self, state: State) -> Self:
        """Take the models and the state of `LearnedRanker` from `state`; return self. Raises as `Trees.parse`."""
        super().restore(state)
        texts = np.split(state["models"], state["ends"])[:-1]
        self.models = [
            Trees(text.tobytes().decode(), gains).parse() for text, gains in zip(texts, state["gains"], strict=True)
        ]
        return self

    def _parameters(self) -> dict[str, Any]:
        return {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [self.config.k],
            "lambdarank_truncation_level": self.config.k
            + 10,  # so that pairs with one member just below place k count, too
            "learning_rate": self.config.learning_rate,
            "num_leaves": self.config.leaves,
            "min_data_in_leaf": self.config.min_leaf,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }


def _dataset(examples: Examples, k: int, reference: Any = None) -> Any:
    """Convert the examples to a LightGBM dataset; `reference` is the dataset of the training examples, if there is one.

    The weight of each query is multiplied by a factor, so that relevant ids which no generator proposed lower it: the
    ideal DCG@k of its relevant candidates divided by the ideal DCG@k of all its relevant ids.
    """
    import lightgbm

    starts = np.concatenate(([0], np.cumsum(examples.sizes)[:-1]))
    ideal = np.concatenate(([0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))))
    hits = np.add.reduceat(examples.relevant.astype(np.int64), starts)
    weights = examples.weights * ideal[np.minimum(hits, k)] / ideal[np.minimum(examples.wanted, k)]
    return lightgbm.Dataset(
        examples.features,
        label=examples.relevant.astype(np.float32),
        group=examples.sizes,
        weight=np.repeat(weights, examples.sizes),
        reference=reference,
        free_raw_data=True,
    )
