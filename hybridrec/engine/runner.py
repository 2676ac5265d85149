"""One experiment: read, split, fit, ask, measure, compare, write."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import numpy as np

from hybridrec.config.experiment import Experiment
from hybridrec.data.checks import check_dataset
from hybridrec.data.dataset import Dataset
from hybridrec.data.readers.frames import refuse_missing_frames
from hybridrec.data.splits.base import Fold
from hybridrec.engine.environment import distributions_of
from hybridrec.engine.evaluate import Measured
from hybridrec.engine.executor import Executor, ThreadExecutor
from hybridrec.engine.fit import Fitted
from hybridrec.engine.fitter import Fitter
from hybridrec.engine.folds import folds_of
from hybridrec.engine.latency import seconds_per_query
from hybridrec.engine.results import Findings
from hybridrec.engine.seeds import label_rng
from hybridrec.engine.store import Store
from hybridrec.engine.timers import Stopwatch
from hybridrec.engine.train import Prepared, Preparer, everything
from hybridrec.evaluation.report import LATENCY, Environment, Report
from hybridrec.inference.batch_runner import BatchRunner, Clock, EvalQueries
from hybridrec.inference.threads import one_thread_per_library
from hybridrec.registry.discovery import Registry
from hybridrec.registry.observers import Observers
from hybridrec.tracing import calling

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

    def __init__(
        self,
        experiment: Experiment,
        registry: Registry,
        store: Store,
        progress: Progress,
        executor: Executor | None = None,
    ) -> None:
        """`executor` does the fits and sends the queries through the pipelines: by default as many threads as the
        config has `workers`, or the machine cores."""
        config = experiment.config
        self.executor = executor or ThreadExecutor(config.workers or os.cpu_count() or 1)
        self.registry = registry
        self.store = store
        self.experiment = experiment
        self.observers = Observers(registry.manager)
        self.progress = progress
        self.clock = Clock()
        self.asker = BatchRunner(store, self.executor, config.memory, self.clock)
        self.preparers = [
            Preparer(experiment, self.fitter(repeat), self.asker) for repeat in range(1, config.repeats + 1)
        ]
        self.findings = Findings(experiment)
        self.watch = Stopwatch(self.clock)
        self.distributions = distributions_of(experiment, registry)

    def fitter(self, repeat: int) -> Fitter:
        """A fitter for one of the trainings."""
        config = self.experiment.config
        return Fitter(self.store, self.registry, self.executor, seed=config.seed, memory=config.memory, repeat=repeat)

    def run(self) -> tuple[Report, Dataset]:
        """Everything up to the report."""
        with one_thread_per_library():
            with self.watch.timing("read"):
                data = read(self.experiment)
            self.findings.notes += self.experiment.reader.notes()
            self.evaluate(data)
            report = self.findings.report(data, self.watch, Environment.current(self.distributions))
        report.notes += self.observers.failures
        return report, data

    def evaluate(self, data: Dataset) -> None:
        """Split, fit, ask and judge, fold by fold; of a fold only what was found is kept."""
        for fold in folds_of(self.experiment, data):
            self.findings.begin(fold)
            for preparer, measured in zip(self.preparers, self.findings.repeats, strict=True):
                prepared = self.prepare(fold, preparer)
                if measured is self.findings.measured:
                    self.findings.remember(fold, prepared)
                self.findings.trained(prepared.fits, preparer.fitter.repeat)
                self.ask(fold, prepared, measured)

    def refit(self, data: Dataset) -> dict[str, str]:
        """Train on everything, for serving; gives the key of every fit by its place."""
        with one_thread_per_library():
            fits = self.prepare(everything(data), self.preparers[0]).fits
        self.store.put(data.fingerprint, data.state(), {"data": self.experiment.config.name})
        return {fit.job.place: fit.key for fit in fits}

    def prepare(self, fold: Fold, preparer: Preparer) -> Prepared:
        """Fit the components of a fold and let its blends learn."""
        plan = preparer.plan(fold)
        again = f", repeat {preparer.fitter.repeat}" if len(self.preparers) > 1 else ""
        with self.watch.timing("fit"), self.progress.task(f"fit {fold.name}{again}", len(plan.jobs)) as advance:

            def done(fitted: Fitted) -> None:
                advance(1)
                self.observers.tell(
                    "hybridrec_fitted",
                    label=fitted.job.label,
                    component=fitted.job.component,
                    fold=fold.name,
                    seconds=fitted.outcome.seconds,
                    cached=fitted.outcome.cached,
                )

            return preparer.prepare(plan, done)

    def ask(self, fold: Fold, prepared: Prepared, measured: Mapping[str, Measured]) -> None:
        """Send the queries of a fold through all pipelines and judge the answers."""
        first = next(iter(self.experiment.config.targets))
        for target, n in self.experiment.config.targets.items():
            question = EvalQueries(fold.queries, target, n, fold.truth[target], fold.universe)
            before = self.clock.seconds.copy()
            total = len(question) * len(prepared.arms)
            with self.progress.task(f"ask {fold.name}", total) as advance:
                answers = self.asker.results(prepared.arms, question, advance)
            for (stage, name), seconds in (self.clock.seconds - before).items():
                self.observers.tell(
                    "hybridrec_stage_done",
                    stage=stage,
                    pipeline=name,
                    fold=fold.name,
                    seconds=seconds,
                    queries=len(question),
                )
            with self.watch.timing("evaluate"):
                for name, given in answers.items():
                    measured[name].add(fold, target, given, self.experiment.aims)
                    if target == first:
                        measured[name].rungs.append(np.array(given.slate.rungs)[given.slate.rung])
            if measured is self.findings.measured and target == first:
                self.time(fold, prepared, question)

    def time(self, fold: Fold, prepared: Prepared, question: EvalQueries) -> None:
        """Measure how long the blends take, if that is a guardrail."""
        if LATENCY not in self.experiment.config.compare.guardrails:
            return
        blends = [arm for arm in prepared.arms if arm.name in self.experiment.pipelines and not arm.single]
        rng = label_rng(self.experiment.config.seed, f"blocks timed in {fold.name}")
        with self.watch.timing("evaluate"):
            for name, seconds in seconds_per_query(blends, question, rng).items():
                self.findings.latencies.setdefault(name, []).append(seconds)


def read(experiment: Experiment) -> Dataset:
    """Read the data of an experiment; raises ConfigError if it is made from frames that were not handed in."""
    refuse_missing_frames(experiment.reader, experiment.config.name)
    with calling(experiment.reader, "while reading the data"):
        return check_dataset(experiment.reader.read())
