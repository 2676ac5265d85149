"""Analysis of the measured arms: comparisons, guardrails, the effect of seeds, and notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hybridrec.config.experiment import CheckedExperiment
from hybridrec.engine.seeds import label_rng
from hybridrec.evaluation.compare import Pair, compare
from hybridrec.evaluation.guardrails import guardrails
from hybridrec.evaluation.report import Comparison, FitReport, Guardrail, PipelineReport, RepeatsReport
from hybridrec.evaluation.samples import EvaluatedArm
from hybridrec.evaluation.seed_variance import seed_splits, spreads
from hybridrec.stages.pipeline import BLEND
from hybridrec.types import Doubles


def duplicates(identities: Mapping[str, object]) -> dict[str, str]:
    """Map each name whose identity equals that of an earlier name to the first name that has this identity."""
    first: dict[object, str] = {}
    originals = {name: first.setdefault(identity, name) for name, identity in identities.items()}
    return {name: original for name, original in originals.items() if name != original}


@dataclass(frozen=True, slots=True)
class Analysis:
    """The comparisons between the arms of an experiment; `same` maps each duplicate to the arm that it is equal to."""

    experiment: CheckedExperiment
    same: Mapping[str, str]

    @property
    def declared(self) -> list[Pair]:
        """Pairs (control, blend) for every blend; empty if the config names no control."""
        control = self.experiment.config.compare.control
        blends = [name for name, pipeline in self.experiment.pipelines.items() if not pipeline.single]
        return [] if control is None else self._distinct((control, blend) for blend in blends)

    @property
    def pairs(self) -> list[Pair]:
        """The declared pairs, then pairs (single component, blend) for every blend and every component that is an arm.

        A duplicate is replaced by the arm that it is equal to. Then repeated pairs, declared pairs in the other order
        and pairs of an arm with itself are left out, since they would only make the family of tests larger.
        """
        pipelines = self.experiment.pipelines
        singles = [name for name, pipeline in pipelines.items() if pipeline.single]
        blends = [name for name, pipeline in pipelines.items() if not pipeline.single]
        references = self._distinct((single, blend) for blend in blends for single in singles)
        return [*self.declared, *(pair for pair in references if pair not in self._either_way(self.declared))]

    def notes(self, pipelines: Mapping[str, PipelineReport], blind: int, queries: int) -> list[str]:
        """Return remarks about the arms as sentences for the reader of the report.

        `queries` is the number of all queries, and `blind` the number of queries of which nothing is known.
        """
        same_pipeline = "{} is the same pipeline as {}: it is compared once, under the name of the latter"
        return [
            *(same_pipeline.format(*names) for names in self.same.items()),
            *_silent(pipelines),
            *_blind(blind, queries),
        ]

    def comparison(self, arms: Mapping[str, EvaluatedArm]) -> list[Comparison]:
        """Compare all pairs in all metrics and segments, with the options under `compare` of the config."""
        config = self.experiment.config.compare
        return compare(
            arms,
            self.pairs,
            self.experiment.metrics,
            label_rng(self.experiment.config.seed, "comparison"),
            lower_is_better=self.experiment.lower_is_better,
            margin=config.margin,
            correction=config.correction,
            resamples=config.resamples,
        )

    def guardrails(self, arms: Mapping[str, EvaluatedArm], seconds: Mapping[str, Doubles]) -> list[Guardrail]:
        """Test every guardrail of the config for every declared pair; `seconds` are latencies by arm."""
        config = self.experiment.config.compare
        return guardrails(
            arms,
            self.declared,
            config.guardrails,
            label_rng(self.experiment.config.seed, "guardrails"),
            lower_is_better=self.experiment.lower_is_better,
            seconds=seconds,
            resamples=config.resamples,
        )

    def repeats(self, repeats: Sequence[Mapping[str, EvaluatedArm]], fits: Sequence[FitReport]) -> RepeatsReport | None:
        """Compute the effect of training again with other seeds; return None if everything was trained once.

        `repeats` has for each training its arms by name; `fits` are the fits of all trainings.
        """
        if len(repeats) == 1:
            return None
        first = {fit.key for fit in fits if fit.repeat == 1}
        return RepeatsReport(
            repeats=len(repeats),
            retrained=list(dict.fromkeys(fit.label for fit in fits if fit.key not in first)),
            arms=spreads(repeats),
            comparison=seed_splits(repeats, self.declared, self.experiment.metrics),
        )

    def _distinct(self, pairs: Iterable[Pair]) -> list[Pair]:
        """Replace duplicates by the arms that they equal; then drop repeated pairs, and pairs of an arm with itself."""
        renamed = [tuple(self.same.get(name, name) for name in pair) for pair in pairs]
        return [pair for pair in dict.fromkeys(renamed) if pair[0] != pair[1]]  # type: ignore[misc]

    @staticmethod
    def _either_way(pairs: Sequence[Pair]) -> set[Pair]:
        return {*pairs, *((variant, control) for control, variant in pairs)}


def _silent(pipelines: Mapping[str, PipelineReport]) -> Iterator[str]:
    """Yield a sentence for each pipeline whose generators served no query, so that only its fallback is measured."""
    for name, pipeline in pipelines.items():
        if not any(served_by.startswith(BLEND) for served_by in pipeline.served_by):
            others = ", ".join(pipeline.served_by)
            yield f"{name}: its generators had nothing to say about any of {pipeline.queries} queries; {others} served"


def _blind(nothing: int, queries: int) -> Iterator[str]:
    """Yield a sentence if nothing is known of most queries, since pipelines hardly differ on such queries."""
    if 2 * nothing > queries:
        yield (
            f"{nothing} of {queries} queries know nothing at all (new users without history, tags or title): "
            "pipelines hardly differ on them; another split, or its `min_history`, would ask more"
        )
