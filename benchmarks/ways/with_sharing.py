"""Memory of processes that recommend from one run: `with_sharing.py FOLDER PROCESSES RUNS` prints its sum."""

import json
import multiprocessing
import sys
import time
from pathlib import Path

import hybridrec

CONFIG = {
    "name": "sharing",
    "split": {"use": "random", "test": 0.001},
    "components": {"als": {"factors": 64, "iterations": 1, "fields": ["items"]}},
    "targets": {"items": 20},
    "pipelines": {"als": {"generators": [{"from": "als", "k": 20}], "fallback": []}},
    "compare": {"control": "als", "metrics": ["ndcg@20"], "resamples": 100},
    "refit": "all",
}


def memory():
    """Return the bytes of this process in mapped files and in memory of its own.

    Pages that several processes share are divided among them.
    """
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    sizes = {name: int(size.split()[0]) * 1024 for name, _, size in (line.partition(":") for line in lines)}
    return {"files": sizes["Pss_File"], "own": sizes["Pss_Anon"] + sizes["Pss_Shmem"]}


def serve(run, user, ready, told):
    """Load the run, recommend, wait until all processes have done so, and put measurements into the queue `told`."""
    started, used = time.perf_counter(), time.process_time()
    recommender = hybridrec.load(run)
    for _ in range(20):
        recommender.recommend(hybridrec.Query(user=user))
    spent = time.perf_counter() - started, time.process_time() - used
    ready.wait()
    held = memory()
    ready.wait()
    factors = recommender.components["als"].vectors("items").nbytes
    told.put({"memory": held, "seconds": spent[0], "cpu": spent[1], "factors": factors})


def main():
    """Make a run (fits come from the store if they exist), start the processes, and print the sum of their memory."""
    folder, processes, scratch = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    store = folder / "store"
    pairs = {"path": str(folder / "pairs.parquet"), "user": "user", "item": "item"}
    file = folder / "sharing.yaml"
    file.write_text(json.dumps(CONFIG | {"data": {"reader": "table", "interactions": pairs}}))
    run = hybridrec.run(file, store=store, runs=scratch).folder
    user = hybridrec.load(run).data.users.vocabulary.ids[0]
    context = multiprocessing.get_context("spawn")
    ready, told = context.Barrier(processes), context.Queue()
    workers = [context.Process(target=serve, args=(run, user, ready, told)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    answers = [told.get() for _ in workers]
    for worker in workers:
        worker.join()
    memory_of_all = {kind: sum(answer["memory"][kind] for answer in answers) for kind in ("files", "own")}
    spent = {kind: sum(answer[kind] for answer in answers) / processes for kind in ("seconds", "cpu")}
    print(json.dumps({"memory": memory_of_all, "factors": answers[0]["factors"], **spent}))


if __name__ == "__main__":
    main()
