"""Checks of the section `compare`: metrics with their targets, sums of metrics, guardrails, the control."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from hybridrec.config.experiment import MetricSpec
from hybridrec.config.models import Compare, ExperimentConfig, MetricUse
from hybridrec.config.yaml_document import KeyPath
from hybridrec.errors import ConfigError, unknown_pipeline
from hybridrec.evaluation.metrics import Metric, MetricAtK, SetMetric, parse_metric
from hybridrec.evaluation.report import LATENCY
from hybridrec.types import ITEMS, Target

if TYPE_CHECKING:
    from hybridrec.config.resolve import Checker

RESERVED = (LATENCY, "pipeline", "query", "unit", "weight", "segment", "served_by")
"""Names that no metric may have in reports: the guardrail `latency`, and columns of the table of values by query."""
_READABLE = re.compile(r"[\w.+@=,\[\]-]{1,60}")
"""Pattern of metric names that fit into the header of a table and into a bound of `tune.subject_to`."""


def metric_specs(checker: Checker, config: ExperimentConfig) -> tuple[MetricSpec, ...]:
    """Return the metrics that `compare` lists or mentions, with their targets; check control and guardrails, too.

    Raises ConfigError for an unknown or repeated metric, for a cut-off beyond the length of the slates, for a combined
    metric that includes a metric of which less is better, for an unknown control, and for guardrails without a control.
    """
    specs: dict[str, MetricSpec] = {}
    for path, entry in _listed(checker, config.compare):
        if isinstance(entry, str):
            spec = metric_spec(checker, entry, config, path)
        else:
            spec = _metric_with_options(checker, entry, config, path)
        if spec.key in specs:
            raise checker.fail(path, f"'{spec.key if isinstance(entry, MetricUse) else entry}' is listed twice")
        specs[spec.key] = spec
    for path, name in _mentioned(checker, config.compare):
        spec = named_metric(checker, name, config, path, specs.values())
        if path[1] == "combined" and isinstance(spec.measure.metric, SetMetric):
            raise checker.fail(path, f"'{name}' is one number of the whole run; only metrics per query are combined")
        if spec.key != name:
            raise checker.fail(path, f"write '{spec.key}', as in reports")
        specs.setdefault(spec.key, spec)
    _check_directions(checker, config.compare, specs)
    control = config.compare.control
    if control is not None and control not in config.pipelines:
        raise checker.fail(("compare", "control"), unknown_pipeline(control, config.pipelines))
    if config.compare.guardrails and control is None:
        raise checker.fail(("compare", "guardrails"), "guardrails are held against a control; name it: `control: NAME`")
    return tuple(specs.values())


def _listed(checker: Checker, compare: Compare) -> Iterator[tuple[KeyPath, str | MetricUse]]:
    """Yield (key path, entry) for each entry of `metrics` except the names of combined metrics.

    Raises ConfigError for an entry that is listed twice.
    """
    for index, entry in enumerate(compare.metrics):
        if compare.metrics.index(entry) != index:
            named = entry if isinstance(entry, str) else entry.use
            raise checker.fail(("compare", "metrics", index), f"'{named}' is listed twice")
        if not isinstance(entry, str) or entry not in compare.combined:
            yield ("compare", "metrics", index), entry


def _mentioned(checker: Checker, compare: Compare) -> Iterator[tuple[KeyPath, str]]:
    """Yield (key path, name) for each metric that `combined`, `borda` or `guardrails` names.

    Raises ConfigError for a combined metric that `metrics` does not list, and for a name that `borda` lists twice.
    """
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


def named_metric(
    checker: Checker, name: str, config: ExperimentConfig, path: KeyPath, listed: Iterable[MetricSpec]
) -> MetricSpec:
    """Return the metric among `listed` that has this name in reports; if there is none, make it from the name."""
    return next((spec for spec in listed if spec.key == name), None) or metric_spec(checker, name, config, path)


def metric_spec(checker: Checker, name: str, config: ExperimentConfig, path: KeyPath) -> MetricSpec:
    """Make a metric with its target from a name such as `tags/ndcg@20`.

    Raises ConfigError if the name is unknown, the experiment does not have the target, the cut-off is beyond the length
    of the slates, or the metric has an option without a default.
    """
    target, plain = _target(checker, name, config, path)
    called = plain.partition("@")[0].strip()
    metric = checker.find("metrics", called, path)
    missing = [field.alias or key for key, field in metric.Config.model_fields.items() if field.is_required()]
    if missing:
        written = f"{{use: {called}, {missing[0]}: ...{', at: 10' if metric.cut_off else ''}}}"
        raise checker.fail(path, f"'{called}' has no default for {', '.join(missing)}; write {written}")
    try:
        spec = MetricSpec(target, parse_metric(plain, {called: metric}))
    except ConfigError as error:
        raise checker.fail(path, str(error)) from None
    return _within_slate(checker, spec, name, config, path)


def _metric_with_options(checker: Checker, entry: MetricUse, config: ExperimentConfig, path: KeyPath) -> MetricSpec:
    """Make a metric from an entry that is a mapping, with its options, cut-off and name in reports.

    Raises ConfigError if an option is unknown or not valid, or the cut-off is missing or superfluous.
    """
    target, called = _target(checker, entry.use, config, (*path, "use"))
    name, at, depth = called.partition("@")
    cls = checker.find("metrics", name, (*path, "use"))
    if at:
        raise checker.fail((*path, "use"), f"the cut-off of '{called}' is a key of its own: write `at: {depth or 10}`")
    if cls.cut_off and entry.at is None:
        raise checker.fail(path, f"metric '{called}': the cut-off is missing; add for example `at: 10`")
    if not cls.cut_off and entry.at is not None:
        raise checker.fail((*path, "at"), f"metric '{called}' takes no cut-off; leave `at` out")
    metric: Metric = cls(checker.validate(cls.Config, entry.options, path))
    measure = MetricAtK(metric, entry.at, entry.label)
    changed = _changed_options(metric) + ([] if entry.of == "all" else [f"of={entry.of}"])
    if entry.label is None and changed:
        label = f"{name}[{','.join(changed)}]{'' if entry.at is None else f'@{entry.at}'}"
        if not _READABLE.fullmatch(label):
            raise checker.fail(path, f"'{label}' cannot be read as a name in reports; add one: `as: NAME`")
        measure = measure._replace(label=label)
    if entry.of != "all" and (target != ITEMS or isinstance(metric, SetMetric)):
        raise checker.fail((*path, "of"), f"'{entry.use}' cannot be divided: only items of a query are new or repeated")
    spec = MetricSpec(target, measure, entry.of)
    if measure.name in RESERVED or spec.key in config.compare.combined:
        raise checker.fail((*path, "as"), f"'{measure.name}' means something else in reports; choose another name")
    return _within_slate(checker, spec, spec.key, config, path)


def _changed_options(metric: Metric) -> list[str]:
    """Return a text OPTION=VALUE for each option of the metric that differs from its default."""
    fields = type(metric.config).model_fields
    stated = metric.config.model_dump(mode="json", by_alias=True)
    changed = [
        field.alias or key
        for key, field in fields.items()
        if field.is_required() or getattr(metric.config, key) != field.get_default(call_default_factory=True)
    ]
    return [f"{key}={_compact(stated[key])}" for key in changed]


def _compact(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _target(checker: Checker, name: str, config: ExperimentConfig, path: KeyPath) -> tuple[Target, str]:
    """Split a metric's name into (target, plain name); raises ConfigError if the experiment lacks the target."""
    prefix, _, plain = name.rpartition("/")
    target = prefix or ITEMS
    if target not in config.targets:
        raise checker.fail(path, f"'{name}' needs the target '{target}', which this experiment does not have")
    return target, plain


def _within_slate(checker: Checker, spec: MetricSpec, name: str, config: ExperimentConfig, path: KeyPath) -> MetricSpec:
    """Return the metric unchanged; raises ConfigError if its cut-off is beyond the length of the slates."""
    length = config.targets[spec.target]
    if spec.measure.k is not None and spec.measure.k > length:
        raise checker.fail(path, f"'{name}' looks further than the slate: targets.{spec.target} is {length}")
    return spec


def _check_directions(checker: Checker, compare: Compare, metric_specs: Mapping[str, MetricSpec]) -> None:
    """Raise ConfigError for a combined metric that includes a metric of which less is better."""
    for whole, parts in compare.combined.items():
        if any(not metric_specs[name].measure.metric.higher_is_better for name in parts):
            message = "of one of these metrics less is better; such a metric is not combined"
            raise checker.fail(("compare", "combined", whole), message)
