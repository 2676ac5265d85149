"""The contract suites by kind of class: what `hybridrec check-plugin` calls."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from hybridrec.data.folds import Splitter
from hybridrec.data.readers import Reader
from hybridrec.errors import ConfigError, did_you_mean
from hybridrec.evaluation.metrics import Metric
from hybridrec.plugin import Plugin
from hybridrec.registry.discovery import Registry
from hybridrec.registry.offers import KINDS
from hybridrec.stages.component import Generator, Reranker, Scorer
from hybridrec.stages.normaliser import Normaliser
from hybridrec.testing.components import ComponentContract
from hybridrec.testing.contract import Contract
from hybridrec.testing.metrics import MetricContract
from hybridrec.testing.normalisers import NormaliserContract
from hybridrec.testing.readers import ReaderContract
from hybridrec.testing.rerankers import RerankerContract
from hybridrec.testing.splitters import SplitterContract

_CONTRACTS: tuple[tuple[Any, type[Contract]], ...] = (
    ((Generator, Scorer), ComponentContract),
    (Reranker, RerankerContract),
    (Reader, ReaderContract),
    (Splitter, SplitterContract),
    (Metric, MetricContract),
    (Normaliser, NormaliserContract),
)


def classes_of(name: str, registry: Registry) -> list[type[Plugin]]:
    """The classes that the plugin of this name offers, or those that are called so themselves.

    Raises ConfigError if nothing is, PluginError if the plugin could not be loaded
    or a name is provided twice.
    """
    if found := registry.named(name):
        return [cls for _, cls in found]
    known = {provider.name for provider in registry.providers} | {n for kind in KINDS for n in registry.names(kind)}
    if name not in known | {provider.distribution for provider in registry.providers}:
        raise ConfigError(f"no plugin and nothing in one is called '{name}': {did_you_mean(name, known)}")
    provider = registry.provider(name)
    return [registry.get(kind, offered) for kind, names in provider.offers.items() for offered in names]


def contracts_of(cls: type[Plugin]) -> Iterator[type[Contract]]:
    """The suites that a class has to pass, with its default options.

    Raises ConfigError if it has none (then its own tests must say which options to use), or if a library
    that it needs is missing.
    """
    missing = [module for module in getattr(cls, "requires", ()) if importlib.util.find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"'{cls.name}' needs {', '.join(missing)}, not installed here. {getattr(cls, 'install_hint', '')}".rstrip()
        )
    try:
        cls.Config()
    except ValidationError as error:
        keys = ", ".join(str(problem["loc"][0]) for problem in error.errors() if problem["loc"])
        raise ConfigError(f"'{cls.name}' has no default for {keys}; test it with `configs` in a test class") from None
    for bases, contract in _CONTRACTS:
        if issubclass(cls, bases):
            yield type(f"{cls.__name__}{contract.__name__}", (contract,), {contract.role: cls})
