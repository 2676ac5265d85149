"""Finished runs ranked by a metric, with the differences between their configs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from hybridrec.config.yaml_document import KeyPath, dotted
from hybridrec.errors import ConfigError, DataError, HybridrecError, did_you_mean
from hybridrec.evaluation.report import MetricReport
from hybridrec.runs.manifest import REPORT
from hybridrec.runs.run import Run, read_config

Config: TypeAlias = Mapping[str, str]
"""The values of a config as JSON, by key path."""


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """A run in a leaderboard, with its best pipeline."""

    run: Run
    pipeline: str
    """The pipeline of the run that is best in the metric; "" if no pipeline has a value of the metric."""
    result: MetricReport | None
    """The value of the metric for that pipeline."""
    differences: dict[str, str]
    """Key path of the config -> value (JSON), for the keys in which the runs of its group differ; keys that the run
    does not have are left out."""


@dataclass(frozen=True, slots=True)
class Group:
    """The runs that answered the same queries, best first; only such runs can be ranked."""

    queries: str
    """Digest of the queries."""
    asked: int
    """Number of the queries."""
    differences: dict[str, str]
    """Key path of the config -> value (JSON), for the keys that are equal in this group and differ between groups."""
    runs: list[LeaderboardRow]


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The runs of a folder in groups with the same queries.

    `unreadable` has a message for each run that could not be read.
    """

    metric: str
    groups: list[Group]
    unreadable: list[str]


def leaderboard(folder: Path | str, metric: str | None = None) -> Leaderboard:
    """Rank the finished runs in a folder, in groups that answered the same queries.

    The group of the latest run comes first. In a group, runs are sorted by `metric`, by default the first metric of the
    latest run, best first. Raises DataError if there are no runs, and ConfigError if no run has the metric.
    """
    places = sorted((path.parent for path in Path(folder).glob(f"*/{REPORT}")), key=lambda p: p.stat().st_mtime)
    runs: list[tuple[Run, str, Config]] = []
    unreadable = []
    for place in places:
        if place.name.startswith("."):
            continue
        try:
            run = Run.open(place)
            runs.append((run, str(run.lock["sample"]), dict(config_values(read_config(run)))))
        except HybridrecError as error:
            unreadable.append(str(error))
    if not runs:
        raise DataError("; ".join([f"{folder} holds no finished runs", *unreadable]))
    metrics = list(dict.fromkeys(m for run, *_ in reversed(runs) for m in _metrics(run)))
    if metric is not None and metric not in metrics:
        raise ConfigError(f"no run has the metric '{metric}': {did_you_mean(metric, metrics)}")
    chosen = metric or metrics[0]
    groups: dict[str, list[tuple[Run, Config]]] = {}
    for run, asked, config in reversed(runs):
        groups.setdefault(asked, []).append((run, config))
    between = differences_of([_common([config for _, config in members]) for members in groups.values()])
    ranked = [_group(asked, groups[asked], differs, chosen) for asked, differs in zip(groups, between, strict=True)]
    return Leaderboard(chosen, ranked, unreadable)


def _group(asked: str, members: Sequence[tuple[Run, Config]], differs: dict[str, str], metric: str) -> Group:
    inside = differences_of([config for _, config in members])
    listed = [
        LeaderboardRow(run, *_best(run, metric), differing) for (run, _), differing in zip(members, inside, strict=True)
    ]
    queries = next(iter(members[0][0].report.pipelines.values())).queries
    return Group(asked, queries, differs, sorted(listed, key=lambda row: _order(row, metric)))


def _common(configs: Sequence[Config]) -> dict[str, str]:
    """Return the values that are equal in all configs, by key."""
    return {key: value for key, value in configs[0].items() if all(config.get(key) == value for config in configs)}


def _metrics(run: Run) -> list[str]:
    return list(next(iter(run.report.pipelines.values())).metrics)


def _best(run: Run, metric: str) -> tuple[str, MetricReport | None]:
    """Return (name, value) of a run's best pipeline by the metric; ("", None) if no pipeline has a value."""
    sign = 1 if metric in run.report.statistics.lower_is_better else -1
    means = [
        (sign * arm.metrics[metric].mean, name)  # type: ignore[operator]
        for name, arm in run.report.pipelines.items()
        if not arm.single and metric in arm.metrics and arm.metrics[metric].mean is not None
    ]
    if not means:
        return "", None
    name = min(means)[1]
    return name, run.report.pipelines[name].metrics[metric]


def _order(row: LeaderboardRow, metric: str) -> tuple[bool, float]:
    """Return a sort key that puts the best run first, and runs without the metric last."""
    if row.result is None or row.result.mean is None:
        return True, 0.0
    lower = metric in row.run.report.statistics.lower_is_better
    return False, row.result.mean if lower else -row.result.mean


def differences_of(configs: Sequence[Config]) -> list[dict[str, str]]:
    """Find the keys whose values differ between the configs; return for each config its values of these keys.

    Keys that all configs have come before the other keys.
    """
    keys = dict.fromkeys(key for config in configs for key in config)
    differing = [key for key in keys if len({config.get(key) for config in configs}) > 1]
    differing.sort(key=lambda key: any(key not in config for config in configs))
    return [{key: config[key] for key in differing if key in config} for config in configs]


def config_values(content: Any, path: KeyPath = ()) -> Iterator[tuple[str, str]]:
    """Yield (key path, value as JSON) for each value of a config; a list of plain values counts as one value."""
    if isinstance(content, dict) and content:
        for key, value in content.items():
            yield from config_values(value, (*path, key))
    elif isinstance(content, list) and any(isinstance(value, dict | list) for value in content):
        for place, value in enumerate(content):
            yield from config_values(value, (*path, place))
    else:
        yield dotted(path), json.dumps(content, ensure_ascii=False, default=str)
