"""Blocks of queries: they cover every query once, and their size changes no result."""

import numpy as np
import pytest

import hybridrec
from hybridrec.inference.blocks import BLOCK_ROWS, BYTES_PER_SCORE, blocks
from hybridrec.testing import toy_dataset


def test_blocks_and_threads_change_nothing(experiment, monkeypatch):
    whole = hybridrec.run(experiment()).report
    monkeypatch.setattr("hybridrec.inference.blocks.BLOCK_ROWS", (4, 4))
    parts = hybridrec.run(experiment(("workers: 2", "workers: 3")), store="another").report
    assert parts.pipelines == whole.pipelines
    assert parts.comparison == whole.comparison


@pytest.mark.parametrize("memory", [1, 10**6, 10**12])
@pytest.mark.parametrize("workers", [1, 7])
def test_every_query_is_in_one_block_and_the_blocks_at_work_keep_the_budget(workers, memory):
    data = toy_dataset(users=3000, items=400)
    queries = data.queries(np.arange(3000, dtype=np.int32))
    slices = blocks(queries, workers, memory)
    covered = np.concatenate([np.arange(3000)[rows] for rows in slices])
    assert covered.tolist() == list(range(3000))
    smallest, largest = BLOCK_ROWS
    rows = slices[0].stop
    assert smallest <= rows <= largest
    assert rows == smallest or 4 * workers * rows * 400 * BYTES_PER_SCORE <= memory


def test_without_queries_there_is_one_empty_block():
    assert len(blocks(toy_dataset().queries(np.empty(0, np.int32)), 2, 10**9)) == 1
