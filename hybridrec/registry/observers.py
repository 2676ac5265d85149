"""Calls of observers: one that fails is named, and stops neither the run nor the others."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import Any

import pluggy

from hybridrec.secret import redacted
from hybridrec.tracing import origin, traced, tracing


class Observers:
    """The observers of a run, called one plugin at a time; `failures` describes those that failed, in sentences."""

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self.manager = manager
        self.failures: list[str] = []
        self._silenced: set[tuple[object, str]] = set()

    def tell(self, hook: str, **what: Any) -> None:
        """Call a hook of every observer that has not failed in it before."""
        for plugin in self._listening(hook):
            others = [other for other in self.manager.get_plugins() if other is not plugin]
            try:
                self.manager.subset_hook_caller(hook, others)(**what)
            except Exception as error:  # an observer must not end the run
                self._silenced.add((plugin, hook))
                name = origin(str(getattr(plugin, "__name__", plugin)))
                failure = f"{name} failed in {hook} and was not called again: {type(error).__name__}: {error}"
                self.failures.append(redacted(failure))
                if tracing():
                    print(redacted(traceback.format_exc()), file=sys.stderr, end="")

    def _listening(self, hook: str) -> list[object]:
        plugins = [impl.plugin for impl in getattr(self.manager.hook, hook).get_hookimpls()]
        return [plugin for plugin in plugins if (plugin, hook) not in self._silenced]


def hook_tracers() -> tuple[Any, Any]:
    """Return the functions that pluggy calls before and after every hook call of the observers."""
    running = threading.local()

    def before(name: str, impls: Any, arguments: Any) -> None:
        running.trace = traced(f"{name} to {', '.join(impl.plugin_name for impl in impls) or 'nobody'}")
        running.trace.__enter__()

    def after(outcome: Any, name: str, impls: Any, arguments: Any) -> None:
        running.trace.__exit__(None, None, None)

    return before, after
