"""One experiment: read, split, fit, ask, measure, compare, write."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import scipy.linalg  # noqa: F401  (its BLAS must be loaded before the thread limit is set)
from threadpoolctl import threadpool_limits

from hybridrec.arrays import Doubles, Target
from hybridrec.data.dataset import Dataset
from hybridrec.data.folds import Fold
from hybridrec.data.queries import NOTHING
from hybridrec.errors import DataError
from hybridrec.evaluation.arms import Arm as MeasuredArm
from hybridrec.evaluation.arms import Sample
from hybridrec.evaluation.compare import CORRECTIONS, FAMILIES, compare
from hybridrec.evaluation.metrics import Judged, SetMetric, combine
from hybridrec.evaluation.report import (
    Comparison,
    DataReport,
    Environment,
    FitReport,
    PipelineReport,
    Report,
    SecondsReport,
    StatisticsReport,
)
from hybridrec.evaluation.summary import summarise
from hybridrec.experiment.asked import Asked
from hybridrec.experiment.asking import Answers, Asker, Clock, Question
from hybridrec.experiment.config import Aim, Experiment
from hybridrec.experiment.fitting import Fitted, Fitter, label_rng
from hybridrec.experiment.preparing import Prepared, Preparer, everything
from hybridrec.experiment.store import Store
from hybridrec.registry.discovery import Registry
from hybridrec.stages import kernels
from hybridrec.stages.pipeline import BLEND
from hybridrec.stages.pool import Slate
from hybridrec.tracing import calling, each

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.data.vocabulary import Vocabulary

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


@dataclass(slots=True)
class Measured:
    """What one pipeline gave over all folds."""

    values: dict[str, list[Doubles]] = field(default_factory=dict)
    judged: dict[str, list[Judged]] = field(default_factory=dict)
    rungs: list[np.ndarray[tuple[int, ...], np.dtype[np.str_]]] = field(default_factory=list)
    found: dict[Target, list[Doubles]] = field(default_factory=dict)
    answers: dict[Target, list[Answers]] = field(default_factory=dict)
    learned: dict[str, object] = field(default_factory=dict)

    def add(self, fold: Fold, target: Target, answers: Answers, aims: tuple[Aim, ...]) -> None:
        """Judge the answers to the queries of a fold."""
        slate = answers.slate
        hits = kernels.hits(slate.ids, fold.truth[target])
        judged = Judged(target, slate.ids, hits, fold.truth[target], fold.train, fold.universe)
        for aim in aims:
            if aim.target != target:
                continue
            if isinstance(aim.measure.metric, SetMetric):
                self.judged.setdefault(aim.key, []).append(judged)
            else:
                with calling(aim.measure.metric, f"while measuring {aim.key} in fold {fold.name}"):
                    self.values.setdefault(aim.key, []).append(aim.measure.values(judged))
        self.found.setdefault(target, []).append(answers.found)
        self.answers.setdefault(target, []).append(answers)

    def arm(self, name: str, sample: Sample, experiment: Experiment) -> MeasuredArm:
        """For the statistics."""
        whole = {}
        for aim in experiment.aims:
            if aim.key in self.judged:
                with calling(aim.measure.metric, f"while measuring {aim.key} of all folds"):
                    whole[aim.key] = aim.measure.value(self.judged[aim.key])
        values = {metric: np.concatenate(parts) for metric, parts in self.values.items()}
        combined = experiment.config.compare.combined
        values |= {metric: combine(values, weights) for metric, weights in combined.items()}
        values = {metric: values[metric] for metric in experiment.metrics if metric in values}
        return MeasuredArm(name, sample, values, whole, np.concatenate(self.rungs))

    def slates(self, target: Target, vocabulary: Vocabulary) -> pl.DataFrame:
        """All slates of a target with external ids; `query` numbers the queries over all folds."""
        return Slate.stack([answers.slate for answers in self.answers[target]]).to_frame(vocabulary)


class Experimenter:
    """Carries out one experiment: the way of the data, from reader to report."""

    def __init__(self, experiment: Experiment, registry: Registry, store: Store, progress: Progress) -> None:
        config = experiment.config
        workers = config.workers or os.cpu_count() or 1
        self.experiment = experiment
        self.hooks = registry.manager.hook
        self.progress = progress
        self.clock = Clock()
        self.asker = Asker(store, workers, config.memory, self.clock)
        self.fitter = Fitter(store, config.seed, workers, config.memory)
        self.preparer = Preparer(experiment, self.fitter, self.asker)
        self.measured = {name: Measured() for name in experiment.pipelines}
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
                prepared = self.prepare(fold)
                self.remember(fold, prepared)
                self.ask(fold, prepared)
            return self.report(data), data

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
        """Train on everything, for serving; gives the store keys by label."""
        with threadpool_limits(limits=1):
            fits = self.prepare(everything(data)).fits
        self.asker.store.put(data.fingerprint, data.state(), {"data": self.experiment.config.name})
        return {fit.spec.label: fit.key for fit in fits if fit.part.level == "final"}

    def prepare(self, fold: Fold) -> Prepared:
        """Fit the components of a fold and let its blends learn."""
        plan = self.preparer.plan(fold)
        with self.timing("fit"), self.progress.task(f"fit {fold.name}", len(plan.jobs)) as advance:

            def done(fitted: Fitted) -> None:
                advance(1)
                self.hooks.hybridrec_fitted(
                    label=fitted.spec.label,
                    component=fitted.spec.cls.name,
                    fold=fold.name,
                    seconds=fitted.seconds,
                    cached=fitted.cached,
                )

            return self.preparer.prepare(plan, done)

    def remember(self, fold: Fold, prepared: Prepared) -> None:
        """Keep for the report how the arms of a fold came about."""
        self.fits += [_fit_report(fitted) for fitted in prepared.fits]
        self.notes += prepared.notes
        for name, learned in prepared.learned.items():
            self.measured[name].learned[fold.name] = learned

    def ask(self, fold: Fold, prepared: Prepared) -> None:
        """Send the queries of a fold through all pipelines and judge the answers."""
        self.samples.append(Sample.of(fold))
        self.asked.append(Asked.of(fold))
        for target, n in self.experiment.config.targets.items():
            question = Question(fold.queries, target, n, fold.truth[target], fold.universe)
            before = self.clock.seconds.copy()
            total = len(question) * len(prepared.arms)
            with self.progress.task(f"ask {fold.name}", total) as advance:
                answers = self.asker.answers(prepared.arms, question, advance)
            for (stage, name), seconds in (self.clock.seconds - before).items():
                self.hooks.hybridrec_stage_done(
                    stage=stage, pipeline=name, fold=fold.name, seconds=seconds, queries=len(question)
                )
            with self.timing("evaluate"):
                for name, given in answers.items():
                    self.measured[name].add(fold, target, given, self.experiment.aims)
                    if target == next(iter(self.experiment.config.targets)):
                        self.measured[name].rungs.append(np.array(given.slate.rungs)[given.slate.rung])

    def report(self, data: Dataset) -> Report:
        """Means, intervals, comparison, and all that is known about how they came about."""
        config = self.experiment.config
        with self.timing("evaluate"):
            sample = Sample.join(self.samples)
            self.arms = {name: m.arm(name, sample, self.experiment) for name, m in self.measured.items()}
            rng = label_rng(config.seed, "intervals")
            pipelines = summarise(list(self.arms.values()), rng, config.compare.resamples)
            comparison = self.comparison()
        for name, pipeline in pipelines.items():
            measured = self.measured[name]
            pipeline.single = self.experiment.pipelines[name].single
            pipeline.learned = measured.learned
            pipeline.candidate_recall = {
                target: _weighted_mean(np.concatenate(found), sample.weights)
                for target, found in measured.found.items()
            }
        return Report(
            name=config.name,
            config_hash=self.experiment.hash,
            data=DataReport.of(data),
            pipelines=pipelines,
            comparison=comparison,
            statistics=StatisticsReport(
                resamples=config.compare.resamples,
                margin=config.compare.margin,
                correction=f"{CORRECTIONS[config.compare.correction][0]}; {FAMILIES}",
                lower_is_better=self.experiment.lower_is_better,
            ),
            seconds=self.seconds_report(),
            environment=Environment.current(self.distributions),
            fits=self.fits,
            notes=[*self.notes, *_silent(pipelines), *_blind(sample)],
        )

    def comparison(self) -> list[Comparison]:
        """Every pipeline against the control, and against every single component if there are such arms."""
        plans = self.experiment.pipelines
        config = self.experiment.config.compare
        blends = [name for name, plan in plans.items() if not plan.single]
        singles = [name for name, plan in plans.items() if plan.single]
        pairs = [(config.control, name) for name in blends if config.control not in (None, name)]
        pairs += [(single, blend) for blend in blends for single in singles]
        return compare(
            self.arms,
            [(str(control), variant) for control, variant in pairs],
            self.experiment.metrics,
            label_rng(self.experiment.config.seed, "comparison"),
            lower_is_better=self.experiment.lower_is_better,
            margin=config.margin,
            correction=config.correction,
            resamples=config.resamples,
        )

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
)  # fmt: skip


def _silent(pipelines: Mapping[str, PipelineReport]) -> Iterator[str]:
    """Says where the fallback is measured in a pipeline's place."""
    for name, pipeline in pipelines.items():
        if not any(rung.startswith(BLEND) for rung in pipeline.rungs):
            others = ", ".join(pipeline.rungs)
            yield f"{name}: its generators had nothing to say about any of {pipeline.queries} queries; {others} served"


def _blind(sample: Sample) -> Iterator[str]:
    """Says so if most queries know nothing: every pipeline is the same on them."""
    nothing = int((sample.segments == NOTHING).sum())
    if 2 * nothing > len(sample):
        yield (
            f"{nothing} of {len(sample)} queries know nothing at all (new users without history, tags or title): "
            "pipelines hardly differ on them; another split, or its `min_history`, would ask more"
        )


def _weighted_mean(values: Doubles, weights: Doubles) -> float | None:
    defined = ~np.isnan(values)
    return float(np.average(values[defined], weights=weights[defined])) if defined.any() else None


def _fit_report(fitted: Fitted) -> FitReport:
    return FitReport(
        label=fitted.spec.label,
        component=fitted.spec.cls.name,
        version=fitted.spec.cls.version,
        fold=fitted.part.fold,
        level=fitted.part.level,
        key=fitted.key,
        seconds=round(fitted.seconds, 3),
        cached=fitted.cached,
    )
