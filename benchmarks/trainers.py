"""The ALS of Spark beside ours, on the same training part: seconds, and the quality of what both have learned."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

import hybridrec
from benchmarks import peers, synthetic
from benchmarks.processes import marked_environment
from benchmarks.synthetic import Size
from benchmarks.timing import CORES, ROOT, Way, Work
from hybridrec_implicit.als import ALS

SIZE, QUICK = Size(20_000, 5_000, 500_000), Size(2_000, 1_000, 60_000)
FACTORS, ROUNDS, ALPHA = 32, 10, 3.0
REGULARIZATION = 0.5
"""Spark multiplies it by the number of items of a user; for ours its own default is taken."""
METRIC = "ndcg@20"


def trainers(quick: bool) -> list[Work]:
    """Fit `als` and the ALS of Spark on all cores, the start of both apart, and rank by what they have learned."""
    pairs = synthetic.write(QUICK if quick else SIZE, peers.cache_folder() / "data") / "pairs.parquet"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        train = pl.read_parquet(pairs).filter(pl.col("fold") < 0).select("user", "item")
        train.write_parquet(place / "train.parquet")
        ways = {"als": _ours(train)}
        if (spark := peers.spark()) is not None:
            ways["Spark's ALS"] = _spark(place, spark)
        work = Work(f"ALS of {len(train):,} interactions, {FACTORS} dimensions", "round", ROUNDS, ways, "CPU")
        if spark is not None:
            work.ratio("Spark's ALS", "als")
        for name, mean in _quality(pairs, place, with_spark=spark is not None).items():
            work.note(f"{METRIC} of {name}", mean)
    return [work]


def _ours(train: pl.DataFrame) -> Way:
    """Return the seconds of our fit."""
    data = hybridrec.assemble(hybridrec.Tables(train))
    model = ALS(ALS.Config(factors=FACTORS, iterations=ROUNDS, alpha=ALPHA, fields=("items",)))
    model.threads = CORES
    with threadpool_limits(limits=1):
        wall, cpu = time.perf_counter(), time.process_time()
        model.fit(data, np.random.default_rng(0))
        return Way([time.perf_counter() - wall], [time.process_time() - cpu])


def _spark(place: Path, env: dict[str, str]) -> Way:
    """Return the seconds of Spark's fit, CPU of all its processes; it writes the vectors of the items."""
    script = str(ROOT / "benchmarks" / "ways" / "with_spark_als.py")
    words = [sys.executable, script, *map(str, (CORES, FACTORS, ROUNDS, ALPHA, REGULARIZATION))]
    done = subprocess.run(words, cwd=place, env=marked_environment(env), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    told = json.loads(done.stdout.splitlines()[-1])
    return Way([told["wall"]], [told["cpu"]])


def _quality(pairs: Path, place: Path, *, with_spark: bool) -> dict[str, float]:
    """Return the mean of the metric for each component, users folded in from the training part by each."""
    components: dict[str, dict[str, Any]] = {
        "popularity": {},
        "als": {"fields": ["items"], "factors": FACTORS, "iterations": ROUNDS, "alpha": ALPHA},
    }
    if with_spark:
        components["spark"] = {
            "use": "vectors",
            "items": {"path": str(place / "items"), "vector": "features"},
            "alpha": ALPHA,
            "regularization": REGULARIZATION,
        }
    config = {
        "name": "trainers",
        "data": {
            "reader": "table",
            "interactions": {"path": str(pairs), "user": "user", "item": "item", "group": "fold"},
        },
        "split": {"use": "folds"},
        "components": components,
        "targets": {"items": 20},
        "pipelines": {name: {"generators": [{"from": name, "k": 20}], "fallback": []} for name in components},
        "compare": {"control": "popularity", "metrics": [METRIC], "resamples": 100},
    }
    report = hybridrec.run(config, store=place / "store", runs=place / "runs").report
    return {name: arm.segments["all"].metrics[METRIC].mean or 0.0 for name, arm in report.pipelines.items()}
