"""Guard of learned blends: a blend ranks a segment only if it does so better than the best single column."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from pydantic import Field

from hybridrec import (
    EVERY_KIND,
    ColumnPattern,
    Doubles,
    Floats,
    Ints,
    NormaliserUse,
    Options,
    Pool,
    QueryBatch,
    Reranker,
    Sparse,
    State,
    kernels,
)
from hybridrec_fusion.normalisers import ZScore
from hybridrec_fusion.pool_columns import Missing, normalised
from hybridrec_fusion.validation import Validation


class GuardedConfig(Options):
    """Options of fusions that learn a blend and compare it with the best single column.

    These options choose the columns, their common scale, and the validation queries on which the blend is judged.
    """

    k: int = Field(20, ge=1)
    """Cut-off of the nDCG to maximize."""
    normalise: NormaliserUse = Field(default_factory=ZScore, json_schema_extra={"default": "zscore"})
    """Scale of each column within its row: the name of a normaliser, or `{use: NAME, ...}` with its options."""
    missing: Missing = "lowest"
    """Value of a candidate on which a model has no opinion: that model's lowest or mean value in the row."""
    columns: list[ColumnPattern] = Field(default_factory=list)
    """Columns to learn from, by name or by pattern such as `content.*`; all if empty. Columns left out have no
    influence."""
    min_queries: int = Field(50, ge=1)
    """Smallest number of validation queries with which a segment is judged separately."""
    parts: int = Field(5, ge=2)
    """Number of parts of the validation users; each part judges a blend that was learned on the other parts."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Comparison of a blend with the best single column in a segment, by which the guard decides which of them ranks.

    single: index of the column that ranks best alone
    blend_value, single_value: mean nDCG@k of the blend and of the best column, each on users that it was not chosen
        on; NaN if there are too few users for that
    """

    single: int
    blend_value: float = np.nan
    single_value: float = np.nan

    @property
    def guarded(self) -> bool:
        """True if the blend is not better than the best single column, which then replaces it."""
        return self.blend_value <= self.single_value

    @classmethod
    def of(cls, validation: Validation, blend: Doubles) -> Verdict:
        """Compare a blend with the best single column on users that neither was chosen on.

        `blend`, float64 [Q], is the nDCG@k of each query by the blend that was learned without the query's part of the
        users. It is compared with the nDCG@k of the column that is best without that part.
        """
        alone = np.eye(len(validation.columns))
        single = np.full(len(validation), np.nan)
        for _, inside in validation.by_part():
            best = validation.where(~inside).best_single()
            single[inside] = validation.where(inside).gains(alone[best])
        return cls(validation.best_single(), validation.mean(blend), validation.mean(single))


class Guarded(Reranker):
    """Fusion that learns a blend on validation queries, and ranks by one column where the blend was not better.

    All queries of a user belong to the same part of the validation users, so that no query judges a blend that was
    learned from another query of its user.
    """

    Config = GuardedConfig
    config: GuardedConfig
    learns = True
    fuses = True
    targets = (EVERY_KIND,)

    labels: tuple[str, ...]
    verdicts: dict[str, Verdict]
    """Segment -> comparison of the blend with the best single column; "all" applies to segments that are not named."""

    def fit_on_predictions(self, queries: QueryBatch, pool: Pool, truth: Sparse, weights: Doubles, units: Ints) -> Self:
        """Learn from the queries that have a relevant id and a weight above 0; return self."""
        pool = pool.only(self.config.columns)
        self.labels = tuple(pool.columns)
        wanted = np.diff(truth.indptr)
        eval_batch = (wanted > 0) & (weights > 0)
        validation = Validation(
            columns=np.stack(list(self.scaled(pool).values())),
            valid=pool.valid,
            relevant=kernels.hits(pool.ids, truth),
            wanted=wanted,
            weights=weights,
            segments=queries.segments(),
            parts=np.unique(units, return_inverse=True)[1] % self.config.parts,
            k=self.config.k,
        )
        self.verdicts = {}
        if eval_batch.any():
            self.learn_from(
                validation.where(eval_batch), queries.take(np.flatnonzero(eval_batch)), pool.take(eval_batch)
            )
        else:
            self.learn_nothing()
        return self

    @abstractmethod
    def learn_from(self, validation: Validation, queries: QueryBatch, pool: Pool) -> None:
        """Learn a blend, and set `verdicts`; `queries` and `pool` have the same rows as `validation`."""

    @abstractmethod
    def learn_nothing(self) -> None:
        """Weight all columns equally, because there was no query to learn from."""

    def scaled(self, pool: Pool) -> dict[str, Floats]:
        """Return the columns of the option `columns` on the common scale: label -> float32 [Q, K], without NaN."""
        return normalised(pool.only(self.config.columns), self.config.normalise, self.config.missing)

    def state(self) -> State:
        """Return the labels, and for each segment the best single column and the nDCG@k of blend and column."""
        verdicts = self.verdicts.values()
        return {
            "labels": np.array(self.labels),
            "segments": np.array(list(self.verdicts)),
            "singles": np.array([verdict.single for verdict in verdicts]),
            "values": np.array([[verdict.blend_value, verdict.single_value] for verdict in verdicts]),
        }

    def restore(self, state: State) -> Self:
        """Take labels and verdicts from `state`; return self."""
        self.labels = tuple(str(label) for label in state["labels"])
        rows = zip(state["segments"], state["singles"], state["values"], strict=True)
        self.verdicts = {str(name): Verdict(int(single), float(b), float(s)) for name, single, (b, s) in rows}
        return self

    def judgement(self, verdict: Verdict) -> dict[str, Any]:
        """Return a verdict as JSON: the best column, the nDCG@k of blend and column, and True if the column ranks."""
        values = {"blend": verdict.blend_value, "best_single": verdict.single_value}
        return {
            "best_single": self.labels[verdict.single],
            f"validation_ndcg@{self.config.k}": {
                name: None if np.isnan(value) else round(value, 5) for name, value in values.items()
            },
            "guarded": verdict.guarded,
        }

    def notes(self) -> list[str]:
        """Return a sentence for each segment in which the best single column replaced the blend."""
        return [
            f"in segment '{segment}' the blend was no better than '{self.labels[verdict.single]}' on validation users "
            f"that it was not learned from (nDCG@{self.config.k} {verdict.blend_value:.4f}, "
            f"{verdict.single_value:.4f}), so that column alone ranks there"
            for segment, verdict in self.verdicts.items()
            if verdict.guarded
        ]
