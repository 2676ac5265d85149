"""Batches of queries through pipelines: what is cached, in what blocks, and what a worker is handed."""

import pickle
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.inference.batch_runner import BatchRunner, EvalQueries, QueryBlock
from hybridrec.inference.pipelines import GeneratorLayout, PipelineLayout, assemble
from hybridrec.inference.threads import ThreadPool
from hybridrec.stages.pipeline import Filters, Pipeline
from hybridrec.testing import toy_dataset
from tests.toyland.toyland import Proposer

DATA = toy_dataset()


class Memory(dict):
    """A cache."""

    def find(self, key):
        return self.get(key)

    def put(self, key, state, about=None):
        self[key] = state


@dataclass
class Alone:
    """A pipeline of one generator."""

    name: str
    pool_key: str
    order_key: str = "order"
    filters_key: str = "filters"
    single: bool = False
    asked: int = 0
    filters: Filters = field(default_factory=Filters)

    def draws(self, target) -> bool:
        return False

    @property
    def pipeline(self) -> Pipeline:
        self.asked += 1
        layout = PipelineLayout(self.name, (GeneratorLayout("first", 10),))
        return assemble(layout, {"first": Proposer().fit(DATA, None)}, {}, self.filters)


@pytest.fixture
def batch(monkeypatch):
    """30 queries, in blocks of at most 8."""
    monkeypatch.setattr("hybridrec.inference.blocks.BLOCK_ROWS", (8, 8))
    return EvalQueries(DATA.queries(np.arange(30, dtype=np.int32)), "items", 5, csr_matrix((30, len(DATA.items))))


def runner(cache, workers=2):
    return BatchRunner(cache, ThreadPool(workers), 10**9)


def test_what_is_in_the_cache_needs_no_pipeline(batch):
    cache, progress = Memory(), []
    first, second = Alone("one", "pool"), Alone("one", "pool")
    before = runner(cache).results([first], batch)
    after = runner(cache).results([second], batch, progress.append)
    assert (first.asked > 0, second.asked, progress) == (True, 0, [30])
    np.testing.assert_array_equal(after["one"].slate.ids, before["one"].slate.ids)


def test_pools_are_shared_by_key_and_those_of_a_component_alone_are_not_kept(batch):
    cache = Memory()
    runner(cache).results([Alone("a", "pool", "x"), Alone("b", "pool", "y"), Alone("c", "other", single=True)], batch)
    blocks = 4
    assert len(cache) == 3 + blocks


def test_progress_counts_every_query_once_for_each_pipeline(batch):
    progress = []
    runner(Memory()).results([Alone("a", "pool"), Alone("b", "other")], batch, progress.append)
    assert progress == [0, 16, 16, 16, 12]


def test_seconds_are_added_up_where_the_work_was_handed_out(batch):
    runs = runner(Memory())
    runs.results([Alone("a", "pool")], batch)
    assert {key for key, seconds in runs.clock.seconds.items() if seconds > 0} == {
        ("generate", "a"),
        ("score", "a"),
        ("rerank", "a"),
    }


def test_a_block_takes_its_own_rows_along_and_no_others(batch):
    """A worker elsewhere gets what it needs: an eighth of the queries in an eighth of the bytes."""
    block = QueryBlock(batch, slice(8, 12))
    there = pickle.loads(pickle.dumps(block))
    np.testing.assert_array_equal(there.take().queries.users, np.arange(8, 12))
    assert len(there) == len(block) == 4
    assert len(pickle.dumps(block)) < len(pickle.dumps(batch))


def test_stages_one_by_one_give_what_they_give_at_once(batch):
    runs, alone = runner(Memory()), Alone("a", "pool")
    whole = runs.results([alone], batch)["a"].slate
    slate = runs.slate(alone, runs.candidates(alone, batch))
    np.testing.assert_array_equal(slate.ids, whole.ids)
    assert len(runs.pool(alone, batch).ids) == 30
