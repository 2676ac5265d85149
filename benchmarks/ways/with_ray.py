"""A run of `cluster.yaml` on a cluster of Ray on this machine: `with_ray.py NODES RUNS`."""

import os
import sys

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
from ray.cluster_utils import Cluster

import hybridrec
from hybridrec_ray.executor import RayExecutor

if __name__ == "__main__":
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(int(sys.argv[1]) - 1):
        cluster.add_node(num_cpus=1)
    with RayExecutor(cluster.address) as executor:
        hybridrec.run("cluster.yaml", runs=sys.argv[2], executor=executor)
    cluster.shutdown()
