"""The latency of pipelines, measured for comparison: the same blocks in turn, nothing shared."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from hybridrec.engine.pipelines import FittedPipeline
from hybridrec.inference.batch_runner import EvalQueries
from hybridrec.types import Doubles

BLOCKS = 12
"""Blocks of queries asked in each fold."""
BLOCK_QUERIES = 64
TIMES = 3
"""Runs of each block; the fastest counts, since delays by other processes say nothing about the pipeline."""


def seconds_per_query(
    arms: Sequence[FittedPipeline], question: EvalQueries, rng: np.random.Generator
) -> dict[str, Doubles]:
    """Measure pipelines: name -> float64[B], seconds per query of B random blocks of queries, through all stages.

    One thread; unlike in a run, nothing is taken from the store or from another arm. All arms
    answer a block before the next one, in a new random order, so that a busy machine affects all of them equally;
    a first block is a warm-up and is not measured.
    """
    size = min(BLOCK_QUERIES, len(question))
    drawn = [np.sort(rng.choice(len(question), size, replace=False)) for _ in range(BLOCKS + 1)]
    seconds = {arm.name: np.full(len(drawn), np.inf) for arm in arms}
    for place, rows in enumerate(drawn):
        queries = question.queries.take(rows)
        for turn in np.concatenate([rng.permutation(len(arms)) for _ in range(TIMES)]):
            arm = arms[turn]
            started = time.perf_counter()
            exclude = arm.filters.exclude(queries, question.target, question.candidate_items)
            arm.pipeline.slate(queries, question.target, question.n, exclude)
            taken = (time.perf_counter() - started) / size
            seconds[arm.name][place] = min(seconds[arm.name][place], taken)
    return {name: measured[1:] for name, measured in seconds.items()}
