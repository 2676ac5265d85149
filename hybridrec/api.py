"""The functions `run` and `plan`, which carry out an experiment, or only list its fits."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hybridrec.config.composition import Experiment
from hybridrec.config.experiment import CheckedExperiment
from hybridrec.config.load import executor_assignments, load_experiment, open_config, registry_for
from hybridrec.engine.doubts import Doubts
from hybridrec.engine.estimates import FitSeconds
from hybridrec.engine.evaluate import check_metrics
from hybridrec.engine.executor import Executor, open_executor
from hybridrec.engine.fit_plan import FitEntry
from hybridrec.engine.folds import folds_of
from hybridrec.engine.leases import BEAT, Leases, lease_files, leasing
from hybridrec.engine.object_store import ObjectStore, open_store
from hybridrec.engine.results import RunResult
from hybridrec.engine.runner import ExperimentRunner, NullProgress, Progress, read_with_notes
from hybridrec.engine.shares import Share, ShareReport, ShareWorker, number_in
from hybridrec.engine.store import Store
from hybridrec.engine.timers import Stopwatch
from hybridrec.errors import WriteError
from hybridrec.evaluation.report import DataReport
from hybridrec.evaluation.samples import Sample
from hybridrec.inference.threads import one_thread_per_library
from hybridrec.observers.base import RunFinished, RunStarted
from hybridrec.observers.dispatch import Observers
from hybridrec.paths import sweep
from hybridrec.plugin import Plugin
from hybridrec.registry.discovery import Registry
from hybridrec.reporting.page import write as write_page
from hybridrec.runs.run import Run
from hybridrec.runs.writer import writable, write, write_report
from hybridrec.tuning.study_dir import tuned_report


def run(
    config: Path | str | Mapping[str, Any] | Experiment,
    assignments: Sequence[str] = (),
    *,
    data: Mapping[str, object] | None = None,
    store: Path | str | None = None,
    runs: Path | str = "runs",
    progress: Progress | None = None,
    validation: bool = False,
    block: Collection[str] = (),
    plugins: Sequence[type[Plugin] | Path | str] = (),
    executor: Executor | None = None,
) -> Run:
    """Run an experiment, write its folder with all files, `report.html` included, below `runs`, and return the run.

    config: the path of a YAML file, a mapping of the same structure, or an `Experiment`; the same config gives the same
        run. Without a file, relative paths start at the working directory
    assignments: texts `key.path=value` that override the config, as for `--set`
    data: Polars, pandas or Arrow frames that replace files, by the names of the tables in the config's section `data`.
        The config maps their columns as it maps columns of files, and leaves out `path`
    store: folder of the store, or its address (`s3://bucket/folder`); by default `$HYBRIDREC_STORE`, or
        `.hybridrec/store` below the working directory
    progress: a listener to the progress of the run, by default none
    validation: True to measure on queries from inside the training parts; no test query is used
    block: names of plugins that are not loaded
    plugins: plugins without packaging: classes, or paths of files that define some
    executor: runs the fits and sends the queries through the pipelines; the caller closes it. By default one is opened
        for the run: that which an assignment names (`executor=ray`), or else `$HYBRIDREC_EXECUTOR`, or else the config,
        or else threads. It changes no result
    """
    watch = Stopwatch(None if progress is None else progress.started)
    home = Path.cwd()
    with watch.timing("start"):
        registry = registry_for(config, assignments, block=block, plugins=plugins)
        opened = open_config(config, registry, executor_assignments(assignments, registry), data)
        experiment = opened.check(registry)
    moved = _returned(home)
    experiment = _noted(experiment, validation=validation)
    place = _swept(Path(runs), open_store(store))
    observers = Observers(experiment.observers.values())
    observers.tell(RunStarted, name=experiment.config.name, config=experiment.resolved)
    with observers.told_of_failure():
        with ExitStack() as stack:
            with watch.timing("start"):
                workers = stack.enter_context(open_executor(experiment, executor))
            work = ExperimentRunner(
                experiment, registry, place, progress or NullProgress(), workers, observers, watch=watch
            )
            result = work.run()
        report = result.report
        report.notes += moved + _returned(home)
        report.notes += place.limit(experiment.config.store.max)
        report.tuning = None if opened.path is None else tuned_report(opened.path, experiment.hash)
        finished, fault = _published(Path(runs), result, watch)
    untold = _tell_finished(observers, finished)
    if fault := fault or untold:
        raise fault
    return finished


def _noted(experiment: CheckedExperiment, *, validation: bool) -> CheckedExperiment:
    """Return the experiment with notes on how it is run; with `validation` it is measured on validation queries."""
    notes = list(experiment.notes)
    if validation:
        notes.append("measured on validation queries inside the training parts, not on the test queries")
    if experiment.tuning is not None:
        notes.append("the values are those that stand in the config; `hybridrec tune` searches its section `tune`")
    return replace(experiment, validation=validation or experiment.validation, notes=tuple(notes))


def _swept(runs: Path, store: Store) -> Store:
    """Return the store by its absolute path, for plugins that change the working folder, without what killed runs left.

    Raises WriteError if `runs` or the store cannot be written.
    """
    for folder in (runs, store.folder):
        writable(folder)
    store = store.absolute()
    sweep(runs)
    sweep(runs, "*/.*")  # of killed refreshes
    store.sweep()
    return store


def _published(runs: Path, result: RunResult, watch: Stopwatch) -> tuple[Run, WriteError | None]:
    """Write a run with its page, and the seconds that writing took into its report.

    Returns (run, error) as `_written` does; the error may be about the page or the report.
    """
    with watch.timing("write"):
        finished, fault = _written(runs, result)
        result.report.seconds = watch.report()
        try:
            write_page(finished)
            result.report.seconds = watch.report()
            write_report(finished)
        except WriteError as error:
            fault = WriteError(f"{error}; what was measured is in {finished.folder}", result.report)
    return finished, fault


def _tell_finished(observers: Observers, finished: Run) -> WriteError | None:
    """Tell the observers that a run ended, and write into its report which of them failed at that.

    Returns, but does not raise, the error if the report cannot be written: the run is whole without these notes.
    """
    told = len(observers.failures)
    observers.tell(RunFinished, folder=str(finished.folder))
    if failures := observers.failures[told:]:
        finished.report.notes += failures
        try:
            write_report(finished)
            write_page(finished)
        except WriteError as error:
            return WriteError(f"{error}; what was measured is in {finished.folder}", finished.report)
    return None


def _returned(home: Path) -> list[str]:
    """Restore the working folder `home`, in which a run began, if a plugin changed it.

    Returns a list with a note on the change; an empty list if there was none.
    """
    try:
        if Path.cwd() == home:
            return []
    except OSError:  # the other folder is gone
        pass
    os.chdir(home)
    return [f"a plugin changed the working folder, which was set back to {home}"]


def _written(runs: Path, result: RunResult) -> tuple[Run, WriteError | None]:
    """Write a run below `runs`, or if that fails, into the system's temporary folder, so that no results are lost.

    Returns (run, error). `error` is about the folder `runs`, for the caller to raise; None if this folder was
    written. Raises WriteError, with the report, if neither folder can be written.
    """
    try:
        return write(runs, result), None
    except WriteError as error:
        first = error
    kept = "what was fitted is in the store"
    try:
        finished = write(Path(tempfile.mkdtemp(prefix="hybridrec-")), result)
    except (OSError, WriteError) as error:
        raise WriteError(f"{first}; nor can it be written elsewhere ({error}); {kept}", result.report) from None
    return finished, WriteError(f"{first}; the run is whole in {finished.folder}, and {kept}", result.report)


@dataclass(frozen=True, slots=True)
class Job:
    """The fits of one component on one level ("out_of_fold" or "full"), over all folds, in a fit plan."""

    label: str
    component: str
    level: str
    fits: int
    stored: int
    memory: int
    """Estimated peak memory of the largest of these fits, in bytes; 0 if the component gives no estimate."""
    seconds: float | None = None
    """Rough estimate of the seconds of the longest of these fits; None without an estimate."""


@dataclass(frozen=True, slots=True)
class FitPlan:
    """The fits that a run would do, with the size of its data and queries."""

    data: DataReport
    folds: int
    queries: int
    stacking_queries: int
    """Number of validation queries on which re-rankers learn, over all folds; 0 if no re-ranker learns."""
    jobs: list[Job]
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    """Sentences on probable mistakes: queries without fields, options too large for the data, all times on one day."""

    @property
    def seconds(self) -> float:
        """The estimated seconds of all fits that are not in the store, one after the other; fits without an estimate
        are left out."""
        return sum((job.fits - job.stored) * (job.seconds or 0.0) for job in self.jobs)

    @property
    def without_estimate(self) -> int:
        """The number of fits that are not in the store and whose seconds cannot be estimated."""
        return sum(job.fits - job.stored for job in self.jobs if job.seconds is None)


def plan(
    config: Path | str | Mapping[str, Any] | Experiment,
    assignments: Sequence[str] = (),
    *,
    data: Mapping[str, object] | None = None,
    store: Path | str | None = None,
    block: Collection[str] = (),
    plugins: Sequence[type[Plugin] | Path | str] = (),
) -> FitPlan:
    """Check a config, read and split its data, and list the fits of a run; nothing is fitted.

    `run` explains the arguments. Raises MemoryBudgetError if one of the fits would be too large, and DataError if
    a metric or a segmenter needs what the data does not have.
    """
    registry = registry_for(config, assignments, block=block, plugins=plugins)
    experiment = load_experiment(config, registry, tuple(assignments), data)
    place = open_store(store)
    work = ExperimentRunner(experiment, registry, place, NullProgress())
    dataset, reader_notes = read_with_notes(experiment, place)
    fits: Counter[tuple[str, str]] = Counter()
    stored: Counter[tuple[str, str]] = Counter()
    memory: dict[tuple[str, str], int] = {}
    filter_notes: dict[str, None] = {}
    folds = queries = stacking_queries = 0
    doubts = Doubts(experiment, dataset)
    estimates = FitSeconds(place)
    seconds: dict[tuple[str, str], float | None] = {}
    for fold in folds_of(experiment, dataset):
        check_metrics(fold, experiment.metric_specs)
        Sample.of(fold, experiment.segmenters)  # what a segmenter cannot name is told here
        folds, queries = folds + 1, queries + len(fold.queries)
        fold_plan = work.trainers[0].plan(fold)
        doubts.add(fold, fold_plan.splits.fold)
        filter_notes |= dict.fromkeys(fold_plan.notes)
        stacking_queries += 0 if fold_plan.splits.validation is None else len(fold_plan.splits.validation.queries)
        for spec, training_part in (*fold_plan.choice_jobs, *fold_plan.jobs):
            job = (spec.label, training_part.level)
            keys = {trainer.fitter.key(spec, training_part) for trainer in work.trainers}
            fits[job] += len(keys)
            stored[job] += 0 if spec.choice is not None else sum(key in place for key in keys)
            for variant in spec.variants:
                memory[job] = max(memory.get(job, 0), work.trainers[0].fitter.within_budget(variant, training_part))
                told = estimates.of(variant, training_part.train)
                seconds[job] = told if told is None else max(seconds.get(job) or 0.0, told)
    components = experiment.components
    jobs = [
        Job(
            label,
            components[label].cls.name,
            level,
            fits[label, level],
            stored[label, level],
            memory[label, level],
            seconds[label, level],
        )
        for label, level in fits
    ]
    notes = (*experiment.notes, *reader_notes, *filter_notes)
    return FitPlan(DataReport.of(dataset), folds, queries, stacking_queries, jobs, notes, doubts.told())


@dataclass(frozen=True, slots=True)
class SharedPlan:
    """The single fits of an experiment that workers share by the store.

    shares: number of the share of each fit, from 1, by its place
    """

    fits: tuple[FitEntry, ...]
    shares: Mapping[str, int]


def plan_fits(
    config: Path | str | Mapping[str, Any] | Experiment,
    assignments: Sequence[str] = (),
    *,
    shares: int = 1,
    data: Mapping[str, object] | None = None,
    store: Path | str | None = None,
    block: Collection[str] = (),
    plugins: Sequence[type[Plugin] | Path | str] = (),
) -> SharedPlan:
    """List the single fits of an experiment, and store the plan on which the workers of `fit` agree; nothing is fitted.

    A stored plan stays, unless workers like this process would be refused by it, or had other data. `run` explains the
    arguments, and raises the same errors.
    """
    registry = registry_for(config, assignments, block=block, plugins=plugins)
    experiment = load_experiment(config, registry, tuple(assignments), data)
    place = open_store(store).absolute()
    worker = _share_worker(experiment, registry, place, NullProgress(), None)
    plan, entries = worker.plan()
    numbers = worker.renew(plan, _named(config)).shares(shares)
    return SharedPlan(tuple(entries), {entry.place: number_in(entry.place, numbers, shares) for entry in entries})


def fit(
    config: Path | str | Mapping[str, Any] | Experiment,
    assignments: Sequence[str] = (),
    *,
    share: str = "1/1",
    wait: bool = False,
    steal: bool = False,
    beat: float = BEAT,
    data: Mapping[str, object] | None = None,
    store: Path | str | None = None,
    progress: Progress | None = None,
    block: Collection[str] = (),
    plugins: Sequence[type[Plugin] | Path | str] = (),
    executor: Executor | None = None,
) -> ShareReport:
    """Fit the components of a share of an experiment as far as the store lacks them, and report what is left.

    `run` then finds the fits in the store.

    share: number of the share, and of all shares; shares are alike in estimated seconds. By default all fits
    wait: True to wait for fits of other workers until the share is done; else fits that wait for others are left
    steal: True to do fits of other shares as well, if nobody is at them, after those of the own share
    beat: seconds between two signs of life; after three that fail to come, others take the fit over
    executor: runs the fits, as that of `run` does. This process holds the leases of all fits that it hands out

    `run` explains the other arguments. Raises PluginError or DataError if fits here would differ from those of the
    other workers.
    """
    parsed = Share.parse(share)
    registry = registry_for(config, assignments, block=block, plugins=plugins)
    experiment = load_experiment(config, registry, executor_assignments(assignments, registry), data)
    place = open_store(store).absolute()
    writable(place.folder)
    with open_executor(experiment, executor) as opened:
        leases = Leases(lease_files(place), beat)
        worker = _share_worker(experiment, registry, place, progress or NullProgress(), leasing(opened, leases))
        try:
            with one_thread_per_library():
                report = worker.do(parsed, leases, _named(config), wait=wait, steal=steal)
        finally:
            leases.close()
    # Copies alone: a folder has fits that other workers have just stored, and is limited by the run that uses them.
    if isinstance(place, ObjectStore):
        place.limit(experiment.config.store.max)
    return report


def _share_worker(
    experiment: CheckedExperiment, registry: Registry, store: Store, progress: Progress, executor: Executor | None
) -> ShareWorker:
    """Return a worker on the shares of an experiment, whose data is read now."""
    work = ExperimentRunner(experiment, registry, store, progress, executor)
    return ShareWorker(work, read_with_notes(experiment, store)[0])


def _named(config: Path | str | Mapping[str, Any] | Experiment) -> str:
    """Return the name of a config for a command in a message."""
    return str(config) if isinstance(config, (str, Path)) else "EXPERIMENT.yaml"
