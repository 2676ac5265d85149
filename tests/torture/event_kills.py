"""Kills of a process that writes events: what it acknowledged is in state and log, once, after every start."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from hybridrec_server.journal.folder import LogFolder
from hybridrec_server.journal.rotation import rotate
from tests.plugins.hybridrec_server.crash import check, end_groups, hear, left, note, write
from tests.torture.forks import ended, fork, in_fork
from tests.torture.outcome import Loss

PATIENCE = 60.0
"""Seconds after which a writer that was told to end counts as one that hangs."""
ANEW = 15
"""Kills of one log, which is then replaced by an empty one."""


class EventLogKills:
    """An event log whose writers are killed one after another, as `tests/plugins/hybridrec_server/crash.py` does.

    The process of a rotation outlives its writer, and rotates beside the next one. It ends with the `with` block.
    """

    def __init__(self, folder: Path) -> None:
        """Begin with an empty log in a folder."""
        self.folder = folder
        self.number = 0
        self.groups: list[int] = []
        self.sent: set[int] = set()
        self.acknowledged: set[int] = set()

    def __enter__(self) -> EventLogKills:
        """Return the log."""
        return self

    def __exit__(self, *_: object) -> None:
        """End rotations, which would write into a folder that is being removed."""
        end_groups(self.groups, self.folder / "log")

    def kill(self, number: signal.Signals, rng: random.Random) -> None:
        """Start a writer on what the earlier ones left, and kill it; raises Loss if an event is lost or there twice."""
        if self.number % ANEW == 0:
            self._end_log()
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self.sent, self.acknowledged = set(), set()
        self.number += 1
        child, words, said = self._start()
        self.groups.append(child)
        with os.fdopen(words, "wb") as pipe:
            pipe.write(left(self.sent, self.acknowledged))
        content = hear(said, rng.uniform(0.0, 1.0) * (-1 if rng.random() < 0.2 else 1))
        alive = not ended(child)
        os.kill(child, number)
        until = time.monotonic() + PATIENCE
        content += hear(said, -PATIENCE)  # until the pipe is closed, just before the end
        while not (over := ended(child)) and time.monotonic() < until:
            time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(said)
        if not over:
            raise Loss("it does not end")
        note(content, self.sent, self.acknowledged)
        if not alive:
            raise Loss("the writer ended by itself")

    def look(self) -> None:
        """Read state and log; raises Loss if an acknowledged event is missing, or one is there twice."""
        try:
            check(self.folder, str(self.folder / "state.db"), self.sent, self.acknowledged)
        except AssertionError as error:
            raise Loss(str(error)) from None

    def _end_log(self) -> None:
        """End the rotations of a log, and rotate once more; raises Loss if files of those that were killed are left."""
        end_groups(self.groups, self.folder / "log")
        if (log := self.folder / "log").exists():
            in_fork(rotate, LogFolder(log), 0)
            for path in log.rglob(".part-*"):
                raise Loss(f"{path.relative_to(log)} outlives a rotation")

    def _start(self) -> tuple[int, int, int]:
        """Fork a writer; return its process id, and descriptors for what it is told and for what it says."""
        (told, words), (said, saying) = os.pipe(), os.pipe()

        def carry_out() -> int:
            os.setpgrp()
            os.dup2(told, 0)
            os.dup2(saying, 1)
            for descriptor in (told, words, said, saying):
                os.close(descriptor)
            sys.stdin = os.fdopen(0)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # asyncio would cancel a task, which may be at its end already
            asyncio.run(write(self.folder, str(self.folder / "state.db")))
            return 1

        child = fork(carry_out)
        os.close(told)
        os.close(saying)
        return child, words, said
