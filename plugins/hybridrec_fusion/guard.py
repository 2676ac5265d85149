"""The guard of all that learns: a blend ranks a segment only if it does so better than the best single column."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from pydantic import Field

from hybridrec import (
    TARGETS,
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
from hybridrec_fusion.columns import Missing, normalised
from hybridrec_fusion.normalisers import ZScore
from hybridrec_fusion.validation import Validation


class GuardedConfig(Options):
    """What a blend is learned for, and how it is judged."""

    k: int = Field(20, ge=1)
    """Cut-off of the nDCG that the blend is to raise."""
    normalise: NormaliserUse = Field(default_factory=ZScore, json_schema_extra={"default": "zscore"})
    """Scale of each column within its row: the name of a normaliser, or `{use: NAME, ...}` with its options."""
    missing: Missing = "lowest"
    """What a candidate gets from a model without an opinion on it: that model's lowest or mean value in the row."""
    min_queries: int = Field(50, ge=1)
    """Fewest validation queries for a segment to be judged on its own."""
    parts: int = Field(5, ge=2)
    """Into how many parts the validation users are cut: the blend is learned without each part, and judged on it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a blend may rank a segment.

    single: the column that ranks best alone
    blend_value, single_value: mean nDCG@k of both on users they were not chosen on; NaN if there are too few
    """

    single: int
    blend_value: float = np.nan
    single_value: float = np.nan

    @property
    def guarded(self) -> bool:
        """Whether the best single column stands in for the blend."""
        return self.blend_value <= self.single_value

    @classmethod
    def of(cls, validation: Validation, blend: Doubles) -> Verdict:
        """On the nDCG@k of each query, float64 [Q], under what was learned without the query's part of the users.

        The column beside it is the one that was best without that part, too.
        """
        alone = np.eye(len(validation.columns))
        single = np.full(len(validation), np.nan)
        for _, inside in validation.by_part():
            best = validation.where(~inside).best_single()
            single[inside] = validation.where(inside).gains(alone[best])
        return cls(validation.best_single(), validation.mean(blend), validation.mean(single))


class Guarded(Reranker):
    """A fusion that learns from validation queries, and gives way where that did not pay.

    All queries of a user belong to one part, so none judges what another of the same user taught.
    """

    Config = GuardedConfig
    config: GuardedConfig
    learns = True
    fuses = True
    targets = TARGETS

    labels: tuple[str, ...]
    verdicts: dict[str, Verdict]
    """By segment; "all" holds for segments that are not named."""

    def learn(self, queries: QueryBatch, pool: Pool, truth: Sparse, weights: Doubles, units: Ints) -> Self:
        """Learn from the queries that have an answer and a weight."""
        self.labels = tuple(pool.columns)
        wanted = np.diff(truth.indptr)
        judged = (wanted > 0) & (weights > 0)
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
        if judged.any():
            self.learn_from(validation.where(judged), queries.take(np.flatnonzero(judged)), pool.take(judged))
        else:
            self.learn_nothing()
        return self

    @abstractmethod
    def learn_from(self, validation: Validation, queries: QueryBatch, pool: Pool) -> None:
        """Learn, and set the verdicts; queries and pool are those of `validation`."""

    @abstractmethod
    def learn_nothing(self) -> None:
        """There was no query to learn from: all columns count alike."""

    def scaled(self, pool: Pool) -> dict[str, Floats]:
        """Every column on the common scale: label -> float32 [Q, K]."""
        return normalised(pool, self.config.normalise, self.config.missing)

    def state(self) -> State:
        """Labels, and the verdict on each segment: singles, and values [segments, 2]."""
        verdicts = self.verdicts.values()
        return {
            "labels": np.array(self.labels),
            "segments": np.array(list(self.verdicts)),
            "singles": np.array([verdict.single for verdict in verdicts]),
            "values": np.array([[verdict.blend_value, verdict.single_value] for verdict in verdicts]),
        }

    def restore(self, state: State) -> Self:
        """The way back from `state`."""
        self.labels = tuple(str(label) for label in state["labels"])
        rows = zip(state["segments"], state["singles"], state["values"], strict=True)
        self.verdicts = {str(name): Verdict(int(single), float(b), float(s)) for name, single, (b, s) in rows}
        return self

    def judgement(self, verdict: Verdict) -> dict[str, Any]:
        """A verdict as JSON: the best single column, nDCG@k of both out of sample, and whether the column ranks."""
        values = {"blend": verdict.blend_value, "best_single": verdict.single_value}
        return {
            "best_single": self.labels[verdict.single],
            f"validation_ndcg@{self.config.k}": {
                name: None if np.isnan(value) else round(value, 5) for name, value in values.items()
            },
            "guarded": verdict.guarded,
        }

    def notes(self) -> list[str]:
        """Where the guard took over."""
        return [
            f"in segment '{segment}' the blend was no better than '{self.labels[verdict.single]}' on validation users "
            f"it was not learned on (nDCG@{self.config.k} {verdict.blend_value:.4f}, {verdict.single_value:.4f}), "
            f"which ranks alone there"
            for segment, verdict in self.verdicts.items()
            if verdict.guarded
        ]
