"""From the measured arms to what is said of them: who is compared with whom, guardrails, repeats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hybridrec.config.experiment import Experiment
from hybridrec.data.queries import NOTHING
from hybridrec.engine.seeds import label_rng
from hybridrec.evaluation.compare import Pair, compare
from hybridrec.evaluation.guardrails import guardrails
from hybridrec.evaluation.report import Comparison, FitReport, Guardrail, PipelineReport, RepeatsReport
from hybridrec.evaluation.samples import Arm, Sample
from hybridrec.evaluation.seed_variance import seed_splits, spreads
from hybridrec.stages.pipeline import BLEND
from hybridrec.types import Doubles


def duplicates(identities: Mapping[str, object]) -> dict[str, str]:
    """Name -> the first name before it with the same identity, for those that have one."""
    first: dict[object, str] = {}
    found = {name: first.setdefault(identity, name) for name, identity in identities.items()}
    return {name: original for name, original in found.items() if name != original}


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the arms of an experiment say about one another; `same` are the twins among them."""

    experiment: Experiment
    same: Mapping[str, str]

    @property
    def declared(self) -> list[Pair]:
        """Every blend against the control."""
        control = self.experiment.config.compare.control
        blends = [name for name, plan in self.experiment.pipelines.items() if not plan.single]
        return [] if control is None else self._distinct((control, blend) for blend in blends)

    @property
    def pairs(self) -> list[Pair]:
        """The declared pairs, then every blend against every single component if there are such arms.

        A pipeline is not compared with itself, nor is a pair compared twice because one of it stands
        under two names: that would only make the family larger.
        """
        plans = self.experiment.pipelines
        singles = [name for name, plan in plans.items() if plan.single]
        blends = [name for name, plan in plans.items() if not plan.single]
        references = self._distinct((single, blend) for blend in blends for single in singles)
        return [*self.declared, *(pair for pair in references if pair not in self._either_way(self.declared))]

    def notes(self, pipelines: Mapping[str, PipelineReport], sample: Sample) -> list[str]:
        """What a reader should know of the arms, in sentences."""
        twin = "{} is the same pipeline as {}: it is compared once, under the name of the latter"
        return [*(twin.format(*names) for names in self.same.items()), *_silent(pipelines), *_blind(sample)]

    def comparison(self, arms: Mapping[str, Arm]) -> list[Comparison]:
        """All pairs in all metrics and segments."""
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

    def guardrails(self, arms: Mapping[str, Arm], seconds: Mapping[str, Doubles]) -> list[Guardrail]:
        """The declared pairs held against the declared guardrails."""
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

    def repeats(self, repeats: Sequence[Mapping[str, Arm]], fits: Sequence[FitReport]) -> RepeatsReport | None:
        """What other seeds change, if everything was trained more than once."""
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
        """Without names that only repeat another, pairs of one pipeline, and pairs that were there before."""
        found = [tuple(self.same.get(name, name) for name in pair) for pair in pairs]
        return [pair for pair in dict.fromkeys(found) if pair[0] != pair[1]]  # type: ignore[misc]

    @staticmethod
    def _either_way(pairs: Sequence[Pair]) -> set[Pair]:
        return {*pairs, *((variant, control) for control, variant in pairs)}


def _silent(pipelines: Mapping[str, PipelineReport]) -> Iterator[str]:
    """Says where the fallback is measured in a pipeline's place."""
    for name, pipeline in pipelines.items():
        if not any(served_by.startswith(BLEND) for served_by in pipeline.served_by):
            others = ", ".join(pipeline.served_by)
            yield f"{name}: its generators had nothing to say about any of {pipeline.queries} queries; {others} served"


def _blind(sample: Sample) -> Iterator[str]:
    """Says so if most queries know nothing: every pipeline is the same on them."""
    nothing = int((sample.segments == NOTHING).sum())
    if 2 * nothing > len(sample):
        yield (
            f"{nothing} of {len(sample)} queries know nothing at all (new users without history, tags or title): "
            "pipelines hardly differ on them; another split, or its `min_history`, would ask more"
        )
