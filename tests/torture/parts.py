"""The parts of the harness: what each promises, and how much of it the short and the long form try."""

from __future__ import annotations

import importlib
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import cast

import pytest

from tests.torture.branches import measured
from tests.torture.outcome import Outcome, peak_memory

MEMORY = 1 << 30
"""The most bytes that a process of a part may hold in memory: what is tried is small."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the harness.

    module: the module of this package whose function `torture(tries, seed, folder)` carries it out
    promise: what a user may rely on, in a sentence
    short, long: the number of attempts of each form
    whole: true if all attempts go on in one process, however many they are
    """

    module: str
    promise: str
    short: int
    long: int
    whole: bool = False

    def torture(self, tries: int, seed: int, folder: Path) -> Outcome:
        """Carry out the part with so many attempts, in a folder that is empty."""
        module = importlib.import_module(f"tests.torture.{self.module}")
        return cast(Outcome, module.torture(tries, seed, folder))


PARTS: dict[str, Part] = {
    "configs": Part(
        "config_fuzz",
        "A config is accepted, or refused with a message, whatever it holds.",
        600,
        50_000,
    ),
    "config-sizes": Part("config_growth", "The work of checking a config is in proportion to its size.", 9, 9),
    "data": Part(
        "data_fuzz",
        "A file of data is read, or refused with a message; a row that is not read is counted as malformed.",
        1_000,
        25_000,
    ),
    "damage": Part(
        "damage",
        "Damage by chance to any file of a run, bundle, store, search or batch is found and named, and nothing wrong "
        "is answered.",
        1_000,
        10_000,
    ),
    "crafted": Part(
        "crafted",
        "A run or bundle made by hand, with sound checksums, is read or refused, and writes nothing elsewhere.",
        100,
        2_000,
    ),
    "queries": Part(
        "query_fuzz",
        "A query, a table or a file of queries is answered by distinct items with sound scores, or refused.",
        1_500,
        25_000,
    ),
    "kills": Part(
        "kills",
        "After kill -9, SIGTERM, SIGINT or SIGHUP at any moment of a run, a search, a refresh, a bundle or an event "
        "log nothing is damaged or lost, the next start gives the same result and leaves no stray file, and the exit "
        "status is 130.",
        40,
        500,
    ),
    "disks": Part(
        "disks",
        "A disk that is full, over quota, broken, read-only or slow at any call ends a command with a sentence and "
        "status 4; what was whole stays whole, nothing half-written stays, and the retry succeeds.",
        40,
        1_000,
    ),
    "plugins": Part(
        "plugins",
        "A plugin that misbehaves at import, in a fit, in scores, in its state or in global state, never returns or "
        "ends its process, is named, and changes neither the results of others nor what the store keeps.",
        54,
        54,
    ),
    "processes": Part(
        "processes",
        "Twenty processes on one store, of which one is killed while `store gc` goes on, give what each gives alone; "
        "a run that is refreshed on and on answers as before or as after.",
        20,
        400,
    ),
    "determinism": Part(
        "determinism",
        "A run gives the same numbers whatever the hash seed, workers, threads, locale, time zone, memory budget, and "
        "the order of keys and rows.",
        4,
        14,
    ),
    "shared-answers": Part(
        "shared_answers",
        "Two threads that ask one recommender, and two processes that ask one bundle, a query at a time, get the "
        "answers that one gets, to the last bit.",
        1_000,
        100_000,
    ),
    "long-life": Part(
        "long_life",
        "Answers and loads (one for every hundred answers) leave memory, descriptors and threads as they were.",
        3_000,
        100_000,
        whole=True,
    ),
}


def carry_out(
    name: str, seed: int, tries: int, keep: Path | None, branches: Path | None
) -> tuple[str, Outcome, float, int]:
    """Carry out attempts of a part in a process of its own: (name, outcome, CPU seconds, peak of memory in bytes).

    branches: the folder into which the branches of readers are measured that the attempts take; None measures none
    """
    with tempfile.TemporaryDirectory(prefix="torture-") as scratch:
        folder = Path(scratch) if keep is None else keep / f"{name}-{seed}"
        (folder / "failures").mkdir(parents=True, exist_ok=True)
        with measured(branches) if branches else nullcontext():
            outcome = PARTS[name].torture(tries, seed, folder)
    spent, peak = os.times(), peak_memory()
    if peak > MEMORY:
        outcome.lose(name, f"a process held {peak >> 20:,} MB of memory")
    return name, outcome, sum(spent[:4]), peak


def apart(name: str, seed: int, tries: int, promise: str = "") -> list[str]:
    """Carry out attempts in a fresh process, which may fork, with a promise broken in it; return what was lost."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_lost, name, seed, tries, promise).result()


def _lost(name: str, seed: int, tries: int, promise: str) -> list[str]:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="torture-") as scratch:
        if promise:
            tries = importlib.import_module(f"tests.torture.{PARTS[name].module}").BREAKS[promise](patch)
        return PARTS[name].torture(tries, seed, Path(scratch)).losses
