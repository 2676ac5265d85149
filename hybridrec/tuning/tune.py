"""The search of `tune`: propose values, measure and record each trial, and write the config with the best values."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import yaml

from hybridrec.config import composition
from hybridrec.config.experiment import CheckedExperiment, Tuning
from hybridrec.config.load import check, executor_assignments, open_config, registry_for
from hybridrec.config.models import Tune
from hybridrec.config.search_space import Variants
from hybridrec.engine.executor import Executor, open_executor, works_side_by_side
from hybridrec.engine.object_store import open_store
from hybridrec.engine.runner import ExperimentRunner, NullProgress, read
from hybridrec.engine.store import Store
from hybridrec.errors import ConfigError
from hybridrec.evaluation.report import TuningReport
from hybridrec.inference.threads import side_by_side
from hybridrec.observers.base import RunStarted, SearchFinished, TrialFinished
from hybridrec.observers.dispatch import Observers
from hybridrec.paths import sweep, write_whole
from hybridrec.plugin import Plugin
from hybridrec.secret import redacted
from hybridrec.tuning.objective import Objective
from hybridrec.tuning.sampler import Sampler
from hybridrec.tuning.study_dir import BEST, IMPORTANCE, TRIALS, Tuned, begin, finish, resume
from hybridrec.tuning.trials import State, Trial, TrialTable, best_of
from hybridrec.tuning.yaml_edit import tuned_text


class TuneCallback(Protocol):
    """A listener to a search; the command line prints its progress."""

    def began(self, folder: Path, tuning: Tuning, trials: int) -> None:
        """Note that the search begins; its results go into `folder`, and at most `trials` trials will run."""
        ...

    def tried(self, trial: Trial, best: Trial | None) -> None:
        """Note a finished trial; `best` is the best trial so far that satisfies all bounds, None if none does."""
        ...


class NullTuneCallback:
    """A `TuneCallback` that ignores everything."""

    def began(self, folder: Path, tuning: Tuning, trials: int) -> None:
        """Ignore the start."""

    def tried(self, trial: Trial, best: Trial | None) -> None:
        """Ignore the trial."""


def tune(
    config: Path | str | Mapping[str, Any] | composition.Experiment,
    assignments: Sequence[str] = (),
    *,
    data: Mapping[str, object] | None = None,
    trials: int | None = None,
    seconds: float | None = None,
    resume_from: Path | str | None = None,
    store: Path | str | None = None,
    runs: Path | str = "runs",
    callback: TuneCallback | None = None,
    block: Collection[str] = (),
    plugins: Sequence[type[Plugin] | Path | str] = (),
    executor: Executor | None = None,
) -> Tuned:
    """Search for the best values of the options in a config's section `tune`, and return the result of the search.

    Trials are measured on validation queries inside the training parts, never on test queries. The other arguments are
    those of `run`, which takes the result: `run(tuned.config)`.

    trials: total number of trials, with those of an earlier search, in place of the number in the config
    seconds: no further trial begins once this call has taken so many seconds, in place of the number in the config
    resume_from: folder of an earlier search to be continued

    Raises ConfigError if the config has no section `tune` or no trial satisfies the bounds, and MissingDependencyError
    without Optuna.
    """
    registry = registry_for(config, assignments, block=block, plugins=plugins)
    opened = open_config(config, registry, executor_assignments(assignments, registry), data)
    experiment = opened.check(registry)
    section = experiment.config.tune
    if experiment.tuning is None or section is None:
        raise ConfigError(f"{opened.document.source} has no section `tune`: add one with the options to search")
    search = Sampler(experiment.tuning, section.search, experiment.config.seed)
    folder = begin(Path(runs), experiment) if resume_from is None else resume(Path(resume_from), experiment)
    variants = Variants(opened.document, registry, opened.folder, check)
    place = open_store(store).absolute()
    place.sweep()
    sweep(folder.parent, "*/.*")  # what killed searches left
    work = _Work(
        replace(experiment, validation=True),
        variants,
        search,
        folder,
        place,
        callback or NullTuneCallback(),
        Observers(experiment.observers.values()),
    )
    observers = work.observers
    observers.tell(RunStarted, name=experiment.config.name, config=experiment.resolved)
    try:
        with observers.told_of_failure():
            with open_executor(experiment, executor) as workers:
                work.run(trials or section.trials, seconds or section.seconds, workers)
            tuned = work.finish(opened.text, assignments)
            for note in place.limit(experiment.config.store.max):
                warnings.warn(note, RuntimeWarning, stacklevel=2)
        observers.tell(SearchFinished, folder=str(folder), best=tuned.best[0].number)
    finally:
        observers.warn()
    return tuned


@dataclass(frozen=True, slots=True)
class _Work:
    """The search of one call of `tune`, with all that it needs."""

    experiment: CheckedExperiment
    variants: Variants
    search: Sampler
    folder: Path
    store: Store
    callback: TuneCallback
    observers: Observers

    @property
    def tuning(self) -> Tuning:
        assert self.experiment.tuning is not None
        return self.experiment.tuning

    @property
    def section(self) -> Tune:
        assert self.experiment.config.tune is not None
        return self.experiment.config.tune

    @property
    def table(self) -> TrialTable:
        return TrialTable(self.folder / TRIALS, self.tuning)

    def run(self, budget: int, seconds: float | None, executor: Executor) -> None:
        """Run trials until there are `budget` trials, or `seconds` have passed; trials of an earlier call count.

        `executor` runs their fits and sends queries through their pipelines.
        """
        began = time.perf_counter()
        done = self.table.read()
        self.callback.began(self.folder, self.tuning, max(budget - len(done), 0))
        if len(done) < budget:
            work = ExperimentRunner(
                self.experiment, self.variants.registry, self.store, NullProgress(), executor, observers=self.observers
            )
            bench = Objective(self.experiment, read(self.experiment, self.store), work)
        told = 0
        while len(done) < budget:
            if seconds is not None and done and time.perf_counter() - began > seconds:
                break
            first, end = self.batch(len(done))
            for trial in done[told:first]:
                self.search.tell(trial)
            told = first
            end = min(end, budget) if works_side_by_side(executor) else len(done) + 1
            proposed = {number: self.search.ask(number) for number in range(len(done), end)}
            for trial in self.trials(proposed, bench):
                self.table.add(trial)
                done.append(trial)
                self.observers.tell(
                    TrialFinished,
                    number=trial.number,
                    values=trial.values,
                    state=trial.state,
                    metrics=trial.metrics,
                    seconds=trial.seconds,
                    problem=redacted(trial.problem),
                )
                self.callback.tried(trial, next(iter(best_of(done, self.tuning)), None))
        for trial in done[told:]:
            self.search.tell(trial)

    def batch(self, number: int) -> tuple[int, int]:
        """Return (number of the first trial, that after the last one) of the batch of trial `number`."""
        if number == 0:
            return 0, 1
        first = number - (number - 1) % self.section.batch
        return first, first + self.section.batch

    def trials(self, proposed: Mapping[int, Mapping[str, Any]], bench: Objective) -> Iterator[Trial]:
        """Run trials, number -> values, side by side, and yield them in their order."""
        return side_by_side([partial(self.trial, number, values, bench) for number, values in proposed.items()])

    def trial(self, number: int, values: Mapping[str, Any], bench: Objective) -> Trial:
        """Run trial `number` with these values and return it; a trial that ends with an error is returned as failed.

        An error of trial 0, which is the config as written, is raised.
        """
        started = time.perf_counter()
        values = dict(values)
        try:
            # The first trial is the file itself: defaults that are missing in it are not written into it.
            variant = self.variants.experiment(values if number else {})
            metrics = bench.measure(variant, self.tuning.pipeline, self.tuning.metric_specs)
        except Exception as error:
            if not number:
                raise
            problem = f"{type(error).__name__}: {error}"
            return Trial(number, values, "failed", {}, time.perf_counter() - started, problem)
        broken = any(bound.excess(metrics[bound.metric_spec.key]) > 0 for bound in self.tuning.bounds)
        state: State = "infeasible" if broken else "complete"
        return Trial(number, values, state, metrics, time.perf_counter() - started)

    def finish(self, text: str, assignments: Sequence[str]) -> Tuned:
        """Write the importance of the options, the config with the best values and the summary; return the result.

        `text` is the config as its author wrote it. Raises ConfigError if no trial satisfies the bounds.
        """
        trials = self.table.read()
        importance = self.search.importance(trials)
        write_whole(self.folder / IMPORTANCE, json.dumps(importance, indent=1, ensure_ascii=False))
        best = best_of(trials, self.tuning)
        if not best:
            raise ConfigError(self.infeasible(trials))
        chosen = best[0]
        values = chosen.values if chosen.number else {}
        variant = self.variants.experiment(values)
        given = dict(assignment.split("=", 1) for assignment in assignments)
        given = {key: yaml.safe_load(value) for key, value in given.items() if key.split(".")[0] != "tune"}
        body = tuned_text(self.variants, text, {**given, **values}, variant, self.folder)
        write_whole(self.folder / BEST, self.header(trials, chosen) + body)
        finish(self.folder, self.report(trials, chosen, importance), variant.hash)
        return Tuned(self.folder, trials, best, importance)

    def header(self, trials: Sequence[Trial], chosen: Trial) -> str:
        """Return the comment at the top of `best.yaml`, which says from which trial its values are."""
        key = self.tuning.metric_spec.key
        return (
            f"# Chosen by `hybridrec tune` on validation queries inside the training parts: trial {chosen.number} of\n"
            f"# {len(trials)}, {key} {chosen.metrics[key]:.4f} there; as written {trials[0].metrics[key]:.4f}.\n"
        )

    def infeasible(self, trials: Sequence[Trial]) -> str:
        """Return the message for a search in which no trial satisfies the bounds; it names the nearest trial."""
        bounds = self.tuning.bounds
        measured = [trial for trial in trials if trial.metrics]
        nearest = min(
            measured, key=lambda trial: max(bound.excess(trial.metrics[bound.metric_spec.key]) for bound in bounds)
        )
        told = ", ".join(f"{bound.metric_spec.key} {nearest.metrics[bound.metric_spec.key]:.4f}" for bound in bounds)
        wanted = ", ".join(map(str, bounds))
        return (
            f"none of {len(trials)} trials keeps {wanted}; the nearest, trial {nearest.number}, has {told}: "
            f"all are in {self.folder / TRIALS}"
        )

    def report(self, trials: Sequence[Trial], chosen: Trial, importance: dict[str, float]) -> TuningReport:
        """Return the summary of the search, for the report of a run with the chosen values."""
        values: list[Any] = [trial.metrics.get(self.tuning.metric_spec.key) for trial in trials]
        return TuningReport(
            metric=self.tuning.metric_spec.key,
            search=self.section.search,
            subject_to=[str(bound) for bound in self.tuning.bounds],
            best=chosen.number,
            values=chosen.values,
            trials=values,
            feasible=[trial.state == "complete" for trial in trials],
            importance=importance,
        )
