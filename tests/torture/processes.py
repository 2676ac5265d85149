"""Processes side by side on one store while it is collected: every result is that of a process alone."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from functools import partial
from pathlib import Path

import pytest

import hybridrec
from hybridrec import Run
from hybridrec.inference import array_file
from tests.torture.forks import command, fork, import_everything, in_fork, start
from tests.torture.outcome import Loss, Outcome
from tests.torture.subject import CONFIG, results, write_config, write_data

SIDE_BY_SIDE = 20
"""Processes at once."""
VARIANTS = 3
"""Configs that differ, and share most fits."""


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Start so many processes of three configs, `SIDE_BY_SIDE` at a time, on one store that is collected meanwhile."""
    import_everything()
    outcome = Outcome()
    work = folder / "work"
    expected = in_fork(_prepared, work)
    for number in range(0, tries, SIDE_BY_SIDE):
        rng = random.Random(f"processes {seed} {number}")
        size = min(SIDE_BY_SIDE, tries - number)
        _round(work, size, rng, expected, outcome, f"processes {seed} {number}")
    return outcome


def _prepared(work: Path) -> list[str]:
    """Write the configs, and return the digest of each in a store of its own."""
    work.mkdir()
    write_data(work)
    digests = []
    for variant in range(VARIANTS):
        components = {**CONFIG["components"], "ease": {"l2": 5 + variant}}
        path = write_config(work, components=components, name=f"toy-{variant}").rename(work / f"toy-{variant}.yaml")
        run = hybridrec.run(path, store=work / "alone" / str(variant), runs=work / "alone" / "runs")
        digests.append(results(run))
    return digests


def _round(work: Path, size: int, rng: random.Random, expected: list[str], outcome: Outcome, label: str) -> None:
    """Start processes at once, kill one of them, collect the store meanwhile, and compare all results."""
    for name in ("store", "runs"):
        shutil.rmtree(work / name, ignore_errors=True)
    (work / "store").mkdir()
    places = ["--store", str(work / "store"), "--quiet"]
    children = {}
    for number in range(size):
        variant = number % VARIANTS
        arguments = ["run", str(work / f"toy-{variant}.yaml"), *places, "--runs", str(work / "runs")]
        children[start(arguments, work / f"log-{number}")] = (number, variant)
    collector = fork(partial(_collect, work))
    victim = rng.choice(sorted(children))
    time.sleep(rng.random() * 0.5)
    os.kill(victim, signal.SIGKILL)
    for child, (number, variant) in children.items():
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if child != victim:
            outcome.attempt(f"{label} {number}", partial(_compared, work, number, code, expected[variant]), allowed=())
    os.kill(collector, signal.SIGKILL)
    os.waitpid(collector, 0)


def _collect(work: Path) -> int:
    """Collect the store again and again, until the process is killed or a collection fails; return its exit status."""
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    while True:
        for words in (["--all"], ["--keep", "20kB"], ["--older-than", "0"]):
            if code := command(["store", "gc", *words, "--store", str(work / "store")]):
                (work / "collector-failed").write_text(str(code), encoding="utf-8")
                return code
            time.sleep(0.1)


def _compared(work: Path, number: int, code: int, digest: str) -> None:
    if code:
        raise Loss(f"it ends with {code}: {(work / f'log-{number}').read_text()[-200:]}")
    if (work / "collector-failed").exists():
        raise Loss(f"store gc ends with {(work / 'collector-failed').read_text()}")
    written = Path((work / f"log-{number}").read_text(encoding="utf-8").splitlines()[-1])  # `--quiet` prints the path
    if in_fork(_digest, written.parent) != digest:
        raise Loss("another result than alone")


def _digest(run: Path) -> str:
    return results(Run.open(run))


def _read_by_name(patch: pytest.MonkeyPatch) -> int:
    written = array_file.write_artifact

    def write(path: Path, key: str, state: dict[str, object], about: dict[str, object]) -> None:
        written(
            path, key, {name: array * 2 if array.dtype.kind == "f" else array for name, array in state.items()}, about
        )  # type: ignore[attr-defined]

    from hybridrec.engine import store

    patch.setattr(store, "write_artifact", write)
    return 6


BREAKS = {"what the store gives is what was fitted": _read_by_name}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
