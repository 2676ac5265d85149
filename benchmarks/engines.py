"""Slates of all users by Spark's `mapInArrow`, beside a plain loop over the same record batches and `recommend`."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from benchmarks import peers, synthetic
from benchmarks.batch import ALONE, BLEND, swapped, write_models
from benchmarks.processes import measure
from benchmarks.synthetic import Size
from benchmarks.timing import CORES, ROOT, Way, Work
from hybridrec import PADDING, Dataset, Floats, Ints, Query, Tables, assemble, load

PLACES = 20
ROWS, BATCHES = 8_192, 8
"""Numbers of queries of a record batch, and of record batches of a file."""
SLICE = 10_000
"""Number of users in a call of `recommend`."""
ITEMS = 60_000


def engines(quick: bool, users: int = 1_000_000, blend_users: int = 50_000) -> list[Work]:
    """Recommend to a million users by one model, to 50,000 by a blend: Spark, a plain loop, equal slates (Linux).

    users, blend_users: other numbers of users; 0 leaves that work out
    """
    items = 2_000 if quick else ITEMS
    asked = [(2_000, ALONE), (500, BLEND)] if quick else [(users, ALONE), (blend_users, BLEND)]
    return [slates_of(Size(count, items, 20 * count), models, [1], [CORES]) for count, models in asked if count]


def slates_of(
    size: Size,
    models: Mapping[str, Mapping[str, Any]],
    processes: Sequence[int],
    tasks: Sequence[int],
    *,
    starts: bool = True,
) -> Work:
    """Time the ways to recommend `PLACES` items to all users of synthetic data, each in processes of its own.

    processes: numbers of processes that share the files of queries, each with a plain loop; the first one is 1
    tasks: numbers of tasks that Spark runs at a time
    starts: True to time each way for a single user, too
    """
    pairs = synthetic.write(size, peers.cache_folder() / "data") / "pairs.parquet"
    data = assemble(Tables(pl.read_parquet(pairs, columns=["user", "item"])))
    name = f"{' + '.join(models)}: {len(data.users):,} users x {PLACES} of {size.items:,} items"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        bundle, queries = place / "engines.hybridrec", place / "queries"
        started = time.process_time()
        write_models(bundle, data, models, PLACES)
        fitted = time.process_time() - started
        write_queries(data.users.vocabulary.ids, queries)
        write_queries(data.users.vocabulary.ids[:1], place / "one")
        ways = {_loops(count): (partial(_loop, count), {}) for count in processes}
        if tasks and (spark := peers.spark()) is not None:
            ways |= {_spark(count): (partial(_mapped, count), spark) for count in tasks}
        work = Work(name, "user", len(data.users), {way: Way() for way in ways}, "CPU")
        expected = _recommended(bundle, data)
        slates: dict[str, Slates] = {}
        for number, (way, (commands, env)) in enumerate(ways.items()):
            measure([commands(bundle, queries, f"{number}", PLACES, ROWS)], place, env, work.ways[way])
            slates[way] = Slates.read((place / f"{number}").glob("*.parquet"), data)
            work.ways[way].facts["users a CPU second"] = len(data.users) / work.ways[way].cpu[0]
            if starts:
                measure([commands(bundle, "one", f"{number}-one", PLACES, ROWS)], place, env, alone := Way())
                work.ways[way].facts["CPU s for one user"] = alone.cpu[0]
        work.note("CPU seconds of a fit, one round of als, and of writing the bundle", fitted)
        work.note("MB of the bundle", bundle.stat().st_size / 1e6)
        work.note("MB of the slates", sum(file.stat().st_size for file in (place / "0").iterdir()) / 1e6)
    first, *others = slates.items()
    work.note(f"places with another item of the same score than `recommend`: {first[0]}", first[1].swapped(expected))
    for way, served in others:
        work.ratio(way, first[0])
        work.note(f"places that differ from those of the loop: {way}", served.differs(first[1]), "0")
    work.note("load average at the end", os.getloadavg()[0])
    return work


@dataclass(frozen=True, slots=True)
class Slates:
    """Slates of all users of a data set.

    ids, scores: int32 [U, K] and float32 [U, K], in the order of the users' codes; PADDING and NaN in empty places
    items: number of items
    """

    ids: Ints
    scores: Floats
    items: int

    @classmethod
    def empty(cls, data: Dataset) -> Slates:
        """Return slates without an item for all users of the data."""
        shape = len(data.users), PLACES
        return cls(np.full(shape, PADDING, np.int32), np.full(shape, np.nan, np.float32), len(data.items))

    @classmethod
    def read(cls, files: Iterable[Path], data: Dataset) -> Slates:
        """Read files of slates, in any order; raises AssertionError for a place that is in them twice."""
        slates, places = cls.empty(data), 0
        for file in files:
            frame = pl.read_parquet(file, glob=False)
            at = data.users.vocabulary.encode(frame["query"]), frame["place"].to_numpy() - 1
            slates.ids[at] = data.items.vocabulary.encode(frame["id"])
            slates.scores[at] = frame["score"].to_numpy()
            places += len(frame)
        assert places == np.count_nonzero(slates.ids != PADDING), "a place is in the slates twice"
        return slates

    def swapped(self, others: Slates) -> int:
        """Count the places with another item of the same score; raises AssertionError for any other difference."""
        filled = self.ids != PADDING
        assert np.array_equal(filled, others.ids != PADDING), "other places are empty"
        return swapped(self.ids[filled], self.scores[filled], others.ids, others.scores, self.items)

    def differs(self, others: Slates) -> int:
        """Count the places whose item, or any bit of whose score, is another one."""
        return int(
            np.count_nonzero((self.ids != others.ids) | (self.scores.view(np.int32) != others.scores.view(np.int32)))
        )


def write_queries(users: pl.Series, folder: Path) -> None:
    """Write a table of queries, one for each user, into files of `BATCHES` record batches."""
    folder.mkdir()
    frame = pl.DataFrame({"user": users})
    for number, start in enumerate(range(0, len(frame), ROWS * BATCHES)):
        frame[start : start + ROWS * BATCHES].write_parquet(folder / f"{number:05}.parquet")


def _recommended(bundle: Path, data: Dataset) -> Slates:
    """Return the slates of `recommend`, a list of users at a time."""
    recommender, slates = load(bundle), Slates.empty(data)
    vocabulary = data.users.vocabulary
    with threadpool_limits(limits=1):
        for start in range(0, len(vocabulary), SLICE):
            users = vocabulary.ids[start : start + SLICE]
            slate = recommender.recommend([Query(user=user) for user in users], PLACES)
            slates.ids[start : start + len(users)] = slate.ids
            slates.scores[start : start + len(users)] = slate.scores
    return slates


def _loops(count: int) -> str:
    return "a loop in one process" if count == 1 else f"loops in {count} processes"


def _spark(count: int) -> str:
    return f"Spark, {count} task{'s' * (count > 1)} at a time"


def _loop(count: int, *words: object) -> list[list[str]]:
    return [_script("with_loop.py", number, count, *words) for number in range(count)]


def _mapped(count: int, *words: object) -> list[list[str]]:
    return [_script("with_spark.py", count, *words)]


def _script(name: str, *words: object) -> list[str]:
    return [sys.executable, str(ROOT / "benchmarks" / "ways" / name), *map(str, words)]
