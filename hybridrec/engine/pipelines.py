"""Pipelines on fitted components, with the keys of all that decides their slates."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from hybridrec.config.experiment import PipelinePlan
from hybridrec.config.models import Lists
from hybridrec.data.dataset import Dataset
from hybridrec.data.fingerprint import fingerprint
from hybridrec.engine.fit import Fitted
from hybridrec.engine.keys import digest
from hybridrec.errors import DataError
from hybridrec.stages.component import Generator, Reranker, Scorer
from hybridrec.stages.pipeline import Pipeline, Rules, Source
from hybridrec.types import Bools, Target


class Arm:
    """A pipeline on one training part, with the keys of all that decides what it gives.

    rules_key stands for what may be recommended, pool_key for generators, scorers and rules, order_key
    for the re-rankers and the fallback. The pipeline itself is put together when it is first needed:
    where the store has all the answers, no component is read.
    """

    def __init__(self, plan: PipelinePlan, fitted: Mapping[str, Fitted], rules: Rules, rerankers: Rerankers) -> None:
        use = plan.use
        self.plan = plan
        self.rules = rules
        self.rerankers = rerankers
        self._fitted = fitted
        self._lock = threading.Lock()
        self._pipeline: Pipeline | None = None
        self.rules_key = digest(rules.seen, fingerprint(*rules.allowed.values(), rules.released))
        self.pool_key = digest(
            [[g.source, fitted[g.source].key, g.k, g.when] for g in use.generators],
            [[label, fitted[label].key] for label in use.scorers],
            self.rules_key,
        )
        self.order_key = digest(rerankers.keys, [fitted[label].key for label in use.fallback])

    @property
    def name(self) -> str:
        """The name of the pipeline."""
        return self.plan.name

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline, ready to be asked."""
        with self._lock:
            if self._pipeline is None:
                self._pipeline = self._assemble()
            return self._pipeline

    def _assemble(self) -> Pipeline:
        use, fitted = self.plan.use, self._fitted
        return Pipeline(
            name=self.plan.name,
            sources=tuple(
                Source(g.source, cast(Generator, fitted[g.source].component), g.k, tuple(g.when))
                for g in use.generators
            ),
            scorers=tuple((label, cast(Scorer, fitted[label].component)) for label in use.scorers),
            rerankers=self.rerankers.chains,
            fallback=tuple((label, cast(Generator, fitted[label].component)) for label in use.fallback),
            rules=self.rules,
        )


@dataclass(frozen=True, slots=True)
class Rerankers:
    """The re-rankers of a pipeline, ready for use, and the keys of their options and of what they learned."""

    chains: dict[Target, tuple[Reranker, ...]]
    keys: list[str]


NO_RERANKERS = Rerankers({}, [])


def rules_of(plan: PipelinePlan, data: Dataset) -> Rules:
    """The rules of a pipeline in the codes of the data."""
    allowed: Bools | None = None
    if plan.use.allow is not None:
        allowed = np.zeros(len(data.items), bool)
        allowed[_codes(plan.use.allow, data, plan.name, "allow")] = True
    if plan.use.block is not None:
        allowed = np.ones(len(data.items), bool) if allowed is None else allowed
        allowed[_codes(plan.use.block, data, plan.name, "block")] = False
    if plan.use.released and data.item_times is None:
        raise DataError(f"pipelines.{plan.name}.released: the items of the data have no times; leave `released` out")
    released = data.item_times if plan.use.released else None
    return Rules(plan.use.seen, {} if allowed is None else {"items": allowed}, released)


def _codes(lists: Lists, data: Dataset, pipeline: str, key: str) -> Any:
    names = list(lists.ids)
    if lists.path is not None:
        try:
            names += [line.strip() for line in lists.path.read_text(encoding="utf-8").splitlines() if line.strip()]
        except OSError as error:
            raise DataError(
                f"pipelines.{pipeline}.{key}.path: {lists.path} cannot be read ({error.strerror})"
            ) from None
    return data.items.encode_known(names, f"pipelines.{pipeline}.{key}")
