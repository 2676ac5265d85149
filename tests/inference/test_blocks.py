"""Blocks of queries: they cover every query once, and their size changes no result."""

import hybridrec


def test_blocks_and_threads_change_nothing(experiment, monkeypatch):
    whole = hybridrec.run(experiment()).report
    monkeypatch.setattr("hybridrec.inference.blocks.BLOCK_ROWS", (4, 4))
    parts = hybridrec.run(experiment(("workers: 2", "workers: 3")), store="another").report
    assert parts.pipelines == whole.pipelines
    assert parts.comparison == whole.comparison
