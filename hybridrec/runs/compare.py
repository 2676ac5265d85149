"""Comparison of the pipelines of several finished runs with a pipeline of the first run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hybridrec.engine.seeds import label_rng
from hybridrec.errors import ConfigError, DataError, HybridrecError, did_you_mean
from hybridrec.evaluation.compare import compare
from hybridrec.evaluation.report import Comparison
from hybridrec.evaluation.samples import EvaluatedArm, Sample
from hybridrec.runs.run import MORE_SEGMENTS, Run


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """The comparison of finished runs with the first of them."""

    rows: list[Comparison]
    left_out: list[str]
    """A sentence for each run that cannot be compared with the first run, with the reason."""


def compare_runs(
    folders: Sequence[Path | str], *, control: str | None = None, metrics: Sequence[str] = ()
) -> RunsCompared:
    """Compare the pipelines of finished runs with one pipeline of the first run, paired by query.

    control: that pipeline, by default the last one of the first run
    metrics: the metrics to compare, by default all that the runs share

    A run that cannot be read, or that did not answer the same queries over the same candidates as the first, is left
    out. Raises DataError if no other run or no shared metric is left, and ConfigError for unknown names.
    """
    runs, left_out = _comparable(folders)
    sample = runs[0].sample()  # all segments are those of the first run
    by_run = [{f"{run.folder}:{name}": arm for name, arm in _arms(run, sample).items()} for run in runs]
    arms = {name: arm for run_arms in by_run for name, arm in run_arms.items()}
    reference = list(by_run[0])[-1]
    if control is not None:
        reference = f"{runs[0].folder}:{control}"
        if reference not in arms:
            blends = [name for name, report in runs[0].report.pipelines.items() if not report.single]
            raise ConfigError(f"{runs[0].folder} has no pipeline '{control}': {did_you_mean(control, blends)}")
    shared = [metric for metric in arms[reference].values if all(metric in arm.values for arm in arms.values())]
    for metric in metrics:
        if metric not in shared:
            raise ConfigError(f"the runs do not all have the metric '{metric}': {did_you_mean(metric, shared)}")
    if not shared:
        raise DataError("the runs share no metric")
    pairs = [(reference, name) for name in arms if name != reference]
    return RunsCompared(compare(arms, pairs, list(metrics) or shared, label_rng(0, "compare runs")), left_out)


def _comparable(folders: Sequence[Path | str]) -> tuple[list[Run], list[str]]:
    """Open the runs: (the first run and those comparable with it, a sentence on each other run with the reason).

    Raises DataError if only the first run is left.
    """
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
    """Return the reason why two runs cannot be compared query by query; "" if they can.

    External ids are compared, since the codes of the same ids may differ between runs.
    """
    asked, others = first.queries(), other.queries()
    if first.lock["sample"] != other.lock["sample"] or not asked.equals(others):
        return f"it was not asked the same queries ({len(others)}, not {len(asked)}); use the same data, split and seed"
    if not first.names()["id"].equals(other.names()["id"]):
        return "its queries are the same, the items it recommends from are not"
    return ""


def _arms(run: Run, sample: Sample) -> dict[str, EvaluatedArm]:
    """Return the pipelines of a run with their values per query, by name; single components are left out.

    `sample` is that of the queries that the run answered.
    """
    import polars as pl

    frame = run.per_query()
    other_columns = {"pipeline", "query", "unit", "weight", "segment", "served_by"}
    arms = {}
    for name, report in run.report.pipelines.items():
        if report.single:
            continue
        rows = frame.filter(pl.col("pipeline") == name)
        columns = [column for column in rows.columns if not column.startswith(MORE_SEGMENTS)]
        values = {column: rows[column].to_numpy() for column in columns if column not in other_columns}
        arms[name] = EvaluatedArm(f"{run.folder}:{name}", sample, values)
    return arms
