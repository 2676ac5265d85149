"""The latency of pipelines: the fastest turn of each block, asked of all pipelines alike."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.engine import latency
from hybridrec.engine.latency import BLOCK_QUERIES, BLOCKS, TIMES, seconds_per_query
from hybridrec.inference.batch_runner import EvalQueries
from hybridrec.stages.pipeline import Filters
from hybridrec.testing import toy_dataset

DATA = toy_dataset(users=100)


@pytest.fixture
def arm(monkeypatch):
    """Makes pipelines whose slates take as long as told: one duration after the other, and again from the first."""
    now = [0.0]
    monkeypatch.setattr(latency.time, "perf_counter", lambda: now[0])

    def make(name, durations):
        asked = []

        def slate(queries, target, n, exclude):
            now[0] += durations[len(asked) % len(durations)]
            asked.append(queries)

        return SimpleNamespace(name=name, filters=Filters(), pipeline=SimpleNamespace(slate=slate), asked=asked)

    return make


def question(queries):
    rows = np.arange(queries, dtype=np.int32)
    return EvalQueries(DATA.queries(rows), "items", 5, csr_matrix((queries, len(DATA.items))))


def test_the_fastest_of_the_turns_counts_by_query(arm):
    steady, hindered = arm("steady", [6.4]), arm("hindered", [640.0, 12.8, 64.0])
    measured = seconds_per_query([steady, hindered], question(100), np.random.default_rng(0))
    assert measured["steady"] == pytest.approx(np.full(BLOCKS, 0.1))
    assert measured["hindered"] == pytest.approx(np.full(BLOCKS, 0.2))


def test_all_answer_the_same_blocks_in_turn_and_the_first_is_a_warm_up(arm):
    arms = [arm(name, [64.0] * TIMES + [6.4] * TIMES * BLOCKS) for name in "ab"]
    for seconds in seconds_per_query(arms, question(100), np.random.default_rng(0)).values():
        assert seconds == pytest.approx(np.full(BLOCKS, 0.1))
    for pipeline in arms:
        assert [len(queries) for queries in pipeline.asked] == [BLOCK_QUERIES] * TIMES * (BLOCKS + 1)
    for first, second in zip(*(pipeline.asked for pipeline in arms), strict=True):
        assert first.users.tolist() == second.users.tolist()


def test_few_queries_are_one_block_each_time(arm):
    lone = arm("lone", [3.0])
    assert seconds_per_query([lone], question(3), np.random.default_rng(0))["lone"] == pytest.approx(np.ones(BLOCKS))
