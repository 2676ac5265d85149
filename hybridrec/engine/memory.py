"""The memory of processes: what they hold, what the machine has, and the admission of fits to a budget."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

INTERVAL = 0.1
"""Seconds between two looks at the memory of a process that fits."""
_GROUPS = (
    "sys/fs/cgroup/memory.max",
    "sys/fs/cgroup/memory/memory.limit_in_bytes",
)
"""The files of a container with the most bytes that it may take, in the two versions of control groups."""


def private_bytes(processes: Iterable[int] = (), root: Path = Path("/")) -> int:
    """Return the bytes that this process and others hold for themselves: without mapped files and the page cache.

    processes: numbers of the other processes; one that has ended counts as nothing

    The result is 0 where the system does not tell (it is Linux that does).
    """
    page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    total = 0
    for process in ("self", *processes):
        try:
            _, resident, shared, *_ = map(int, (root / f"proc/{process}/statm").read_text().split())
        except (OSError, ValueError):
            continue
        total += (resident - shared) * page
    return total


def machine_bytes(root: Path = Path("/")) -> int | None:
    """Return the memory of this machine, or of the container in which the process runs; None if it cannot be told."""
    sizes = []
    for name in _GROUPS:
        try:
            sizes.append(int((root / name).read_text()))
        except (OSError, ValueError):  # "max": no limit
            continue
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        sizes += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:")]
    except (OSError, ValueError, IndexError):
        pass
    return min(sizes, default=None)


class MemoryBudget:
    """The budget of a process and of those that it has started: fits begin only as long as all of it suffices."""

    def __init__(self, budget: int, held: Callable[[], int] = private_bytes) -> None:
        """Take `budget` bytes, or what the machine has if that is less; `held` tells the bytes that are held now."""
        self.budget = min(budget, machine_bytes() or budget)
        self.held = held
        self.before = held()
        """The bytes held before any fit began: the data, above all."""

    @classmethod
    def of(cls, budget: int | None, processes: Callable[[], Iterable[int]] = tuple) -> Self | None:
        """Return the budget of this process and of others; None without a limit.

        processes: returns the numbers of the other processes at the time
        """
        return None if budget is None else cls(budget, lambda: private_bytes(processes()))

    def admits(self, need: int, others: Iterable[int]) -> bool:
        """Return True if a fit that needs so many bytes may begin beside others, given by the bytes that they need.

        A fit alone may always begin. Others are counted by their estimates, or by what is held now if that is more.
        """
        needs = list(others)
        return not needs or max(self.before + sum(needs), self.held()) + need <= self.budget


class PeakMemory:
    """A context manager that looks at the memory of this process again and again, and keeps the most that it held."""

    def __init__(self, held: Callable[[], int] = private_bytes, interval: float = INTERVAL) -> None:
        self.held = held
        self.interval = interval
        self.before = self.bytes = 0
        """The bytes that were held at the beginning, and the most since then."""
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.before = self.bytes = self.held()
        # Without a thread, as there are too many or a plugin has spoilt `sys.excepthook`, the two ends are looked at.
        with suppress(RuntimeError):
            thread = threading.Thread(target=self._look, name="hybridrec-memory", daemon=True)
            thread.start()
            self._thread = thread
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self.bytes = max(self.bytes, self.held())

    def _look(self) -> None:
        while not self._ended.wait(self.interval):
            self.bytes = max(self.bytes, self.held())
