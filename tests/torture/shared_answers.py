"""Threads and processes that ask one bundle at the same time: each query is answered as it is alone."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from hybridrec import Query, Recommender, load
from hybridrec.data.fingerprint import json_digest
from tests.torture.outcome import Outcome
from tests.torture.subject import ITEMS, QUERIES, USERS, Subject

SIDE_BY_SIDE = 2
"""Threads, and then processes, that ask at the same time."""
DISTINCT = 500
"""Different queries; each is asked many times."""


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Ask so many queries, half of them in two threads of one recommender and half in two processes; compare."""
    outcome = Outcome()
    subject = Subject.made(folder / "subject")
    recommender = load(subject.bundle)
    queries = _queries(seed)
    expected = [_digest(recommender, query) for query in queries]
    share = tries // (2 * SIDE_BY_SIDE)
    orders = [_order(f"{seed} {number}", share) for number in range(2 * SIDE_BY_SIDE)]
    barrier = threading.Barrier(SIDE_BY_SIDE)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        ask = partial(_differing, recommender, queries, expected, barrier)
        for number, places in enumerate(threads.map(ask, orders[:SIDE_BY_SIDE])):
            _tell(outcome, f"thread {number}", share, places)
    with ProcessPoolExecutor(SIDE_BY_SIDE, get_context("spawn")) as processes:
        answer = partial(_in_process, subject.bundle, queries, expected)
        for number, places in enumerate(processes.map(answer, orders[SIDE_BY_SIDE:])):
            _tell(outcome, f"process {number}", share, places)
    return outcome


def _queries(seed: int) -> list[Query]:
    """Draw queries of five kinds."""
    rng = random.Random(f"shared answers {seed}")
    drawn = []
    for _ in range(DISTINCT // 5):
        songs = [f"song {song}" for song in rng.sample(range(ITEMS), rng.randrange(1, 9))]
        drawn += [
            Query(items=songs),
            Query(user=f"u{rng.randrange(USERS)}"),
            Query(tags=[f"t{rng.randrange(7)}"], text=f"evening {rng.randrange(ITEMS)}"),
            Query(items=songs[:2], disliked=songs[2:]),
            rng.choice(QUERIES),
        ]
    return drawn


def _order(name: str, size: int) -> list[int]:
    rng = random.Random(f"order {name}")
    return [rng.randrange(DISTINCT) for _ in range(size)]


def _digest(recommender: Recommender, query: Query) -> str:
    """Return a digest of the slate of one query: ids, every bit of the scores, and what served it."""
    return json_digest(recommender.recommend(query, 10).to_frame().to_dict(as_series=False))


def _differing(
    recommender: Recommender,
    queries: Sequence[Query],
    expected: Sequence[str],
    barrier: threading.Barrier | None,
    order: Sequence[int],
) -> list[int]:
    """Ask queries in this order, from when all others begin; return those that are answered otherwise."""
    if barrier is not None:
        barrier.wait()
    return [place for place in order if _digest(recommender, queries[place]) != expected[place]]


def _in_process(bundle: Path, queries: Sequence[Query], expected: Sequence[str], order: Sequence[int]) -> list[int]:
    return _differing(load(bundle), queries, expected, None, order)


def _tell(outcome: Outcome, name: str, tries: int, places: Sequence[int]) -> None:
    outcome.tried += tries
    outcome.counts[name.split()[0]] += tries
    for place in places:
        outcome.lose(name, f"query {place} is answered otherwise than alone")


def _keep_the_query(patch: pytest.MonkeyPatch) -> int:
    recommend = Recommender.recommend

    def keep(self: Recommender, query: Query, *more: object, **options: object) -> object:
        self.__dict__["asked"] = query
        time.sleep(1e-4)  # another thread asks meanwhile
        return recommend(self, self.__dict__["asked"], *more, **options)  # type: ignore[arg-type]

    patch.setattr(Recommender, "recommend", keep)
    return 400


BREAKS = {"a recommender keeps nothing of a query": _keep_the_query}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
