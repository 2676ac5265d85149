"""The memory of processes: what they hold, what the machine has, and the admission of fits to a budget."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

INTERVAL = 0.1
"""Seconds between two looks at the memory of a process that fits."""


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


def started_processes(root: Path = Path("/")) -> Iterator[int]:
    """Yield the numbers of the processes that this one has started, and of those that they have started.

    There are none where the system does not tell (it is Linux that does).
    """
    waiting = ["self"]
    while waiting:
        for listed in (root / f"proc/{waiting.pop()}/task").glob("*/children"):
            with suppress(OSError):  # the thread or the process has ended
                children = listed.read_text().split()
                waiting += children
                yield from map(int, children)


def machine_bytes(root: Path = Path("/")) -> int | None:
    """Return the memory of this machine, or of the control group of the process; None if it cannot be told."""
    sizes = []
    for file in _limits(root):
        try:
            sizes.append(int(file.read_text()))
        except (OSError, ValueError):  # "max": no limit
            continue
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        sizes += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:")]
    except (OSError, ValueError, IndexError):
        pass
    return min(sizes, default=None)


def _limits(root: Path) -> Iterator[Path]:
    """Yield the files that may have a limit of memory, in both versions of control groups.

    A container sees the limit of its own group at the top of the tree; elsewhere (a job of Slurm, a service) each group
    above that of the process limits it as well.
    """
    tree = root / "sys/fs/cgroup"
    versions = {"": (tree, "memory.max"), "memory": (tree / "memory", "memory.limit_in_bytes")}
    yield from (folder / name for folder, name in versions.values())
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            group = Path(path.lstrip("/"))
            for controller in versions.keys() & controllers.split(","):
                folder, name = versions[controller]
                yield from (folder / each / name for each in (group, *group.parents))


class MemoryBudget:
    """The budget of a process and of those that it has started: fits begin only as long as all of it suffices."""

    def __init__(self, budget: int, held: Callable[[], int] = lambda: private_bytes(started_processes())) -> None:
        """Take `budget` bytes, or what the machine has if that is less; `held` tells the bytes that are held now."""
        self.budget = min(budget, machine_bytes() or budget)
        self.held = held
        self.before = held()
        """The bytes held before any fit began: the data, above all."""

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
