"""Kills at seeded moments of commands and of writers of events: nothing is damaged, and the next start goes on.

Commands run in forks of one process that has imported everything and computed nothing: their start is not what is
tested, and a fork costs no second of imports.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import random
import shutil
import signal
import statistics
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import hybridrec
from hybridrec import Run, Store, api
from hybridrec.data.fingerprint import json_digest
from hybridrec.engine import store
from hybridrec.inference import array_file
from hybridrec.paths import remove
from hybridrec.runs import manifest
from hybridrec.types import State
from tests.torture.event_kills import EventLogKills
from tests.torture.forks import PATIENCE, command, ended, import_everything, in_fork, start
from tests.torture.outcome import Loss, Outcome
from tests.torture.subject import answers_of, results, write_config, write_data

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
KINDS = (
    *("run", "search", "run", "refresh", "bundle", "run", "events", "run", "search", "refresh"),
    *("run", "bundle", "events", "run", "search", "run", "refresh", "bundle", "events", "run"),
)
"""The kinds of commands that are killed, in turn."""
TUNE = {
    "pipeline": "hybrid",
    "metric": "ndcg@5",
    "trials": 3,
    "space": {"components.ease.l2": {"low": 1, "high": 50, "log": True}},
}


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Kill so many commands: of twenty, eight are runs, and three each of every other kind."""
    import_everything()
    outcome = Outcome()
    work = folder / "work"
    expected = in_fork(_prepared, work)
    lasting: dict[str, list[float]] = {}
    for name in ("run", "search", "refresh", "bundle"):
        lasting[name] = [_undisturbed(work, name)]
    with EventLogKills(work / "events") as log:
        for number in range(tries):
            rng = random.Random(f"kill {seed} {number}")
            name = KINDS[number % len(KINDS)]
            number_of_signal = rng.choice(SIGNALS)
            label = f"kill {seed} {number} ({name}, {signal.Signals(number_of_signal).name})"
            if name == "events":
                outcome.attempt(label, partial(_writer_killed, log, number_of_signal, rng), allowed=())
            else:
                outcome.attempt(
                    label, partial(_killed, work, name, number_of_signal, rng, lasting, expected), allowed=()
                )
            outcome.counts[name] += 1
            outcome.counts[signal.Signals(number_of_signal).name] += 1
    return outcome


def arguments_of(work: Path, name: str) -> list[str]:
    """Return the words of a command on the folder of work."""
    places = ["--store", str(work / "store"), "--runs", str(work / "runs"), "--quiet"]
    return {
        "run": ["run", str(work / "toy.yaml"), *places],
        "search": ["tune", str(work / "tune" / "toy.yaml"), *places],
        "refresh": ["refresh", str(work / "served"), "--store", str(work / "store")],
        "bundle": ["bundle", str(work / "served"), "-o", str(work / "out" / "toy.hybridrec"), "--no-users"],
    }[name]


def _prepared(work: Path) -> dict[str, str]:
    """Make the folder of work, and return the digests of what undisturbed commands give."""
    (work / "tune").mkdir(parents=True)
    (work / "out").mkdir()
    for folder in (work, work / "tune"):
        write_data(folder)
        write_config(folder)
    write_config(work / "tune", tune=TUNE)
    run = hybridrec.run(work / "toy.yaml", store=work / "store", runs=work / "runs")
    expected = {"run": results(run), "old": answers_of(run.folder)}
    shutil.copytree(run.folder, work / "served-before")
    config = work / "served-before" / "config.yaml"
    shutil.copytree(run.folder, work / "served")
    write_data(work / "tune", users=60, seed=6)  # a search has data of its own
    assert command(arguments_of(work, "search")) == 0
    expected["search"] = _searched(next((work / "runs").glob("toy-tune-*")))
    (work / "plays.csv").rename(work / "plays-before.csv")
    write_data(work, users=52)
    (work / "plays.csv").rename(work / "plays-after.csv")
    shutil.copy(work / "plays-after.csv", work / "plays.csv")
    assert command(arguments_of(work, "refresh")) == 0
    expected["new"] = answers_of(work / "served")
    shutil.copy(work / "plays-before.csv", work / "plays.csv")
    assert config.exists()
    assert expected["old"] != expected["new"]
    return expected


def _searched(folder: Path) -> str:
    """Return the digest of the trials of a search, without their seconds."""
    with (folder / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = [{**row, "seconds": "", "checksum": ""} for row in csv.DictReader(file)]
    return json_digest([rows, (folder / "best.yaml").read_text(encoding="utf-8")])


def _ready(work: Path, name: str, rng: random.Random) -> None:
    """Put the folder of work into a state before a command: what is in the store differs."""
    shutil.rmtree(work / "runs", ignore_errors=True)
    for file in (work / "out").iterdir():
        remove(file)
    kept = rng.choice((0.0, 0.0, 0.5, 1.0))
    for path in (work / "store").glob("??/*"):
        if rng.random() >= kept:
            path.unlink()
    if name == "refresh":
        shutil.rmtree(work / "served")
        shutil.copytree(work / "served-before", work / "served")
    shutil.copy(work / f"plays-{'after' if name == 'refresh' else 'before'}.csv", work / "plays.csv")


def _undisturbed(work: Path, name: str) -> float:
    """Return the seconds of a command that is not killed."""
    _ready(work, name, random.Random(0))
    started = time.monotonic()
    child = start(arguments_of(work, name), work / "log")
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status):
        raise Loss(f"{name} ends with {status} undisturbed: {(work / 'log').read_text()[-300:]}")
    return time.monotonic() - started


def _killed(
    work: Path,
    name: str,
    number: signal.Signals,
    rng: random.Random,
    lasting: dict[str, list[float]],
    expected: dict[str, str],
) -> None:
    """Kill a command, and require all that is promised afterwards; raises Loss otherwise."""
    _ready(work, name, rng)
    before = everything(work)
    started = time.monotonic()
    child = start(arguments_of(work, name), work / "log")
    moment = rng.random() * statistics.median(lasting[name][-5:]) * 1.05
    while time.monotonic() - started < moment and not ended(child):
        time.sleep(0.002)
    late = ended(child)
    if not late:
        os.kill(child, number)
    while not ended(child):
        if time.monotonic() - started > PATIENCE:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise Loss("it does not end")
        time.sleep(0.005)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        lasting[name].append(time.monotonic() - started)
    at_once = code == -number and (number == signal.SIGKILL or everything(work) == before)
    if code not in (0, 130) and not at_once:
        raise Loss(f"it ends with {code}: {(work / 'log').read_text()[-200:]}")
    if code == 130 and number == signal.SIGKILL:
        raise Loss("it ends with 130 though it was killed")
    in_fork(_checked, work, name, expected)


def _writer_killed(log: EventLogKills, number: signal.Signals, rng: random.Random) -> None:
    """Kill a writer of events, and look at what it left in a fork: threads of databases do not survive the next one."""
    log.kill(number, rng)
    in_fork(log.look)


def everything(folder: Path) -> set[tuple[str, int]]:
    """Return the names and sizes of all files."""
    return {
        (path.relative_to(folder).as_posix(), path.stat().st_size)
        for path in folder.rglob("*")
        if path.is_file() and path.name != "log"
    }


def _checked(work: Path, name: str, expected: dict[str, str]) -> None:
    """Look at all that a killed command has left, start it again, and compare; raises Loss."""
    kept = Store(work / "store")
    for entry in kept.artifacts():
        kept.get(entry.key)
    for run in (work / "runs").glob("[!.]*"):
        if "-tune-" not in run.name:
            whole(run)
    if name == "refresh" and answers_of(work / "served") not in (expected["old"], expected["new"]):
        raise Loss("a refresh that was killed leaves a run that answers otherwise")
    if name == "bundle" and (made := work / "out" / "toy.hybridrec").exists():
        hybridrec.load(made)
    arguments = arguments_of(work, name)
    if (
        name == "search"
        and (begun := sorted((work / "runs").glob("toy-tune-*")))
        and (begun[0] / "config.yaml").exists()
    ):
        arguments += ["--resume", str(begun[0])]
    earlier = set((work / "runs").glob("*"))
    with (work / "log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    if code := command(arguments):
        raise Loss(f"the next start ends with {code}: {(work / 'log').read_text()[-200:]}")
    _compare(work, name, expected, earlier)
    strays = [
        path
        for path in work.rglob(".*")
        if not path.name.startswith(".hybridrec") and work / "events" not in path.parents  # rotations go on there
    ]
    if strays:
        raise Loss(f"{strays[0].relative_to(work)} outlives the next start")


def _compare(work: Path, name: str, expected: dict[str, str], earlier: set[Path]) -> None:
    """Raise Loss if what the next start gives is not what an undisturbed command gives."""
    if name == "run":
        (run,) = set((work / "runs").glob("[!.]*")) - earlier
        whole(run)
        same = results(Run.open(run)) == expected["run"]
    elif name == "search":
        same = (
            _searched(max((work / "runs").glob("toy-tune-*"), key=lambda path: (path / "best.yaml").exists()))
            == (expected["search"])
        )
    elif name == "refresh":
        same = answers_of(work / "served") == expected["new"]
    else:
        hybridrec.load(work / "out" / "toy.hybridrec")
        same = True
    if not same:
        raise Loss("the next start gives another result")


def whole(run: Path) -> None:
    """Read every file that the manifest of a run lists; raises StoreError if one is damaged."""
    for name in json.loads((run / "manifest.json").read_text(encoding="utf-8"))["files"]:
        manifest.checked_file(run, name)


def _kill_runs(patch: pytest.MonkeyPatch) -> int:
    """Kill runs alone, by the one signal at which a command cannot remove its own files."""
    patch.setattr(sys.modules[__name__], "SIGNALS", (signal.SIGKILL,))
    patch.setattr(sys.modules[__name__], "KINDS", ("run",))
    return 12


def _write_in_place(patch: pytest.MonkeyPatch) -> int:
    def put(self: Store, key: str, state: State, about: dict[str, Any] | None = None) -> None:
        path = self._use(key)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            array_file.write_artifact(path, key, state, about or {})
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2])
            time.sleep(0.1)
            path.write_bytes(content)

    patch.setattr(store.Store, "put", put)
    return _kill_runs(patch)


def _sweep_nothing(patch: pytest.MonkeyPatch) -> int:
    write = store.write_artifact

    def write_slowly(*arguments: Any) -> dict[str, Any]:
        manifest = write(*arguments)
        time.sleep(0.1)  # so that most kills find files that are not renamed yet
        return manifest

    patch.setattr(store, "write_artifact", write_slowly)
    patch.setattr(api, "sweep", lambda *_: None)
    patch.setattr(store, "sweep", lambda *_: None)
    return _kill_runs(patch)


def _acknowledge_before_writing(patch: pytest.MonkeyPatch) -> int:
    from hybridrec_server.event_log import EventLog

    write = EventLog.write

    async def write_later(self: EventLog, events: Any) -> Any:
        task = asyncio.create_task(write(self, events))
        tasks.add(task)
        await asyncio.sleep(0.001)

    tasks: set[Any] = set()
    patch.setattr(EventLog, "write", write_later)
    patch.setattr(sys.modules[__name__], "KINDS", ("events",))
    return 6


BREAKS = {
    "files are written under another name": _write_in_place,
    "what a killed command left is removed": _sweep_nothing,
    "an event is acknowledged once it is kept": _acknowledge_before_writing,
}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
