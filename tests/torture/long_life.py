"""A long life: many answers and loads in one process leave its memory, descriptors and threads as they were."""

from __future__ import annotations

import gc
import os
import threading
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
    before = figures()
    outcome.tried = tries + tries // LOADS
    for number in range(tries):
        answer(recommender, number + seed)
        if number % LOADS == 0 and answers(load(subject.bundle)) != expected:
            outcome.lose(f"load {number}", "it answers otherwise")
    if answers(recommender) != expected:
        outcome.lose("the recommender", "it answers otherwise after a long life")
    after = figures()
    outcome.counts.update(
        {"MB before": before[0] >> 20, "MB after": after[0] >> 20, "descriptors": after[1], "threads": after[2]}
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


def figures() -> tuple[int, int, int]:
    """Return (bytes in memory, open descriptors, threads) of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    threads = max(threading.active_count(), len(os.listdir("/proc/self/task")))  # noqa: PTH208
    return pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/fd")), threads  # noqa: PTH208


def flat(before: tuple[int, int, int], after: tuple[int, int, int]) -> None:
    """Raise Loss if a process has grown."""
    if after[0] - before[0] > MORE:
        raise Loss(f"{before[0]:,} bytes became {after[0]:,}")
    for name, few, many in zip(("descriptors", "threads"), before[1:], after[1:], strict=True):
        if many > few:
            raise Loss(f"{few} {name} became {many}")


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
