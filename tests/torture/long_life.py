"""A long life: many answers and loads in one process leave its memory, descriptors and threads as they were."""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from hybridrec import Query, Recommender, load
from hybridrec.serving import recommender as serving
from tests.torture.outcome import Loss, Outcome
from tests.torture.subject import ITEMS, QUERIES, USERS, Subject, answers

MORE = 12 << 20
"""The most bytes by which memory may grow after the warm-up."""
LOADS = 100
"""Answers for each load."""
IDLE = 15.0
"""Seconds after which threads that Polars starts on demand have ended (its runtime keeps idle ones for ten)."""


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Answer so many queries, and load the bundle once for every hundred; compare the process before and after."""
    outcome = Outcome()
    subject = Subject.made(folder / "subject")
    recommender = load(subject.bundle)
    expected = answers(recommender)
    for number in range(max(20, tries // 20)):
        answer(recommender, number)
    for _ in range(20):
        load(subject.bundle)
    before = Figures.now()
    outcome.tried = tries + tries // LOADS
    for number in range(tries):
        answer(recommender, number + seed)
        if number % LOADS == 0 and answers(load(subject.bundle)) != expected:
            outcome.lose(f"load {number}", "it answers otherwise")
    if answers(recommender) != expected:
        outcome.lose("the recommender", "it answers otherwise after a long life")
    after = Figures.now()
    if after.threads.total() > before.threads.total():
        time.sleep(IDLE)
        after = Figures.now()
    outcome.counts.update(
        {
            "MB before": before.memory >> 20,
            "MB after": after.memory >> 20,
            "descriptors": after.descriptors,
            "threads": after.threads.total(),
        }
    )
    try:
        flat(before, after)
    except Loss as error:
        outcome.lose(f"{tries} answers", str(error))
    return outcome


def answer(recommender: Recommender, number: int) -> None:
    """Ask one query of five kinds."""
    queries = (
        Query(items=[f"song {number % ITEMS}", "song 3"]),
        Query(user=f"u{number % USERS}"),
        Query(user=f"nobody {number}"),
        QUERIES[number % len(QUERIES)],
        Query(tags=[f"t{number % 2}"], text=f"evening {number}"),
    )
    recommender.recommend(queries[number % len(queries)], 10)


@dataclass(frozen=True, slots=True)
class Figures:
    """Bytes in memory, number of open descriptors, and number of threads by the name that the system shows."""

    memory: int
    descriptors: int
    threads: Counter[str]

    @classmethod
    def now(cls) -> Figures:
        """Measure this process."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        threads: Counter[str] = Counter()
        for task in Path("/proc/self/task").iterdir():
            with suppress(OSError):  # the thread has ended
                threads[(task / "comm").read_text(encoding="utf-8", errors="replace").strip()] += 1
        descriptors = sum(1 for _ in Path("/proc/self/fd").iterdir())
        return cls(pages * os.sysconf("SC_PAGE_SIZE"), descriptors, threads)


def flat(before: Figures, after: Figures) -> None:
    """Raise Loss if a process has grown."""
    if after.memory - before.memory > MORE:
        raise Loss(f"{before.memory:,} bytes became {after.memory:,}")
    if after.descriptors > before.descriptors:
        raise Loss(f"{before.descriptors} descriptors became {after.descriptors}")
    if after.threads.total() > before.threads.total():
        more = ", ".join(f"{number} of {name}" for name, number in (after.threads - before.threads).items())
        raise Loss(f"{before.threads.total()} threads became {after.threads.total()}: {more} more")


def _keep_slates(patch: pytest.MonkeyPatch) -> int:
    kept: list[object] = []
    recommend = Recommender.recommend

    def keep(self: Recommender, *queries: object, **options: object) -> object:
        kept.append(bytearray(20_000))
        return recommend(self, *queries, **options)  # type: ignore[arg-type]

    patch.setattr(serving.Recommender, "recommend", keep)
    return 2_000


def _leave_files_open(patch: pytest.MonkeyPatch) -> int:
    opened: list[object] = []
    read = serving.read_bundle

    def leave(path: Path, *more: object, **options: object) -> object:
        opened.append(path.open("rb"))
        return read(path, *more, **options)  # type: ignore[arg-type]

    patch.setattr(serving, "read_bundle", leave)
    return 200


BREAKS = {"answers are not kept": _keep_slates, "files are closed": _leave_files_open}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
