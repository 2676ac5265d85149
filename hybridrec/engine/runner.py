"""The run of one experiment: read the data, split it, fit, recommend, measure and compare."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from hybridrec.config.experiment import CheckedExperiment
from hybridrec.data.checks import check_dataset
from hybridrec.data.dataset import Dataset
from hybridrec.data.io.part_files import is_pattern
from hybridrec.data.readers.frames import refuse_missing_frames
from hybridrec.data.segments.known_fields import KnownFields
from hybridrec.data.splits.base import Fold
from hybridrec.engine.environment import distributions_of, plugins_of
from hybridrec.engine.evaluate import MetricAccumulator, check_metrics, question_of
from hybridrec.engine.executor import Executor, ThreadExecutor, works_side_by_side
from hybridrec.engine.fit import NOTES, FitJob, Fitted
from hybridrec.engine.fitter import Fitter
from hybridrec.engine.folds import folds_of
from hybridrec.engine.keys import data_key
from hybridrec.engine.kinds import with_kinds
from hybridrec.engine.latency import seconds_per_query
from hybridrec.engine.progress import ProgressPoint
from hybridrec.engine.results import ResultBuilder, RunResult
from hybridrec.engine.seeds import label_rng
from hybridrec.engine.store import REPRODUCIBLE, NullStore, Store
from hybridrec.engine.timers import ASK, Stopwatch
from hybridrec.engine.train import FoldTrainer, TrainedFold, full_fold
from hybridrec.errors import DataError, PluginError
from hybridrec.evaluation.report import LATENCY, Environment
from hybridrec.evaluation.summary import winner
from hybridrec.inference.batch_runner import BatchRunner, Clock, EvalQueries
from hybridrec.inference.servable import PluginSource, ServableRun, plugin_classes, served_data
from hybridrec.inference.threads import one_thread_per_library, side_by_side
from hybridrec.observers.base import FitFinished, FitProgressed, StageFinished
from hybridrec.observers.dispatch import Observers
from hybridrec.registry.discovery import Registry
from hybridrec.secret import redacted
from hybridrec.stages.component import Component
from hybridrec.stages.pipeline import Pipeline
from hybridrec.stages.query_filters import QUERY_FILTERS
from hybridrec.tracing import calling
from hybridrec.types import Target

Advance = Callable[[int], None]
F = TypeVar("F", bound=Fitter)
AT_ONCE = 8
"""The largest number of repeats that are trained side by side: this process holds what their blends learn from."""


class Progress(Protocol):
    """A listener to the progress of a run; the listener of the command line draws bars."""

    @property
    def started(self) -> float | None:
        """The reading of `time.perf_counter` at which the seconds of a run begin; None if they begin with the call."""
        ...

    def task(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """Return a context manager for a task of `total` steps; on entry it gives a function that counts steps.

        The function is called with the number of further steps that were done.
        """
        ...

    def begin(self, fit: str) -> None:
        """Show that the fit of this name has begun in this process; it may be called from any thread."""
        ...

    def end(self, fit: str, seconds: float, cached: bool) -> None:
        """Show that the fit of this name has ended after `seconds`, or was found in the store (`cached`)."""
        ...

    def report(self, fit: str, step: int, of: int, numbers: Mapping[str, float | None]) -> None:
        """Show that the fit of this name has done `step` of `of` steps, with the numbers that the component reported.

        It may be called from any thread.
        """
        ...


class NullProgress:
    """A `Progress` that shows nothing."""

    started: float | None = None

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Advance]:
        """Yield a function that ignores the number of steps."""
        yield lambda _: None

    def begin(self, fit: str) -> None:
        """Ignore that the fit has begun."""

    def end(self, fit: str, seconds: float, cached: bool) -> None:
        """Ignore that the fit has ended."""

    def report(self, fit: str, step: int, of: int, numbers: Mapping[str, float | None]) -> None:
        """Ignore the progress of the fit."""


class ExperimentRunner:
    """One execution of one experiment, from its reader to its result; it writes files only in the store."""

    def __init__(
        self,
        experiment: CheckedExperiment,
        registry: Registry,
        store: Store,
        progress: Progress,
        executor: Executor | None = None,
        observers: Observers | None = None,
        watch: Stopwatch | None = None,
    ) -> None:
        """Prepare the run.

        executor: runs the fits and the pipelines; by default threads, as many as `workers` of the config, or else as
            the machine has cores (`open_executor` opens that of the config)
        observers: the observers to tell of events; by default those that the config names (a search passes its own)
        watch: a stopwatch that started with the command; by default one that starts now
        """
        config = experiment.config
        self.executor = executor or ThreadExecutor(config.workers or os.cpu_count() or 1)
        self.registry = registry
        self.store = store
        self.experiment = experiment
        self.observers = observers or Observers(experiment.observers.values())
        self.progress = progress
        self.clock = Clock()
        cache = store if experiment.kept else NullStore()
        self.runner = BatchRunner(cache, self.executor, config.memory, self.clock)
        self.trainers = [
            FoldTrainer(experiment, self.fitter(repeat, Fitter), self.runner) for repeat in range(1, config.repeats + 1)
        ]
        self.results = ResultBuilder(experiment)
        self.watch = watch or Stopwatch()
        self.distributions = distributions_of(experiment, registry)
        self.plugins = plugins_of(experiment, registry)

    def fitter(self, repeat: int, cls: type[F]) -> F:
        """Return a fitter of this class for the training of number `repeat`, from 1."""
        config = self.experiment.config
        return cls(
            self.store,
            self.registry,
            self.executor,
            seed=config.seed,
            memory=config.memory,
            repeat=repeat,
            listener=self.progressed,
            began=self.began,
            timeout=config.fit_timeout,
        )

    def began(self, job: FitJob) -> None:
        """Show by `progress` that a fit has begun."""
        self.progress.begin(_shown(job))

    def progressed(self, job: FitJob, point: ProgressPoint) -> None:
        """Forward a point of progress of a fit, as its component reported it: to `progress`, and to the observers."""
        self.progress.report(_shown(job), point.step, point.of, point.numbers)
        self.observers.tell(
            FitProgressed,
            label=job.label,
            component=job.component,
            fold=job.fold,
            level=job.level,
            repeat=job.repeat,
            step=point.step,
            of=point.of,
            numbers=point.numbers,
        )

    def fitted(self, fitted: Fitted) -> None:
        """Show by `progress` that a fit has ended, and tell the observers."""
        job, outcome = fitted.job, fitted.outcome
        self.progress.end(_shown(job), outcome.seconds, outcome.cached)
        self.observers.tell(
            FitFinished,
            label=job.label,
            component=job.component,
            fold=job.fold,
            level=job.level,
            repeat=job.repeat,
            seconds=outcome.seconds,
            cached=outcome.cached,
        )

    def run(self) -> RunResult:
        """Run the experiment and return its result; with `refit: all`, train on the whole data at the end, too."""
        with one_thread_per_library():
            with self.watch.timing("read"):
                data, notes = read_with_notes(self.experiment, self.store)
            self.results.notes += notes
            self.evaluate(data)
            with self.watch.timing("evaluate"):
                report = self.results.report(data, self.watch, Environment.current(self.distributions, self.plugins))
            servable = None
            if self.experiment.refitted:
                with self.watch.timing("refit"):
                    servable = self.refit(data, winner(report))
                report.fits = self.results.fits
            report.seconds = self.watch.report()
            report.figures, report.figures_of = self.results.figures, self.results.figures_of
        noted = (*report.notes, *self.results.choices_served, *self.observers.failures)
        report.notes = [redacted(note) for note in noted]
        return self.results.result(report, data, self.executor.workers, servable)

    def evaluate(self, data: Dataset) -> None:
        """Split the data, then for each fold fit, recommend and measure; only the results of a fold are kept."""
        for fold in self.folds(data):
            check_metrics(fold, self.experiment.metric_specs)
            self.results.begin(fold)
            for trainer, measured, trained_fold in zip(
                self.trainers, self.results.repeats, self.trained_folds(fold), strict=True
            ):
                repeat = trainer.fitter.repeat
                self.results.trained(fold, trained_fold, repeat)
                for target in self.experiment.config.targets:
                    self.ask(fold, trained_fold, self.question(fold, target), measured)
                if repeat == 1:
                    self.time(fold, trained_fold)

    def folds(self, data: Dataset) -> Iterator[Fold]:
        """Yield the folds of the data, each made when it is asked for; the time counts as the stage `split`."""
        folds = folds_of(self.experiment, data)
        while True:
            with self.watch.timing("split"):
                fold = next(folds, None)
            if fold is None:
                return
            yield fold

    @property
    def refit_trainer(self) -> FoldTrainer:
        """The trainer on the whole data, which trains the blends alone."""
        blends = {name: pipeline for name, pipeline in self.experiment.pipelines.items() if not pipeline.single}
        return replace(self.trainers[0], experiment=replace(self.experiment, pipelines=blends, curves=()))

    def refit(self, data: Dataset, default: str) -> ServableRun:
        """Train the pipelines on the whole data and return them for serving.

        `default` names the pipeline that serves requests that name none.
        """
        everything = full_fold(data)
        (trained_fold,) = self.prepare(everything, [self.refit_trainer], stage="refit")
        self.results.refitted(trained_fold)
        self.results.show(everything, trained_fold)
        components = {fit.spec.label: fit.component for fit in trained_fold.fits if fit.job.level == "full"}
        pipelines = {arm.name: arm.pipeline for arm in trained_fold.arms}
        return servable_run(self.experiment, self.registry, data, components, pipelines, default)

    def trained_folds(self, fold: Fold) -> Iterator[TrainedFold]:
        """Yield the fold as each repeat trains it, in order.

        On an executor that allows it (`works_side_by_side`), up to `AT_ONCE` repeats are trained side by side. The
        first is trained alone, since it tells which fits draw no random numbers and are those of all repeats.
        """
        yield from self.prepare(fold, self.trainers[:1])
        at_once = AT_ONCE if works_side_by_side(self.executor) else 1
        for start in range(1, len(self.trainers), at_once):
            yield from self.prepare(fold, self.trainers[start : start + at_once])

    def prepare(self, fold: Fold, trainers: Sequence[FoldTrainer], stage: str = "fit") -> list[TrainedFold]:
        """Fit the components of a fold, let its blends learn, and return its pipelines ready for queries.

        It does so for each trainer, for all of them at the same time. The time that this takes counts as the stage
        `stage`, `fit` or `refit`.
        """
        plans = [trainer.plan(fold) for trainer in trainers]
        numbers = sorted({trainers[0].fitter.repeat, trainers[-1].fitter.repeat})
        repeats = f"repeat{'s'[: len(numbers) - 1]} {' to '.join(map(str, numbers))}"
        again = f", {repeats}" if len(self.trainers) > 1 else ""
        total = sum(len(plan.choice_jobs) + len(plan.jobs) for plan in plans)
        with self.watch.timing(stage), self.progress.task(f"fit {fold.name}{again}", total) as advance:

            def done(fitted: Fitted) -> None:
                advance(1)
                self.fitted(fitted)

            calls = [partial(trainer.prepare, plan, done) for trainer, plan in zip(trainers, plans, strict=True)]
            return list(side_by_side(calls))

    def question(self, fold: Fold, target: Target) -> EvalQueries:
        """Return the queries of a fold, to be answered for one target.

        If a pipeline draws its slates at random, the queries get ids, since the draws depend on the ids.
        """
        drawn = any(pipeline.draws(target) for pipeline in self.experiment.pipelines.values())
        return question_of(fold, target, self.experiment.config.targets[target], named=drawn)

    def ask(
        self, fold: Fold, trained_fold: TrainedFold, question: EvalQueries, measured: Mapping[str, MetricAccumulator]
    ) -> None:
        """Send the queries `question` of a fold through all its pipelines, and add the metrics to `measured`."""
        before = self.clock.seconds.copy()
        total = len(question) * len(trained_fold.arms)
        with self.watch.timing(ASK), self.progress.task(f"ask {fold.name}", total) as advance:
            answers = self.runner.results(trained_fold.arms, question, advance)
        stages = self.clock.seconds - before
        for (stage, _), seconds in stages.items():
            self.watch.answered({stage: seconds})
        for (stage, name), seconds in stages.items():
            self.observers.tell(
                StageFinished,
                stage=stage,
                pipeline=name,
                fold=fold.name,
                seconds=seconds,
                queries=len(question),
            )
        with self.watch.timing("evaluate"):
            for name, given in answers.items():
                measured[name].add(fold, question.target, given, self.experiment.metric_specs)

    def time(self, fold: Fold, trained_fold: TrainedFold) -> None:
        """Measure the seconds per query of the blends for the first target, if latency is a guardrail."""
        if LATENCY not in self.experiment.config.compare.guardrails:
            return
        blends = [arm for arm in trained_fold.arms if arm.name in self.experiment.pipelines and not arm.single]
        question = self.question(fold, next(iter(self.experiment.config.targets)))
        rng = label_rng(self.experiment.config.seed, f"blocks timed in {fold.name}")
        with self.watch.timing("evaluate"):
            for name, seconds in seconds_per_query(blends, question, rng).items():
                self.results.latencies.setdefault(name, []).append(seconds)


def _shown(job: FitJob) -> str:
    """Return the name of a fit for people: its label and level."""
    return f"{job.label} ({job.level})"


def servable_run(
    experiment: CheckedExperiment,
    registry: Registry,
    data: Dataset,
    components: Mapping[str, Component],
    pipelines: Mapping[str, Pipeline],
    default: str,
) -> ServableRun:
    """Gather all that serving needs of an experiment whose components were fitted on all of `data`.

    `default` names the pipeline that serves requests that name none.
    """
    rerankers = [r for pipeline in pipelines.values() for chain in pipeline.rerankers.values() for r in chain]
    filters = [each for pipeline in pipelines.values() for each in pipeline.filters]
    segmenter = next(iter(experiment.segmenters.values()))
    in_use = (*components.values(), *rerankers, *filters, segmenter)
    # What queries know, show and dislike, serving knows without a plugin.
    built_in = (KnownFields, *QUERY_FILTERS)
    classes = dict.fromkeys(cls for plugin in in_use for cls in plugin_classes(plugin) if cls not in built_in)
    providers = [provider for provider in map(registry.provider_of, classes) if provider is not None]
    by_place = {(provider.module, provider.name): provider for provider in providers}
    base_models = {label: experiment.components[label].base_model for label in components}
    return ServableRun(
        name=experiment.config.name,
        targets=experiment.config.targets,
        pipelines=pipelines,
        default=default,
        components=components,
        uses={label: base_model.label for label, base_model in base_models.items() if base_model is not None},
        data=served_data(data),
        trained_on=data.fingerprint,
        plugins=tuple(
            PluginSource(p.name, p.module, p.distribution, p.version, p.file, p.digest)
            for _, p in sorted(by_place.items())
        ),
        memory=experiment.config.memory,
        segmenter=segmenter,
        origins={cls: provider.distribution for cls in classes if (provider := registry.provider_of(cls)) is not None},
    )


def read(experiment: CheckedExperiment, store: Store | None = None) -> Dataset:
    """Read the data of an experiment as `read_with_notes` does, and return it without the notes."""
    return read_with_notes(experiment, store)[0]


def _missing(options: Mapping[str, Any], key: str) -> Iterator[str]:
    """Yield the key path of each file and folder in `options`, the value of `key`, that is not on this machine."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _missing(value, f"{key}.{name}")
        elif isinstance(value, Path) and value.is_absolute() and not (value.exists() or is_pattern(value)):
            yield f"{key}.{name}"


def read_with_notes(experiment: CheckedExperiment, store: Store | None = None) -> tuple[Dataset, tuple[str, ...]]:
    """Read the data of an experiment and return it with the notes of the reader.

    If the reader gives a fingerprint of its data and the store has data under it, the data is taken from the store.
    Raises ConfigError if the experiment needs frames that were not passed.
    """
    reader = experiment.reader
    refuse_missing_frames(reader, experiment.config.name)
    key = None
    if store is not None:
        with calling(reader, "while asking for the fingerprint of the data"):
            told = reader.fingerprint()
            if not (told is None or isinstance(told, str)):
                raise PluginError(f"fingerprint must return a text or None, not {type(told).__name__}")
        key = None if told is None else data_key(experiment, told)
    if store is not None and key is not None and (state := store.find(key)) is not None:
        data = with_kinds(Dataset.restore(state), experiment.config)
        return data, tuple((store.about(key) or {}).get(NOTES, ()))
    try:
        with calling(reader, "while reading the data"):
            data = check_dataset(reader.read())
            notes = tuple(map(redacted, reader.notes()))
    except DataError as error:
        if places := " ".join(f"--set {key}=PATH" for key in _missing(reader.config.model_dump(), "data")):
            error.add_note(f"where the data lies elsewhere: {places}")
            error.add_note("if the config came with hybridrec, the comments at its top say where to get the data")
        raise
    if store is not None and key is not None:
        # Rows of a database come in any order: of two processes that read at the same time, both use what was first.
        store.put(key, data.state(), {"data of": reader.name, NOTES: notes, REPRODUCIBLE: False})
        if key in store.doubled and (state := store.find(key)) is not None:
            data = Dataset.restore(state)
    return with_kinds(data, experiment.config), notes
