"""Validation of plugin modules: their API version, their hooks, and the classes that the hooks return."""

from __future__ import annotations

import difflib
import inspect
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

import pluggy

from hybridrec.errors import PluginError, did_you_mean
from hybridrec.plugin import Options, Plugin
from hybridrec.registry import kinds
from hybridrec.registry.hookspecs import API_VERSION
from hybridrec.tracing import traced
from hybridrec.types import EVERY_KIND, KIND_NAME

_VERSION = re.compile(r"[0-9]+\.[0-9]+")


def validate_api_version(wanted: object, name: str) -> None:
    """Raise PluginError if the plugin `name` requires another major version of the API, or a later minor one.

    `wanted` is the value of its `requires_api`; None is accepted.
    """
    if wanted is None:
        return
    if not (isinstance(wanted, str) and _VERSION.fullmatch(wanted)):
        raise PluginError(
            f'{name}.requires_api is {wanted!r}; write the version of the API, for example "{API_VERSION}"'
        )
    (major, minor), (our_major, our_minor) = (tuple(map(int, v.split("."))) for v in (wanted, API_VERSION))
    if (major, minor) > (our_major, our_minor):
        raise PluginError(f"{name} needs plugin API {wanted}, this hybridrec has {API_VERSION}: upgrade hybridrec")
    if major < our_major:
        raise PluginError(f"{name} was written for plugin API {wanted}, this hybridrec has {API_VERSION}: "
                          "look for a later version of the plugin")  # fmt: skip


def validate_hooks(manager: pluggy.PluginManager, module: object) -> None:
    """Raise PluginError if a registered module implements an unknown hook, which would never be called."""
    hooks = [name for name, hook in vars(manager.hook).items() if hook.has_spec()]
    for hook in manager.get_hookcallers(module) or ():
        wanted = any(impl.plugin is module and not impl.optionalhook for impl in hook.get_hookimpls())
        if wanted and not hook.has_spec():
            raise PluginError(f"unknown hook '{hook.name}': {did_you_mean(hook.name, hooks)}")


class LeftOut(NamedTuple):
    """A class that a plugin offers but that cannot be used, with its error.

    For a hook that failed as a whole, the name of the class is empty.
    """

    kind: str
    name: str
    error: BaseException


def offered(manager: pluggy.PluginManager, module: object) -> Iterator[tuple[kinds.Kind, Any] | LeftOut]:
    """Call the hooks of a plugin module, and yield (kind, offer) for each offer that can be used.

    For any other offer, and for a hook that fails, a `LeftOut` is yielded.
    """
    for kind in kinds.KINDS:
        for impl in getattr(manager.hook, kind.hook).get_hookimpls():
            if impl.plugin is not module:
                continue
            try:
                with traced(f"{kind.hook} of {impl.plugin_name}"):
                    offers = impl.function()
                if not isinstance(offers, Iterable) or isinstance(offers, str):
                    wanted = "instances of" if kind.instances else "classes derived from"
                    raise PluginError(f"{kind.hook} must return a list of {wanted} {kind.base_name}, got {offers!r}")
                offers = list(offers)
            except (Exception, SystemExit) as error:  # its other hooks may be in order
                yield LeftOut(kind.name, "", error)
                continue
            for offer in offers:
                try:
                    _validate_offer(kind, offer)
                except PluginError as error:
                    yield LeftOut(kind.name, str(getattr(offer, "name", "")), error)
                else:
                    yield kind, offer


def _validate_offer(kind: kinds.Kind, offer: Any) -> None:
    if not kind.includes(offer):
        is_class = isinstance(offer, type) and issubclass(offer, Plugin)
        other = kinds.kind_of(offer) if is_class or kind.instances else None
        if other is not None:
            name = getattr(offer, "__name__", getattr(offer, "name", offer))
            raise PluginError(f"{kind.hook} returned {name}, which belongs in {other.hook}")
        if kind.instances:
            raise PluginError(f"{kind.hook} must return instances of {kind.base_name}, got {offer!r}")
        if is_class:
            bases = ", ".join(bases.base_name for bases in kinds.KINDS if not bases.instances)
            raise PluginError(f"{offer.__name__} does not derive from any of {bases}")
        raise PluginError(f"{kind.hook} must return classes derived from {kind.base_name}, got {offer!r}")
    if kind.instances:
        if not isinstance(offer.name, str):
            raise PluginError(f"{kind.hook} returned a {kind.name} without a name: {offer!r}")
    else:
        validate_class(offer)


NEAR = 0.8
"""Similarity, from 0 to 1. An attribute whose name is this similar to a name of the engine counts as misspelt."""


_COLLECTIONS = {"needs": "a set", "targets": "a tuple"}


def validate_class(cls: type[Plugin]) -> None:
    """Raise PluginError for a class without a name, with abstract methods, or with attributes that seem mistaken."""
    if not isinstance(getattr(cls, "name", None), str):
        raise PluginError(f"{cls.__name__} has no `name`: what should the YAML say to use it?")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise PluginError(f"{cls.__name__} does not implement {missing}")
    _validate_spelling(cls)
    _validate_members(cls)
    _validate_options(cls)


def _validate_spelling(cls: type[Plugin]) -> None:
    """Raise PluginError for an attribute that seems to be a misspelt name of one of the engine's attributes.

    A similar name is accepted if the class also sets the engine's attribute itself.
    """
    ours = tuple(base for base in cls.__mro__ if _is_engine(base))
    own = {name for base in cls.__mro__ if issubclass(base, Plugin) and base not in ours for name in _values(base)}
    engine_names, attributes = _names_of_engine(ours)
    for name in sorted(own - attributes):
        if near := difflib.get_close_matches(name, engine_names - own, n=1, cutoff=NEAR):
            raise PluginError(f"{cls.__name__}.{name}: did you mean '{near[0]}'?")


@cache
def _names_of_engine(bases: tuple[type[Plugin], ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Return (names, attributes): the names that these engine classes set or declare, and all of their attributes."""
    names = frozenset(name for base in bases for name in (*_values(base), *inspect.get_annotations(base)))
    return names, names.union(*map(dir, bases))


def _validate_members(cls: type[Plugin]) -> None:
    """Raise PluginError if `needs` or `targets` of a class is not a collection of names of kinds."""
    for name, collection in _COLLECTIONS.items():
        value = inspect.getattr_static(cls, name, ())
        if not _is_value(value) or not any(name in vars(base) for base in cls.__mro__ if _is_engine(base)):
            continue  # a property, whose value only instances have, or an attribute that this kind does not have
        if isinstance(value, str) or not isinstance(value, Collection) or not all(map(_is_kind_name, value)):
            right = f"{collection} of names such as 'items' and 'tags', or EVERY_KIND"
            raise PluginError(f"{cls.__name__}.{name} must be {right}, not {value!r}")


def _is_kind_name(name: object) -> bool:
    return isinstance(name, str) and (name == EVERY_KIND or re.match(KIND_NAME, name) is not None)


def _validate_options(cls: type[Plugin]) -> None:
    """Raise PluginError for a class without `Config` if its module defines options that seem to be meant for it.

    An options class seems so if no class of the module uses it and its name begins with the name of the plugin class.
    """
    if cls.Config is not Options:
        return
    beside = [value for value in vars(sys.modules[cls.__module__]).values() if isinstance(value, type)]
    used = [value.Config for value in beside if issubclass(value, Plugin)]
    for value in beside:
        if issubclass(value, Options) and value not in used and value.__name__.startswith(cls.__name__):
            raise PluginError(f"{cls.__name__} has no Config; is 'Config = {value.__name__}' missing?")


def _is_engine(cls: type) -> bool:
    return issubclass(cls, Plugin) and cls.__module__.partition(".")[0] == "hybridrec"


def _values(cls: type) -> Iterator[str]:
    """Return the names of the public attributes that a class itself sets to plain values (no methods or properties)."""
    return (name for name, value in vars(cls).items() if not name.startswith("_") and _is_value(value))


def _is_value(value: Any) -> bool:
    return not hasattr(value, "__get__")
