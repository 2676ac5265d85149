"""Fits by threads and by a cluster of two nodes of Ray on this machine: `with_ray_jobs.py SECONDS JOBS MB`, as JSON."""

import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import numpy as np
from ray.cluster_utils import Cluster

from benchmarks.processes import cpu_of_marked
from benchmarks.ways.ray_components import multiply
from hybridrec import Ragged, Registry, Store, ThreadExecutor
from hybridrec.config.experiment import ComponentSpec
from hybridrec.engine.fitter import Fitter, TrainingPart
from hybridrec.testing import toy_dataset
from hybridrec_ray.executor import RayExecutor

COMPONENTS = Path(__file__).with_name("ray_components.py")


def fitted(executor, name, data, place, jobs, **options):
    """Fit `jobs` variants of a component; returns the seconds that it took, and what the fits told."""
    registry = Registry(plugins=[COMPONENTS])
    cls = registry.get("components", name)
    training_part = TrainingPart("test", "full", data, data.fingerprint)
    specs = [
        ComponentSpec.of(f"c{number}", "", cls, cls.Config(number=number, **options), registry)
        for number in range(jobs)
    ]
    before, driver, started = cpu_of_marked(), time.process_time(), time.perf_counter()
    fits = Fitter(Store(place), registry, executor, seed=1, memory=10**10).fit(
        [(spec, training_part) for spec in specs]
    )
    took = {
        "wall": time.perf_counter() - started,
        "driver": time.process_time() - driver,
        "cpu": cpu_of_marked() - before,
    }
    return took, [fit.component.told.tolist() for fit in fits]


def products_in(seconds):
    """Return the number of products of matrices that take so many seconds of CPU on idle cores."""
    started = time.process_time()
    multiply(1_000)
    return int(1_000 * seconds / (time.process_time() - started))


def main(seconds, jobs, megabytes):
    """Measure both ways, one after the other, and print the figures."""
    small = toy_dataset()
    people = len(small.users)
    rows = np.repeat(np.arange(people, dtype=np.int32), megabytes * 250_000 // people)
    ids = np.resize(np.arange(len(small.items), dtype=np.int32), len(rows))
    large = replace(small, interactions=Ragged.from_columns(rows, ids, (people, len(small.items))))
    told = {}
    products = products_in(seconds)

    def measure(executor, name, place):
        """Measure the first fits, for which workers start, then fits of nothing, and long ones that wait or compute."""
        for kind, number, duration in (("first", 8, 0.0), ("short", jobs, 0.0), ("long", 4, seconds)):
            told[f"{name} {kind}"] = fitted(executor, "waiting", small, place / kind, number, seconds=duration)[0]
        told[f"{name} computing"] = fitted(executor, "computing", small, place / "computing", 4, products=products)[0]

    with tempfile.TemporaryDirectory() as folder:
        measure(ThreadExecutor(2), "threads", Path(folder, "threads"))
        # The cluster starts now, as its own processes take CPU whoever fits.
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cluster.add_node(num_cpus=1)
        with RayExecutor(cluster.address) as executor:
            measure(executor, "ray", Path(folder, "ray"))
            place = Path(folder, "large")
            memory = np.array(fitted(executor, "mapping", large, place, 2, store=str(place))[1]).sum(axis=0)
        cluster.shutdown()
    part_bytes = sum(array.nbytes for array in large.state().values())
    print(json.dumps({**told, "part": part_bytes, "pss": memory[0], "rss": memory[1]}))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
