"""A server that lives through swaps of its bundle, killed workers and malformed requests: every answer is checked."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl

from benchmarks import load as closed_loop
from benchmarks import peers, synthetic
from benchmarks.batch import write_models
from benchmarks.serving import Server, known_users, served
from benchmarks.serving_memory import proportional_size
from benchmarks.synthetic import Size
from benchmarks.timing import Way, Work
from hybridrec import Query, Tables, assemble, load

PLACES = 10
ALIKE = 1e-5
"""The largest difference of neighbouring scores that may change places in a batch, relative to scores above 1."""
MALFORMED = ("{", '{"items": "abc"}', '{"n": 0}', '{"filters": [{"column": "x", "is": 1}]}', '{"target": "nothing"}')
"""Bodies that are wrong; one request in a hundred has one of them."""
Expected = tuple[list[str], list[float]]
"""Ids and scores of a slate."""


@dataclass(frozen=True, slots=True)
class Soak:
    """Size of a soak: at least so many requests and swaps, and the seconds between swaps, and between kills."""

    size: Size
    requests: int
    swaps: int
    swap: float
    kill: float
    connections: int = 8


LONG = Soak(Size(10_000, 10_000, 200_000), 200_000, 20, 5.0, 20.0)
SHORT = Soak(Size(120, 60, 2_400), 2_000, 3, 0.5, 1.5)


def serving_soak(quick: bool) -> list[Work]:
    """Ask two workers under swaps, kills and malformed requests, and check each answer against `recommend`."""
    return [soaked(SHORT if quick else LONG)]


def soaked(soak: Soak) -> Work:
    """Run a soak; raises AssertionError for a wrong answer, an unexpected status, or memory that grows."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        bundles = _bundles(soak.size, folder)
        expected = {}
        for bundle in bundles:
            recommender = load(bundle)
            users = known_users(recommender)
            slate = recommender.recommend([Query(user=user) for user in users], PLACES)
            vocabulary = recommender.data.items.vocabulary
            expected[recommender.digest] = [
                (vocabulary.texts(ids), scores.tolist()) for ids, scores in zip(slate.ids, slate.scores, strict=True)
            ]
        del recommender
        bodies = [json.dumps({"user": user, "n": PLACES}) for user in users]
        with served(bundles[0], folder, workers=2, deadline="20") as server:
            watched = asyncio.run(_run(server, soak, bodies, bundles, expected))
    checked = watched.load
    work = Work(f"{len(checked.seconds):,} requests", "request", 1, {"soak": _way(checked)}, "wall")
    work.note("wrong answers", len(checked.wrong), "0")
    work.note("statuses 5xx, and connections that were closed", checked.failed, "0")
    work.note("answers from the precomputed list", checked.degraded)
    work.note("places that change with the batch, of equal scores", checked.swapped)
    work.note("swaps", checked.swaps)
    work.note("swaps that were refused, as the worker that loaded was killed", watched.refused)
    work.note("killed workers", watched.kills)
    for name in ("PSS of a worker, MB", "descriptors of the front", "threads of the front", "memory of the front, MB"):
        first, last = watched.tenths(name)
        work.note(f"{name}: last tenth less second tenth", last - first, "≤ 5" if "MB" in name else "0")
    assert not checked.wrong, f"wrong answers, first {checked.wrong[0]}"
    assert not checked.failed, f"{checked.failed} requests failed: {checked.statuses}"
    return work


def _bundles(size: Size, folder: Path) -> list[Path]:
    """Write two bundles of the same data that answer differently."""
    pairs = synthetic.write(size, peers.cache_folder() / "data") / "pairs.parquet"
    data = assemble(Tables(pl.read_parquet(pairs, columns=["user", "item"])))
    models: list[Mapping[str, Mapping[str, Any]]] = [
        {"als": {"iterations": 1, "factors": factors}, "item-knn": {}, "popularity": {}} for factors in (16, 32)
    ]
    paths = [folder / name for name in ("first.hybridrec", "second.hybridrec")]
    for path, options in zip(paths, models, strict=True):
        write_models(path, data, options)
    return paths


class CheckedLoad(closed_loop.Load):
    """A load whose answers are compared with those that are right; one body in a hundred is malformed."""

    def __init__(
        self, bodies: Sequence[str], requests: int, swaps: int, expected: Mapping[str, Sequence[Expected]]
    ) -> None:
        super().__init__([*bodies, *MALFORMED], 0.0)
        self._users = len(bodies)
        self._left = requests
        self._swaps = swaps
        self.swaps = 0
        self._expected = expected
        self._random = random.Random(0)
        self.wrong: list[str] = []
        self.swapped = self.failed = 0

    def next(self) -> tuple[int, bytes]:
        """Return a request of some user, or a malformed one."""
        self._left -= 1
        if self._random.random() < 0.01:
            place = self._users + self._random.randrange(len(MALFORMED))
        else:
            place = self._random.randrange(self._users)
        return place, self._requests[place]

    def goes_on(self) -> bool:
        """Return True if there are requests left, or swaps to live through."""
        return self._left > 0 or self.swaps < self._swaps

    def tell(self, place: int, status: str, seconds: float, body: bytes) -> None:
        """Compare an answer with the right one."""
        super().tell(place, status, seconds, body)
        if status.startswith("5"):
            self.failed += 1
        elif place >= self._users:
            if status not in ("400", "422"):
                self.wrong.append(f"{MALFORMED[place - self._users]} got the status {status}")
        elif status != "200":
            self.wrong.append(f"status {status}: {body[:300]!r}")
        elif b'"degraded":true' not in body:
            self._compare(place, json.loads(body))

    def _compare(self, place: int, answer: Mapping[str, Any]) -> None:
        ids, scores = self._expected[answer["bundle"]][place]
        served = [each["id"] for each in answer["items"]]
        if served == ids:
            return
        if len(served) != len(ids) or len(set(served)) != len(served):
            self.wrong.append(f"request {place}: {served} in the place of {ids}")
            return
        for position, name in enumerate(served):
            if name != ids[position]:
                # An item that was left out before may only be tied with the last one.
                own = scores[ids.index(name)] if name in ids else scores[-1]
                score = answer["items"][position]["score"]
                if score is None or not (_alike(score, scores[position]) and _alike(score, own)):
                    self.wrong.append(f"request {place}: {served} in the place of {ids}")
                    return
                self.swapped += 1


def _alike(score: float, other: float) -> bool:
    """Return True if scores differ by no more than `ALIKE`."""
    return abs(score - other) <= ALIKE * max(abs(score), 1)


@dataclass(slots=True)
class _Watched:
    """A soak as it was seen from outside: samples a second after each swap."""

    load: CheckedLoad
    refused: int = 0
    kills: int = 0
    samples: list[dict[str, float]] = field(default_factory=list)

    def tenths(self, name: str) -> tuple[float, float]:
        """Return the median of a value in the second tenth of the samples, and in the last."""
        values = [sample[name] for sample in self.samples]
        size = max(len(values) // 10, 1)
        return median(values[size : 2 * size] or values), median(values[-size:])


async def _run(
    server: Server,
    soak: Soak,
    bodies: Sequence[str],
    bundles: Sequence[Path],
    expected: Mapping[str, Sequence[Expected]],
) -> _Watched:
    watched = _Watched(CheckedLoad(bodies, soak.requests, soak.swaps, expected))
    disturbed = [
        asyncio.create_task(_swap(server, soak, bundles, watched)),
        asyncio.create_task(_kill(server, soak, watched)),
    ]
    await closed_loop.run(server.port, watched.load, soak.connections)
    watched.load.failed += watched.load.statuses["closed"]
    for task in disturbed:
        task.cancel()
    outcomes = await asyncio.gather(*disturbed, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    return watched


async def _swap(server: Server, soak: Soak, bundles: Sequence[Path], watched: _Watched) -> None:
    """Swap the bundles in turn, and take a sample a second later."""
    while True:
        await asyncio.sleep(soak.swap)
        path = bundles[(watched.load.swaps + 1) % 2]
        status, body = await _post(server.port, "/admin/reload", {"bundle": str(path)})
        if status != 200:  # refused: the worker that loaded the bundle was the one that was killed
            assert b"ended with status -9" in body, body
            watched.refused += 1
            continue
        await asyncio.sleep(min(1.0, soak.swap))
        watched.samples.append(_sample(server))
        watched.load.swaps += 1


async def _kill(server: Server, soak: Soak, watched: _Watched) -> None:
    """End one of the workers now and then, by a signal that nothing can catch."""
    chosen = random.Random(1)
    while True:
        await asyncio.sleep(soak.kill)
        workers = server.processes()[1:]
        if workers:
            try:
                os.kill(chosen.choice(workers), signal.SIGKILL)
            except ProcessLookupError:
                continue
            watched.kills += 1


async def _post(port: int, path: str, body: Mapping[str, Any]) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(content) + content)
    answer = await reader.read()
    writer.close()
    return int(answer[9:12]), answer.partition(b"\r\n\r\n")[2]


def _sample(server: Server) -> dict[str, float]:
    """Return the memory of a worker, and memory, descriptors and threads of the front."""
    front, *workers = server.processes()
    status = Path(f"/proc/{front}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    sizes = []
    for worker in workers:
        try:
            sizes.append(proportional_size(worker))
        except (OSError, StopIteration):  # it was killed just now
            continue
    return {
        "PSS of a worker, MB": float(np.median(sizes)),
        "descriptors of the front": float(len(list(Path(f"/proc/{front}/fd").iterdir()))),
        "threads of the front": float(fields["Threads"]),
        "memory of the front, MB": int(fields["VmRSS"].split()[0]) / 1e3,
    }


def _way(checked: CheckedLoad) -> Way:
    statuses: Counter[str] = checked.statuses
    facts = {f"status {status}": count for status, count in sorted(statuses.items())}
    return Way(
        [float(np.mean(checked.seconds))], [0.0], {"p99, ms": 1e3 * float(np.quantile(checked.seconds, 0.99)), **facts}
    )
