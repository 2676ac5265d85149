"""Cost of a large catalogue: a million users, half a million items, fifty million pairs."""

from __future__ import annotations

import sys

from benchmarks import peers, synthetic
from benchmarks.synthetic import Size
from benchmarks.timing import Way, Work, run_way


def large(quick: bool) -> list[Work]:
    """Time reading of 50 million pairs, ALS with 32 factors, and the best 100 of 500,000 items for 100,000 users."""
    size = Size(20_000, 20_000, 500_000) if quick else Size(1_000_000, 500_000, 50_000_000)
    pairs = synthetic.write(size, peers.cache_folder() / "data") / "pairs.parquet"
    asked = 2_000 if quick else 100_000
    told = run_way(sys.executable, "with_large.py", pairs, asked)
    assert not told["short"], "some users got fewer than 100 items"
    ways = {phase: Way([wall], [cpu]) for phase, (wall, cpu) in told["phases"].items()}
    work = Work(f"{told['pairs']:,} pairs, {told['users']:,} users, {told['items']:,} items", "run", 1, ways)
    work.note("peak memory, GB", told["peak"] / 1e9, "≤ 16")
    work.note("users a second, top-100", asked / told["phases"]["recommend"][0])
    return [work]
