"""Comparison of the pipelines of several finished runs with a pipeline of the first run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hybridrec.engine.seeds import label_rng
from hybridrec.errors import ConfigError, DataError, HybridrecError, did_you_mean
from hybridrec.evaluation.compare import compare
from hybridrec.evaluation.report import Comparison
from hybridrec.evaluation.samples import EvaluatedArm, Sample
from hybridrec.runs.leaderboard import config_values, differences_of
from hybridrec.runs.run import MORE_SEGMENTS, Run, read_config

_SHOWN = 2
"""The largest number of values of the config in the name of a run."""
_LONGEST = 40
"""The largest number of characters of a value with its key in the name of a run."""


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """The comparison of finished runs with the first of them."""

    rows: list[Comparison]
    left_out: list[str]
    """A sentence for each run that cannot be compared with the first run, with the reason."""
    names: dict[str, Path]
    """Name of a run in `rows` -> its folder. `run_names` makes the names of the values in which the configs differ."""


def compare_runs(
    folders: Sequence[Path | str], *, control: str | None = None, metrics: Sequence[str] = ()
) -> RunsCompared:
    """Compare the pipelines of finished runs with one pipeline of the first run, paired by query.

    An arm is called `RUN:PIPELINE`. RUN is made of the values in which the config of the run differs from the other
    configs (`l2=200`), or is the name of its folder.

    control: the pipeline of the first run, by default its last one
    metrics: the metrics to compare, by default all that the runs share

    A run that cannot be read, or that did not answer the same queries over the same candidates as the first, is left
    out. Raises DataError if no other run or no shared metric is left, and ConfigError for unknown names.
    """
    runs, left_out = _comparable(folders)
    sample = runs[0].sample()  # all segments are those of the first run
    names = run_names(runs)
    by_run = [{arm.name: arm for arm in _arms(called, run, sample)} for called, run in zip(names, runs, strict=True)]
    arms = {name: arm for run_arms in by_run for name, arm in run_arms.items()}
    reference = list(by_run[0])[-1]
    if control is not None:
        reference = f"{names[0]}:{control}"
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
    rows = compare(arms, pairs, list(metrics) or shared, label_rng(0, "compare runs"))
    return RunsCompared(rows, left_out, {called: run.folder for called, run in zip(names, runs, strict=True)})


def run_names(runs: Sequence[Run]) -> list[str]:
    """Return a short, distinct name for each run: the values in which its config differs, or else its folder.

    Of a key, only the last steps are shown, as many as are needed to tell the keys apart. The name of the experiment
    does not count as a difference, since the name of the folder begins with it.
    """
    differing = differences_of([dict(config_values(read_config(run))) for run in runs])
    keys = [key for key in dict.fromkeys(key for values in differing for key in values) if key != "name"]
    short = {key: _shortest(key, keys) for key in keys}
    names = [_described({short[key]: value for key, value in values.items() if key in short}) for values in differing]
    called = [
        name if name and names.count(name) == 1 else run.folder.name for name, run in zip(names, runs, strict=True)
    ]
    return [name if called.count(name) == 1 else str(run.folder) for name, run in zip(called, runs, strict=True)]


def _shortest(key: str, keys: Sequence[str]) -> str:
    """Return the shortest end of a dotted key, in whole steps, that no other key ends with."""
    parts = key.split(".")
    ends = (".".join(parts[-count:]) for count in range(1, len(parts)))
    return next(
        (end for end in ends if not any(f".{other}".endswith(f".{end}") for other in keys if other != key)), key
    )


def _described(values: Mapping[str, str]) -> str:
    """Format the first `_SHOWN` values with their keys, and the number of the other values; "" without values."""
    texts = [f"{key}={value.strip(chr(34))}" for key, value in values.items()]
    shown = [text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..." for text in texts[:_SHOWN]]
    others = f" +{len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(shown) + others


def _comparable(folders: Sequence[Path | str]) -> tuple[list[Run], list[str]]:
    """Open the runs, and return (comparable, left out).

    The first list has the first run and all runs that are comparable with it. The second list has for each other run a
    sentence with the reason why it is left out. Raises DataError if only the first run is left.
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
        sizes = f" ({len(others)}, not {len(asked)})" if len(others) != len(asked) else ""
        return f"it was not asked the same queries{sizes}; use the same data, split and seed"
    if not first.names()["id"].equals(other.names()["id"]):
        return "its queries are the same, the items it recommends from are not"
    return ""


def _arms(called: str, run: Run, sample: Sample) -> Iterator[EvaluatedArm]:
    """Yield the pipelines of a run as arms with their values per query; single components are left out.

    called: the name of the run, with which the names of the arms begin
    sample: the sample of the queries that the run answered
    """
    import polars as pl

    frame = run.per_query()
    other_columns = {"pipeline", "query", "unit", "weight", "segment", "served_by"}
    for name, report in run.report.pipelines.items():
        if report.single:
            continue
        rows = frame.filter(pl.col("pipeline") == name)
        columns = [column for column in rows.columns if not column.startswith(MORE_SEGMENTS)]
        values = {column: rows[column].to_numpy() for column in columns if column not in other_columns}
        yield EvaluatedArm(f"{called}:{name}", sample, values)
