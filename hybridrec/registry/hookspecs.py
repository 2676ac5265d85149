"""The hooks by which plugins offer classes; scores never pass through a hook."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pluggy

from hybridrec.registry import kinds

if TYPE_CHECKING:
    from hybridrec.data.io.profile import DataProfile
    from hybridrec.plugin import Starter, StarterConfig

PROJECT = "hybridrec"
API_VERSION = "1.1"
"""Version of the API for plugins, MAJOR.MINOR. An addition increases the minor number, a change or removal the major.
A plugin module may set `requires_api = "1.0"`: it is then loaded only by a version of hybridrec whose API has the same
major number, and the same or a later minor one.
"""
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Decorator of functions of a plugin module that implement the hook of the same name."""


@hookspec
def hybridrec_starters(data: DataProfile) -> Sequence[Starter | StarterConfig]:  # type: ignore[empty-body]
    """Propose components, or a whole config, for the config that `hybridrec init` writes; only `init` calls this."""


def offer_hooks() -> Any:
    """Return a namespace of hooks, one for each kind of plugin, by which plugins offer classes or instances."""
    return SimpleNamespace(**{kind.hook: _offer_hook(kind) for kind in kinds.KINDS})


def _offer_hook(kind: kinds.Kind) -> Callable[[], None]:
    def hook() -> None: ...

    hook.__name__ = hook.__qualname__ = kind.hook
    hook.__doc__ = kind.summary
    offer = kind.base_name if kind.instances else f"type[{kind.base_name}]"
    hook.__annotations__ = {"return": f"Sequence[{offer}]"}
    return hookspec(hook)
