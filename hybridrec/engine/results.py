"""What a run finds out: gathered fold by fold, and summed up as its report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np

from hybridrec.config.experiment import Curve, Experiment
from hybridrec.data.dataset import Dataset
from hybridrec.data.splits.base import Fold
from hybridrec.engine.analysis import Conclusions, twins
from hybridrec.engine.evaluate import Measured, weighted_mean
from hybridrec.engine.fit import Fitted
from hybridrec.engine.query_frames import Asked
from hybridrec.engine.seeds import label_rng
from hybridrec.engine.timers import Stopwatch
from hybridrec.engine.train import Prepared
from hybridrec.evaluation.borda import borda_points
from hybridrec.evaluation.compare import CORRECTIONS, FAMILIES, Pair
from hybridrec.evaluation.guardrails import groups_of
from hybridrec.evaluation.report import (
    DataReport,
    Environment,
    FitReport,
    PipelineReport,
    Report,
    StatisticsReport,
    TradeoffPoint,
    TradeoffReport,
)
from hybridrec.evaluation.samples import Arm as MeasuredArm
from hybridrec.evaluation.samples import Sample
from hybridrec.evaluation.summary import summarise
from hybridrec.types import Doubles


class Findings:
    """All that becomes known of the arms of an experiment; once every fold is in, the report.

    repeats: by training and arm, what was measured; points of curves are arms, too
    latencies: float64 arrays by blend, seconds per query of the blocks that were timed in each fold
    """

    def __init__(self, experiment: Experiment) -> None:
        """Nothing is known yet but what the config gave reason to say."""
        self.experiment = experiment
        self.repeats = [{name: Measured() for name in experiment.measured} for _ in range(experiment.config.repeats)]
        self.identities: dict[str, tuple[str, ...]] = dict.fromkeys(experiment.measured, ())
        self.latencies: dict[str, list[Doubles]] = {}
        self.fits: list[FitReport] = []
        self.notes = list(experiment.notes)
        self.samples: list[Sample] = []
        self.asked: list[Asked] = []

    @property
    def measured(self) -> dict[str, Measured]:
        """What the first training gave: its slates, rungs and lessons stand for all."""
        return self.repeats[0]

    def begin(self, fold: Fold) -> None:
        """Keep which queries a fold asks."""
        self.samples.append(Sample.of(fold))
        self.asked.append(Asked.of(fold))

    def trained(self, fits: Sequence[Fitted], repeat: int) -> None:
        """Keep what was fitted for a fold, in one of the trainings."""
        self.fits += [_fit_report(fitted, repeat) for fitted in fits]

    def remember(self, fold: Fold, prepared: Prepared) -> None:
        """Keep how the arms of a fold came about in the first training."""
        for arm in prepared.arms:
            self.identities[arm.name] += (arm.pool_key, arm.order_key)
        self.notes += prepared.notes
        for name, learned in prepared.learned.items():
            self.measured[name].learned[fold.name] = learned

    @cached_property
    def sample(self) -> Sample:
        """The queries of all folds."""
        return Sample.join(self.samples)

    @cached_property
    def trainings(self) -> list[dict[str, MeasuredArm]]:
        """The arms of every training."""
        users = groups_of(self.sample.units, label_rng(self.experiment.config.seed, "groups of users"))
        groups = dict.fromkeys(self.experiment.config.compare.guardrails, users)
        return [
            {name: measured.arm(name, self.sample, self.experiment, groups) for name, measured in repeat.items()}
            for repeat in self.repeats
        ]

    @cached_property
    def averaged(self) -> dict[str, MeasuredArm]:
        """Every arm, its mean over the trainings."""
        return {name: MeasuredArm.averaged([found[name] for found in self.trainings]) for name in self.measured}

    @property
    def arms(self) -> dict[str, MeasuredArm]:
        """The pipelines and single components; points of curves are not compared with anything."""
        return {name: self.averaged[name] for name in self.experiment.pipelines}

    def report(self, data: Dataset, watch: Stopwatch, environment: Environment) -> Report:
        """Means, intervals, comparison, and all that is known about how they came about."""
        config = self.experiment.config
        with watch.timing("evaluate"):
            arms = self.arms
            conclusions = Conclusions(self.experiment, twins({name: self.identities[name] for name in arms}))
            pipelines = summarise(list(arms.values()), label_rng(config.seed, "intervals"), config.compare.resamples)
            comparison = conclusions.comparison(arms)
            seconds = {name: np.concatenate(parts) for name, parts in self.latencies.items()}
            guardrails = conclusions.guardrails(arms, seconds)
            tradeoffs = [self._tradeoff(curve) for curve in self.experiment.curves]
        distinct = {name: pipeline for name, pipeline in pipelines.items() if name not in conclusions.same}
        points = borda_points(distinct, config.compare.borda, self.experiment.lower_is_better)
        for name, pipeline in pipelines.items():
            self._describe(name, pipeline)
            pipeline.same_as = conclusions.same.get(name)
            pipeline.borda = points.get(pipeline.same_as or name)
        return Report(
            name=config.name,
            config_hash=self.experiment.hash,
            data=DataReport.of(data),
            pipelines=pipelines,
            comparison=comparison,
            guardrails=guardrails,
            repeats=conclusions.repeats([{name: found[name] for name in arms} for found in self.trainings], self.fits),
            tradeoffs=tradeoffs,
            statistics=StatisticsReport(
                resamples=config.compare.resamples,
                margin=config.compare.margin,
                correction=f"{CORRECTIONS[config.compare.correction][0]}; {FAMILIES}",
                lower_is_better=self.experiment.lower_is_better,
            ),
            seconds=watch.report(),
            environment=environment,
            fits=self.fits,
            notes=[
                *self.notes,
                *conclusions.notes(pipelines, self.sample),
                *self._unheard(),
                *self._identical(conclusions.declared),
            ],
        )

    def _unheard(self) -> Iterator[str]:
        """Says which columns of a blend are empty: whatever weight they have, they count for nothing."""
        for name, plan in self.experiment.pipelines.items():
            for target, heard in self.measured[name].heard.items():
                silent = [label for label, queries in heard.items() if not queries]
                if plan.single or len(silent) == len(heard):  # then there were no candidates, and that is said
                    continue
                for label in silent:
                    yield f"{name}, {target}: '{label}' had no opinion on any candidate of {len(self.sample)} queries"

    def _identical(self, pairs: Iterable[Pair]) -> Iterator[str]:
        """Says where an undecided comparison has nothing to decide."""
        for control, variant in pairs:
            both = (
                zip(repeat[control].answers[target], repeat[variant].answers[target], strict=True)
                for repeat in self.repeats
                for target in self.experiment.config.targets
            )
            if all(np.array_equal(one.slate.ids, other.slate.ids) for folds in both for one, other in folds):
                yield f"{variant} against {control}: the slates of the two are identical"

    def _describe(self, name: str, pipeline: PipelineReport) -> None:
        """Add to the means of a pipeline what is known of it beside them."""
        measured = self.measured[name]
        pipeline.single = self.experiment.pipelines[name].single
        pipeline.learned = measured.learned
        pipeline.candidate_recall = {
            target: weighted_mean(np.concatenate(found), self.sample.weights)
            for target, found in measured.found.items()
        }

    def _tradeoff(self, curve: Curve) -> TradeoffReport:
        """All metrics at every point of a curve, on resamples of their own."""
        rng = label_rng(self.experiment.config.seed, f"trade-off of {curve.use.pipeline} {curve.use.vary}")
        arms = [self.averaged[plan.name] for plan in curve.points]
        found = summarise(arms, rng, self.experiment.config.compare.resamples)
        points = [
            TradeoffPoint(value=value, metrics=found[plan.name].metrics)
            for value, plan in zip(curve.use.over, curve.points, strict=True)
        ]
        return TradeoffReport(pipeline=curve.use.pipeline, vary=curve.use.vary, points=points)


def _fit_report(fitted: Fitted, repeat: int) -> FitReport:
    return FitReport(
        label=fitted.job.label,
        component=fitted.job.component,
        version=fitted.spec.cls.version,
        fold=fitted.job.fold,
        level=fitted.job.level,
        key=fitted.key,
        seconds=round(fitted.outcome.seconds, 3),
        cached=fitted.outcome.cached,
        repeat=repeat,
    )
