"""Forks of the harness: functions and command lines that run in a copy of a process that has imported everything."""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from hybridrec.cli import COMMANDS, main
from hybridrec.registry.discovery import Registry
from tests.torture.outcome import Loss

PATIENCE = 120.0
"""Seconds after which a command that was told to end counts as one that hangs."""


def import_everything() -> None:
    """Import what commands import, so that forks do not; nothing is computed, since threads do not survive a fork."""
    Registry()
    for name in COMMANDS:
        import_module(f"hybridrec.cli.{name.replace('-', '_')}")
    for module in ("hybridrec.api", "hybridrec.tuning.tune", "hybridrec.serving.refresh", "hybridrec.reporting.page"):
        import_module(module)
    import_module("polars")
    import_module("optuna")


def in_fork(call: Callable[..., Any], *arguments: object) -> Any:
    """Call a function in a fork and return its result; raises Loss with the error if it fails."""
    read, write = os.pipe()

    def answer() -> int:
        os.close(read)
        try:
            result: tuple[bool, Any] = (True, call(*arguments))
        except BaseException as error:
            result = (False, f"{type(error).__name__}: {error}")
        with os.fdopen(write, "wb") as pipe:
            pipe.write(pickle.dumps(result))
        return 0

    child = fork(answer)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        if not select.select([pipe], [], [], PATIENCE)[0]:
            os.kill(child, signal.SIGKILL)
        content = pipe.read()
    os.waitpid(child, 0)
    fine, result = pickle.loads(content) if content else (False, "the fork died")
    if not fine:
        raise Loss(str(result))
    return result


def start(arguments: list[str], log: Path) -> int:
    """Start the command line in a fork, and return its process id."""

    def carry_out() -> int:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        return command(arguments)

    return fork(carry_out)


def fork(call: Callable[[], int]) -> int:
    """Call a function that returns an exit status in a fork, and return its process id.

    A signal may reach the fork before and after the call. It must not go on as a copy of this process even then: the
    copy would answer whoever waits for this process.
    """
    parent = os.getpid()
    try:
        if (child := os.fork()) == 0:
            os._exit(call())
    except BaseException:
        if os.getpid() != parent:
            os._exit(130)
        raise
    return child


def command(arguments: list[str]) -> int:
    """Carry out the command line in this process, and return its exit status."""
    sys.argv = ["hybridrec", *arguments]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(ValueError):  # a plugin may have closed it
                stream.flush()
    return 0


def ended(child: int) -> bool:
    """Return True if a child has ended; it stays to be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
