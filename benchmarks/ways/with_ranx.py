"""Timing of ranx on the tasks of kernels: `with_ranx.py fusion|metrics TASK.npz REPEATS` prints times as JSON."""

import json
import sys
import time
from importlib.metadata import version

import numpy as np
from ranx import Qrels, Run, evaluate, fuse


def run_of(ids, scores):
    """Convert rows of ids and scores to a ranx run."""
    names = ids.astype(str)
    rows = zip(names.tolist(), scores.tolist(), strict=True)
    return Run({f"q{q:06}": dict(zip(items, values, strict=True)) for q, (items, values) in enumerate(rows)})


def fusion(task):
    """Fuse the lists of the task by reciprocal ranks, and return the fused run."""
    runs = [run_of(ids, scores) for ids, scores in zip(task["ids"], task["scores"], strict=True)]
    return fuse(runs=runs, norm=None, method="rrf", params={"k": 60})


def check_fusion(task, fused):
    """Check that the fused scores agree with those in the task within 1e-6."""
    for q in range(0, len(task["at"]), 37):
        theirs = fused.run[f"q{q:06}"]
        for item, score in zip(task["at"][q], task["fused"][q], strict=True):
            assert item < 0 or abs(theirs[str(item)] - score) < 1e-6


METRICS = ["ndcg@10", "map@10", "mrr@10", "recall@100"]


def metrics(task):
    """Compute four metrics of each query of the task: name -> values."""
    ids, ends = task["ids"], task["indptr"]
    names = np.split(task["indices"].astype(str), ends[1:-1])
    qrels = Qrels({f"q{q:06}": dict.fromkeys(relevant.tolist(), 1) for q, relevant in enumerate(names)})
    places = np.tile(np.arange(ids.shape[1], 0, -1, dtype=float), (len(ids), 1))
    return evaluate(qrels, run_of(ids, places), METRICS, return_mean=False)


def check_metrics(task, values):
    """Check that the values agree with those in the task within 1e-6.

    ranx divides average precision by all relevant ids, hybridrec by min(10, relevant).
    """
    relevant = np.diff(task["indptr"])
    for name in METRICS:
        theirs = values[name] * (relevant / np.minimum(relevant, 10) if name == "map@10" else 1)
        np.testing.assert_allclose(theirs, task[name.replace("@", "_")], atol=1e-6, err_msg=name)


if __name__ == "__main__":
    task = dict(np.load(sys.argv[2]))
    work, check = (fusion, check_fusion) if sys.argv[1] == "fusion" else (metrics, check_metrics)
    check(task, work(task))  # the first call also compiles
    wall, cpu = [], []
    for _ in range(int(sys.argv[3])):
        started, used = time.perf_counter(), time.process_time()
        work(task)
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    print(json.dumps({"wall": wall, "cpu": cpu, "version": version("ranx")}))
