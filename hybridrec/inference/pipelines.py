"""The assembly of pipelines from a plain description and fitted components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from hybridrec.stages.component import Component, Generator, Reranker, Scorer
from hybridrec.stages.pipeline import Filters, Pipeline, Source
from hybridrec.types import Target


@dataclass(frozen=True, slots=True)
class GeneratorLayout:
    """A generator of a pipeline: its label, its number of candidates, and the gates that a query must pass."""

    label: str
    k: int
    when: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PipelineLayout:
    """The stages of a pipeline as plain data: labels of components, in their order."""

    name: str
    generators: tuple[GeneratorLayout, ...]
    scorers: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        """The labels of the components that the pipeline needs, in order of first mention."""
        return list(dict.fromkeys([*(use.label for use in self.generators), *self.scorers, *self.fallback]))


def assemble(
    layout: PipelineLayout,
    components: Mapping[str, Component],
    rerankers: Mapping[Target, tuple[Reranker, ...]],
    filters: Filters,
) -> Pipeline:
    """Build the pipeline that a layout describes.

    components: fitted components by label, all on the same training part
    rerankers: target -> fitted re-rankers, in order
    filters: fitted filters
    """
    return Pipeline(
        name=layout.name,
        sources=tuple(
            Source(use.label, cast(Generator, components[use.label]), use.k, use.when) for use in layout.generators
        ),
        scorers=tuple((label, cast(Scorer, components[label])) for label in layout.scorers),
        rerankers=dict(rerankers),
        fallback=tuple((label, cast(Generator, components[label])) for label in layout.fallback),
        filters=filters,
    )
