"""Calls into plugins: errors get a note that names the plugin, and HYBRIDREC_TRACE=1 prints the time of each call."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TypeVar

from hybridrec.errors import HybridrecError, PluginError
from hybridrec.plugin import Plugin
from hybridrec.secret import redacted, reveals

GROUP = "hybridrec"
"""The group of entry points of plugins. An entry point names a module, and each such module is one plugin."""
LOOSE = "plugin_file_"
"""The prefix of the names of modules that are made of plugin files without packaging."""
VARIABLE = "HYBRIDREC_TRACE"
_ENGINE = {"hybridrec", "click", "concurrent", "contextlib", "threading"}
_AT_WORK: dict[int, list[tuple[str, float]]] = {}
"""By thread, the calls into plugins that have not returned, outermost first, each with the time at which it began."""
LISTENERS: list[Callable[[str], None]] = []
"""Functions that are told the action of each call into a plugin that begins, and the one around it when it ends."""
T = TypeVar("T")


def origin(module: str) -> str:
    """Name the plugin that a module belongs to, with distribution and version if it is installed."""
    root = module.partition(".")[0]
    if module.startswith(LOOSE):
        return f"plugin '{module.removeprefix(LOOSE)}' (without packaging)"
    for entry_point in importlib.metadata.entry_points(group=GROUP):
        home = entry_point.module
        if entry_point.dist is not None and (module == home or home.partition(".")[0] == root != GROUP):
            return f"plugin '{entry_point.name}' ({entry_point.dist.name} {entry_point.dist.version})"
    return "part of hybridrec" if root == GROUP else f"module {module}, not of an installed plugin"


def tracing() -> bool:
    """Return True if calls are traced: the environment variable HYBRIDREC_TRACE is set and not 0."""
    return os.environ.get(VARIABLE, "0") not in ("", "0")


def plugin_frames(error: BaseException, package: str | None = None) -> traceback.StackSummary:
    """Return the frames of an error's traceback that are outside the engine, outermost first.

    With `package`, only the frames in that package are returned.
    """
    homes = ((place, str(place[0].f_globals.get("__name__", ""))) for place in traceback.walk_tb(error.__traceback__))
    roots = ((place, home.partition(".")[0]) for place, home in homes)
    return traceback.StackSummary.extract(
        place for place, root in roots if root not in _ENGINE and package in (None, root)
    )


def line_in(package: str, frame: FrameType | None) -> str:
    """Return the innermost line of a package on the stack of a frame, as `file.py:12`; "" if none is there."""
    for each, line in [] if frame is None else traceback.walk_stack(frame):
        if str(each.f_globals.get("__name__", "")).partition(".")[0] == package:
            return f"{Path(each.f_code.co_filename).name}:{line}"
    return ""


def at_plugin(frame: FrameType | None) -> str:
    """Name the plugin whose code is innermost on the stack of a frame, with the line; "" if none is there."""
    for each, line in [] if frame is None else traceback.walk_stack(frame):
        module = str(each.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in _ENGINE and not (told := origin(module)).startswith("module "):
            return f"{told}, at {Path(each.f_code.co_filename).name}:{line}"
    return ""


def writes(error: BaseException) -> bool:
    """Return True if the error was raised by a write to a read-only array.

    Its text decides, since numpy has no class for this error.
    """
    return isinstance(error, ValueError) and "read-only" in str(error)


def blame(error: BaseException, package: str) -> str:
    """Return the message about a write to a read-only array: the line of the package that wrote, and a remedy."""
    frames = plugin_frames(error, package)
    place = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"writes to a shared array that it was given{place} ({error}); let it write to a copy"


@contextmanager
def calling(plugin: Plugin | type[Plugin], action: str) -> Iterator[None]:
    """Wrap a call into a plugin, so that its errors get a note with `action` and the name of the plugin.

    `action` says the purpose or place of the call: "in pipeline 'a', scorer 'b'". Raises PluginError if the plugin
    writes to a read-only array or calls `sys.exit`. An error whose text holds a revealed secret is replaced by one
    without the secret: of the same class if that is a HybridrecError, else by a PluginError.
    """
    cls = plugin if isinstance(plugin, type) else type(plugin)
    safe: Exception | None = None
    with traced(f"{action}: {cls.name} {cls.version}"):
        try:
            yield
        except SystemExit as error:  # the command would end well, and without a result
            ended = PluginError(f"{cls.name} ends the process ({error!r}); let it raise an error instead")
            ended.add_note(f"{action}: {cls.name} {cls.version}, {origin(cls.__module__)}")
            raise ended from error
        except Exception as error:
            where = f"{action}: {cls.name} {cls.version}, {origin(cls.__module__)}"
            if reveals(error):
                own = isinstance(error, HybridrecError)
                told = str(error) if own else f"{type(error).__name__}: {error}"
                safe = (type(error) if own else PluginError)(redacted(told))
                for note in (*getattr(error, "__notes__", ()), where):
                    safe.add_note(redacted(note))
            elif not writes(error):
                error.add_note(where)
                raise
            else:
                refused = PluginError(f"{cls.name} {blame(error, cls.__module__.partition('.')[0])}")
                refused.add_note(where)
                raise refused from error
    if safe is not None:
        raise safe from None


def each(plugin: Plugin, action: str, values: Iterable[T]) -> Iterator[T]:
    """Yield the values of an iterable that a plugin returned; each step is wrapped as a call into the plugin."""
    iterator = iter(values)
    while True:
        with calling(plugin, action):
            try:
                value = next(iterator)
            except StopIteration:
                return
        yield value


def at_work(longer_than: float) -> list[tuple[str, float]]:
    """Return (action, seconds so far) of the innermost call into a plugin on each thread.

    Calls that have lasted `longer_than` seconds or less are left out.
    """
    now = time.perf_counter()
    calls = [calls[-1] for calls in list(_AT_WORK.values()) if calls]
    return [(action, now - started) for action, started in calls if now - started > longer_than]


@contextmanager
def traced(action: str) -> Iterator[None]:
    """Print the duration of the `with` block under the name `action` to standard error, if calls are traced.

    While the block runs, `at_work` lists it.
    """
    started = time.perf_counter()
    actions = _AT_WORK.setdefault(threading.get_ident(), [])
    actions.append((action, started))
    for listener in LISTENERS:
        listener(action)
    try:
        yield
    finally:
        actions.pop()
        for listener in LISTENERS:
            listener(actions[-1][0] if actions else "")
        if not actions:
            _AT_WORK.pop(threading.get_ident(), None)
        if tracing():
            print(f"[trace] {1000 * (time.perf_counter() - started):10.2f} ms  {action}", file=sys.stderr)
