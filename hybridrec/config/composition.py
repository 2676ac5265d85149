"""Experiments composed in Python, as values with the same keys as an experiment file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from hybridrec.config.yaml_document import KeyPath, dotted
from hybridrec.data.readers.base import Reader
from hybridrec.errors import ConfigError, HybridrecError
from hybridrec.plugin import Options, Plugin
from hybridrec.registry.discovery import Registry
from hybridrec.registry.kinds import kind_of

SOURCE = "config"
"""The name that messages give to a config without a file."""
_SCALARS = (str, int, float, bool, date, type(None))


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineConfig:
    """A pipeline of an `Experiment`; its fields are the keys of `pipelines.NAME` in an experiment file.

    generators: sources of candidates, each made by `take`
    scorers, fallback: labels of components
    rerank: re-rankers in order, each made by `use`; or one such list for each target
    seen, disliked, released, allow, block: values as in the file; None stands for the default
    filters: rules for what is never shown, each made by `use`
    """

    generators: Sequence[Mapping[str, Any]]
    scorers: Sequence[str] | None = None
    rerank: Sequence[Mapping[str, Any] | Plugin | type[Plugin]] | Mapping[str, Any] | None = None
    fallback: Sequence[str] | None = None
    seen: str | None = None
    disliked: str | None = None
    released: bool | None = None
    allow: Mapping[str, Any] | None = None
    block: Mapping[str, Any] | None = None
    filters: Sequence[Mapping[str, Any] | Plugin | type[Plugin]] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """An experiment composed in Python, for `run` and `tune`; its fields are the keys of an experiment file.

    data, split: a reader and a splitter, made by `use`
    components: label -> component, made by `use`
    pipelines: name -> `PipelineConfig`
    compare, targets, k_core, tune, tradeoffs, ...: values as in the file; None stands for the default

    A plugin may also be given as a class (with its defaults), as an instance, or as the mapping of the file.
    Names and options are checked when the experiment is run; relative paths start at the working directory.
    """

    name: str
    data: Mapping[str, Any] | Plugin | type[Plugin]
    split: Mapping[str, Any] | Plugin | type[Plugin]
    components: Mapping[str, Mapping[str, Any] | Plugin | type[Plugin]]
    pipelines: Mapping[str, PipelineConfig | Mapping[str, Any]]
    compare: Mapping[str, Any] | None = None
    filters: Sequence[Mapping[str, Any] | Plugin | type[Plugin]] | None = None
    targets: Mapping[str, int] | None = None
    seed: int | None = None
    k_core: Mapping[str, int] | None = None
    repeats: int | None = None
    tune: Mapping[str, Any] | None = None
    tradeoffs: Sequence[Mapping[str, Any]] | None = None
    refit: str | None = None
    memory: int | str | None = None
    store: Mapping[str, Any] | None = None
    executor: str | Mapping[str, Any] | Plugin | type[Plugin] | None = None
    workers: int | None = None
    fit_timeout: float | None = None
    device: str | None = None
    observe: Mapping[str, Mapping[str, Any] | None] | None = None
    plugins: Mapping[str, Any] | None = None


def use(plugin: str | type[Plugin], /, **options: Any) -> dict[str, Any]:
    """Return the mapping that stands in a config for a plugin with these options; `plugin` is its name or its class."""
    return {"use": plugin, **options}


def take(label: str, /, *, k: int | None = None, when: str | Sequence[str] | None = None) -> dict[str, Any]:
    """Return the entry of a pipeline's generator: the component `label` proposes `k` candidates for each query.

    Queries that do not satisfy `when` are not sent to it.
    """
    given = {"k": k, "when": when}
    return {"from": label, **{key: value for key, value in given.items() if value is not None}}


def plain_config(config: Mapping[str, Any] | Experiment, registry: Registry) -> dict[str, Any]:
    """Convert a config made in Python to the content of the equivalent experiment file, as plain values.

    Raises ConfigError with the key path of a value that no experiment file can hold.
    """
    try:
        content = _plain(config, (), registry)
    except RecursionError:
        raise ConfigError(f"{SOURCE}: nested too deeply") from None
    data = content.get("data")
    if isinstance(config, Experiment) and isinstance(data, dict) and "use" in data:
        content["data"] = {"reader" if key == "use" else key: value for key, value in data.items()}
    return dict(content)


def _plain(value: Any, path: KeyPath, registry: Registry) -> Any:
    if isinstance(value, (Experiment, PipelineConfig)):
        given = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {key: _plain(below, (*path, key), registry) for key, below in given if below is not None}
    if isinstance(value, Plugin) or (isinstance(value, type) and issubclass(value, Plugin)):
        cls, options = (value, {}) if isinstance(value, type) else (type(value), _plain(value.config, path, registry))
        name = _registered(cls, path, registry)
        # The value of `use` is only the name: the options are separate keys.
        if path[-1:] == ("use",) and path != ("components", "use"):
            return name
        return {"reader" if issubclass(cls, Reader) else "use": name, **options}
    if isinstance(value, Options):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(value, Mapping):
        return {str(key): _plain(below, (*path, str(key)), registry) for key, below in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(below, (*path, place), registry) for place, below in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, _SCALARS):
        return value
    where = f"{SOURCE}: {dotted(path)}" if path else SOURCE
    raise ConfigError(
        f"{where}: a config has no place for a value of type {type(value).__name__}; it takes mappings, lists, text, "
        "numbers, paths and plugins"
    )


def _registered(cls: type[Plugin], path: KeyPath, registry: Registry) -> str:
    """Return the name by which the registry finds a plugin class; raises ConfigError if no plugin offers the class."""
    if (name := registry.name_of(cls)) is not None:
        return name
    where = f"{SOURCE}: {dotted(path)}"
    kind = kind_of(cls)
    try:
        offered = None if kind is None else registry.get(kind.plural, cls.name)
    except HybridrecError as error:
        raise type(error)(f"{where}: {error}{_way_in(cls)}") from error.__cause__
    raise ConfigError(
        f"{where}: the name of {cls.__module__}.{cls.__qualname__} leads to {offered}: a run finds classes by "
        f"their names, so that it can be repeated{_way_in(cls)}"
    )


def _way_in(cls: type[Plugin]) -> str:
    """Return the end of the message about a class that no plugin offers: the two ways to offer it."""
    return f"; pass the class beside the config, `plugins=[{cls.__name__}]`, or offer it from a hook of a plugin"
