"""What an author easily forgets or misspells in a class: refused on loading, as later it would only be silent."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Collection, Iterator
from typing import Any

from hybridrec.arrays import FIELDS, TARGETS
from hybridrec.errors import PluginError
from hybridrec.plugin import Options, Plugin

NEAR = 0.8
"""How alike the name of an attribute and one of the engine's are, from 0 to 1, to be taken for the same."""
_COLLECTIONS = {"needs": ("a set", FIELDS), "targets": ("a tuple", TARGETS)}


def refuse_slips(cls: type[Plugin]) -> None:
    """Refuse a class without a name or with abstract methods, and one with attributes that cannot be meant so."""
    if not isinstance(getattr(cls, "name", None), str):
        raise PluginError(f"{cls.__name__} has no `name`: what should the YAML say to use it?")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise PluginError(f"{cls.__name__} does not implement {missing}")
    _refuse_misspelt(cls)
    _refuse_other_members(cls)
    _refuse_forgotten_options(cls)


def _refuse_misspelt(cls: type[Plugin]) -> None:
    """A value under a name that is nearly one of the engine's, which itself keeps its default."""
    ours = [base for base in cls.__mro__ if _is_engine(base)]
    own = {name for base in cls.__mro__ if issubclass(base, Plugin) and base not in ours for name in _values(base)}
    known = {name for base in ours for name in (*_values(base), *inspect.get_annotations(base))}
    for name in sorted(own.difference(*map(dir, ours), known)):
        if near := difflib.get_close_matches(name, known - own, n=1, cutoff=NEAR):
            raise PluginError(f"{cls.__name__}.{name}: did you mean '{near[0]}'?")


def _refuse_other_members(cls: type[Plugin]) -> None:
    """Fields or targets that there are not, or a text in the place of several."""
    for name, (collection, allowed) in _COLLECTIONS.items():
        value = inspect.getattr_static(cls, name, ())
        if not _is_value(value) or not any(name in vars(base) for base in cls.__mro__ if _is_engine(base)):
            continue  # a property, of which each instance knows the value, or nothing of this kind of class
        if isinstance(value, str) or not isinstance(value, Collection) or any(one not in allowed for one in value):
            raise PluginError(f"{cls.__name__}.{name} must be {collection} of {', '.join(allowed)}, not {value!r}")


def _refuse_forgotten_options(cls: type[Plugin]) -> None:
    """Options that are written beside a class, but never given to it."""
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
    """The public attributes that a class itself sets to plain values: no methods, no properties."""
    return (name for name, value in vars(cls).items() if not name.startswith("_") and _is_value(value))


def _is_value(value: Any) -> bool:
    return not hasattr(value, "__get__")
