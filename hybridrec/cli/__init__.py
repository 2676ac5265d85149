"""The command line: thin commands over the library, whose modules import nothing heavy at the top level."""

from __future__ import annotations

import faulthandler
import importlib
import io
import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import click

from hybridrec import __version__
from hybridrec.cli._interrupts import INTERRUPTED, end_as_ctrl_c_does
from hybridrec.errors import HybridrecError, PluginError, WriteError

_EPILOG = """Exit status: 0 success; 1 an unexpected failure; 2 a mistake in the command, the config or the data; \
3 a plugin is broken or broke its contract; 4 the store or a run cannot be read, or a file cannot be written; \
130 interrupted.

Commands of plugins are not listed here: `hybridrec plugins` names them."""

PATIENCE = 60.0
"""Seconds after which a call into a plugin is printed, and the seconds between two such lines."""
LINGER = 10.0
"""Seconds for which the end of a command waits for threads that plugins have started."""
_LONGEST = 10_000
"""The number of characters from which a message is shortened."""
COMMANDS = (
    "bundle",
    "check",
    "check-plugin",
    "compare",
    "completion",
    "configs",
    "export",
    "fit",
    "init",
    "new-plugin",
    "plan",
    "plugins",
    "recommend",
    "refresh",
    "report",
    "run",
    "runs",
    "schema",
    "show",
    "similar",
    "store",
    "tune",
)
"""The names of the commands; each is a function in a module of the same name, with `_` for `-`."""


class _CommandGroup(click.Group):
    """A click group that imports a command only when it is used, and finds the commands of plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return _command_of_a_plugin(cmd_name)
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(importlib.import_module(f"hybridrec.cli.{name}"), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            name = ctx.invoked_subcommand
            expected = (HybridrecError, click.ClickException, click.exceptions.Exit)  # they tell all that is to tell
            if name not in (None, *COMMANDS) and not isinstance(error, expected):
                error.add_note(f"in the command '{name}' of a plugin")
            raise


def _command_of_a_plugin(name: str) -> click.Command:
    """Return the command of this name that a plugin offers; raises ConfigError if no plugin does.

    All plugins are loaded, since only a loaded plugin can name its commands.
    """
    from hybridrec.errors import did_you_mean
    from hybridrec.registry.discovery import Registry

    registry = Registry()
    commands = registry.names("commands")
    if name not in commands:
        raise registry.missing(f"no command is called '{name}': {did_you_mean(name, {*COMMANDS, *commands})}")
    command: click.Command = registry.get("commands", name)
    return command


@click.group(cls=_CommandGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EPILOG)
@click.version_option(__version__, package_name="hybridrec")
def hybridrec() -> None:
    """Combine candidates from many models, blend and re-rank them, and measure the result: one YAML file."""


def main() -> None:
    """Run the command line and exit; a user's mistake is reported by a message, never by a traceback."""
    if not faulthandler.is_enabled():  # a crash in a library tells in whose call it was
        with suppress(OSError, ValueError, AttributeError):
            faulthandler.enable()
    ended, before = threading.Event(), {*threading.enumerate()}
    if "--quiet" not in sys.argv:
        threading.Thread(target=_tell_who_works, args=(ended,), daemon=True).start()
    status: object = 0
    try:
        _main()
    except SystemExit as end:
        status = end.code or 0
        raise
    except BaseException:
        status = None
        raise
    finally:
        ended.set()
        if isinstance(status, int):  # else a traceback or a text is still to be printed
            _leave_threads(status, before)


def _leave_threads(status: int, before: set[threading.Thread]) -> None:
    """End the process, after `LINGER` seconds, if threads of plugins would hold it; name each on standard error.

    All that the command writes has been written. Threads of pools end by themselves, and those of `before` are not
    the command's.
    """
    until = time.monotonic() + LINGER
    held = [each for each in {*threading.enumerate()} - before if not (each.daemon or _is_pooled(each))]
    for thread in held:
        thread.join(max(until - time.monotonic(), 0.0))
    left = [thread for thread in held if thread.is_alive()]
    if not left:
        return
    from hybridrec.tracing import at_plugin

    places = [(thread.name, at_plugin(_frame(thread))) for thread in left[:3]]
    told = ", ".join(f"{name} ({place})" if place else name for name, place in places)
    told += " and others" if left[3:] else ""
    with suppress(OSError, ValueError):
        click.echo(
            f"warning: a plugin has left threads that do not end, and the process ends without them: {told}", err=True
        )
        sys.stdout.flush()
    os._exit(status)


def _is_pooled(thread: threading.Thread) -> bool:
    """Return True for a thread of a pool (`concurrent.futures`), which the interpreter ends, once it is idle."""
    frame = _frame(thread)
    modules = [] if frame is None else [each.f_globals.get("__name__") for each, _ in traceback.walk_stack(frame)]
    return "concurrent.futures.thread" in modules or "concurrent.futures.process" in modules


def _frame(thread: threading.Thread) -> FrameType | None:
    """Return the innermost frame of a thread; None if it has ended."""
    return sys._current_frames().get(thread.ident or 0)


def _tell_who_works(ended: threading.Event) -> None:
    """Print every minute a line for each call into a plugin that has lasted more than a minute.

    It returns when `ended` is set, at the end of the command.
    """
    while not ended.wait(PATIENCE):
        tracing = sys.modules.get("hybridrec.tracing")
        for action, seconds in [] if tracing is None else tracing.at_work(PATIENCE):
            click.echo(f"still at work after {seconds / 60:.0f} min: {action}", err=True)


def _interrupted() -> NoReturn:
    """End the process after an interrupt."""
    click.echo("interrupted; what was fitted so far is in the store", err=True)
    sys.exit(130)


def _main() -> None:
    """Run the command line, and turn errors into messages and exit statuses."""
    end_as_ctrl_c_does()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale may lack the letters of the data
    try:
        hybridrec.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:  # its reader has seen enough, as `head` does
        _silence(sys.stdout)
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        _interrupted()
    except HybridrecError as error:
        if INTERRUPTED.is_set():
            _interrupted()
        from hybridrec.cli._console import visible

        click.echo(visible(_shortened(_without_secrets(f"error: {error}{_notes(error)}"))), err=True)
        sys.exit(error.exit_status)
    except Exception as error:
        if INTERRUPTED.is_set():
            _interrupted()
        from hybridrec.paths import disk_fault
        from hybridrec.tracing import plugin_frames, tracing

        of_the_system = isinstance(error, OSError) and not _notes(error)
        if (of_the_system or disk_fault(error)) and not tracing():
            place = getattr(error, "filename", None) or "the output"
            reason = disk_fault(error) or getattr(error, "strerror", None) or str(error)
            _silence(sys.stdout)
            click.echo(_without_secrets(f"error: {place}: {reason}{_notes(error)}"), err=True)
            sys.exit(WriteError.exit_status)

        frames = plugin_frames(error)
        if not _notes(error):  # it was raised by no call into a plugin
            text = traceback.format_exc()
            if _without_secrets(text) == text:
                raise
            click.echo(_without_secrets(text), err=True)
            sys.exit(1)
        shown = traceback.format_exc() if tracing() else "".join(frames.format()).rstrip()
        click.echo(_without_secrets(f"error: {type(error).__name__}: {error}\n{shown}{_notes(error)}"), err=True)
        if not tracing():
            click.echo("  (set HYBRIDREC_TRACE=1 for the whole traceback)", err=True)
        sys.exit(PluginError.exit_status)


def _silence(stream: Any) -> None:
    """Send a broken stream to the null device.

    Otherwise the interpreter would fail at its end, when it prints the text that is left in the stream.
    """
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _notes(error: Exception) -> str:
    """Return the notes of an error, each on a line of its own; they name the call into a plugin that raised it."""
    return "".join(f"\n  {note}" for note in getattr(error, "__notes__", []))


def _shortened(text: str) -> str:
    """Cut the middle out of a message of `_LONGEST` characters or more, for example one that quotes much data."""
    return text if len(text) < _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 4 :]}"


def _without_secrets(text: str) -> str:
    """Return a text in which the secrets that were revealed in this process are struck out."""
    module = sys.modules.get("hybridrec.secret")  # where nothing was loaded, nothing was revealed
    return text if module is None else str(module.redacted(text))
