"""One experiment: read, split, fit, ask, measure, compare, write."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Protocol

import numpy as np
import scipy.linalg  # noqa: F401  (its BLAS must be loaded before the thread limit is set)
from threadpoolctl import threadpool_limits

from hybridrec.arrays import Doubles
from hybridrec.data.dataset import Dataset
from hybridrec.data.folds import Fold
from hybridrec.errors import DataError
from hybridrec.evaluation.arms import Arm as MeasuredArm
from hybridrec.evaluation.arms import Sample
from hybridrec.evaluation.compare import CORRECTIONS, FAMILIES
from hybridrec.evaluation.guardrails import LATENCY, groups_of
from hybridrec.evaluation.report import (
    DataReport,
    Environment,
    FitReport,
    PipelineReport,
    Report,
    SecondsReport,
    StatisticsReport,
    TradeoffPoint,
    TradeoffReport,
)
from hybridrec.evaluation.summary import summarise
from hybridrec.experiment.asked import Asked
from hybridrec.experiment.asking import Asker, Clock, Question
from hybridrec.experiment.concluding import Conclusions, twins
from hybridrec.experiment.config import Curve, Experiment
from hybridrec.experiment.fitting import Fitted, Fitter, label_rng
from hybridrec.experiment.measuring import Measured, weighted_mean
from hybridrec.experiment.preparing import Prepared, Preparer, everything
from hybridrec.experiment.store import Store
from hybridrec.experiment.timing import seconds_per_query
from hybridrec.registry.discovery import Registry
from hybridrec.registry.observers import Observers
from hybridrec.tracing import calling, each

Advance = Callable[[int], None]


class Progress(Protocol):
    """Told what is going on; the command line draws bars from it."""

    def task(self, what: str, total: int) -> AbstractContextManager[Advance]:
        """A task of `total` steps; call what it gives with the number of steps done."""
        ...


class Silent:
    """A progress that shows nothing."""

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Advance]:
        """Nothing is drawn."""
        yield lambda _: None


class Experimenter:
    """Carries out one experiment: the way of the data, from reader to report."""

    def __init__(self, experiment: Experiment, registry: Registry, store: Store, progress: Progress) -> None:
        config = experiment.config
        workers = config.workers or os.cpu_count() or 1
        self.experiment = experiment
        self.observers = Observers(registry.manager)
        self.progress = progress
        self.clock = Clock()
        self.asker = Asker(store, workers, config.memory, self.clock)
        repeats = range(1, config.repeats + 1)
        self.preparers = [
            Preparer(experiment, Fitter(store, config.seed, workers, config.memory, repeat=repeat), self.asker)
            for repeat in repeats
        ]
        self.repeats = [{name: Measured() for name in experiment.measured} for _ in repeats]
        self.identities: dict[str, tuple[str, ...]] = dict.fromkeys(experiment.measured, ())
        self.latencies: dict[str, list[Doubles]] = {}
        self.fits: list[FitReport] = []
        self.notes = list(experiment.notes)
        self.distributions = {*_PACKAGES, *(provider.distribution for provider in registry.providers)}
        self.samples: list[Sample] = []
        self.asked: list[Asked] = []
        self.arms: dict[str, MeasuredArm] = {}
        self.seconds: dict[str, float] = {}
        self.started = time.perf_counter()

    def run(self) -> tuple[Report, Dataset]:
        """Everything up to the report."""
        with threadpool_limits(limits=1):
            with self.timing("read"):
                data = read(self.experiment)
            self.notes += self.experiment.reader.notes()
            for fold in self.folds(data):
                self.samples.append(Sample.of(fold))
                self.asked.append(Asked.of(fold))
                for preparer, measured in zip(self.preparers, self.repeats, strict=True):
                    prepared = self.prepare(fold, preparer)
                    if measured is self.measured:
                        self.remember(fold, prepared)
                    self.fits += [_fit_report(fitted, preparer.fitter.repeat) for fitted in prepared.fits]
                    self.ask(fold, prepared, measured)
            return self.report(data), data

    @property
    def measured(self) -> dict[str, Measured]:
        """What the first training gave: its slates, rungs and lessons stand for all."""
        return self.repeats[0]

    def folds(self, data: Dataset) -> Iterator[Fold]:
        """The folds on which the experiment is evaluated; each asks something."""
        splitter, seed = self.experiment.splitter, self.experiment.config.seed
        for fold in each(splitter, "while splitting the data", splitter.split(data, label_rng(seed, "split"))):
            if self.experiment.validation:
                with calling(splitter, f"while splitting the training part of {fold.name}"):
                    inner = splitter.inner(fold.train, label_rng(seed, f"validation queries of {fold.name}"))
                fold = replace(inner, name=fold.name)
            if not len(fold.queries):
                raise DataError(f"fold {fold.name} has no queries: the split holds nothing out that could be asked")
            yield fold

    def refit(self, data: Dataset) -> dict[str, str]:
        """Train on everything, for serving; gives the key of every fit by its place."""
        with threadpool_limits(limits=1):
            fits = self.prepare(everything(data), self.preparers[0]).fits
        self.asker.store.put(data.fingerprint, data.state(), {"data": self.experiment.config.name})
        return {fit.part.place(fit.spec.label): fit.key for fit in fits}

    def prepare(self, fold: Fold, preparer: Preparer) -> Prepared:
        """Fit the components of a fold and let its blends learn."""
        plan = preparer.plan(fold)
        again = f", repeat {preparer.fitter.repeat}" if len(self.preparers) > 1 else ""
        with self.timing("fit"), self.progress.task(f"fit {fold.name}{again}", len(plan.jobs)) as advance:

            def done(fitted: Fitted) -> None:
                advance(1)
                self.observers.tell(
                    "hybridrec_fitted",
                    label=fitted.spec.label,
                    component=fitted.spec.cls.name,
                    fold=fold.name,
                    seconds=fitted.seconds,
                    cached=fitted.cached,
                )

            return preparer.prepare(plan, done)

    def remember(self, fold: Fold, prepared: Prepared) -> None:
        """Keep for the report how the arms of a fold came about."""
        for arm in prepared.arms:
            self.identities[arm.name] += (arm.pool_key, arm.order_key)
        self.notes += prepared.notes
        for name, learned in prepared.learned.items():
            self.measured[name].learned[fold.name] = learned

    def ask(self, fold: Fold, prepared: Prepared, measured: Mapping[str, Measured]) -> None:
        """Send the queries of a fold through all pipelines and judge the answers."""
        first = next(iter(self.experiment.config.targets))
        for target, n in self.experiment.config.targets.items():
            question = Question(fold.queries, target, n, fold.truth[target], fold.universe)
            before = self.clock.seconds.copy()
            total = len(question) * len(prepared.arms)
            with self.progress.task(f"ask {fold.name}", total) as advance:
                answers = self.asker.answers(prepared.arms, question, advance)
            for (stage, name), seconds in (self.clock.seconds - before).items():
                self.observers.tell(
                    "hybridrec_stage_done",
                    stage=stage,
                    pipeline=name,
                    fold=fold.name,
                    seconds=seconds,
                    queries=len(question),
                )
            with self.timing("evaluate"):
                for name, given in answers.items():
                    measured[name].add(fold, target, given, self.experiment.aims)
                    if target == first:
                        measured[name].rungs.append(np.array(given.slate.rungs)[given.slate.rung])
            if measured is self.measured and target == first:
                self.time(fold, prepared, question)

    def time(self, fold: Fold, prepared: Prepared, question: Question) -> None:
        """Measure how long the blends take, if that is a guardrail."""
        if LATENCY not in self.experiment.config.compare.guardrails:
            return
        blends = [arm for arm in prepared.arms if arm.name in self.experiment.pipelines and not arm.plan.single]
        rng = label_rng(self.experiment.config.seed, f"blocks timed in {fold.name}")
        with self.timing("evaluate"):
            for name, seconds in seconds_per_query(blends, question, rng).items():
                self.latencies.setdefault(name, []).append(seconds)

    def report(self, data: Dataset) -> Report:
        """Means, intervals, comparison, and all that is known about how they came about."""
        config = self.experiment.config
        with self.timing("evaluate"):
            sample = Sample.join(self.samples)
            repeats = self.measured_arms(sample)
            arms = {name: MeasuredArm.averaged([found[name] for found in repeats]) for name in self.measured}
            self.arms = {name: arms[name] for name in self.experiment.pipelines}
            repeats = [{name: found[name] for name in self.arms} for found in repeats]
            conclusions = Conclusions(self.experiment, twins({name: self.identities[name] for name in self.arms}))
            rng = label_rng(config.seed, "intervals")
            pipelines = summarise(list(self.arms.values()), rng, config.compare.resamples)
            comparison = conclusions.comparison(self.arms)
            seconds = {name: np.concatenate(parts) for name, parts in self.latencies.items()}
            guardrails = conclusions.guardrails(self.arms, seconds)
            tradeoffs = [self.tradeoff(curve, arms) for curve in self.experiment.curves]
        for name, pipeline in pipelines.items():
            self.describe(name, pipeline, sample)
            pipeline.same_as = conclusions.same.get(name)
        return Report(
            name=config.name,
            config_hash=self.experiment.hash,
            data=DataReport.of(data),
            pipelines=pipelines,
            comparison=comparison,
            guardrails=guardrails,
            repeats=conclusions.repeats(repeats, self.fits),
            tradeoffs=tradeoffs,
            statistics=StatisticsReport(
                resamples=config.compare.resamples,
                margin=config.compare.margin,
                correction=f"{CORRECTIONS[config.compare.correction][0]}; {FAMILIES}",
                lower_is_better=self.experiment.lower_is_better,
            ),
            seconds=self.seconds_report(),
            environment=Environment.current(self.distributions),
            fits=self.fits,
            notes=[*self.notes, *conclusions.notes(pipelines, sample), *self.observers.failures],
        )

    def measured_arms(self, sample: Sample) -> list[dict[str, MeasuredArm]]:
        """The arms of every training, points of curves among them."""
        users = groups_of(sample.units, label_rng(self.experiment.config.seed, "groups of users"))
        groups = dict.fromkeys(self.experiment.config.compare.guardrails, users)
        return [
            {name: measured.arm(name, sample, self.experiment, groups) for name, measured in repeat.items()}
            for repeat in self.repeats
        ]

    def describe(self, name: str, pipeline: PipelineReport, sample: Sample) -> None:
        """Add to the means of a pipeline what is known of it beside them."""
        measured = self.measured[name]
        pipeline.single = self.experiment.pipelines[name].single
        pipeline.learned = measured.learned
        pipeline.candidate_recall = {
            target: weighted_mean(np.concatenate(found), sample.weights) for target, found in measured.found.items()
        }

    def tradeoff(self, curve: Curve, arms: Mapping[str, MeasuredArm]) -> TradeoffReport:
        """All metrics at every point of a curve, on resamples of their own."""
        rng = label_rng(self.experiment.config.seed, f"trade-off of {curve.use.pipeline} {curve.use.vary}")
        found = summarise([arms[plan.name] for plan in curve.points], rng, self.experiment.config.compare.resamples)
        points = [
            TradeoffPoint(value=value, metrics=found[plan.name].metrics)
            for value, plan in zip(curve.use.over, curve.points, strict=True)
        ]
        return TradeoffReport(pipeline=curve.use.pipeline, vary=curve.use.vary, points=points)

    def seconds_report(self) -> SecondsReport:
        """Wall time by stage; the stages of the pipelines run on several threads and are summed over them."""
        stages = dict.fromkeys(("generate", "score", "rerank"), 0.0)
        for (stage, _), seconds in self.clock.seconds.items():
            stages[stage] += seconds
        total = time.perf_counter() - self.started
        return SecondsReport(**stages, **self.seconds, total=total)

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add the wall time of the block to a stage."""
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started


def read(experiment: Experiment) -> Dataset:
    """The data of an experiment."""
    with calling(experiment.reader, "while reading the data"):
        return experiment.reader.read()


_PACKAGES = (
    "hybridrec", "numpy", "scipy", "polars", "pydantic", "pluggy", "gensim", "implicit", "lightfm-next", "lightfm",
    "lightgbm",
)  # fmt: skip


def _fit_report(fitted: Fitted, repeat: int) -> FitReport:
    return FitReport(
        label=fitted.spec.label,
        component=fitted.spec.cls.name,
        version=fitted.spec.cls.version,
        fold=fitted.part.fold,
        level=fitted.part.level,
        key=fitted.key,
        seconds=round(fitted.seconds, 3),
        cached=fitted.cached,
        repeat=repeat,
    )
