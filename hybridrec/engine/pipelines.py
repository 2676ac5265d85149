"""Pipelines on fitted components, with the keys of everything that decides their slates."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from hybridrec.config.experiment import FilterSpec, PipelineSpec
from hybridrec.data.dataset import Dataset
from hybridrec.engine.fit import Fitted
from hybridrec.engine.keys import digest, filter_key
from hybridrec.errors import DataError
from hybridrec.inference.pipelines import GeneratorLayout, PipelineLayout, assemble
from hybridrec.stages.checks import check_self
from hybridrec.stages.component import Reranker
from hybridrec.stages.filter import Filter
from hybridrec.stages.pipeline import Filters, Pipeline
from hybridrec.tracing import calling
from hybridrec.types import Target


class FittedPipeline:
    """A pipeline on one training part, with the keys of everything that decides its output (`KeyedPipeline`).

    It is assembled when it is first used: where the store has all the results, no component is read.
    It is pickled with its components as keys of the store, and its re-rankers as they are.
    """

    def __init__(
        self, spec: PipelineSpec, fitted: Mapping[str, Fitted], filters: Filters, rerankers: Rerankers
    ) -> None:
        """Take the components of the pipeline from `fitted`, by label, all fitted on that part."""
        self.spec = spec
        self.layout = layout_of(spec)
        self.filters = filters
        self.rerankers = rerankers
        self._fitted = {label: fitted[label] for label in self.layout.labels}
        self._lock = threading.Lock()
        self._pipeline: Pipeline | None = None
        self.filters_key = digest([filter_key(each) for each in filters])
        self.pool_key = digest(
            [[use.label, fitted[use.label].key, use.k, use.when] for use in self.layout.generators],
            [[label, fitted[label].key] for label in self.layout.scorers],
            self.filters_key,
        )
        self.order_key = digest(rerankers.keys, [fitted[label].key for label in self.layout.fallback])

    def __reduce__(self) -> tuple[object, ...]:
        return FittedPipeline, (self.spec, self._fitted, self.filters, self.rerankers)

    @property
    def name(self) -> str:
        """The name of the pipeline."""
        return self.spec.name

    @property
    def single(self) -> bool:
        """True for a component alone, ranked as it is."""
        return self.spec.single

    def draws(self, target: Target) -> bool:
        """Return True if it draws the slates for the target at random."""
        return any(reranker.stochastic for reranker in self.rerankers.chains.get(target, ()))

    @property
    def pipeline(self) -> Pipeline:
        """The stages, ready for queries."""
        with self._lock:
            if self._pipeline is None:
                components = {label: fitted.component for label, fitted in self._fitted.items()}
                self._pipeline = assemble(self.layout, components, self.rerankers.chains, self.filters)
            return self._pipeline


def layout_of(pipeline: PipelineSpec) -> PipelineLayout:
    """Return the stages of a pipeline in the config, as plain data."""
    use = pipeline.use
    generators = tuple(GeneratorLayout(each.source, each.k, tuple(each.when)) for each in use.generators)
    return PipelineLayout(pipeline.name, generators, tuple(use.scorers), tuple(use.fallback))


@dataclass(frozen=True, slots=True)
class Rerankers:
    """The re-rankers of a pipeline, ready for use, and the keys of their options and of their learned state."""

    chains: dict[Target, tuple[Reranker, ...]]
    keys: list[str]


NO_RERANKERS = Rerankers({}, [])


def filters_of(pipeline: PipelineSpec, data: Dataset) -> Filters:
    """Return the filters of a pipeline, fitted on the data; raises DataError if these lack what a filter needs."""
    return Filters(fitted_filter(spec, data) for spec in pipeline.filters)


def filter_notes(pipeline: PipelineSpec, filters: Filters) -> list[str]:
    """Return the notes of the filters of a pipeline, each with its place in the config."""
    return [
        f"{spec.place}: {note}" for spec, each in zip(pipeline.filters, filters, strict=True) for note in each.notes()
    ]


def fitted_filter(spec: FilterSpec, data: Dataset) -> Filter:
    """Return a new instance of a filter that is fitted on the data: a pipeline is trained on several parts."""
    fresh = type(spec.filter)(spec.filter.config)
    with calling(fresh, "while preparing the filter"):
        try:
            return check_self(fresh, "fit", fresh.fit(data))
        except DataError as error:
            raise DataError(f"{spec.place}: {error}") from None
