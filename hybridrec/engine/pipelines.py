"""Pipelines with their fitted components, and digests (keys) of everything that decides their slates."""

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
    """A pipeline with components fitted on one training part; it implements the protocol `KeyedPipeline`.

    `filters_key`, `pool_key` and `order_key` are digests of everything that decides its exclusions, its pools and the
    order of its slates. The stages are assembled when they are first used, so that no component is read if the store
    has all the results. Pickling writes the components as keys of the store, and the re-rankers themselves.
    """

    def __init__(
        self, spec: PipelineSpec, fitted: Mapping[str, Fitted], filters: Filters, rerankers: Rerankers
    ) -> None:
        """Take the components of the pipeline from `fitted`: fits by label, all on the same training part."""
        self.spec = spec
        self.layout = layout_of(spec)
        self.filters = filters
        self.rerankers = rerankers
        self._fitted = {label: fitted[label] for label in self.layout.labels}
        self._lock = threading.Lock()
        self._pipeline: Pipeline | None = None
        self.filters_key = digest([filter_key(each, own) for each, own in zip(filters, spec.filters, strict=True)])
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
        """True if the pipeline is a component alone, without re-rankers."""
        return self.spec.single

    def draws(self, target: Target) -> bool:
        """Return True if a re-ranker of the pipeline draws the slates for this target at random."""
        return any(reranker.stochastic for reranker in self.rerankers.chains.get(target, ()))

    @property
    def pipeline(self) -> Pipeline:
        """The assembled stages, ready for queries."""
        with self._lock:
            if self._pipeline is None:
                components = {label: fitted.component for label, fitted in self._fitted.items()}
                self._pipeline = assemble(self.layout, components, self.rerankers.chains, self.filters)
            return self._pipeline


def layout_of(pipeline: PipelineSpec) -> PipelineLayout:
    """Return the generators, scorers and fallback that the config names for a pipeline, as plain data."""
    use = pipeline.use
    generators = tuple(GeneratorLayout(each.source, each.k, tuple(each.when)) for each in use.generators)
    return PipelineLayout(pipeline.name, generators, tuple(use.scorers), tuple(use.fallback))


@dataclass(frozen=True, slots=True)
class Rerankers:
    """The re-rankers of a pipeline by target, ready for use, in their order.

    `keys` are digests, one for each re-ranker, of its options and of what it learned.
    """

    chains: dict[Target, tuple[Reranker, ...]]
    keys: list[str]


NO_RERANKERS = Rerankers({}, [])


def filters_of(pipeline: PipelineSpec, data: Dataset) -> Filters:
    """Return the filters of a pipeline, fitted on `data`; raises DataError if the data lacks what a filter needs."""
    return Filters(fitted_filter(spec, data) for spec in pipeline.filters)


def filter_notes(pipeline: PipelineSpec, filters: Filters) -> list[str]:
    """Return the notes of the filters of a pipeline, each with its place in the config."""
    return [
        f"{spec.place}: {note}" for spec, each in zip(pipeline.filters, filters, strict=True) for note in each.notes()
    ]


def fitted_filter(spec: FilterSpec, data: Dataset) -> Filter:
    """Return a new instance of a filter, fitted on `data`; the filter of `spec` is never fitted itself.

    A pipeline needs one instance for each training part. Raises DataError if the data lacks what the filter needs.
    """
    fresh = type(spec.filter)(spec.filter.config)
    with calling(fresh, "while preparing the filter"):
        try:
            return check_self(fresh, "fit", fresh.fit(data))
        except DataError as error:
            raise DataError(f"{spec.place}: {error}") from None
