"""Cost of recommending: `with_growth.py FOLDER QUERIES CANDIDATES ARMS` prints CPU seconds and peak memory.

And the CPU seconds that each weighted sum takes in numpy, with `argpartition` for its best 20, on the same candidates.
"""

import json
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import job
import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from hybridrec.config.load import load_experiment
from hybridrec.engine.executor import ThreadExecutor
from hybridrec.engine.runner import ExperimentRunner, NullProgress, read
from hybridrec.engine.store import NullStore, Store
from hybridrec.engine.train import full_fold
from hybridrec.inference.batch_runner import BatchRunner, EvalQueries
from hybridrec.registry.discovery import Registry

folder, (queries, candidates, arms) = Path(sys.argv[1]), map(int, sys.argv[2:])
generators = [{"from": "als", "k": candidates}, {"from": "bpr", "k": candidates}]
blends = [{"als": 1, "bpr": (arm + 1) / arms} for arm in range(arms)]
config = {
    "name": "growth",
    "data": {
        "reader": "table",
        "interactions": {"path": str(folder / "pairs.parquet"), "user": "user", "item": "item"},
    },
    "split": {"use": "random"},
    "components": {"als": {"iterations": 1, "fields": ["items"]}, "bpr": {"iterations": 1, "fields": ["items"]}},
    "targets": {"items": 20},
    "pipelines": {
        f"blend-{number}": {
            "generators": generators,
            "scorers": ["als", "bpr"],
            "rerank": [{"use": "weighted", "weights": weights}],
            "fallback": [],
        }
        for number, weights in enumerate(blends)
    },
}
with tempfile.TemporaryDirectory() as scratch, threadpool_limits(limits=1):
    file = Path(scratch) / "growth.yaml"
    file.write_text(json.dumps(config))
    registry = Registry()
    experimenter = ExperimentRunner(load_experiment(file, registry), registry, Store(folder / "store"), NullProgress())
    data = read(experimenter.experiment)
    (trained_fold,) = experimenter.prepare(full_fold(data), experimenter.trainers)
    asked = data.queries(np.arange(queries, dtype=np.int32) % len(data.users))
    question = EvalQueries(asked, "items", 20, csr_matrix((queries, len(data.items)), dtype=np.float32))
    cpu = []
    for _ in range(2):
        with tempfile.TemporaryDirectory(dir=scratch) as asked_before:  # empty: each round computes its answers
            runner = BatchRunner(Store(Path(asked_before)), ThreadExecutor(1), 8_000_000_000)
            used = time.process_time()
            runner.results(trained_fold.arms, question)
            cpu.append(time.process_time() - used)
    peak = job.peak_bytes()
    blocks = BatchRunner(NullStore(), ThreadExecutor(1), 8_000_000_000).candidates(trained_fold.arms[0], question)
    columns = [[np.nan_to_num(scores, nan=-np.inf) for scores in block.pool.columns.values()] for block in blocks]
    plain = []
    for _ in range(2):
        used = time.process_time()
        for weights, (als, bpr) in product(blends, columns):
            np.argpartition(weights["als"] * als + weights["bpr"] * bpr, -20, axis=1)[:, -20:]
        plain.append(time.process_time() - used)
    print(json.dumps({"cpu": min(cpu), "plain": min(plain), "peak": peak}))
