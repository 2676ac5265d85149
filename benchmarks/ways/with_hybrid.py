"""Cost of a full hybrid, and of its matrix products alone: `with_hybrid.py FOLDER [fit]`; FOLDER has the store."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import job
import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from benchmarks.timing import in_blocks
from hybridrec.config.load import load_experiment
from hybridrec.engine.executor import ThreadExecutor
from hybridrec.engine.runner import ExperimentRunner, NullProgress, read
from hybridrec.engine.store import Store
from hybridrec.engine.train import full_fold
from hybridrec.inference.batch_runner import BatchRunner, EvalQueries
from hybridrec.registry.discovery import Registry

folder = Path(sys.argv[1])
VECTORS = ("als", "word2vec", "lightfm")
config = {
    "name": "hybrid",
    "data": {
        "reader": "table",
        "interactions": {"path": str(folder / "pairs.parquet"), "user": "user", "item": "item", "group": "fold"},
        "item_has": {"tags": {"path": str(folder / "items.parquet"), "item": "item", "id": "genre"}},
    },
    "split": {"use": "folds"},
    "components": {
        "als": {"iterations": 2},
        "word2vec": {"epochs": 1, "fields": ["items", "features"]},
        "lightfm": {"epochs": 1, "alone": False, "dim": 62, "user_fields": ["items"], "item_fields": ["item", "tags"]},
        "tags": {"use": "tag-fallback"},
    },
    "targets": {"items": 20},
    "pipelines": {
        "hybrid": {
            "generators": [
                {"from": "als", "k": 200},
                {"from": "word2vec", "k": 100},
                {"from": "lightfm", "k": 100},
                {"from": "tags", "k": 50},
            ],
            "scorers": ["als", "word2vec", "lightfm", "tags"],
            "rerank": [{"use": "weighted", "weights": {"als": 1, "word2vec": 0.5, "lightfm": 0.5}}, {"use": "mmr"}],
            "fallback": ["tag-fallback", "popularity"],
        }
    },
    "compare": {"metrics": ["ndcg@10"]},
    "memory": "4GB",
    "workers": job.THREADS,
}
with tempfile.TemporaryDirectory() as scratch, threadpool_limits(limits=1):
    file = Path(scratch) / "hybrid.yaml"
    file.write_text(json.dumps(config))
    store = Store(folder / "store")
    registry = Registry()
    experimenter = ExperimentRunner(load_experiment(file, registry), registry, store, NullProgress())
    if sys.argv[2:] != ["fit"]:  # in a separate process, because the memory of fits is not measured
        subprocess.run([sys.executable, "-W", "ignore", *sys.argv, "fit"], check=True, stdout=subprocess.DEVNULL)
    data = read(experimenter.experiment)
    (trained_fold,) = experimenter.prepare(full_fold(data), experimenter.trainers)
    if sys.argv[2:] == ["fit"]:
        sys.exit()
    queries = data.queries(np.arange(len(data.users), dtype=np.int32))
    nothing = csr_matrix((len(queries), len(data.items)), dtype=np.float32)
    fitted = {fit.spec.label: fit.component for fit in trained_fold.fits}
    products = [(fitted[name].query_vectors(queries, "items"), fitted[name].vectors("items")) for name in VECTORS]
    buffers = np.empty((job.THREADS * 2, 128, len(data.items)), np.float32)

    def bare(rows):
        """Compute the three matrix products for a block of queries, each into memory that is reused."""
        into = buffers[rows.start // 512 % len(buffers)]
        for start in range(rows.start, min(rows.stop, len(queries)), 128):
            for vectors, items in products:
                block = vectors[start : min(start + 128, rows.stop)]
                np.matmul(block, items.T, out=into[: len(block)])

    took = {}
    for name, work in {
        "three bare matrix products": in_blocks(bare, len(queries), 512),
        "hybridrec": lambda: BatchRunner(
            Store(Path(scratch) / "asked"), ThreadExecutor(job.THREADS), 4_000_000_000
        ).results(trained_fold.arms, EvalQueries(queries, "items", 20, nothing)),
    }.items():
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        took[name] = (time.perf_counter() - wall, time.process_time() - cpu)
    print(json.dumps({**took, "queries": len(queries), "peak": job.peak_bytes()}))
