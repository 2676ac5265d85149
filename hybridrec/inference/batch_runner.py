"""The batch runner, which sends batches of queries through pipelines, in blocks on all workers, and caches results."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np

from hybridrec.data.fingerprint import fingerprint
from hybridrec.data.queries import QueryBatch
from hybridrec.inference.blocks import blocks
from hybridrec.inference.threads import one_thread_per_library
from hybridrec.stages import kernels
from hybridrec.stages.candidates import Exclude
from hybridrec.stages.pipeline import Filters, Memo, Pipeline
from hybridrec.stages.pool import PROPENSITY, Pool
from hybridrec.stages.slate import Slate
from hybridrec.types import Bools, Doubles, Sparse, State, Target

Advance = Callable[[int], None]
R = TypeVar("R")
T = TypeVar("T")


class Cache(Protocol):
    """A store that keeps pools and results from run to run, under digests of everything that decides them."""

    def find(self, key: str) -> State | None:
        """Return the arrays stored under a key; None if nothing is stored under it."""
        ...

    def put(self, key: str, state: State, about: dict[str, Any] | None = None) -> None:
        """Store arrays under a key; `about` is metadata for people who inspect the store."""
        ...


class BlockMapper(Protocol):
    """A pool of workers for blocks of queries."""

    @property
    def workers(self) -> int:
        """The number of blocks that are processed at the same time."""
        ...

    def map(self, work: Callable[[T], R], blocks: Sequence[T]) -> Iterator[R]:
        """Yield `work(block)` for each block, in the order of the blocks."""
        ...


class KeyedPipeline(Protocol):
    """A pipeline with digests (keys) of everything that decides its output.

    filters_key: digest of the filters
    pool_key: digest of the generators, scorers and filters
    order_key: digest of the re-rankers and the fallback
    """

    filters: Filters
    filters_key: str
    pool_key: str
    order_key: str

    @property
    def name(self) -> str:
        """The name of the pipeline."""
        ...

    @property
    def single(self) -> bool:
        """True if the pipeline is a component alone, without re-rankers; then its pool is not cached."""
        ...

    def draws(self, target: Target) -> bool:
        """Return True if the pipeline draws the slates for this target at random."""
        ...

    @property
    def pipeline(self) -> Pipeline:
        """The assembled stages, ready for queries; used only if the cache does not have the results."""
        ...


@dataclass(slots=True)
class Clock:
    """A clock that adds up the seconds that all workers spend in each stage of each pipeline."""

    seconds: Counter[tuple[str, str]] = field(default_factory=Counter)

    @contextmanager
    def timing(self, stage: str, pipeline: str) -> Iterator[None]:
        """Add the duration of the `with` block to a stage of a pipeline."""
        started = time.perf_counter()
        yield
        self.seconds[stage, pipeline] += time.perf_counter() - started  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class EvalQueries:
    """A batch of Q queries with their truth, for one target and slates of n places.

    truth: csr [Q, N], the relevant ids of each query
    candidate_items: bool [N], the ids that may be recommended; None for all
    """

    queries: QueryBatch
    target: Target
    n: int
    truth: Sparse
    candidate_items: Bools | None = None

    def __len__(self) -> int:
        return len(self.queries)

    def take(self, rows: slice) -> EvalQueries:
        """Return a batch of the queries in these rows."""
        return EvalQueries(self.queries.take(rows), self.target, self.n, self.truth[rows], self.candidate_items)


class QueryBlock:
    """A block of queries: some rows of a batch.

    The rows are copied out of the batch only by the worker, or when the block is pickled; the pickle does not contain
    the other rows.
    """

    def __init__(self, batch: EvalQueries, rows: slice) -> None:
        self.batch = batch
        self.rows = rows

    def __reduce__(self) -> tuple[object, ...]:
        return QueryBlock, (self.take(), slice(0, len(self)))

    def __len__(self) -> int:
        return len(range(*self.rows.indices(len(self.batch))))

    def take(self) -> EvalQueries:
        """Return the rows of the block as a batch of their own, for which dense models may keep their scores."""
        block = self.batch.take(self.rows)
        block.queries.keep_scores()
        return block


@dataclass(frozen=True, slots=True)
class BatchResults:
    """The results of a pipeline for Q queries.

    slate: the final ranking
    candidate_recall: float64 [Q], the share of the relevant ids that are in the pool, an upper bound for re-ranking;
        NaN for queries without relevant ids
    n_scored: column of the pool -> number of queries for which it has a score of at least one candidate
    """

    slate: Slate
    candidate_recall: Doubles
    n_scored: Counter[str]

    def state(self) -> State:
        """Return the results as named arrays, from which `restore` makes them again."""
        n_scored = {
            "n_scored": np.array(list(self.n_scored.values()), np.int64),
            "columns": np.array(list(self.n_scored), np.str_),
        }
        return {"candidate_recall": self.candidate_recall, **n_scored, **self.slate.state()}

    @classmethod
    def restore(cls, target: Target, state: State) -> BatchResults:
        """Make the results for a target again from the named arrays that `state` returned."""
        n_scored = dict(zip(state["columns"].tolist(), state["n_scored"].tolist(), strict=True))
        return cls(Slate.restore(target, state), state["candidate_recall"], Counter(n_scored))

    @classmethod
    def stack(cls, results: Sequence[BatchResults]) -> BatchResults:
        """Concatenate the results of several batches, in their order."""
        n_scored: Counter[str] = Counter()
        for block in results:
            n_scored.update(block.n_scored)  # adding two counters would drop columns with no score
        return cls(
            Slate.stack([b.slate for b in results]), np.concatenate([b.candidate_recall for b in results]), n_scored
        )


@dataclass(frozen=True, slots=True)
class CandidateBlock:
    """A block of queries with their pool, before it is re-ranked; `exclude` has the ids that the filters exclude."""

    block: EvalQueries
    exclude: Exclude
    pool: Pool


@dataclass(frozen=True, slots=True)
class BatchRunner:
    """A runner that sends batches of queries through pipelines, in blocks on the workers of `mapper`.

    cache: keeps pools and results from run to run
    memory: the budget in bytes; the blocks that are processed at the same time take at most a quarter of it
    clock: adds up the seconds of all stages
    """

    cache: Cache
    mapper: BlockMapper
    memory: int
    clock: Clock = field(default_factory=Clock)

    def results(
        self, pipelines: Sequence[KeyedPipeline], batch: EvalQueries, advance: Advance = lambda _: None
    ) -> dict[str, BatchResults]:
        """Return the results of each pipeline for a batch of queries, by the pipeline's name.

        Pipelines that ask a generator for the same candidates share them. If a pipeline draws its slates at random,
        `Slate.extras` also has a column `propensity.NAME` for each other pipeline, with the propensities that the
        pipeline NAME gives these slates. `advance` is called whenever queries are finished, with their number times the
        number of pipelines.
        """
        asked = fingerprint(batch)
        names = {each.name: fingerprint("results 2", each.pool_key, each.order_key, asked) for each in pipelines}
        others = fingerprint(*(text for name, key in names.items() for text in (name, key)))
        keys = {
            each.name: fingerprint(names[each.name], others) if each.draws(batch.target) else names[each.name]
            for each in pipelines
        }
        stored = {name: self.cache.find(key) for name, key in keys.items()}
        missing = [each for each in pipelines if stored[each.name] is None]
        results = {
            name: BatchResults.restore(batch.target, state) for name, state in stored.items() if state is not None
        }
        advance(len(batch) * len(results))
        if missing:
            by_block = []
            for block, made in self._map(partial(_results, missing, pipelines, self.cache), self._blocks(batch)):
                by_block.append(made)
                advance(len(block) * len(missing))
            for name in reversed([each.name for each in missing]):
                results[name] = BatchResults.stack([made.pop() for made in by_block])  # none is there twice for long
                self.cache.put(keys[name], results[name].state(), {"results of": name})
        return {each.name: results[each.name] for each in pipelines}

    def pool(self, pipeline: KeyedPipeline, batch: EvalQueries) -> Pool:
        """Return the pool of a pipeline for all queries of a batch; re-rankers learn on it."""
        return Pool.stack([candidates.pool for candidates in self.candidates(pipeline, batch)])

    def candidates(self, pipeline: KeyedPipeline, batch: EvalQueries) -> list[CandidateBlock]:
        """Run the first two stages: candidates and their scores, in blocks of the queries."""
        return [made for _, made in self._map(partial(_candidates, pipeline, self.cache), self._blocks(batch))]

    def slate(self, pipeline: KeyedPipeline, candidates: Sequence[CandidateBlock]) -> Slate:
        """Run only the last stage: re-rank the pools of all blocks by this pipeline, and return the slates."""
        return Slate.stack([made for _, made in self._map(partial(_slate, pipeline), candidates)])

    def _blocks(self, batch: EvalQueries) -> list[QueryBlock]:
        rows = blocks(batch.queries, self.mapper.workers, self.memory)
        return [QueryBlock(batch, some) for some in rows]

    def _map(self, work: Callable[[T, Clock], R], blocks: Sequence[T]) -> Iterator[tuple[T, R]]:
        """Yield (block, result of `work` on it) for each block, and add the seconds of its stages to the clock."""
        for block, (made, clock) in zip(blocks, self.mapper.map(partial(_timed, work), blocks), strict=True):
            self.clock.seconds.update(clock.seconds)
            yield block, made


def _timed(work: Callable[[T, Clock], R], block: T) -> tuple[R, Clock]:
    """Return (result of `work` on a block, clock with the seconds of its stages); called on a worker."""
    clock = Clock()
    with one_thread_per_library():
        return work(block, clock), clock


def _results(
    pipelines: Sequence[KeyedPipeline], arms: Sequence[KeyedPipeline], cache: Cache, queries: QueryBlock, clock: Clock
) -> list[BatchResults]:
    """Compute the results of each of `pipelines` for a block of queries.

    `arms` are all pipelines of the experiment; slates that a pipeline draws at random also carry the propensities that
    each other arm gives them.
    """
    block = queries.take()
    memo: Memo = {}
    excludes: dict[str, Exclude] = {}
    pools: dict[str, tuple[Pool, Doubles, Counter[str]]] = {}
    slates: dict[str, Slate] = {}

    def slate_of(each: KeyedPipeline) -> Slate:
        if each.name not in slates:
            if each.filters_key not in excludes:
                excludes[each.filters_key] = each.filters.exclude(block.queries, block.target, block.candidate_items)
            exclude = excludes[each.filters_key]
            if each.pool_key not in pools:
                pool = _pool(each, cache, block, exclude, memo, clock)
                wanted = np.diff(block.truth.indptr)
                recall = kernels.hits(pool.ids, block.truth).sum(axis=1) / np.where(wanted > 0, wanted, np.nan)
                pools[each.pool_key] = pool, recall, _count_scored(pool)
            slates[each.name] = _slate(each, CandidateBlock(block, exclude, pools[each.pool_key][0]), clock)
        return slates[each.name]

    results = []
    for each in pipelines:
        slate = slate_of(each)
        if each.draws(block.target):
            extras = dict(slate.extras)
            for arm in arms:
                if arm.name != each.name:
                    own = slate_of(arm)
                    pool = pools[arm.pool_key][0]
                    given = arm.pipeline.propensities(block.queries, pool, own, slate.ids)
                    extras[f"{PROPENSITY}.{arm.name}"] = given
            slate = replace(slate, extras=extras)
        _, candidate_recall, n_scored = pools[each.pool_key]
        results.append(BatchResults(slate, candidate_recall, n_scored))
    return results


def _candidates(pipeline: KeyedPipeline, cache: Cache, queries: QueryBlock, clock: Clock) -> CandidateBlock:
    block = queries.take()
    exclude = pipeline.filters.exclude(block.queries, block.target, block.candidate_items)
    return CandidateBlock(block, exclude, _pool(pipeline, cache, block, exclude, {}, clock))


def _slate(pipeline: KeyedPipeline, candidates: CandidateBlock, clock: Clock) -> Slate:
    queries, n = candidates.block.queries, candidates.block.n
    with clock.timing("rerank", pipeline.name):
        ranked = pipeline.pipeline.rank(queries, candidates.pool, n)
        return pipeline.pipeline.complete(queries, ranked, n, candidates.exclude)


def _pool(
    pipeline: KeyedPipeline, cache: Cache, block: EvalQueries, exclude: Exclude, memo: Memo, clock: Clock
) -> Pool:
    """Return the pool of a block, from the cache if it has the pool of the same generators, scorers and filters."""
    if pipeline.single:  # its results are kept, that is enough
        return _make_pool(pipeline, block, exclude, memo, clock)
    key = fingerprint("pool 2", pipeline.pool_key, block.target, block.queries, exclude)
    state = cache.find(key)
    if state is not None:
        return Pool.restore(block.target, state)
    pool = _make_pool(pipeline, block, exclude, memo, clock)
    cache.put(key, pool.state(), {"pool of": pipeline.name})
    return pool


def _make_pool(pipeline: KeyedPipeline, block: EvalQueries, exclude: Exclude, memo: Memo, clock: Clock) -> Pool:
    with clock.timing("generate", pipeline.name):
        pool = pipeline.pipeline.generate(block.queries, block.target, exclude, memo)
    with clock.timing("score", pipeline.name):
        return pipeline.pipeline.score(block.queries, pool)


def _count_scored(pool: Pool) -> Counter[str]:
    """Count for each column of a pool the queries for which the column has a score of at least one candidate."""
    return Counter({label: int((~np.isnan(own)).any(axis=1).sum()) for label, own in pool.columns.items()})
