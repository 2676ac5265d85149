"""Discovery of plugins: their offers, broken plugins with the causes, and clashes of names."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pluggy

from hybridrec.errors import ConfigError, PluginError, did_you_mean
from hybridrec.registry import hookspecs, kinds
from hybridrec.registry.observers import hook_tracers
from hybridrec.registry.validation import offered, validate_api_version, validate_hooks
from hybridrec.tracing import GROUP, traced

SLOW = 0.5
"""Seconds of loading from which `plugins` warns that a plugin slows every command down."""


@dataclass(slots=True)
class Provider:
    """An installed plugin: its entry point, its distribution, and the result of loading it."""

    name: str
    module: str
    distribution: str
    version: str
    error: BaseException | None = None
    blocked: bool = False
    seconds: float = 0.0
    """Duration of loading it."""
    offers: dict[str, list[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"plugin '{self.name}' ({self.distribution} {self.version}, module {self.module})"


@dataclass(frozen=True, slots=True)
class _Offer:
    cls: Any
    """A class, or an instance for kinds that offer instances."""
    provider: Provider


class Registry:
    """All plugin classes by kind and name, and the hook callers of the observers.

    A plugin that cannot be loaded does not affect the others: its error is kept in `providers`, and raised as the
    cause when a name is requested that it may have provided.
    """

    def __init__(
        self,
        entry_points: Iterable[importlib.metadata.EntryPoint] | None = None,
        *,
        block: Collection[str] = (),
        only: Collection[str] | None = None,
    ) -> None:
        """Load the plugins of the given entry points (default: all installed in the group).

        With `only`, those of these modules; the others are not even imported. Plugins in `block`, by the name of the
        plugin or its distribution, are left out; raises ConfigError for an unknown name.
        """
        installed = importlib.metadata.entry_points(group=GROUP) if entry_points is None else entry_points
        if only is not None:
            installed = [entry_point for entry_point in installed if entry_point.value in only]
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.manager.add_hookspecs(hookspecs.offer_hooks())
        self.manager.add_hookcall_monitoring(*hook_tracers())
        self.providers: list[Provider] = []
        self._offers: dict[str, dict[str, list[_Offer]]] = {kind.plural: {} for kind in kinds.KINDS}
        for entry_point in sorted(installed, key=lambda e: (e.name, e.value)):
            self.providers.append(self._load(entry_point, block))
        names = {name for provider in self.providers for name in (provider.name, provider.distribution)}
        for name in block:
            if name not in names:
                raise ConfigError(f"no plugin to block is called '{name}': {did_you_mean(name, names)}")

    def _load(self, entry_point: importlib.metadata.EntryPoint, block: Collection[str]) -> Provider:
        dist = entry_point.dist
        provider = Provider(
            entry_point.name, entry_point.value, dist.name if dist else "unknown", dist.version if dist else "?"
        )
        if provider.name in block or provider.distribution in block:
            provider.blocked = True
            return provider
        started = time.perf_counter()
        try:
            with traced(f"loading {provider}"):
                module = entry_point.load()
            offers = self._register(module, entry_point.value)
        except (Exception, SystemExit) as error:  # a broken plugin must not affect the others
            provider.error = error
            return provider
        finally:
            provider.seconds = time.perf_counter() - started
        for kind, offer in offers:
            provider.offers.setdefault(kind.plural, []).append(offer.name)
            self._offers[kind.plural].setdefault(offer.name, []).append(_Offer(offer, provider))
        return provider

    def _register(self, module: object, name: str) -> list[tuple[kinds.Kind, Any]]:
        """Register the hooks of a plugin module and return its offers with their kinds; undone if it is broken.

        It is registered under the name of the module, as two distributions may use one name of an entry point.
        """
        if self.manager.has_plugin(name):
            raise PluginError(f"the module {name} is already registered by another entry point")
        validate_api_version(module, name)
        try:
            self.manager.register(module, name)
            validate_hooks(self.manager, module)
            if not self.manager.get_hookcallers(module):
                raise PluginError(f"{name} implements no hook: is `@hookimpl` missing above its functions?")
            return list(offered(self.manager, module))
        except (Exception, SystemExit):
            if self.manager.has_plugin(name):
                self.manager.unregister(name=name)
            raise

    @property
    def broken(self) -> list[Provider]:
        """The plugins that could not be loaded."""
        return [provider for provider in self.providers if provider.error is not None]

    @cached_property
    def clashes(self) -> list[str]:
        """A message for every name that several plugins provide."""
        return [
            _clash(kind, name, offers)
            for kind, names in self._offers.items()
            for name, offers in sorted(names.items())
            if len(offers) > 1
        ]

    @property
    def slow(self) -> list[Provider]:
        """The plugins, other than those of hybridrec, whose loading slows every command down."""
        return [
            provider
            for provider in self.providers
            if provider.seconds > SLOW and provider.distribution != hookspecs.PROJECT
        ]

    def provider(self, name: str) -> Provider:
        """Return the loaded plugin of this name, or the only one of a distribution of this name.

        Raises ConfigError for an unknown, blocked or ambiguous name, and PluginError for a broken plugin.
        """
        named = [p for p in self.providers if p.name == name] or [p for p in self.providers if p.distribution == name]
        if len(named) != 1:
            known = {provider.name for provider in self.providers}
            told = f"several plugins are called '{name}'" if named else f"no plugin is called '{name}'"
            raise ConfigError(f"{told}: {did_you_mean(name, known)}")
        (provider,) = named
        if provider.blocked:
            raise ConfigError(f"{provider} is blocked")
        if provider.error is not None:
            raise PluginError(f"{provider} could not be loaded: {_cause(provider.error)}") from provider.error
        return provider

    def names(self, kind: str | None = None) -> list[str]:
        """Return all names of a kind ("components", "readers", ...), or of all kinds, sorted."""
        offers = self._offers.values() if kind is None else [self._offers[kind]]
        return sorted({name for names in offers for name in names})

    def classes(self, kind: str) -> Iterator[type[Any]]:
        """Yield all classes of a kind in order of their names, without names that are provided twice."""
        for _, offers in sorted(self._offers[kind].items()):
            if len(offers) == 1:
                yield offers[0].cls

    def provider_of(self, cls: Any) -> Provider | None:
        """Return the provider of a class; None if it comes from elsewhere."""
        offers = [offer for names in self._offers.values() for offer in names.get(cls.name, [])]
        return next((offer.provider for offer in offers if offer.cls is cls), None)

    def named(self, name: str) -> list[tuple[kinds.Kind, Any]]:
        """Return (kind, class) of everything of this name; raises PluginError if two plugins provide one."""
        return [(kind, self.get(kind.plural, name)) for kind in kinds.KINDS if name in self._offers[kind.plural]]

    def get(self, kind: str, name: str) -> Any:
        """Return the class of a kind ("components", "readers", ...) and name.

        Raises PluginError if it is provided twice, and ConfigError with the available names if it is not provided.
        """
        offers = self._offers[kind].get(name, [])
        if len(offers) > 1:
            raise PluginError(_clash(kind, name, offers))
        if offers:
            return offers[0].cls
        called = kinds.kind_named(kind).name
        raise self.missing(f"unknown {called} '{name}': {did_you_mean(name, self._offers[kind])}")

    def missing(self, message: str) -> ConfigError:
        """Return an error about an unknown name that adds the blocked and broken plugins which may provide it."""
        if blocked := [str(provider) for provider in self.providers if provider.blocked]:
            message += f". It may belong to a blocked plugin: {', '.join(blocked)}"
        if self.broken:
            causes = "; ".join(f"{p}: {_cause(p.error)}" for p in self.broken)
            message += f". It may belong to a plugin that could not be loaded: {causes}"
        error = ConfigError(message)
        error.__cause__ = self.broken[0].error if self.broken else None
        return error


def _cause(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}"


def _clash(kind: str, name: str, offers: list[_Offer]) -> str:
    who = " and ".join(str(offer.provider) for offer in offers)
    way_out = "uninstall one of them, or leave one out with --block"
    return f"the {kinds.kind_named(kind).name} '{name}' is provided twice, by {who}; {way_out}"
