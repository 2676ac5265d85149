"""The choice of the contract suites that a class must pass, for `hybridrec check-plugin`."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from hybridrec.errors import ConfigError, PluginError, did_you_mean
from hybridrec.plugin import Options
from hybridrec.registry import kinds
from hybridrec.registry.discovery import Registry
from hybridrec.stages.component import Component
from hybridrec.testing.contract import Contract


def classes_of(name: str, registry: Registry) -> list[Any]:
    """Return all classes and commands that the plugin `name` offers, and all that are themselves called `name`.

    Raises ConfigError if nothing has this name, and PluginError if the plugin could not be loaded, one of its classes
    cannot be used, or several plugins provide the name.
    """
    plugins = {called for provider in registry.providers for called in (provider.name, provider.distribution)}
    provider = registry.provider(name) if name in plugins else None
    if provider is not None and provider.left_out:
        kind, _, error = provider.left_out[0]
        raise PluginError(f"a {kind} of {provider} cannot be used: {error}") from error
    offers = {} if provider is None else provider.offers
    qualifier = "" if provider is None else f"{provider.distribution}/"
    classes = [registry.get(kind, f"{qualifier}{offered}") for kind, names in offers.items() for offered in names]
    classes += [cls for _, cls in registry.named(name)]
    if not classes and name not in plugins:
        names = {provider.name for provider in registry.providers} | set(registry.names())
        raise ConfigError(f"no plugin, class or command is called '{name}': {did_you_mean(name, names)}")
    return list(dict.fromkeys(classes))


def configs_of(cls: Any, options: Mapping[str, Any] = MappingProxyType({})) -> Sequence[Mapping[str, Any]]:
    """Return the options with which a class is checked: each of its `check_configs`, overridden by `options`."""
    declared: Sequence[Mapping[str, Any]] = getattr(cls, "check_configs", ({},))  # a command has none
    configs = [{**config, **options} for config in declared]
    return [config for place, config in enumerate(configs) if config not in configs[:place]]


def contracts_of(
    cls: Any, options: Mapping[str, Any] = MappingProxyType({}), base_models: Sequence[Any] = ()
) -> Iterator[type[Contract]]:
    """Yield the contract suites that a class must pass, with the options that `configs_of` returns.

    If an option names another component, a base model takes the place of that component. It is the suite's own base
    model, or if the option requires another class, the first of `base_models` that has this class. Raises ConfigError
    if no base model has the class, if an option is not valid or is missing, or if a library that `cls` needs is not
    installed.
    """
    missing = [module for module in getattr(cls, "requires", ()) if importlib.util.find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"'{cls.name}' needs {', '.join(missing)}, not installed here. {getattr(cls, 'install_hint', '')}".rstrip()
        )
    configs = configs_of(cls, options)
    try:
        for config in configs:
            getattr(cls, "Config", Options).model_validate(config)
    except ValidationError as error:
        raise ConfigError(f"'{cls.name}' {'; '.join(_problems(error))}") from None
    kind = kinds.kind_of(cls)
    for name in dict.fromkeys(role.contract for role in (kind.roles_of(cls) if kind else ())):
        contract = kinds.resolve(name)
        called = f"{getattr(cls, '__name__', cls.name)}{contract.__name__}"
        given: dict[str, Any] = {contract.role: cls, "configs": configs}
        choices = [{}, *({"base_model": lender} for lender in base_models if _needs_no_options(lender))]
        suites: list[type[Contract]] = [type(called, (contract,), given | choice) for choice in choices]
        reasons = [next(filter(None, map(suite.unfit, configs)), None) for suite in suites]
        if None not in reasons:
            raise ConfigError(reasons[0])
        yield suites[reasons.index(None)]


def _needs_no_options(cls: Any) -> bool:
    """Return True for a component that can be made with the defaults of all its options."""
    is_component = isinstance(cls, type) and issubclass(cls, Component)
    return is_component and not any(option.is_required() for option in cls.Config.model_fields.values())


def _problems(error: ValidationError) -> Iterator[str]:
    """Yield a description of each problem of the options, missing options first."""
    places = [(".".join(map(str, problem["loc"])), problem) for problem in error.errors()]
    if absent := [key for key, problem in places if problem["type"] == "missing"]:
        yield f"has no default for {', '.join(absent)}; give --set {absent[0]}=VALUE, or the class `check_configs`"
    others = (f"{key}: {problem['msg']}" for key, problem in places if problem["type"] != "missing")
    yield from (text.removeprefix(": ") for text in others)  # problems of the options as a whole have no key
