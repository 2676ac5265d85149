"""The public functions over experiments: what the command line and notebooks call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.folds import Fold, Splitter
from hybridrec.errors import ConfigError, DataError, did_you_mean
from hybridrec.evaluation.arms import Arm, Sample
from hybridrec.evaluation.compare import compare
from hybridrec.evaluation.report import Comparison, DataReport
from hybridrec.experiment.assembly import jobs_of, parts_of
from hybridrec.experiment.config import load_experiment
from hybridrec.experiment.fitting import fit_key, label_rng
from hybridrec.experiment.folder import Run, write
from hybridrec.experiment.run import Experimenter, Progress, Silent
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
) -> Run:
    """Carry out the experiment of a YAML file; `assignments` are `key.path=value` as for `--set`.

    With `validation` the queries come from inside the training parts, and no test query is touched.
    """
    registry = Registry()
    experiment = load_experiment(Path(config), registry, tuple(assignments))
    if validation:
        note = "measured on validation queries inside the training parts, not on the test queries"
        experiment = replace(experiment, splitter=Validation(experiment.splitter), notes=(*experiment.notes, note))
    place = Store(Path(store)) if store is not None else Store.default()
    work = Experimenter(experiment, registry, place, progress or Silent())
    report, data = work.run()
    serving = work.refit(data) if experiment.config.refit == "all" and not validation else None
    finished = write(Path(runs), work, report, data, serving)
    registry.manager.hook.hybridrec_run_finished(report=report.model_dump(mode="json"), folder=str(finished.folder))
    return finished


class Validation(Splitter):
    """A splitter whose folds lie inside the training parts of another's."""

    def __init__(self, outer: Splitter) -> None:
        super().__init__(outer.config)
        self.outer = outer

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """One validation fold in each training part."""
        for fold in self.outer.split(data, rng):
            inner = self.outer.inner(fold.train, rng)
            yield replace(inner, name=fold.name)

    def inner(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """As the other splitter does it."""
        return self.outer.inner(train, rng)


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


def fit_plan(config: Path | str, assignments: Sequence[str] = (), *, store: Path | str | None = None) -> FitPlan:
    """Check a config, read and split its data, and list what would be fitted; fits nothing."""
    registry = Registry()
    experiment = load_experiment(Path(config), registry, tuple(assignments))
    place = Store(Path(store)) if store is not None else Store.default()
    work = Experimenter(experiment, registry, place, Silent())
    data = experiment.reader.read()
    fits: Counter[tuple[str, str]] = Counter()
    stored: Counter[tuple[str, str]] = Counter()
    memory: dict[tuple[str, str], int] = {}
    folds = queries = 0
    for fold in work.folds(data):
        folds, queries = folds + 1, queries + len(fold.queries)
        fold = work.preparer.thinned(fold)
        for spec, part in jobs_of(experiment, parts_of(fold, work.preparer.inner(fold))):
            job = (spec.label, part.level)
            fits[job] += 1
            stored[job] += fit_key(spec, part.fingerprint, experiment.config.seed) in place
            memory[job] = max(memory.get(job, 0), spec.create().memory(part.train))
    components = experiment.components
    jobs = [
        Job(label, components[label].cls.name, level, fits[label, level], stored[label, level], memory[label, level])
        for label, level in fits
    ]
    return FitPlan(DataReport.of(data), folds, queries, jobs, experiment.notes)


def compare_runs(
    folders: Sequence[Path | str], *, control: str | None = None, metrics: Sequence[str] = ()
) -> list[Comparison]:
    """Compare the blends of finished runs with one blend of the first run, paired by query.

    Raises DataError if the runs did not ask the same queries, ConfigError for unknown names.
    """
    runs = [Run.open(folder) for folder in folders]
    arms = {f"{run.folder.name}:{name}": arm for run in runs for name, arm in _arms(run).items()}
    first = [name for name in _arms(runs[0]) if control is None or name == control]
    if not first:
        raise ConfigError(
            f"{runs[0].folder} has no pipeline '{control}': {did_you_mean(control or '', _arms(runs[0]))}"
        )
    reference = f"{runs[0].folder.name}:{first[-1]}"
    shared = set.intersection(*({*arm.values} for arm in arms.values()))
    chosen = list(metrics) or [metric for metric in arms[reference].values if metric in shared]
    if not chosen:
        raise DataError("the runs share no metric")
    pairs = [(reference, name) for name in arms if name != reference]
    return compare(arms, pairs, chosen, label_rng(0, "compare runs"))


def _arms(run: Run) -> dict[str, Arm]:
    """The blends of a run, as they were measured."""
    import polars as pl

    frame = run.per_query()
    known = {"pipeline", "query", "unit", "weight", "segment", "rung"}
    arms = {}
    for name, report in run.report.pipelines.items():
        if report.single:
            continue
        rows = frame.filter(pl.col("pipeline") == name)
        units = rows["unit"].cast(pl.Categorical).to_physical().to_numpy().astype(np.int32)
        sample = Sample(units, rows["weight"].to_numpy(), rows["segment"].to_numpy().astype(str), run.lock["sample"])
        values = {column: rows[column].to_numpy() for column in rows.columns if column not in known}
        arms[name] = Arm(f"{run.folder.name}:{name}", sample, values)
    return arms
