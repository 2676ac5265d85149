"""The latency of pipelines, measured so that they can be compared: all answer the same blocks of queries in turn."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from hybridrec.engine.pipelines import FittedPipeline
from hybridrec.inference.batch_runner import EvalQueries
from hybridrec.types import Doubles

BLOCKS = 12
"""Number of blocks of queries that are timed in each fold."""
BLOCK_QUERIES = 64
"""Number of queries in a block."""
TIMES = 3
"""Number of runs of each block; the fastest counts, since delays by other processes do not matter."""


def seconds_per_query(
    arms: Sequence[FittedPipeline], question: EvalQueries, rng: np.random.Generator
) -> dict[str, Doubles]:
    """Measure the seconds per query that each pipeline takes through all stages, in each of B blocks of queries.

    Returns a float64 [B] for each pipeline, by name.

    The blocks are drawn at random and answered in one thread; unlike in a run, no result comes from the store or from
    another arm. All arms answer a block, in a new random order, before the next block, so that a busy machine affects
    all arms equally. A first block is a warm-up and is not measured.
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
