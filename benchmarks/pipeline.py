"""Complete jobs compared with alternatives: ALS from a Parquet file and a full hybrid, and single recommendations."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import peers, synthetic
from benchmarks.synthetic import Size
from benchmarks.timing import Way, Work, run_way

WAYS = {"bare calls": "with_bare_calls.py", "hybridrec": "with_hybridrec.py"}
PEERS = {"RecTools": ("rectools", "with_rectools.py"), "LensKit": ("lenskit", "with_lenskit.py")}
AGREE = 0.01
"""Largest difference that is accepted between nDCG@10 of two ways, since their random starts differ."""


def als(quick: bool) -> list[Work]:
    """Time ALS from a Parquet file (read, fit, best 100 for all, metrics) against bare calls, RecTools and LensKit."""
    if quick:
        return [_als(Size(2_000, 1_000, 60_000), repeats=1, with_lenskit=True)]
    small = _als(Size(20_000, 10_000, 1_000_000), repeats=5, with_lenskit=True)
    small.ratio("hybridrec", "bare calls", "≤ 1.10")
    _ratio_if(small, "hybridrec", "RecTools", "≤ 0.6")
    _ratio_if(small, "hybridrec", "LensKit", "≤ 0.07")
    large = _als(Size(60_000, 60_000, 5_000_000), repeats=3, with_lenskit=False)
    large.ratio("hybridrec", "bare calls")
    if "RecTools" in large.ways:
        ours, theirs = (large.ways[way].facts for way in ("hybridrec", "RecTools"))
        after = ours["recommend and metrics, s"] / theirs["recommend and metrics, s"]
        large.note("recommend and metrics, hybridrec / RecTools", after, "≤ 0.4")
        large.note("peak memory, hybridrec / RecTools", ours["peak, MB"] / theirs["peak, MB"], "≤ 0.25")
    return [small, large]


def _als(size: Size, repeats: int, *, with_lenskit: bool) -> Work:
    pairs = synthetic.write(size, peers.cache_folder() / "data") / "pairs.parquet"
    scripts: dict[str, tuple[Path | str, str]] = {name: (sys.executable, script) for name, script in WAYS.items()}
    left_out = {}
    for name, (peer, script) in PEERS.items():
        try:
            if name != "LensKit" or with_lenskit:
                scripts[name] = (peers.python(peer), script)
        except peers.UnavailableError as reason:
            left_out[f"{name} left out"] = str(reason)
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in scripts}
    for _ in range(repeats):
        for name, (python, script) in scripts.items():
            told[name].append(run_way(python, script, pairs))
    ways = {name: _way(runs) for name, runs in told.items()}
    ways["hybridrec"].facts.update(left_out)
    for name in set(ways) - {"LensKit"}:  # LensKit weights and starts differently
        assert abs(ways[name].facts["nDCG@10"] - ways["bare calls"].facts["nDCG@10"]) < AGREE, name
    queries = told["bare calls"][0]["queries"]
    return Work(
        f"ALS, {size.users:,} users, {size.items:,} items, {size.pairs:,} pairs, {queries:,} asked", "job", 1, ways
    )


def _way(runs: list[dict[str, Any]]) -> Way:
    """Return the times of repeated runs of one way: the sum of their phases, except imports."""
    phases = [{name: took for name, took in told["phases"].items() if name != "import"} for told in runs]
    wall, cpu = ([sum(took[clock] for took in told.values()) for told in phases] for clock in (0, 1))
    after = [told["phases"].get("recommend", (0,))[0] + told["phases"].get("metrics", (0,))[0] for told in runs]
    for place, told in enumerate(runs):
        if stages := told.get("stages"):
            after[place] = told["asked"] + stages["evaluate"]
    facts = {
        "recommend and metrics, s": median(after),
        "peak, MB": median(told["peak"] for told in runs) / 1e6,
        "nDCG@10": runs[0]["ndcg"],
    }
    return Way(wall, cpu, facts)


def _ratio_if(work: Work, of: str, to: str, wanted: str) -> None:
    if to in work.ways:
        work.ratio(of, to, wanted)


def hybrid(quick: bool) -> list[Work]:
    """Time a blend of `als`, `word2vec`, `lightfm` and tags over 450 candidates, with MMR, against matrix products.

    There is a bare product for each of its three vector models.
    """
    size = Size(3_000, 2_000, 60_000) if quick else Size(100_000, 60_000, 3_000_000)
    data = synthetic.write(size, peers.cache_folder() / "data")
    told = [run_way(sys.executable, "with_hybrid.py", data) for _ in range(1 if quick else 3)]
    ways = {}
    for name in ("three bare matrix products", "hybridrec"):
        wall, cpu = ([result[name][clock] for result in told] for clock in (0, 1))
        ways[name] = Way(wall, cpu)
    ways["hybridrec"].facts["peak, GB"] = max(result["peak"] for result in told) / 1e9
    work = Work(f"full hybrid, {told[0]['queries']:,} queries, {size.items:,} items", "query", told[0]["queries"], ways)
    work.ratio("three bare matrix products", "hybridrec", "≥ 0.25")
    work.note("peak memory of the asking process, GB", ways["hybridrec"].facts["peak, GB"], "≤ 4")
    return [work]
