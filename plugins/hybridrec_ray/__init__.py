"""Fits, trials and inference on a cluster of Ray (Ray Core alone): the executor `ray`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import ExecutorPlugin


@hookimpl
def hybridrec_executors() -> list[type[ExecutorPlugin]]:
    """`ray`, an executor of the workers of a cluster."""
    from hybridrec_ray.plugin import Ray

    return [Ray]
