"""Faults of the disk at every call of ours that writes: one sentence, nothing whole is lost, a retry succeeds.

The functions of the operating system are replaced in a fork; each attempt fails one call, by its number. What Polars
writes by itself is tried on a small file system in memory, where one can be mounted.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import hybridrec
from hybridrec import Run, Store, errors, paths
from hybridrec.engine import store
from hybridrec.runs import bundle, manifest
from tests.torture import syncs
from tests.torture.forks import command, import_everything, in_fork, start
from tests.torture.kills import arguments_of, whole
from tests.torture.outcome import Loss, Outcome
from tests.torture.subject import answers_of, results, write_config, write_data
from tests.torture.syncs import can_trace, in_order, traced

BY_NAME = ("open", "mkdir", "rename", "replace")
"""The calls that take a path, for which alone a permission may be missing."""
CALLS = (*BY_NAME, "fsync", "write")
FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES)
COMMANDS = ("run", "refresh", "bundle", "export", "report", "new-plugin", "init")
MEANT = (".hybridrec", ".github", ".gitignore")
"""Hidden folders of new projects and plugins."""
GONE = -1
"""The fault of a folder that goes away, removed by somebody else while a command runs."""
FOLDERS = ("store", "runs", "out")
"""The folders that go away: what a command reads is not among them."""
SLOW = 0.2
"""Seconds that a slow disk takes for a call."""


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Fail so many calls, one in each attempt.

    A tenth of the attempts fill a small file system instead, and one for each command looks at the order of its syncs.
    """
    import_everything()
    outcome = Outcome()
    work = folder / "work"
    expected = in_fork(_prepared, work)
    counts = {name: in_fork(_counted, work, name) for name in COMMANDS}
    small = folder / "small"
    mounted, traceable = _mounted(small), can_trace()
    for name, skipped in (("no small file system", not mounted), ("no strace", not traceable)):
        outcome.counts[f"skipped: {name}"] += skipped
    try:
        for number in range(tries):
            rng = random.Random(f"disk {seed} {number}")
            if mounted and number % 10 == 9:
                kilobytes = rng.randrange(20, 600)
                label = f"disk {seed} {number} (run on {kilobytes} kB)"
                outcome.attempt(label, partial(_filled, work, small, kilobytes, expected), allowed=())
                outcome.counts["small disk"] += 1
                continue
            if traceable and number % 20 == 5 and number < 20 * len(COMMANDS):
                name = COMMANDS[number // 20]
                outcome.attempt(f"disk (the syncs of {name})", partial(_synced, work, name), allowed=(), seconds=60)
                outcome.counts["syncs"] += 1
                continue
            name = COMMANDS[number % len(COMMANDS)]
            fault = rng.choice((*FAULTS, GONE, 0))
            calls = BY_NAME if fault == errno.EACCES else CALLS
            call = rng.choice([each for each in calls if counts[name].get(each)])
            place = rng.randrange(counts[name][call])
            told = errno.errorcode.get(fault, "gone" if fault == GONE else "slow")
            label = f"disk {seed} {number} ({name}: {call} {place}, {told})"
            outcome.attempt(label, partial(_failed, work, name, call, place, fault, expected), allowed=())
            outcome.counts[f"{call} {told}"] += 1
    finally:
        if mounted:
            subprocess.run(["umount", small], check=False)
    return outcome


def _prepared(work: Path) -> dict[str, str]:
    work.mkdir()
    (work / "out").mkdir()
    write_data(work)
    write_config(work)
    run = hybridrec.run(work / "toy.yaml", store=work / "store", runs=work / "runs")
    expected = {"run": results(run), "old": answers_of(run.folder)}
    shutil.copytree(run.folder, work / "served-before")
    shutil.copytree(run.folder, work / "served")
    shutil.copy(work / "plays.csv", work / "plays-before.csv")
    write_data(work, users=52)
    shutil.copy(work / "plays.csv", work / "plays-after.csv")
    assert command(arguments_of(work, "refresh")) == 0
    expected["new"] = answers_of(work / "served")
    return expected


def words(work: Path, name: str) -> list[str]:
    """Return the words of a command."""
    served, out = str(work / "served"), work / "out"
    more = {
        "export": ["export", served, "-o", str(out / "trec")],
        "report": ["report", served, "--no-open"],
        "new-plugin": ["new-plugin", "mine", "--kind", "metric", "--path", str(out)],
        "init": ["init", str(work / "plays.csv"), "-o", str(out / "mine.yaml")],
    }
    return more[name] if name in more else arguments_of(work, name)


def _ready(work: Path, name: str) -> None:
    for folder in ("runs", "store", "served", "out"):
        shutil.rmtree(work / folder, ignore_errors=True)
    (work / "out").mkdir()
    shutil.copytree(work / "served-before", work / "served")
    shutil.copy(work / f"plays-{'after' if name == 'refresh' else 'before'}.csv", work / "plays.csv")


class Disk:
    """The calls that write below a folder: they are counted, and one of them fails or is slow."""

    def __init__(self, folder: Path, call: str = "", place: int = -1, fault: int = 0, gone: str = "") -> None:
        self.folder, self.call, self.place, self.fault, self.gone = str(folder), call, place, fault, gone
        self.counts = dict.fromkeys(CALLS, 0)

    def meet(self, call: str, target: object) -> None:
        """Count a call; raise the fault, or wait, at the one that was named."""
        path = os.fspath(target) if isinstance(target, (str, os.PathLike)) else self._path_of(target)
        if isinstance(path, bytes) or not str(path).startswith(self.folder):
            return
        number = self.counts[call]
        self.counts[call] += 1
        if (call, number) == (self.call, self.place):
            if self.fault == GONE:
                shutil.rmtree(Path(self.folder) / self.gone, ignore_errors=True)
                return
            if self.fault:
                raise OSError(self.fault, os.strerror(self.fault), str(path))
            time.sleep(SLOW)

    @staticmethod
    def _path_of(descriptor: object) -> str:
        with suppress(OSError, TypeError):
            return str(Path(f"/proc/self/fd/{descriptor}").readlink())
        return ""

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Replace the functions of the system that write, for the `with` block."""
        patch = pytest.MonkeyPatch()
        for name in ("mkdir", "rename", "replace", "fsync"):
            patch.setattr(os, name, self._watched(name, getattr(os, name)))
        opened, built_in = os.open, io.open
        patch.setattr(os, "open", partial(self._open, opened))
        for module in (builtins, io):
            patch.setattr(module, "open", partial(self._open_file, built_in))
        try:
            yield
        finally:
            patch.undo()

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(target: object, *more: Any, **options: Any) -> Any:
            self.meet(name, target)
            return function(target, *more, **options)

        return call

    def _open(self, opened: Callable[..., int], path: Any, flags: int, *more: Any, **options: Any) -> int:
        if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
            self.meet("open", path)
        return opened(path, flags, *more, **options)

    def _open_file(self, opened: Callable[..., Any], file: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
        if any(letter in mode for letter in "wax+"):
            if not isinstance(file, int):
                self.meet("open", file)
            made = opened(file, mode, *more, **options)
            with suppress(AttributeError):
                return _Written(made, self, file)
            return made
        return opened(file, mode, *more, **options)


class _Written:
    """A file whose writes are counted."""

    def __init__(self, file: Any, disk: Disk, place: object) -> None:
        self._file, self._disk, self._place = file, disk, place

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _Written:
        self._file.__enter__()
        return self

    def __exit__(self, *error: object) -> Any:
        return self._file.__exit__(*error)

    def __iter__(self) -> Any:
        return iter(self._file)

    def write(self, content: Any) -> Any:
        """Write, unless this is the call that fails."""
        self._disk.meet("write", self._place)
        return self._file.write(content)

    def writelines(self, lines: Any) -> None:
        """Write lines, unless this is the call that fails."""
        self._disk.meet("write", self._place)
        self._file.writelines(lines)


def _counted(work: Path, name: str) -> dict[str, int]:
    """Carry out a command whose calls are counted only."""
    _ready(work, name)
    silent(work)
    disk = Disk(work)
    with disk.installed():
        if code := command(words(work, name)):
            raise Loss(f"{name} ends with {code} undisturbed: {told_by(work)}")
    return disk.counts


def _failed(work: Path, name: str, call: str, place: int, fault: int, expected: dict[str, str]) -> None:
    """Carry out a command one of whose calls fails, then the same command on a sound disk."""
    _ready(work, name)
    gone = FOLDERS[place % len(FOLDERS)]
    code, told = in_fork(_on_disk, work, name, Disk(work, call, place, fault, gone))
    if fault == GONE:
        (work / "out").mkdir(exist_ok=True)  # of the user's own making
    if not fault and code:
        raise Loss(f"a slow disk ends it with {code}: {told}")
    if code not in (0, 4) or "Traceback" in told:
        raise Loss(f"it ends with {code}: {told}")
    if code == 4 and fault != GONE and os.strerror(fault) not in told:
        raise Loss(f"the reason is not told: {told}")
    in_fork(_retried, work, name, expected)


def _synced(work: Path, name: str) -> None:
    """Carry out a command under strace, and look at the order of its syncs and renames."""
    _ready(work, name)
    lines = traced(words(work, name), work)
    if not in_order(lines, work, without=work / "store") and name not in ("export", "init"):
        raise Loss("nothing is renamed")


def _on_disk(work: Path, name: str, disk: Disk) -> tuple[int, str]:
    silent(work)
    with disk.installed():
        code = command(words(work, name))
    return code, told_by(work)


def silent(work: Path) -> None:
    """Send what is printed to a file outside of the folder of work."""
    with (work.parent / "log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)


def told_by(work: Path) -> str:
    return (work.parent / "log").read_text(encoding="utf-8", errors="replace")[-400:]


def _retried(work: Path, name: str, expected: dict[str, str]) -> None:
    """Look at what a failed command left, carry it out again, and compare."""
    kept = Store(work / "store")
    for entry in kept.artifacts():
        kept.get(entry.key)
    for run in (work / "runs").glob("[!.]*"):
        whole(run)
    if answers_of(work / "served") not in (expected["old"], expected["new"]):
        raise Loss("the run that was there answers otherwise")
    if strays := [path for path in work.rglob(".*") if path.name not in MEANT]:
        raise Loss(f"{strays[0].relative_to(work)} stays")
    left = {path.name for path in (work / "out").iterdir()}
    earlier = set((work / "runs").glob("*"))
    silent(work)
    if name in ("new-plugin", "init") and left:
        return  # it was whole before the fault: the command would refuse to replace it
    if code := command(words(work, name)):
        raise Loss(f"the retry ends with {code}: {told_by(work)}")
    if name == "run":
        (run,) = set((work / "runs").glob("*")) - earlier
        if results(Run.open(run)) != expected["run"]:
            raise Loss("the retry gives another result")
    if name == "refresh" and answers_of(work / "served") != expected["new"]:
        raise Loss("the retry does not refresh")


def _mounted(small: Path) -> bool:
    small.mkdir()
    try:
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "torture", small], check=False, capture_output=True
        )
    except OSError:
        return False
    return made.returncode == 0


def _filled(work: Path, small: Path, kilobytes: int, expected: dict[str, str]) -> None:
    """Carry out a run whose store and results are on a file system of so many kB, then on a larger one."""
    for path in small.iterdir():
        shutil.rmtree(path, ignore_errors=True)
    _ready(work, "run")
    places = ["--store", str(small / "store"), "--runs", str(small / "runs"), "--quiet"]
    for size, enough in ((f"{kilobytes}k", False), ("8m", True)):
        subprocess.run(["mount", "-o", f"remount,size={size}", small], check=True)
        child = start(["run", str(work / "toy.yaml"), *places], work.parent / "log")
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        told = told_by(work)
        if code not in ((0,) if enough else (0, 4)) or "Traceback" in told:
            raise Loss(f"on {size} it ends with {code}: {told}")
    in_fork(_same, small / "runs", expected["run"])


def _same(runs: Path, digest: str) -> None:
    for run in runs.glob("[!.]*"):
        whole(run)
        if results(Run.open(run)) != digest:
            raise Loss("another result")
    if strays := [*runs.parent.rglob(".*")]:
        raise Loss(f"{strays[0]} stays")


def _let_faults_through(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(errors.WriteError, "exit_status", 1)
    return 10


def _leave_halves(patch: pytest.MonkeyPatch) -> int:
    for module in (paths, store, manifest, bundle):
        patch.setattr(module, "remove", lambda path: None)
    return 30


def _sync_nothing(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(syncs, "PRELUDE", "import os; os.fsync = lambda _: None")
    return 6


BREAKS = {
    "a fault of the disk ends with status 4": _let_faults_through,
    "what is half-written is removed": _leave_halves,
    "a file is synced before it is renamed": _sync_nothing,
}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
