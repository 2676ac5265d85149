"""Functions that print the hook calls of plugins, if the tracing of calls is switched on."""

from __future__ import annotations

import threading
from typing import Any

from hybridrec.tracing import traced


def hook_tracers() -> tuple[Any, Any]:
    """Return (before, after): functions that pluggy is to call before and after every hook call, to print it."""
    running = threading.local()

    def before(name: str, impls: Any, arguments: Any) -> None:
        running.trace = traced(f"{name} to {', '.join(impl.plugin_name for impl in impls) or 'nobody'}")
        running.trace.__enter__()

    def after(outcome: Any, name: str, impls: Any, arguments: Any) -> None:
        running.trace.__exit__(None, None, None)

    return before, after
