"""The public functions over experiments: what the command line and notebooks call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hybridrec.errors import ConfigError, DataError, HybridrecError, did_you_mean
from hybridrec.evaluation.arms import Arm, Sample
from hybridrec.evaluation.compare import compare
from hybridrec.evaluation.report import Comparison, DataReport
from hybridrec.experiment.checking import load_experiment
from hybridrec.experiment.fitting import label_rng
from hybridrec.experiment.folder import Run, writable, write, write_report
from hybridrec.experiment.run import Experimenter, Progress, Silent, read
from hybridrec.experiment.splitting import folds_of
from hybridrec.experiment.store import Store
from hybridrec.experiment.tuning.folder import tuned_report
from hybridrec.registry.discovery import Registry
from hybridrec.registry.shipped import located


def run(
    config: Path | str,
    assignments: Sequence[str] = (),
    *,
    store: Path | str | None = None,
    runs: Path | str = "runs",
    progress: Progress | None = None,
    validation: bool = False,
    block: Collection[str] = (),
    written: Callable[[Run], object] = lambda _: None,
) -> Run:
    """Carry out the experiment of a YAML file; `assignments` are `key.path=value` as for `--set`.

    With `validation` the queries come from inside the training parts, and no test query is touched.
    Plugins named in `block` are left out. `written` is called when the folder of the run is there, before
    observers are told: what it adds to the folder they find.
    """
    registry = Registry(block=block)
    experiment = load_experiment(Path(config), registry, tuple(assignments))
    if validation:
        note = "measured on validation queries inside the training parts, not on the test queries"
        experiment = replace(experiment, validation=True, notes=(*experiment.notes, note))
    if experiment.tuning is not None:
        note = "the values are those that stand in the config; `hybridrec tune` searches its section `tune`"
        experiment = replace(experiment, notes=(*experiment.notes, note))
    place = Store(Path(store)) if store is not None else Store.default()
    for folder in (Path(runs), place.folder):
        writable(folder)
    work = Experimenter(experiment, registry, place, progress or Silent())
    report, data = work.run()
    report.tuning = tuned_report(located(Path(config), registry), experiment.hash)
    serving = work.refit(data) if experiment.config.refit == "all" and not validation else None
    finished = write(Path(runs), work, report, data, serving)
    written(finished)
    told = len(work.observers.failures)
    work.observers.tell("hybridrec_run_finished", report=report.model_dump(mode="json"), folder=str(finished.folder))
    if failures := work.observers.failures[told:]:
        report.notes += failures
        write_report(finished)
        written(finished)
    return finished


@dataclass(frozen=True, slots=True)
class Job:
    """The fits of one component on one level, over all folds."""

    label: str
    component: str
    level: str
    fits: int
    stored: int
    memory: int
    """Estimated peak bytes of the largest of them; 0 if the component says nothing."""


@dataclass(frozen=True, slots=True)
class FitPlan:
    """What a run would do."""

    data: DataReport
    folds: int
    queries: int
    lessons: int
    """Out-of-sample queries from which re-rankers learn, over all folds; 0 if none learns."""
    jobs: list[Job]
    notes: tuple[str, ...]


def fit_plan(
    config: Path | str,
    assignments: Sequence[str] = (),
    *,
    store: Path | str | None = None,
    block: Collection[str] = (),
) -> FitPlan:
    """Check a config, read and split its data, and list what would be fitted; fits nothing.

    Raises MemoryBudgetError if one of the fits would be too large.
    """
    registry = Registry(block=block)
    experiment = load_experiment(Path(config), registry, tuple(assignments))
    place = Store(Path(store)) if store is not None else Store.default()
    work = Experimenter(experiment, registry, place, Silent())
    data = read(experiment)
    fits: Counter[tuple[str, str]] = Counter()
    stored: Counter[tuple[str, str]] = Counter()
    memory: dict[tuple[str, str], int] = {}
    folds = queries = lessons = 0
    for fold in folds_of(experiment, data):
        folds, queries = folds + 1, queries + len(fold.queries)
        plan = work.preparers[0].plan(fold)
        lessons += 0 if plan.cut.inner is None else len(plan.cut.inner.queries)
        for spec, part in plan.jobs:
            job = (spec.label, part.level)
            keys = {preparer.fitter.key(spec, part) for preparer in work.preparers}
            fits[job] += len(keys)
            stored[job] += sum(key in place for key in keys)
            memory[job] = max(memory.get(job, 0), work.preparers[0].fitter.within_budget(spec, part))
    components = experiment.components
    jobs = [
        Job(label, components[label].cls.name, level, fits[label, level], stored[label, level], memory[label, level])
        for label, level in fits
    ]
    notes = (*experiment.notes, *experiment.reader.notes())
    return FitPlan(DataReport.of(data), folds, queries, lessons, jobs, notes)


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """Runs against the first of them."""

    rows: list[Comparison]
    left_out: list[str]
    """Runs that cannot be compared with the first, in sentences that say why."""


def compare_runs(
    folders: Sequence[Path | str], *, control: str | None = None, metrics: Sequence[str] = ()
) -> RunsCompared:
    """Compare the blends of finished runs with one blend of the first run, paired by query.

    Runs that cannot be read, or did not answer the queries of the first over the same candidates, are left
    out. Raises DataError if nothing is left to compare, ConfigError for unknown names.
    """
    runs, left_out = _comparable(folders)
    by_run = [{f"{run.folder}:{name}": arm for name, arm in _arms(run).items()} for run in runs]
    arms = {name: arm for found in by_run for name, arm in found.items()}
    reference = list(by_run[0])[-1]
    if control is not None:
        reference = f"{runs[0].folder}:{control}"
        if reference not in arms:
            known = [name for name, report in runs[0].report.pipelines.items() if not report.single]
            raise ConfigError(f"{runs[0].folder} has no pipeline '{control}': {did_you_mean(control, known)}")
    shared = [metric for metric in arms[reference].values if all(metric in arm.values for arm in arms.values())]
    for metric in metrics:
        if metric not in shared:
            raise ConfigError(f"the runs do not all have the metric '{metric}': {did_you_mean(metric, shared)}")
    if not shared:
        raise DataError("the runs share no metric")
    pairs = [(reference, name) for name in arms if name != reference]
    return RunsCompared(compare(arms, pairs, list(metrics) or shared, label_rng(0, "compare runs")), left_out)


def _comparable(folders: Sequence[Path | str]) -> tuple[list[Run], list[str]]:
    """The first run and those that answered the same queries, and why the others did not."""
    first = Run.open(folders[0])
    runs, left_out = [first], []
    for folder in folders[1:]:
        try:
            run = Run.open(folder)
            reason = _difference(first, run)
        except HybridrecError as error:
            left_out.append(str(error))
            continue
        if reason:
            left_out.append(f"{folder} cannot be compared with {folders[0]}: {reason}")
        else:
            runs.append(run)
    if len(runs) == 1:
        raise DataError("\n".join(["no other run can be compared with the first", *left_out]))
    return runs, left_out


def _difference(first: Run, other: Run) -> str:
    """Why two runs cannot be paired, "" if they can; ids are compared as the data has them, not by their codes."""
    asked, others = first.queries(), other.queries()
    if first.lock["sample"] != other.lock["sample"] or not asked.equals(others):
        return f"it was not asked the same queries ({len(others)}, not {len(asked)}); use the same data, split and seed"
    if not first.names()["id"].equals(other.names()["id"]):
        return "its queries are the same, the items it recommends from are not"
    return ""


def _arms(run: Run) -> dict[str, Arm]:
    """The blends of a run, as they were measured."""
    import polars as pl

    frame, asked = run.per_query(), run.lock["sample"]
    known = {"pipeline", "query", "unit", "weight", "segment", "rung"}
    arms = {}
    for name, report in run.report.pipelines.items():
        if report.single:
            continue
        rows = frame.filter(pl.col("pipeline") == name)
        units = rows["unit"].rank("dense").to_numpy().astype(np.int32) - 1
        sample = Sample(units, rows["weight"].to_numpy(), rows["segment"].to_numpy().astype(str), asked)
        values = {column: rows[column].to_numpy() for column in rows.columns if column not in known}
        arms[name] = Arm(f"{run.folder}:{name}", sample, values)
    return arms
