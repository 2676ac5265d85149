"""`executor: ray`: a cluster that runs somewhere, or one that is started for a run on this machine."""

from __future__ import annotations

from contextlib import AbstractContextManager

from hybridrec import Executor, ExecutorPlugin, Options
from hybridrec_ray.executor import RayExecutor


class RayOptions(Options):
    """Options of `ray`."""

    address: str | None = None
    """Address of the cluster: `host:port` of its head, `auto` on one of its nodes, or `local` to start one on this
    machine. By default the environment variable `RAY_ADDRESS`, or else `local`."""
    dashboard: bool = False
    """Start Ray's dashboard with a cluster that is started on this machine."""
    usage_report: bool = False
    """Let a cluster that is started on this machine report its usage to the makers of Ray."""


class Ray(ExecutorPlugin):
    """Workers of a cluster of Ray; without an address, as many as `workers` on this machine, for the run alone."""

    name = "ray"
    Config = RayOptions
    config: RayOptions
    requires = ("ray",)
    install_hint = "pip install 'hybridrec[ray]'"

    def open(self, workers: int) -> AbstractContextManager[Executor]:
        """Return the executor, which joins or starts the cluster."""
        options = self.config
        return RayExecutor(options.address, workers, dashboard=options.dashboard, usage_report=options.usage_report)
