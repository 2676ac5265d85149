"""Checks of the section `compare`: metrics with their targets, sums of them, guardrails, the control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from hybridrec.config.experiment import MetricSpec
from hybridrec.config.models import Compare, ExperimentConfig
from hybridrec.config.yaml_source import KeyPath
from hybridrec.errors import ConfigError, unknown_pipeline
from hybridrec.evaluation.metrics import SetMetric, parse_metric
from hybridrec.evaluation.report import LATENCY
from hybridrec.types import ITEMS

if TYPE_CHECKING:
    from hybridrec.config.resolve import Checker


def metric_specs(checker: Checker, config: ExperimentConfig) -> tuple[MetricSpec, ...]:
    """Return the metrics with their targets; slates must be long enough for every cut-off."""
    specs: dict[str, MetricSpec] = {}
    for path, name in _measured(checker, config.compare):
        spec = metric_spec(checker, name, config, path)
        if path[1] == "metrics" and spec.key in specs:
            raise checker.fail(path, f"'{name}' is listed twice")
        if path[1] == "combined" and isinstance(spec.measure.metric, SetMetric):
            raise checker.fail(path, f"'{name}' is one number of the whole run; only metrics per query are combined")
        if path[1] != "metrics" and spec.key != name:
            raise checker.fail(path, f"write '{spec.key}', as in reports")
        specs.setdefault(spec.key, spec)
    _check_directions(checker, config.compare, specs)
    control = config.compare.control
    if control is not None and control not in config.pipelines:
        raise checker.fail(("compare", "control"), unknown_pipeline(control, config.pipelines))
    if config.compare.guardrails and control is None:
        raise checker.fail(("compare", "guardrails"), "guardrails are held against a control; name it: `control: NAME`")
    return tuple(specs.values())


def _measured(checker: Checker, compare: Compare) -> Iterator[tuple[KeyPath, str]]:
    """Yield the listed metrics, then those of sums, of Borda points and of guardrails, with their places."""
    for index, name in enumerate(compare.metrics):
        if compare.metrics.index(name) != index:
            raise checker.fail(("compare", "metrics", index), f"'{name}' is listed twice")
        if name not in compare.combined:
            yield ("compare", "metrics", index), name
    for whole, parts in compare.combined.items():
        if whole not in compare.metrics:
            raise checker.fail(("compare", "combined", whole), f"`metrics` does not list '{whole}'")
        for name in parts:
            yield ("compare", "combined", whole, name), name
    for index, name in enumerate(compare.borda):
        if compare.borda.index(name) != index:
            raise checker.fail(("compare", "borda", index), f"'{name}' is listed twice")
        if name not in compare.combined:
            yield ("compare", "borda", index), name
    for name in compare.guardrails:
        if name != LATENCY and name not in compare.combined:
            yield ("compare", "guardrails", name), name


def metric_spec(checker: Checker, name: str, config: ExperimentConfig, path: KeyPath) -> MetricSpec:
    """Return a metric with its target; raises ConfigError if the experiment cannot measure it."""
    prefix, _, plain = name.rpartition("/")
    target = prefix or ITEMS
    if target not in config.targets:
        raise checker.fail(path, f"'{name}' needs the target '{target}', which this experiment does not have")
    called = plain.partition("@")[0].strip()
    metric = checker.found("metrics", called, path)
    try:
        spec = MetricSpec(target, parse_metric(plain, {called: metric}))
    except ConfigError as error:
        raise checker.fail(path, str(error)) from None
    if spec.measure.k is not None and spec.measure.k > config.targets[target]:
        raise checker.fail(path, f"'{name}' looks further than the slate: targets.{target} is {config.targets[target]}")
    return spec


def _check_directions(checker: Checker, compare: Compare, metric_specs: Mapping[str, MetricSpec]) -> None:
    """Refuse sums that mix metrics where more is better with metrics where less is better."""
    for whole, parts in compare.combined.items():
        if any(not metric_specs[name].measure.metric.higher_is_better for name in parts):
            message = "of one of these metrics less is better; such a metric is not combined"
            raise checker.fail(("compare", "combined", whole), message)
