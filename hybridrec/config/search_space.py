"""Checks of the section `tune`: each path of the space must lead to an option, and its values must be valid for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hybridrec.config.experiment import Bound, CheckedExperiment, Dimension, Tuning
from hybridrec.config.metrics import named_metric
from hybridrec.config.models import Range, Tune
from hybridrec.config.yaml_document import KeyPath, YamlDocument, assign
from hybridrec.errors import HybridrecError, did_you_mean, unknown_pipeline
from hybridrec.registry.discovery import Registry

if TYPE_CHECKING:
    from hybridrec.config.resolve import Checker

Check: TypeAlias = Callable[[YamlDocument, Registry, Path], CheckedExperiment]
"""The function that checks a whole document. It calls this module, which therefore takes it as an argument."""
TUNABLE = ("components", "pipelines")
"""The sections with tunable options. Options of other sections may change the queries, and values that were measured on
different queries cannot be compared."""


def tuning(checker: Checker, experiment: CheckedExperiment, check: Check) -> Tuning:
    """Check the section `tune` of an experiment and return it; raises ConfigError with the line of a mistake."""
    config, tune = experiment.config, experiment.config.tune
    assert tune is not None
    metric = experiment.metrics[0] if tune.metric is None else tune.metric
    return Tuning(
        pipeline=_pipeline(checker, experiment, tune),
        metric_spec=named_metric(checker, metric, config, ("tune", "metric"), experiment.metric_specs),
        bounds=tuple(_bound(checker, experiment, index, text) for index, text in enumerate(tune.subject_to)),
        space=tuple(_dimension(checker, experiment, path, values, check) for path, values in tune.space.items()),
    )


def _pipeline(checker: Checker, experiment: CheckedExperiment, tune: Tune) -> str:
    names = list(experiment.config.pipelines)
    if tune.pipeline is None:
        if len(names) == 1:
            return names[0]
        raise checker.fail(("tune",), f"`pipeline` is missing: say which of {', '.join(names)} is tuned")
    if tune.pipeline not in names:
        raise checker.fail(("tune", "pipeline"), unknown_pipeline(tune.pipeline, names))
    return tune.pipeline


def _bound(checker: Checker, experiment: CheckedExperiment, index: int, text: str) -> Bound:
    path: KeyPath = ("tune", "subject_to", index)
    match = re.fullmatch(r"\s*(\S+)\s*(>=|<=)\s*([-+]?\d*\.?\d+(?:e[-+]?\d+)?)\s*", text)
    if match is None:
        raise checker.fail(path, f"'{text}' is not a bound; write for example `coverage@10 >= 0.2`")
    spec = named_metric(checker, match[1], experiment.config, path, experiment.metric_specs)
    return Bound(spec, match[2] == ">=", float(match[3]))


def _dimension(
    checker: Checker, experiment: CheckedExperiment, key: str, values: Range | list[Any], check: Check
) -> Dimension:
    """Check one entry of `tune.space` and return it as a dimension.

    Raises ConfigError if the value in the config, at which the search starts, is not in the space, or if the config is
    not valid with one of the values.
    """
    path: KeyPath = ("tune", "space", key)
    start = _start(checker, experiment, key)
    dimension = Dimension(key, values if isinstance(values, Range) else tuple(values), start)
    # For an option of type float the config says 5.0 where the file says 5.
    if isinstance(values, list) and start in values:
        dimension = replace(dimension, start=values[values.index(start)])
    elif dimension.whole and isinstance(start, float) and start.is_integer():
        dimension = replace(dimension, start=int(start))
    if dimension.start not in dimension:
        numbers = "whole numbers, as both ends are; " if dimension.whole and isinstance(start, float) else ""
        raise checker.fail(path, f"the config says {start!r}, from which the search starts, and that is not in the "
                           f"space ({numbers}change one of them)")  # fmt: skip
    variants = Variants(checker.document, checker.registry, checker.folder, check)
    for value in dimension.samples:
        try:
            variants.experiment({key: value})
        except HybridrecError as error:
            raise type(error)(f"{checker.document.where(path)}: {value!r} is not possible: {error}") from None
    return dimension


def _start(checker: Checker, experiment: CheckedExperiment, key: str) -> Any:
    """Return the value of the config at a dotted path, which may be a default.

    Raises ConfigError if the path is not below one of the sections `TUNABLE`, or if the config has no value there.
    """
    path: KeyPath = ("tune", "space", key)
    first, *rest = key.split(".")
    if first not in TUNABLE or not rest:
        raise checker.fail(path, f"only options below {' and '.join(TUNABLE)} can be tuned")
    here: Any = experiment.resolved[first]
    for depth, step in enumerate(rest, start=1):
        below = {str(place): value for place, value in enumerate(here)} if isinstance(here, list) else here
        if not isinstance(below, dict) or step not in below:
            above = ".".join([first, *rest][:depth])
            choices = below if isinstance(below, dict) else ()
            raise checker.fail(path, f"{above} has no '{step}' for the search to start from: "
                               f"{did_you_mean(step, choices)}")  # fmt: skip
        here = below[step]
    return here


@dataclass(frozen=True, slots=True)
class Variants:
    """A maker of variants of one document: checked experiments in which some values are replaced.

    Relative paths in the document start at `folder`.
    """

    document: YamlDocument
    registry: Registry
    folder: Path
    check: Check

    def content(self, values: Mapping[str, Any]) -> YamlDocument:
        """Return a copy of the document with these values at their dotted paths, without the section `tune`."""
        changed = replace(self.document, content=deepcopy(self.document.content))
        changed.content.pop("tune", None)
        for path, value in values.items():
            assign(changed.content, path, value, self.document.source)
        return changed

    def experiment(self, values: Mapping[str, Any]) -> CheckedExperiment:
        """Check the document with these values in it; raises ConfigError if they are not valid together."""
        return self.check(self.content(values), self.registry, self.folder)
