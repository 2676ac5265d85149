"""Pipelines on fitted components, with the keys of everything that decides their slates."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hybridrec.config.experiment import PipelineSpec
from hybridrec.config.models import Lists
from hybridrec.data.dataset import Dataset
from hybridrec.data.fingerprint import fingerprint
from hybridrec.engine.fit import Fitted
from hybridrec.engine.keys import digest
from hybridrec.errors import DataError
from hybridrec.inference.pipelines import GeneratorLayout, PipelineLayout, assemble
from hybridrec.stages.component import Reranker
from hybridrec.stages.pipeline import Pipeline, Rules
from hybridrec.types import Bools, Target


class FittedPipeline:
    """A pipeline on one training part, with the keys of everything that decides its output (`KeyedPipeline`).

    It is assembled when it is first used: where the store has all the results, no component is read.
    It is pickled with its components as keys of the store, and its re-rankers as they are.
    """

    def __init__(self, plan: PipelineSpec, fitted: Mapping[str, Fitted], rules: Rules, rerankers: Rerankers) -> None:
        """Take the components of the pipeline from `fitted`, by label, all fitted on that part."""
        self.plan = plan
        self.layout = layout_of(plan)
        self.rules = rules
        self.rerankers = rerankers
        self._fitted = {label: fitted[label] for label in self.layout.labels}
        self._lock = threading.Lock()
        self._pipeline: Pipeline | None = None
        self.rules_key = digest(rules.seen, fingerprint(*rules.allowed.values(), rules.released))
        self.pool_key = digest(
            [[use.label, fitted[use.label].key, use.k, use.when] for use in self.layout.generators],
            [[label, fitted[label].key] for label in self.layout.scorers],
            self.rules_key,
        )
        self.order_key = digest(rerankers.keys, [fitted[label].key for label in self.layout.fallback])

    def __reduce__(self) -> tuple[object, ...]:
        return FittedPipeline, (self.plan, self._fitted, self.rules, self.rerankers)

    @property
    def name(self) -> str:
        """The name of the pipeline."""
        return self.plan.name

    @property
    def single(self) -> bool:
        """True for a component alone, ranked as it is."""
        return self.plan.single

    @property
    def pipeline(self) -> Pipeline:
        """The stages, ready for queries."""
        with self._lock:
            if self._pipeline is None:
                components = {label: fitted.component for label, fitted in self._fitted.items()}
                self._pipeline = assemble(self.layout, components, self.rerankers.chains, self.rules)
            return self._pipeline


def layout_of(plan: PipelineSpec) -> PipelineLayout:
    """Return the stages of a pipeline in the config, as plain data."""
    use = plan.use
    generators = tuple(GeneratorLayout(each.source, each.k, tuple(each.when)) for each in use.generators)
    return PipelineLayout(plan.name, generators, tuple(use.scorers), tuple(use.fallback))


@dataclass(frozen=True, slots=True)
class Rerankers:
    """The re-rankers of a pipeline, ready for use, and the keys of their options and of their learned state."""

    chains: dict[Target, tuple[Reranker, ...]]
    keys: list[str]


NO_RERANKERS = Rerankers({}, [])


def rules_of(plan: PipelineSpec, data: Dataset) -> Rules:
    """Return the filter rules of a pipeline in the codes of the data."""
    allowed: Bools | None = None
    if plan.use.allow is not None:
        allowed = np.zeros(len(data.items), bool)
        allowed[_codes(plan.use.allow, data, plan.name, "allow")] = True
    if plan.use.block is not None:
        allowed = np.ones(len(data.items), bool) if allowed is None else allowed
        allowed[_codes(plan.use.block, data, plan.name, "block")] = False
    if plan.use.released and data.items.times is None:
        raise DataError(f"pipelines.{plan.name}.released: the items of the data have no times; leave `released` out")
    released = data.items.times if plan.use.released else None
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
    return data.items.vocabulary.encode_known(names, f"pipelines.{pipeline}.{key}")
