"""The public functions over experiments: what the command line and notebooks call."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hybridrec.errors import ConfigError, DataError, did_you_mean
from hybridrec.evaluation.arms import Arm, Sample
from hybridrec.evaluation.compare import compare
from hybridrec.evaluation.report import Comparison, DataReport
from hybridrec.experiment.checking import load_experiment
from hybridrec.experiment.fitting import fit_key, label_rng
from hybridrec.experiment.folder import Run, write
from hybridrec.experiment.run import Experimenter, Progress, Silent, read
from hybridrec.experiment.store import Store
from hybridrec.registry.discovery import Registry


def run(
    config: Path | str,
    assignments: Sequence[str] = (),
    *,
    store: Path | str | None = None,
    runs: Path | str = "runs",
    progress: Progress | None = None,
    validation: bool = False,
    block: Collection[str] = (),
) -> Run:
    """Carry out the experiment of a YAML file; `assignments` are `key.path=value` as for `--set`.

    With `validation` the queries come from inside the training parts, and no test query is touched.
    Plugins named in `block` are left out.
    """
    registry = Registry(block=block)
    experiment = load_experiment(Path(config), registry, tuple(assignments))
    if validation:
        note = "measured on validation queries inside the training parts, not on the test queries"
        experiment = replace(experiment, validation=True, notes=(*experiment.notes, note))
    place = Store(Path(store)) if store is not None else Store.default()
    for folder in (Path(runs), place.folder):
        _writable(folder)
    work = Experimenter(experiment, registry, place, progress or Silent())
    report, data = work.run()
    serving = work.refit(data) if experiment.config.refit == "all" and not validation else None
    finished = write(Path(runs), work, report, data, serving)
    registry.manager.hook.hybridrec_run_finished(report=report.model_dump(mode="json"), folder=str(finished.folder))
    return finished


def _writable(folder: Path) -> None:
    """Make a folder for results, before hours are spent on them."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made a folder for results ({error.strerror})") from None
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{folder}: no permission to write results into this folder")


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
    folds = queries = 0
    for fold in work.folds(data):
        folds, queries = folds + 1, queries + len(fold.queries)
        for spec, part in work.preparer.plan(fold).jobs:
            job = (spec.label, part.level)
            fits[job] += 1
            stored[job] += fit_key(spec, part.fingerprint, experiment.config.seed) in place
            memory[job] = max(memory.get(job, 0), work.fitter.within_budget(spec, part))
    components = experiment.components
    jobs = [
        Job(label, components[label].cls.name, level, fits[label, level], stored[label, level], memory[label, level])
        for label, level in fits
    ]
    notes = (*experiment.notes, *experiment.reader.notes())
    return FitPlan(DataReport.of(data), folds, queries, jobs, notes)


def compare_runs(
    folders: Sequence[Path | str], *, control: str | None = None, metrics: Sequence[str] = ()
) -> list[Comparison]:
    """Compare the blends of finished runs with one blend of the first run, paired by query.

    Raises DataError if the runs did not ask the same queries, ConfigError for unknown names.
    """
    runs = [Run.open(folder) for folder in folders]
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
    return compare(arms, pairs, list(metrics) or shared, label_rng(0, "compare runs"))


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
