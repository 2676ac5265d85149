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
    """Return name -> the first name before it with the same identity, for the names that have one."""
    first: dict[object, str] = {}
    originals = {name: first.setdefault(identity, name) for name, identity in identities.items()}
    return {name: original for name, original in originals.items() if name != original}


@dataclass(frozen=True, slots=True)
class Analysis:
    """The comparisons between the arms of an experiment; `same` maps duplicates to the arm that they repeat."""

    experiment: CheckedExperiment
    same: Mapping[str, str]

    @property
    def declared(self) -> list[Pair]:
        """Every blend against the control."""
        control = self.experiment.config.compare.control
        blends = [name for name, pipeline in self.experiment.pipelines.items() if not pipeline.single]
        return [] if control is None else self._distinct((control, blend) for blend in blends)

    @property
    def pairs(self) -> list[Pair]:
        """The declared pairs, then every blend against every single component if there are such arms.

        A pipeline is not compared with itself, nor is a pair compared twice because one of its arms has
        two names: that would only make the family of tests larger.
        """
        pipelines = self.experiment.pipelines
        singles = [name for name, pipeline in pipelines.items() if pipeline.single]
        blends = [name for name, pipeline in pipelines.items() if not pipeline.single]
        references = self._distinct((single, blend) for blend in blends for single in singles)
        return [*self.declared, *(pair for pair in references if pair not in self._either_way(self.declared))]

    def notes(self, pipelines: Mapping[str, PipelineReport], blind: int, queries: int) -> list[str]:
        """Return remarks about the arms for the reader of the report, as sentences; `blind` queries know nothing."""
        same_pipeline = "{} is the same pipeline as {}: it is compared once, under the name of the latter"
        return [
            *(same_pipeline.format(*names) for names in self.same.items()),
            *_silent(pipelines),
            *_blind(blind, queries),
        ]

    def comparison(self, arms: Mapping[str, EvaluatedArm]) -> list[Comparison]:
        """Compare all pairs in all metrics and segments."""
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
        """Check the declared pairs against the declared guardrails."""
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
        """Return the effect of other seeds, if everything was trained more than once."""
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
        """Replace duplicates by the arm that they repeat, then drop pairs of one arm and repeated pairs."""
        renamed = [tuple(self.same.get(name, name) for name in pair) for pair in pairs]
        return [pair for pair in dict.fromkeys(renamed) if pair[0] != pair[1]]  # type: ignore[misc]

    @staticmethod
    def _either_way(pairs: Sequence[Pair]) -> set[Pair]:
        return {*pairs, *((variant, control) for control, variant in pairs)}


def _silent(pipelines: Mapping[str, PipelineReport]) -> Iterator[str]:
    """Yield a sentence for each pipeline in whose place the fallback is measured."""
    for name, pipeline in pipelines.items():
        if not any(served_by.startswith(BLEND) for served_by in pipeline.served_by):
            others = ", ".join(pipeline.served_by)
            yield f"{name}: its generators had nothing to say about any of {pipeline.queries} queries; {others} served"


def _blind(nothing: int, queries: int) -> Iterator[str]:
    """Yield a sentence if most queries know nothing, since every pipeline is the same on them."""
    if 2 * nothing > queries:
        yield (
            f"{nothing} of {queries} queries know nothing at all (new users without history, tags or title): "
            "pipelines hardly differ on them; another split, or its `min_history`, would ask more"
        )
