"""The distributions whose versions a report names: only those that the experiment uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata

from hybridrec.config.experiment import CheckedExperiment
from hybridrec.engine.keys import distributions_with
from hybridrec.plugin import Options, Plugin
from hybridrec.registry.discovery import Registry

PROJECT = "hybridrec"
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""The name at the start of a requirement."""


def distributions_of(experiment: CheckedExperiment, registry: Registry) -> set[str]:
    """Return the names of the distributions that an experiment uses.

    These are hybridrec, the distributions of the plugins whose classes the config names, their requirements without
    extras, and the distributions of the libraries that its components `require`.
    """
    named = {PROJECT}
    for cls in _classes(experiment):
        if (provider := registry.provider_of(cls)) is not None:
            named.add(provider.distribution)
    specs = [*experiment.components.values()]
    specs += [spec for plan in experiment.pipelines.values() for spec in plan.reranker_specs()]
    libraries = {module for spec in specs for module in spec.requires}
    required = {requirement for name in named for requirement in _requirements(name)}
    return named | required | {name for module in libraries for name in distributions_with(module)}


def _classes(experiment: CheckedExperiment) -> Iterator[type[Plugin]]:
    """Yield the class of everything that the config names, plugins among the options included."""
    yield type(experiment.reader)
    yield type(experiment.splitter)
    yield from _among(experiment.splitter.config)
    for segmenter in experiment.segmenters.values():
        yield type(segmenter)
    for metric_spec in experiment.metric_specs:
        yield type(metric_spec.measure.metric)
    chains = (spec for plan in experiment.pipelines.values() for spec in plan.reranker_specs())
    for spec in (*experiment.components.values(), *chains):
        yield spec.cls
        yield from _among(spec.options)


def _among(options: Options) -> Iterator[type[Plugin]]:
    return (type(value) for _, value in options if isinstance(value, Plugin))


def _requirements(distribution: str) -> Iterator[str]:
    """Yield the names of the requirements of an installed distribution, extras excluded."""
    try:
        requirements = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return
    for requirement in requirements:
        name, _, marker = requirement.partition(";")
        if "extra" not in marker and (match := _REQUIREMENT.match(name)):
            yield match[0]
