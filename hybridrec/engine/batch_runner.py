"""Asking pipelines: blocks of queries through the stages on all cores, with what was computed before reused."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from hybridrec.data.fingerprint import fingerprint
from hybridrec.data.queries import QueryBatch
from hybridrec.engine.executor import side_by_side
from hybridrec.engine.keys import digest
from hybridrec.engine.pipelines import Arm
from hybridrec.engine.store import Store
from hybridrec.stages import kernels
from hybridrec.stages.candidates import Exclude
from hybridrec.stages.pipeline import Memo
from hybridrec.stages.pool import Pool
from hybridrec.stages.slate import Slate
from hybridrec.types import Bools, Doubles, Sparse, State, Target

BYTES_PER_SCORE = 24
"""Peak bytes of a block per query and id of the vocabulary: dense scores and the temporaries of selection."""
BLOCK_ROWS = (16, 1024)
Advance = Callable[[int], None]
R = TypeVar("R")


@dataclass(slots=True)
class Clock:
    """Seconds spent per (stage, pipeline), summed over threads."""

    seconds: Counter[tuple[str, str]] = field(default_factory=Counter)

    @contextmanager
    def timing(self, stage: str, pipeline: str) -> Iterator[None]:
        """Count the time of the block."""
        started = time.perf_counter()
        yield
        # An update lost between threads costs the report microseconds; a lock would cost more.
        self.seconds[stage, pipeline] += time.perf_counter() - started  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Question:
    """A batch of queries of one fold, for one target.

    truth: csr [Q, N], the relevant ids; universe: bool[I], the items that may be recommended, or None
    """

    queries: QueryBatch
    target: Target
    n: int
    truth: Sparse
    universe: Bools | None = None

    def __len__(self) -> int:
        return len(self.queries)

    def part(self, rows: slice) -> Question:
        """Some of the queries."""
        return Question(self.queries.take(rows), self.target, self.n, self.truth[rows], self.universe)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a pipeline gave for Q queries.

    slate: the final ranking
    found: float64 [Q], the share of the relevant ids that are in the pool, NaN where nothing is
        relevant: the ceiling of what re-ranking could reach
    heard: for each column of the pool, how many queries it has an opinion on any candidate of
    """

    slate: Slate
    found: Doubles
    heard: Counter[str]

    def state(self) -> State:
        """As named arrays."""
        heard = {"heard": np.array(list(self.heard.values()), np.int64), "columns": np.array(list(self.heard), np.str_)}
        return {"found": self.found, **heard, **self.slate.state()}

    @classmethod
    def restore(cls, target: Target, state: State) -> Answers:
        """The way back from `state`."""
        heard = dict(zip(state["columns"].tolist(), state["heard"].tolist(), strict=True))
        return cls(Slate.restore(target, state), state["found"], Counter(heard))

    @classmethod
    def stack(cls, answers: Sequence[Answers]) -> Answers:
        """Several batches below one another."""
        heard: Counter[str] = Counter()
        for block in answers:
            heard.update(block.heard)  # adding two counters would drop those who are never heard
        return cls(Slate.stack([a.slate for a in answers]), np.concatenate([a.found for a in answers]), heard)


@dataclass(frozen=True, slots=True)
class Pooled:
    """A block of queries with the candidates a pipeline has for them: what its re-rankers order."""

    block: Question
    exclude: Exclude
    pool: Pool


@dataclass(frozen=True, slots=True)
class Asker:
    """Sends questions through pipelines; the store keeps pools and answers from run to run."""

    store: Store
    workers: int
    memory: int
    clock: Clock = field(default_factory=Clock)

    def answers(self, arms: Sequence[Arm], question: Question, advance: Advance) -> dict[str, Answers]:
        """The answers of all arms; arms that ask a generator for the same share its candidates."""
        asked = fingerprint(question)
        keys = {arm.name: digest("answers 4", arm.pool_key, arm.order_key, asked) for arm in arms}
        stored = {arm.name: self.store.find(keys[arm.name]) for arm in arms}
        missing = [arm for arm in arms if stored[arm.name] is None]
        results = {name: Answers.restore(question.target, state) for name, state in stored.items() if state is not None}
        advance(len(question) * len(results))
        if missing:
            blocks = self.each_block(question, lambda block: self._answer_block(missing, block, advance))
            for name in reversed([arm.name for arm in missing]):
                results[name] = Answers.stack([block.pop() for block in blocks])  # no arm's are there twice for long
                self.store.put(keys[name], results[name].state(), {"answers of": name})
        return {arm.name: results[arm.name] for arm in arms}

    def pool_of(self, arm: Arm, question: Question) -> Pool:
        """One pool for all queries: what a re-ranker learns on."""
        return Pool.stack([pooled.pool for pooled in self.pooled(arm, question)])

    def pooled(self, arm: Arm, question: Question) -> list[Pooled]:
        """The first two stages: candidates and their scores, in blocks of the queries."""

        def work(block: Question) -> Pooled:
            exclude = arm.rules.exclude(block.queries, block.target, block.universe)
            return Pooled(block, exclude, self._pool(arm, block, exclude, {}))

        return self.each_block(question, work)

    def ranked(self, arm: Arm, blocks: Sequence[Pooled]) -> Slate:
        """The last stage alone: the slates of all blocks, as the re-rankers of this arm order them."""
        return Slate.stack(side_by_side(lambda pooled: self._slate(arm, pooled), blocks, self.workers))

    def each_block(self, question: Question, work: Callable[[Question], R]) -> list[R]:
        """`work` on blocks of the queries that, all workers at once, stay within the memory budget."""
        parts = blocks(question.queries, self.workers, self.memory)
        return side_by_side(lambda rows: work(question.part(rows)), parts, self.workers)

    def _answer_block(self, arms: Sequence[Arm], block: Question, advance: Advance) -> list[Answers]:
        memo: Memo = {}
        excludes: dict[str, Exclude] = {}
        pools: dict[str, tuple[Pool, Doubles, Counter[str]]] = {}
        answers = []
        for arm in arms:
            if arm.rules_key not in excludes:
                excludes[arm.rules_key] = arm.rules.exclude(block.queries, block.target, block.universe)
            exclude = excludes[arm.rules_key]
            if arm.pool_key not in pools:
                pool = self._pool(arm, block, exclude, memo)
                wanted = np.diff(block.truth.indptr)
                found = kernels.hits(pool.ids, block.truth).sum(axis=1) / np.where(wanted > 0, wanted, np.nan)
                pools[arm.pool_key] = pool, found, _heard(pool)
            pool, found, heard = pools[arm.pool_key]
            answers.append(Answers(self._slate(arm, Pooled(block, exclude, pool)), found, heard))
            advance(len(block))
        return answers

    def _slate(self, arm: Arm, pooled: Pooled) -> Slate:
        queries, n = pooled.block.queries, pooled.block.n
        with self.clock.timing("rerank", arm.name):
            ranked = arm.pipeline.rank(queries, pooled.pool, n)
            return arm.pipeline.complete(queries, ranked, n, pooled.exclude)

    def _pool(self, arm: Arm, block: Question, exclude: Exclude, memo: Memo) -> Pool:
        """The pool of a block, from the store if one of the same generators and scorers is there."""
        if arm.plan.single:  # ranked as it is; its answers are stored, that is enough
            return self._make_pool(arm, block, exclude, memo)
        key = digest("pool 2", arm.pool_key, block.target, fingerprint(block.queries, exclude))
        state = self.store.find(key)
        if state is not None:
            return Pool.restore(block.target, state)
        pool = self._make_pool(arm, block, exclude, memo)
        self.store.put(key, pool.state(), {"pool of": arm.name})
        return pool

    def _make_pool(self, arm: Arm, block: Question, exclude: Exclude, memo: Memo) -> Pool:
        with self.clock.timing("generate", arm.name):
            pool = arm.pipeline.generate(block.queries, block.target, exclude, memo)
        with self.clock.timing("score", arm.name):
            return arm.pipeline.score(block.queries, pool)


def _heard(pool: Pool) -> Counter[str]:
    """For each column, how many queries it has an opinion on any candidate of."""
    return Counter({label: int((~np.isnan(own)).any(axis=1).sum()) for label, own in pool.columns.items()})


def blocks(queries: QueryBatch, workers: int, memory: int) -> list[slice]:
    """Rows of the queries in blocks of which `workers` at once fit into a quarter of the memory budget."""
    width = max(queries.history.width, queries.tags.shape[1], 1)
    rows = int(np.clip(memory // (4 * workers * width * BYTES_PER_SCORE), *BLOCK_ROWS))
    return [slice(start, start + rows) for start in range(0, max(len(queries), 1), rows)]
