"""Fits and inference on a cluster of Ray (Ray Core alone): an executor, and the command `ray-run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from click import Command


@hookimpl
def hybridrec_commands() -> list[Command]:
    """`ray-run` runs an experiment on a cluster."""
    from hybridrec_ray.ray_run import ray_run

    return [ray_run]
