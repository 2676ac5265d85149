"""The contract suites by kind of class: what `hybridrec check-plugin` calls."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from hybridrec.data.readers.base import Reader
from hybridrec.data.splits.base import Splitter
from hybridrec.errors import ConfigError, did_you_mean
from hybridrec.evaluation.metrics import Metric
from hybridrec.plugin import Plugin
from hybridrec.registry.discovery import Registry
from hybridrec.registry.validation import KINDS
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
    """All classes that the plugin of this name offers, and those that are called so themselves.

    Raises ConfigError if nothing is called so, PluginError if the plugin could not be loaded
    or a name is provided twice.
    """
    plugins = {called for provider in registry.providers for called in (provider.name, provider.distribution)}
    offers = registry.provider(name).offers if name in plugins else {}
    found = [registry.get(kind, offered) for kind, names in offers.items() for offered in names]
    found += [cls for _, cls in registry.named(name)]
    if not found and name not in plugins:
        known = {provider.name for provider in registry.providers} | {n for kind in KINDS for n in registry.names(kind)}
        raise ConfigError(f"no plugin and nothing in one is called '{name}': {did_you_mean(name, known)}")
    return list(dict.fromkeys(found))


def contracts_of(cls: type[Plugin], options: Mapping[str, Any] = MappingProxyType({})) -> Iterator[type[Contract]]:
    """The suites that a class has to pass, with these options and else its defaults.

    Raises ConfigError if the options are not valid or one without a default is missing, or if a library
    that it needs is.
    """
    missing = [module for module in getattr(cls, "requires", ()) if importlib.util.find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"'{cls.name}' needs {', '.join(missing)}, not installed here. {getattr(cls, 'install_hint', '')}".rstrip()
        )
    try:
        cls.Config.model_validate(options)
    except ValidationError as error:
        raise ConfigError(f"'{cls.name}' {'; '.join(_problems(error))}") from None
    for bases, contract in _CONTRACTS:
        if issubclass(cls, bases):
            yield type(f"{cls.__name__}{contract.__name__}", (contract,), {contract.role: cls, "configs": (options,)})


def _problems(error: ValidationError) -> Iterator[str]:
    """What is wrong with options, the missing ones first."""
    places = [(".".join(map(str, problem["loc"])), problem) for problem in error.errors()]
    if absent := [key for key, problem in places if problem["type"] == "missing"]:
        yield f"has no default for {', '.join(absent)}; give --set {absent[0]}=VALUE, or test it with `configs`"
    others = (f"{key}: {problem['msg']}" for key, problem in places if problem["type"] != "missing")
    yield from (told.removeprefix(": ") for told in others)  # what concerns all options has no key
