"""The plugins and distributions that an experiment uses, whose versions its report names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata

from hybridrec.config.experiment import CheckedExperiment
from hybridrec.engine.keys import distributions_with
from hybridrec.evaluation.report import PluginUse
from hybridrec.plugin import Options, Plugin
from hybridrec.registry.discovery import Registry
from hybridrec.registry.kinds import kind_of

PROJECT = "hybridrec"
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Pattern of the distribution's name at the start of a requirement."""


def distributions_of(experiment: CheckedExperiment, registry: Registry) -> set[str]:
    """Return the names of the distributions that an experiment uses.

    These are hybridrec itself, the distributions of the plugins whose classes the config names, all distributions that
    these require (extras excluded), and those of the libraries that the components name in `requires`.
    """
    named = {PROJECT}
    for cls in _classes(experiment):
        if (provider := registry.provider_of(cls)) is not None and not provider.file:
            named.add(provider.distribution)
    specs = [*experiment.components.values()]
    specs += [spec for pipeline in experiment.pipelines.values() for spec in pipeline.reranker_specs()]
    libraries = {module for spec in specs for module in spec.requires}
    required = {requirement for name in named for requirement in _requirements(name)}
    return named | required | {name for module in libraries for name in distributions_with(module)}


def plugins_of(experiment: CheckedExperiment, registry: Registry) -> list[PluginUse]:
    """Return the plugins that an experiment uses, each with the names of its classes that the config names."""
    used: dict[str, PluginUse] = {}
    for cls in _classes(experiment):
        provider, kind = registry.provider_of(cls), kind_of(cls)
        if provider is None or kind is None:
            continue
        plugin = used.setdefault(
            provider.module if not provider.file else f"{provider.file}/{provider.name}",
            PluginUse(
                name=provider.name,
                module=provider.module,
                distribution=provider.distribution,
                version=provider.version,
                file=provider.file,
                digest=provider.digest,
            ),
        )
        if cls.name not in plugin.offers.setdefault(kind.plural, []):
            plugin.offers[kind.plural].append(cls.name)
    return sorted(used.values(), key=lambda plugin: (plugin.distribution, plugin.name))


def preferred(plugins: Iterable[PluginUse]) -> dict[tuple[str, str], str]:
    """Return the distribution that provided each class of a run, by (kind, name).

    A name that two distributions provided is left out: configs write it as `distribution/name`.
    """
    offers = [(kind, name, plugin) for plugin in plugins for kind, names in plugin.offers.items() for name in names]
    several = [(kind, name) for kind, name, _ in offers]
    # A name that two of them provided is qualified in the config.
    return {(kind, name): plugin.distribution for kind, name, plugin in offers if several.count((kind, name)) == 1}


def _classes(experiment: CheckedExperiment) -> Iterator[type[Plugin]]:
    """Yield the class of every plugin that the config names, including plugins that are options of other plugins."""
    yield type(experiment.reader)
    yield type(experiment.splitter)
    yield from _among(experiment.splitter.config)
    for segmenter in experiment.segmenters.values():
        yield type(segmenter)
    for observer in experiment.observers.values():
        yield type(observer)
    for metric_spec in experiment.metric_specs:
        yield type(metric_spec.measure.metric)
    chains = (spec for pipeline in experiment.pipelines.values() for spec in pipeline.reranker_specs())
    for spec in (*experiment.components.values(), *chains):
        yield spec.cls
        yield from _among(spec.options)


def _among(options: Options) -> Iterator[type[Plugin]]:
    return (type(value) for _, value in options if isinstance(value, Plugin))


@cache
def _requirements(distribution: str) -> list[str]:
    """Return the names of the distributions that an installed distribution requires, without those of its extras."""
    try:
        requirements = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return []
    names = (name for name, _, marker in (text.partition(";") for text in requirements) if "extra" not in marker)
    return [match[0] for name in names if (match := _REQUIREMENT.match(name))]
