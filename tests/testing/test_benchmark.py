"""Timings of a plugin: what is asked while the clock runs, and in which process it is imported."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from hybridrec import Candidates, Reranker, Scorer
from hybridrec.testing import ComponentContract
from hybridrec.testing.benchmark import BLOCK, QUERIES, Constant, seconds_of_import, seconds_of_queries


class TestConstant(ComponentContract):
    component = Constant


class Counts(Constant):
    """Remembers how many queries it was asked, and for which shape of answer."""

    asked = []

    def candidates(self, queries, k, target, exclude):
        self.asked.append((len(queries), k))
        return Candidates.empty(len(queries), k)


class CountsIds(Scorer):
    """Remembers the shape of the ids that it was to score."""

    name = "counts-ids"
    asked = []

    def fit(self, data, rng):
        return self

    def score(self, queries, ids, target):
        self.asked.append(ids.shape)
        return np.zeros(ids.shape, np.float32)

    def state(self):
        return {}

    def restore(self, state):
        return self


class CountsPools(Reranker):
    """Remembers how many queries it was to rank."""

    name = "counts-pools"
    fuses = True
    asked = []

    def rerank(self, queries, pool, n):
        self.asked.append(len(queries))
        return pool.ranked(next(iter(pool.columns.values())))


def test_ten_thousand_queries_are_asked_in_blocks():
    Counts.asked.clear()
    CountsIds.asked.clear()
    assert seconds_of_queries(Counts) > 0
    assert Counts.asked == [(BLOCK, 10)] * (QUERIES // BLOCK)
    seconds_of_queries(CountsIds)
    assert CountsIds.asked == [(BLOCK, 40)] * (QUERIES // BLOCK)


def test_a_reranker_orders_pools_for_at_least_as_many():
    CountsPools.asked.clear()
    seconds_of_queries(CountsPools)
    assert QUERIES <= sum(CountsPools.asked) < QUERIES + CountsPools.asked[0]


def test_a_module_is_imported_with_its_offers_in_another_process(install_fakes):
    install_fakes("slow_import", "import_error")
    seconds_of_import.cache_clear()
    assert seconds_of_import("slow_import_plugin") >= 0.05  # it sleeps as long
    assert "slow_import_plugin" not in sys.modules
    with pytest.raises(subprocess.CalledProcessError) as failed:
        seconds_of_import("import_error_plugin")
    assert "half of me is missing" in failed.value.stderr
