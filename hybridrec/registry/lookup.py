"""The lookup of a class by kind and name, for plugins that derive from the class of another plugin or wrap it."""

from __future__ import annotations

import importlib.metadata
from functools import cache
from typing import Any

from hybridrec.errors import ConfigError, did_you_mean
from hybridrec.registry import hookspecs, kinds
from hybridrec.registry.discovery import Registry
from hybridrec.tracing import GROUP


def find(kind: str, name: str) -> Any:
    """Return the class of this kind ("component", "reader", "metric", ...) and name, to derive from it or to call it.

    hybridrec's own plugins are searched first, without loading others, so that a plugin may call this while it is
    itself loaded. Raises ConfigError for an unknown kind or name, and the errors of `Registry.get`.
    """
    by_name = {by_name.name: by_name for by_name in kinds.KINDS}
    if kind not in by_name:
        raise ConfigError(f"no kind of plugins is called '{kind}': {did_you_mean(kind, by_name)}")
    plural = by_name[kind].plural
    registry = _own()
    return (registry if name in registry.names(plural) else Registry()).get(plural, name)


@cache
def _own() -> Registry:
    """Return the registry of the plugins that come with hybridrec."""
    installed = importlib.metadata.entry_points(group=GROUP)
    return Registry([entry for entry in installed if entry.dist is not None and entry.dist.name == hookspecs.PROJECT])
