"""Processes side by side on one store while it is collected, or on one run while it is refreshed.

Every result is that of a process alone, and every answer that of the old or of the new run.
"""

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
from hybridrec.runs import manifest
from tests.torture.forks import command, fork, import_everything, in_fork, start
from tests.torture.outcome import Loss, Outcome
from tests.torture.subject import CONFIG, answers_of, results, write_config, write_data

SIDE_BY_SIDE = 20
"""Processes at once."""
VARIANTS = 3
"""Configs that differ, and share most fits."""
ANSWERED, CHANGES = 30, 6
"""Numbers of loads, and of changes between the old and the new answers, that are seen beside a refresh at least."""


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Start so many processes of three configs, `SIDE_BY_SIDE` at a time, on one store that is collected meanwhile."""
    import_everything()
    outcome = Outcome()
    work = folder / "work"
    expected = in_fork(_prepared, work)
    served = folder / "served"
    old, new = in_fork(_prepared_to_refresh, served)
    for number in range(0, tries, SIDE_BY_SIDE):
        rng = random.Random(f"processes {seed} {number}")
        size = min(SIDE_BY_SIDE, tries - number)
        _round(work, size, rng, expected, outcome, f"processes {seed} {number}")
        label = f"processes {seed} {number} (recommend beside refresh)"
        outcome.attempt(label, partial(_answered_beside_refresh, served, {old, new}), allowed=())
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


def _prepared_to_refresh(served: Path) -> tuple[str, str]:
    """Make a run whose refresh goes back and forth between two files of data; return the digests of its answers.

    None of its components takes what it has learned into a refresh, so that there are two.
    """
    served.mkdir()
    for name, users in (("after", 52), ("before", 48)):
        write_data(served, users=users)
        shutil.copy(served / "plays.csv", served / f"plays-{name}.csv")
    hybrid = {"generators": [{"from": "ease", "k": 20}], "scorers": ["knn"], "rerank": [{"use": "rrf"}]}
    config = write_config(
        served,
        components={name: options for name, options in CONFIG["components"].items() if name != "als"},
        pipelines={**CONFIG["pipelines"], "hybrid": hybrid},
    )
    run = hybridrec.run(config, store=served / "store", runs=served)
    run.folder.rename(served / "run")
    old = answers_of(served / "run")
    _refresh(served, "after")
    return old, answers_of(served / "run")


def _refresh(served: Path, name: str) -> int:
    shutil.copy(served / f"plays-{name}.csv", served / "plays.csv")
    return command(["refresh", str(served / "run"), "--store", str(served / "store")])


def _refresh_on_and_on(served: Path) -> int:
    """Refresh a run with one file and the other, until the process is killed or one fails; return its exit status."""
    with (served / "log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    while True:
        for name in ("before", "after"):
            if code := _refresh(served, name):
                return code


def _answered_beside_refresh(served: Path, digests: set[str]) -> None:
    """Load a run again and again while it is refreshed; each time it answers as before or as after."""
    refresher = fork(partial(_refresh_on_and_on, served))
    try:
        in_fork(_answer, served, digests, refresher)
    finally:
        os.kill(refresher, signal.SIGKILL)
        os.waitpid(refresher, 0)


def _answer(served: Path, digests: set[str], refresher: int) -> None:
    answered, changes, before = 0, 0, ""
    while answered < ANSWERED or changes < CHANGES:
        digest = answers_of(served / "run")
        if digest not in digests:
            raise Loss("an answer of neither the old nor the new run")
        answered, changes, before = answered + 1, changes + (digest != before), digest
        if not _runs(refresher):
            raise Loss(f"the refresh ends: {(served / 'log').read_text()[-200:]}")


def _runs(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "Z"


def _read_by_name(patch: pytest.MonkeyPatch) -> int:
    written = array_file.write_artifact

    def write(path: Path, key: str, state: dict[str, object], about: dict[str, object]) -> None:
        written(
            path, key, {name: array * 2 if array.dtype.kind == "f" else array for name, array in state.items()}, about
        )  # type: ignore[attr-defined]

    from hybridrec.engine import store

    patch.setattr(store, "write_artifact", write)
    return 6


def _replace_in_two_steps(patch: pytest.MonkeyPatch) -> int:
    def publish(partial: Path, path: Path) -> None:
        path.unlink(missing_ok=True)
        time.sleep(0.05)
        partial.rename(path)

    patch.setattr(manifest, "publish", publish)
    return 1


BREAKS = {
    "what the store gives is what was fitted": _read_by_name,
    "a bundle is replaced in one step": _replace_in_two_steps,
}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
