"""The result of a run as a plain value, and the builder that gathers it fold by fold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from hybridrec.config.experiment import CheckedExperiment, OptionChoice, TradeoffCurve
from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import NOTHING, QueryBatch
from hybridrec.data.splits.base import Fold
from hybridrec.engine.analysis import Analysis, duplicates
from hybridrec.engine.evaluate import MetricAccumulator, weighted_mean
from hybridrec.engine.fit import Fitted
from hybridrec.engine.progress import progress_report
from hybridrec.engine.seeds import label_rng
from hybridrec.engine.timers import Stopwatch
from hybridrec.engine.train import TrainedFold
from hybridrec.evaluation.borda import borda_points
from hybridrec.evaluation.compare import CORRECTIONS, FAMILIES, MORE_FAMILIES, Pair
from hybridrec.evaluation.guardrails import groups_of
from hybridrec.evaluation.report import (
    DataReport,
    Environment,
    FigureReport,
    FitReport,
    PipelineReport,
    Report,
    StatisticsReport,
    TradeoffPoint,
    TradeoffReport,
    figure_report,
)
from hybridrec.evaluation.samples import EvaluatedArm, Sample
from hybridrec.evaluation.summary import summarise
from hybridrec.inference.servable import ServableRun
from hybridrec.stages.slate import Slate
from hybridrec.types import PADDING, Doubles, Ints, Sparse, Target


@dataclass(frozen=True, slots=True)
class FoldQueries:
    """The Q test queries of one fold and their truth, without the training part.

    truth: target -> csr [Q, N], the relevant ids of each query
    units: int32 [Q], the user behind each query
    """

    fold: str
    queries: QueryBatch
    truth: dict[Target, Sparse]
    units: Ints

    @classmethod
    def of(cls, fold: Fold) -> FoldQueries:
        """Take from a fold what a run keeps after its queries were answered: the queries, their truth and units."""
        return cls(fold.name, fold.queries, fold.truth, fold.units)

    def __len__(self) -> int:
        return len(self.queries)


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run: plain values, from which all of its files are written.

    config: the resolved config, as plain values
    workers: number of threads
    report: the content of `report.json`
    data: the data that was read
    sample: the units, weights and segments of the queries, for the statistics
    queries: the test queries, fold by fold
    arms: pipeline -> its measured values
    slates: pipeline -> target -> the slates of each fold, with their vocabulary
    servable: the pipelines trained on all data, for serving, if the config says `refit: all`; else None
    """

    config: Mapping[str, Any]
    workers: int
    report: Report
    data: Dataset
    sample: Sample
    queries: Sequence[FoldQueries]
    arms: Mapping[str, EvaluatedArm]
    slates: Mapping[str, Mapping[Target, Sequence[Slate]]]
    servable: ServableRun | None = None


class ResultBuilder:
    """A builder that gathers the results of an experiment fold by fold, and makes the report after the last fold.

    repeats: for each training (repeat), the measured values by arm; points of trade-off curves are arms, too
    latencies: name of a blend -> for each fold float64 [B], the seconds per query of the B blocks that were timed
    """

    def __init__(self, experiment: CheckedExperiment) -> None:
        """Start without results, and with the notes on the config."""
        self.experiment = experiment
        self.repeats = [
            {name: MetricAccumulator() for name in experiment.measured} for _ in range(experiment.config.repeats)
        ]
        self.identities: dict[str, tuple[str, ...]] = dict.fromkeys(experiment.measured, ())
        self.latencies: dict[str, list[Doubles]] = {}
        self.fits: list[FitReport] = []
        self.figures: dict[str, list[FigureReport]] = {}
        self.figures_of = ""
        self.choices_served: list[str] = []
        self.notes = list(experiment.notes)
        self.samples: list[Sample] = []
        self.queries: list[FoldQueries] = []

    @property
    def measured(self) -> dict[str, MetricAccumulator]:
        """The measured values of the first training, by arm; the report shows its slates and learned weights only."""
        return self.repeats[0]

    def begin(self, fold: Fold) -> None:
        """Begin a fold: keep its queries, and their units, weights and segments for the statistics."""
        self.samples.append(Sample.of(fold, self.experiment.segmenters))
        self.queries.append(FoldQueries.of(fold))

    def trained(self, fold: Fold, trained_fold: TrainedFold, repeat: int) -> None:
        """Keep the fits of a trained fold; in the first training also its notes, figures, keys and learned weights.

        repeat: number of the training, from 1
        """
        self.fits += self._fit_reports(trained_fold, repeat)
        if repeat > 1:
            return
        for arm in trained_fold.arms:
            self.identities[arm.name] += (arm.pool_key, arm.order_key)
        if len(self.samples) == 1 and not self.experiment.refitted:
            self.show(fold, trained_fold)
        self.notes = list(
            dict.fromkeys((*self.notes, *trained_fold.choice_notes, *trained_fold.notes))
        )  # lists lack the same ids in every fold
        for name, learned in trained_fold.learned.items():
            self.measured[name].learned[fold.name] = learned

    def refitted(self, trained_fold: TrainedFold) -> None:
        """Keep the fits on the whole data, and the notes on the options that were chosen for these fits."""
        self.fits += self._fit_reports(trained_fold, 1)
        self.choices_served = trained_fold.choice_notes

    def _fit_reports(self, trained_fold: TrainedFold, repeat: int) -> list[FitReport]:
        """Convert the fits of a trained fold to the entries that the report has for them."""
        components = self.experiment.components
        return [_fit_report(fitted, repeat, components[fitted.job.label].choice) for fitted in trained_fold.fits]

    def show(self, fold: Fold, trained_fold: TrainedFold) -> None:
        """Keep the figures of the components of a fold, each for its fit on the full training part."""
        shown = {fit.job.label: fit.figures() for fit in trained_fold.fits if fit.job.level == "full"}
        self.figures = {label: list(map(figure_report, figures)) for label, figures in shown.items() if figures}
        self.figures_of = fold.name if self.figures else ""

    def result(self, report: Report, data: Dataset, workers: int, servable: ServableRun | None) -> RunResult:
        """Build the result of the run from its report and the gathered results; `workers` is the number of threads."""
        return RunResult(
            config=self.experiment.resolved,
            workers=workers,
            report=report,
            data=data,
            sample=self.sample,
            queries=self.queries,
            arms=self.arms,
            slates={
                name: {
                    target: [replace(given.slate, vocabulary=data.vocabulary(target)) for given in folds]
                    for target, folds in self.measured[name].answers.items()
                }
                for name in self.experiment.pipelines
            },
            servable=servable,
        )

    @cached_property
    def sample(self) -> Sample:
        """The sample of all folds: units, weights and segments of their queries."""
        return Sample.join(self.samples)

    @cached_property
    def trainings(self) -> list[dict[str, EvaluatedArm]]:
        """For each training (repeat), the arms by name."""
        users = groups_of(self.sample.units, label_rng(self.experiment.config.seed, "groups of users"))
        groups = dict.fromkeys(self.experiment.config.compare.guardrails, users)
        return [
            {name: measured.arm(name, self.sample, self.experiment, groups) for name, measured in repeat.items()}
            for repeat in self.repeats
        ]

    @cached_property
    def averaged(self) -> dict[str, EvaluatedArm]:
        """The arms by name; the values of each are means over the trainings."""
        return {name: EvaluatedArm.averaged([training[name] for training in self.trainings]) for name in self.measured}

    @property
    def arms(self) -> dict[str, EvaluatedArm]:
        """The arms that are compared, by name: pipelines and single components, without points of trade-off curves."""
        return {name: self.averaged[name] for name in self.experiment.pipelines}

    def report(self, data: Dataset, watch: Stopwatch, environment: Environment) -> Report:
        """Compute means, intervals, comparisons, guardrails and trade-offs, and return the report with its notes."""
        config = self.experiment.config
        with watch.timing("evaluate"):
            arms = self.arms
            conclusions = Analysis(self.experiment, duplicates({name: self.identities[name] for name in arms}))
            pipelines = summarise(list(arms.values()), label_rng(config.seed, "intervals"), config.compare.resamples)
            comparison = conclusions.comparison(arms)
            seconds = {name: np.concatenate(parts) for name, parts in self.latencies.items()}
            guardrails = conclusions.guardrails(arms, seconds)
            tradeoffs = [self._tradeoff(curve) for curve in self.experiment.curves]
        distinct = {name: pipeline for name, pipeline in pipelines.items() if name not in conclusions.same}
        families = FAMILIES if len(self.experiment.segmenters) == 1 else MORE_FAMILIES
        points = borda_points(distinct, config.compare.borda, self.experiment.lower_is_better)
        for name, pipeline in pipelines.items():
            self._describe(name, pipeline)
            pipeline.duplicate_of = conclusions.same.get(name)
            pipeline.borda = points.get(pipeline.duplicate_of or name)
        return Report(
            name=config.name,
            config_hash=self.experiment.hash,
            data=DataReport.of(data),
            pipelines=pipelines,
            segmenters=list(self.experiment.segmenters),
            comparison=comparison,
            guardrails=guardrails,
            repeats=conclusions.repeats(
                [{name: training[name] for name in arms} for training in self.trainings], self.fits
            ),
            tradeoffs=tradeoffs,
            statistics=StatisticsReport(
                resamples=config.compare.resamples,
                margin=config.compare.margin,
                correction=f"{CORRECTIONS[config.compare.correction][0]}; {families}",
                lower_is_better=self.experiment.lower_is_better,
            ),
            seconds=watch.report(),
            environment=environment,
            fits=self.fits,
            notes=[
                *self.notes,
                *conclusions.notes(
                    pipelines, sum(_without_fields(fold.queries) for fold in self.queries), len(self.sample)
                ),
                *self._columns_without_scores(),
                *self._short(),
                *self._identical(conclusions.declared),
            ],
        )

    def _columns_without_scores(self) -> Iterator[str]:
        """Yield a sentence for each blend and each component in it, if the component scored no candidate of any query.

        The component's column then has no effect, whatever its weight.
        """
        for name, pipeline in self.experiment.pipelines.items():
            for target, n_scored in self.measured[name].n_scored.items():
                silent = [label for label, queries in n_scored.items() if not queries]
                if pipeline.single or len(silent) == len(n_scored):  # then there were no candidates, and that is said
                    continue
                for label in silent:
                    yield f"{name}, {target}: '{label}' had no opinion on any candidate of {len(self.sample)} queries"

    def _short(self) -> Iterator[str]:
        """Yield a sentence for each pipeline and target with slates that its filters left too short.

        Only pipelines for which the config lists filters are examined.
        """
        for name, pipeline in self.experiment.pipelines.items():
            filtered = any(not spec.implied for spec in pipeline.filters)
            for target, answers in self.measured[name].answers.items() if filtered else ():
                lengths = np.concatenate([(given.slate.ids != PADDING).sum(axis=1) for given in answers])
                n = self.experiment.config.targets[target]
                if short := int((lengths < n).sum()):
                    slates = f"{short} of {len(lengths)} slates are shorter than {n}, {int((lengths == 0).sum())} empty"
                    yield f"{name}, {target}: {slates}: the filters leave no more of what is proposed"

    def _identical(self, pairs: Iterable[Pair]) -> Iterator[str]:
        """Yield a sentence for each pair (control, variant) whose slates are identical in all repeats and targets."""
        for control, variant in pairs:
            both = (
                zip(repeat[control].answers[target], repeat[variant].answers[target], strict=True)
                for repeat in self.repeats
                for target in self.experiment.config.targets
            )
            if all(np.array_equal(first.slate.ids, second.slate.ids) for folds in both for first, second in folds):
                yield f"{variant} against {control}: the slates of the two are identical"

    def _describe(self, name: str, pipeline: PipelineReport) -> None:
        """Set `single`, `learned` and `candidate_recall` in the report of a pipeline."""
        measured = self.measured[name]
        pipeline.single = self.experiment.pipelines[name].single
        pipeline.learned = measured.learned
        pipeline.candidate_recall = {
            target: weighted_mean(np.concatenate(recalls), self.sample.weights)
            for target, recalls in measured.candidate_recall.items()
        }

    def _tradeoff(self, curve: TradeoffCurve) -> TradeoffReport:
        """Compute the means and intervals of all metrics at every point of a trade-off curve.

        The curve has resamples of its own, so that the other intervals do not depend on it.
        """
        rng = label_rng(self.experiment.config.seed, f"trade-off of {curve.use.pipeline} {curve.use.vary}")
        arms = [self.averaged[pipeline.name] for pipeline in curve.points]
        summaries = summarise(arms, rng, self.experiment.config.compare.resamples)
        points = [
            TradeoffPoint(value=value, metrics=summaries[pipeline.name].metrics)
            for value, pipeline in zip(curve.use.over, curve.points, strict=True)
        ]
        return TradeoffReport(pipeline=curve.use.pipeline, vary=curve.use.vary, points=points)


def _without_fields(queries: QueryBatch) -> int:
    """Count the queries without any known field: no history, tags or title."""
    return int((queries.known_fields() == NOTHING).sum())


def _fit_report(fitted: Fitted, repeat: int, choice: OptionChoice | None) -> FitReport:
    option = None if choice is None else choice.option
    return FitReport(
        label=fitted.job.label,
        component=fitted.job.component,
        version=fitted.spec.cls.version,
        fold=fitted.job.fold,
        level=fitted.job.level,
        key=fitted.key,
        seconds=round(fitted.outcome.seconds, 3),
        cached=fitted.outcome.cached,
        doubled=fitted.outcome.doubled,
        repeat=repeat,
        progress=progress_report(fitted.outcome.progress),
        ended_by_clock=bool(fitted.outcome.token),
        chosen={} if option is None else {option: json.loads(fitted.job.options)[option]},
    )
