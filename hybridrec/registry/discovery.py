"""Discovery of plugins: load them, keep their classes by kind and name, and record errors and clashes of names."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import secrets
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pluggy

from hybridrec.errors import ConfigError, HybridrecError, PluginError, did_you_mean
from hybridrec.plugin import Plugin
from hybridrec.registry import hookspecs, kinds
from hybridrec.registry.hook_tracers import hook_tracers
from hybridrec.registry.loose_plugins import LooseSource, loose_sources, offers_of
from hybridrec.registry.requires_api import NAME as REQUIRES_API
from hybridrec.registry.requires_api import requires_api_of
from hybridrec.registry.source_digest import source_digest
from hybridrec.registry.validation import LeftOut, offered, validate_api_version, validate_class, validate_hooks
from hybridrec.tracing import GROUP, traced

SLOW = 0.5
"""A plugin that takes more seconds than this to load slows every command down; `hybridrec plugins` warns of it."""
BLOCK = "HYBRIDREC_BLOCK"
"""The environment variable with the names of plugins that are not loaded, separated by commas."""


@dataclass(slots=True)
class Provider:
    """A plugin with its entry point, its distribution, and the result of loading it.

    For a plugin without packaging, `distribution` is the name of its file or class.
    """

    name: str
    module: str
    distribution: str
    version: str
    error: BaseException | None = None
    blocked: bool = False
    seconds: float = 0.0
    """Time that the plugin took to load."""
    offers: dict[str, list[str]] = field(default_factory=dict)
    """Kind -> the names of the classes of this kind that it offers."""
    left_out: Sequence[tuple[str, str, BaseException]] = ()
    """(kind, name, cause) of each of its classes that cannot be used; the name is empty for a hook that failed."""
    file: str = ""
    """For a plugin without packaging, its file or "notebook"; empty for an installed plugin."""
    digest: str = ""
    """For a plugin without packaging, the digest of the source of its classes; empty if the source is unknown."""

    def __str__(self) -> str:
        if self.file:
            return f"plugin '{self.name}' ({self.file}, without packaging)"
        return f"plugin '{self.name}' ({self.distribution} {self.version}, module {self.module})"


@dataclass(frozen=True, slots=True)
class _Offer:
    cls: Any
    """A class, or an instance for kinds that offer instances."""
    provider: Provider


class Registry:
    """The registry of all plugin classes by kind and name.

    A plugin that cannot be loaded does not affect the others. Its error is kept in `providers`, and is attached as the
    cause to errors about unknown names, since the broken plugin may have provided such a name. If several plugins
    provide a name, `get` chooses one of their classes.
    """

    def __init__(
        self,
        entry_points: Iterable[importlib.metadata.EntryPoint] | None = None,
        *,
        block: Collection[str] = (),
        also_block: Collection[str] = (),
        only: Collection[str] | None = None,
        plugins: Sequence[type[Plugin] | Path | str] = (),
        prefer: Mapping[tuple[str, str], str] = MappingProxyType({}),
    ) -> None:
        """Load the plugins of the given entry points, by default of all installed plugins.

        block, also_block: names of plugins or distributions that are not loaded; the environment variable
            HYBRIDREC_BLOCK may name more. Only the names in `block` have to exist
        only: the modules whose plugins are loaded, by default all modules; other modules are not even imported
        plugins: further plugins, without packaging: classes or paths of files
        prefer: (kind, name) -> the distribution that is chosen if several plugins provide this name

        Raises ConfigError for an unknown name in `block`, and PluginError if one of `plugins` cannot be loaded.
        """
        installed = list(importlib.metadata.entry_points(group=GROUP) if entry_points is None else entry_points)
        sources = loose_sources(plugins)
        labels = _labels(installed)
        names = {entry_point.name for entry_point in installed} | {name for name, _ in labels.values()}
        for name in block:
            if name not in names:
                raise ConfigError(f"no plugin to block is called '{name}': {did_you_mean(name, names)}")
        if only is not None:
            installed = [entry_point for entry_point in installed if entry_point.value in only]
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.manager.add_hookspecs(hookspecs.offer_hooks())
        self.manager.add_hookcall_monitoring(*hook_tracers())
        self.plugins = tuple(plugins)
        self.prefer = prefer
        self.providers: list[Provider] = []
        self._digests: dict[object, str] = {}
        self._offers: dict[str, dict[str, list[_Offer]]] = {kind.plural: {} for kind in kinds.KINDS}
        unwanted = {*block, *also_block, *_blocked_by_environment()}
        self.not_installed = sorted(unwanted - names)
        """Names of blocked plugins that are not installed."""
        for entry_point in sorted(installed, key=lambda e: (e.name, e.value)):
            distribution = labels.get(id(entry_point.dist), ("unknown", "?"))
            self.providers.append(self._load(entry_point, distribution, unwanted))
        for source in sources:
            self.providers.append(self._load_loose(source))

    def _load(
        self, entry_point: importlib.metadata.EntryPoint, distribution: tuple[str, str], block: Collection[str]
    ) -> Provider:
        provider = Provider(entry_point.name, entry_point.value, *distribution)
        if provider.name in block or provider.distribution in block:
            provider.blocked = True
            return provider
        started = time.perf_counter()
        try:
            with traced(f"loading {provider}"):
                validate_api_version(requires_api_of(entry_point.module), entry_point.value)
                module = entry_point.load()
            offers = self._register(module, provider)
        except (Exception, SystemExit) as error:  # a broken plugin must not affect the others
            provider.error = error
            return provider
        finally:
            provider.seconds = time.perf_counter() - started
        self._offer(offers, provider)
        return provider

    def _load_loose(self, source: LooseSource) -> Provider:
        """Load a plugin without packaging; raises PluginError if that fails, since the caller asked for the plugin."""
        provider = Provider(source.name, source.module, source.name, "", file=source.origin)
        started = time.perf_counter()
        try:
            with traced(f"loading {provider}"):
                loaded = source.load()
            hooks = {name for name in vars(loaded) if name.startswith(f"{hookspecs.PROJECT}_")}
            offers = self._register(loaded, provider) if hooks else []
            if hooks.isdisjoint(kind.hook for kind in kinds.KINDS):
                offers = self._sound(offers_of(loaded), provider)
        except HybridrecError as error:
            raise type(error)(f"{provider}: {error}") from error
        except (Exception, SystemExit) as error:
            raise PluginError(f"{provider} could not be loaded: {_cause(error)}") from error
        finally:
            provider.seconds = time.perf_counter() - started
        if not (offers or hooks):
            raise PluginError(f"{provider} defines no class of a plugin that has a `name`, and no hook")
        digests = {offer: source_digest(offer) for _, offer in offers if isinstance(offer, type)}
        # Without source two classes of one name cannot be told apart: what this one makes is never found again.
        self._digests |= {cls: digest or secrets.token_hex(16) for cls, digest in digests.items()}
        if None not in digests.values():
            provider.digest = _joint(source_digest(cls, compiled=False) for cls in digests)
        self._offer(offers, provider)
        return provider

    def _sound(self, offers: Iterable[tuple[kinds.Kind, Any]], provider: Provider) -> list[tuple[kinds.Kind, Any]]:
        """Return the offers whose classes can be used, and record the others in `provider.left_out`."""
        sound, left_out = [], []
        for kind, offer in offers:
            try:
                validate_class(offer)
            except PluginError as error:
                left_out.append(LeftOut(kind.name, getattr(offer, "name", ""), error))
            else:
                sound.append((kind, offer))
        return _kept(sound, left_out, provider)

    def _offer(self, offers: Iterable[tuple[kinds.Kind, Any]], provider: Provider) -> None:
        for kind, offer in offers:
            provider.offers.setdefault(kind.plural, []).append(offer.name)
            self._offers[kind.plural].setdefault(offer.name, []).append(_Offer(offer, provider))

    def _register(self, module: object, provider: Provider) -> list[tuple[kinds.Kind, Any]]:
        """Register the hooks of a plugin module, and return (kind, offer) for everything that it offers.

        The module is registered under its own name, since two distributions may have entry points of the same name.
        Classes that cannot be used are recorded in `provider.left_out`; if no class can be used, the first error is
        raised. After an error the module is not registered.
        """
        name = provider.module
        if self.manager.has_plugin(name):
            raise PluginError(f"the module {name} is already registered by another entry point")
        validate_api_version(getattr(module, REQUIRES_API, None), name)
        try:
            self.manager.register(module, name)
            validate_hooks(self.manager, module)
            if not self.manager.get_hookcallers(module):
                raise PluginError(f"{name} implements no hook: is `@hookimpl` missing above its functions?")
            offers = list(offered(self.manager, module))
            left_out = [offer for offer in offers if isinstance(offer, LeftOut)]
            return _kept([offer for offer in offers if not isinstance(offer, LeftOut)], left_out, provider)
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
        """Messages, one for each name that several plugins provide."""
        return [
            _clash(kind, name, offers, self._chosen(kind, name))
            for kind, names in self._offers.items()
            for name, offers in sorted(names.items())
            if len(offers) > 1
        ]

    @property
    def slow(self) -> list[Provider]:
        """The plugins that take more than `SLOW` seconds to load, except hybridrec's own."""
        return [
            provider
            for provider in self.providers
            if provider.seconds > SLOW and provider.distribution != hookspecs.PROJECT
        ]

    def provider(self, name: str) -> Provider:
        """Return the loaded plugin of this name, or the only plugin of the distribution of this name.

        Raises ConfigError for an unknown, blocked or ambiguous name, and PluginError for a broken plugin.
        """
        named = [p for p in self.providers if p.name == name] or [p for p in self.providers if p.distribution == name]
        if len(named) != 1:
            names = {provider.name for provider in self.providers}
            told = f"several plugins are called '{name}'" if named else f"no plugin is called '{name}'"
            raise ConfigError(f"{told}: {did_you_mean(name, names)}")
        (provider,) = named
        if provider.blocked:
            raise ConfigError(f"{provider} is blocked")
        if provider.error is not None:
            raise PluginError(f"{provider} could not be loaded: {_cause(provider.error)}") from provider.error
        return provider

    def names(self, kind: str | None = None) -> list[str]:
        """Return the sorted names of all classes of a kind ("components", "readers", ...), or of all kinds."""
        offers = self._offers.values() if kind is None else [self._offers[kind]]
        return sorted({name for names in offers for name in names})

    def classes(self, kind: str) -> Iterator[type[Any]]:
        """Yield the classes of a kind in order of their names.

        If several plugins provide a name, the class that `get` returns for this name is yielded; the name is left out
        if `get` would raise an error.
        """
        for name in sorted(self._offers[kind]):
            if (offer := self._chosen(kind, name)) is not None:
                yield offer.cls

    def provider_of(self, cls: Any) -> Provider | None:
        """Return the plugin that offers a class; None if no plugin of this registry does."""
        offers = [offer for names in self._offers.values() for offer in names.get(cls.name, [])]
        return next((offer.provider for offer in offers if offer.cls is cls), None)

    def name_of(self, cls: type[Plugin]) -> str | None:
        """Return the name by which `get` finds a class; None if no plugin offers the class.

        It is qualified, `distribution/name`, if `get` finds another class by the plain name.
        """
        provider, kind = self.provider_of(cls), kinds.kind_of(cls)
        if provider is None or kind is None:
            return None
        chosen = self._chosen(kind.plural, cls.name)
        return cls.name if chosen is not None and chosen.cls is cls else f"{provider.distribution}/{cls.name}"

    def digests_of(self, classes: Iterable[type[Plugin]]) -> dict[type[Plugin], str]:
        """Return class -> digest for each of these classes that comes without packaging.

        The digest is computed from the source of the class; if the source is unknown, it is random.
        """
        return {cls: self._digests[cls] for cls in classes if cls in self._digests}

    def has_source(self, cls: type[Plugin]) -> bool:
        """Return False for a class without packaging whose source is unknown; its results are not kept."""
        provider = self.provider_of(cls) if cls in self._digests else None
        return provider is None or bool(provider.digest)

    def source_of(self, cls: type[Plugin]) -> str | None:
        """Return the digest of the source of a class without packaging.

        Returns None if the source is unknown, and "" for a class of an installed plugin.
        """
        return (self._digests[cls] if self.has_source(cls) else None) if cls in self._digests else ""

    def named(self, name: str) -> list[tuple[kinds.Kind, Any]]:
        """Return (kind, class) for every class that has this name, or `distribution/name`, in any kind.

        Raises the errors of `get`.
        """
        bare = name.rpartition("/")[2]
        offered = [kind for kind in kinds.KINDS if bare in self._offers[kind.plural]]
        chosen = [kind for kind in offered if self._chosen(kind.plural, name) is not None]
        return [(kind, self.get(kind.plural, name)) for kind in chosen or offered]

    def get(self, kind: str, name: str) -> Any:
        """Return the class of a kind ("components", "readers", ...) and name.

        `distribution/name` asks for the class of a certain distribution or plugin. If several plugins provide a plain
        name, the distribution in `prefer` decides; else a plugin without packaging comes first, and then hybridrec's
        own class.

        Raises PluginError if several plugins provide the name and none of these rules chooses one, and ConfigError with
        the available names if no plugin provides it.
        """
        if (offer := self._chosen(kind, name)) is not None:
            return offer.cls
        called, (qualifier, _, bare) = kinds.kind_named(kind).name, name.rpartition("/")
        offers = self._offers[kind].get(bare, [])
        for provider in self.providers:
            for *left_out, error in provider.left_out:
                if left_out == [called, bare] and qualifier in ("", provider.distribution):
                    raise PluginError(f"the {called} '{bare}' of {provider} was left out: {_cause(error)}")
        if not offers:
            raise self.missing(f"unknown {called} '{bare}': {did_you_mean(bare, self._offers[kind])}")
        if qualifier:
            spelled = ", ".join(_qualified(offer, bare) for offer in offers)
            raise self.missing(f"no plugin '{qualifier}' provides the {called} '{bare}'; available are {spelled}")
        if (kind, name) in self.prefer:
            wanted = self.prefer[kind, name]
            raise PluginError(
                f"the run was made with the {called} '{name}' of {wanted}, which is not installed: install it again, "
                f"or name another one in the config, such as {_qualified(offers[0], name)}"
            )
        raise PluginError(_clash(kind, name, offers))

    def _chosen(self, kind: str, name: str) -> _Offer | None:
        """Return the offer that `get` chooses for a name; None if `get` would raise an error.

        `get` raises an error if no plugin provides the name, or if several plugins do and no rule chooses one of them.
        """
        qualifier, _, bare = name.rpartition("/")
        offers = self._offers[kind].get(bare, [])
        if qualifier:
            offers = [offer for offer in offers if qualifier in (offer.provider.distribution, offer.provider.name)]
        elif (kind, name) in self.prefer:
            offers = [offer for offer in offers if offer.provider.distribution == self.prefer[kind, name]]
        elif len(offers) > 1:
            loose = [offer for offer in offers if offer.provider.file]
            ours = [offer for offer in offers if offer.provider.distribution == hookspecs.PROJECT]
            offers = loose or ours
        return offers[0] if len(offers) == 1 else None

    def choice(self, kind: str, name: str) -> str | None:
        """Return a note on the plugin that was chosen for a plain name; None unless several plugins provide it."""
        offers, chosen = self._offers[kind].get(name, []), self._chosen(kind, name)
        return None if len(offers) < 2 or chosen is None else _clash(kind, name, offers, chosen)

    def missing(self, message: str) -> ConfigError:
        """Return a ConfigError about an unknown name, with the blocked and broken plugins that may provide it."""
        if blocked := [str(provider) for provider in self.providers if provider.blocked]:
            message += f". It may belong to a blocked plugin: {', '.join(blocked)}"
        if self.broken:
            causes = "; ".join(f"{p}: {_cause(p.error)}" for p in self.broken)
            message += f". It may belong to a plugin that could not be loaded: {causes}"
        if left_out := [f"{p}: {_cause(error)}" for p in self.providers for _, _, error in p.left_out]:
            message += f". It may be a class that was left out: {'; '.join(left_out)}"
        error = ConfigError(message)
        error.__cause__ = self.broken[0].error if self.broken else None
        return error


def _labels(entry_points: Iterable[importlib.metadata.EntryPoint]) -> dict[int, tuple[str, str]]:
    """Return (name, version) of the distribution of each entry point, by the `id` of the distribution object.

    Both are read only once for each distribution, since each access parses all of its metadata.
    """
    distributions = {id(entry_point.dist): entry_point.dist for entry_point in entry_points}
    return {key: (dist.name, dist.version) for key, dist in distributions.items() if dist is not None}


def _kept(
    sound: list[tuple[kinds.Kind, Any]], left_out: list[LeftOut], provider: Provider
) -> list[tuple[kinds.Kind, Any]]:
    """Record `left_out`, the offers that cannot be used, in the provider, and return `sound`, the offers that can.

    Raises the error of the first offer in `left_out` if `sound` is empty.
    """
    if left_out and not sound:
        raise left_out[0].error
    provider.left_out = left_out
    return sound


def _blocked_by_environment() -> list[str]:
    """Return the names of plugins in the environment variable HYBRIDREC_BLOCK."""
    return [name for entry in os.environ.get(BLOCK, "").split(",") if (name := entry.strip())]


def _joint(digests: Iterable[str | None]) -> str:
    """Return one digest for several digests, independent of their order."""
    return hashlib.blake2b("".join(sorted(map(str, digests))).encode(), digest_size=16).hexdigest()


def _cause(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}"


def _qualified(offer: _Offer, name: str) -> str:
    return f"{offer.provider.distribution}/{name}"


def _clash(kind: str, name: str, offers: list[_Offer], chosen: _Offer | None = None) -> str:
    who = " and ".join(str(offer.provider) for offer in offers)
    times = "twice" if len(offers) == 2 else f"{len(offers)} times"
    told = f"the {kinds.kind_named(kind).name} '{name}' is provided {times}, by {who}"
    spelled = " or ".join(_qualified(offer, name) for offer in offers if offer is not chosen)
    if chosen is not None:
        return f"{told}; that of {chosen.provider} is taken; say {spelled} for the other"
    return f"{told}; say {spelled}, or leave one out with --block"
