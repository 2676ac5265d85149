"""The hooks: how plugins offer classes and observe runs. A hook never carries a score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from hybridrec.data.io.profile import DataProfile
    from hybridrec.data.readers.base import Reader
    from hybridrec.data.splits.base import Splitter
    from hybridrec.evaluation.metrics import Metric
    from hybridrec.plugin import Starter
    from hybridrec.stages.component import Component
    from hybridrec.stages.normaliser import Normaliser

PROJECT = "hybridrec"
API_VERSION = "1.0"
"""MAJOR.MINOR of everything plugins see. The minor rises when something is added, the major when something
changes or goes. A plugin module may say `requires_api = "1.0"`: it is loaded by the same major and that
minor or a later one.
"""
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin module as the implementation of the hook it is called like."""


@hookspec
def hybridrec_components() -> Sequence[type[Component]]:  # type: ignore[empty-body]
    """Component classes of any stage: generators, scorers, re-rankers."""


@hookspec
def hybridrec_readers() -> Sequence[type[Reader]]:  # type: ignore[empty-body]
    """Reader classes: what `data.reader` may say."""


@hookspec
def hybridrec_splitters() -> Sequence[type[Splitter]]:  # type: ignore[empty-body]
    """Splitter classes: what `split.use` may say."""


@hookspec
def hybridrec_metrics() -> Sequence[type[Metric]]:  # type: ignore[empty-body]
    """Metric classes: what `compare.metrics` may say before the `@`."""


@hookspec
def hybridrec_normalisers() -> Sequence[type[Normaliser]]:  # type: ignore[empty-body]
    """Normaliser classes: what `normalise` of a fusion may say."""


@hookspec
def hybridrec_starters(data: DataProfile) -> Sequence[Starter]:  # type: ignore[empty-body]
    """Propose components for the config that `hybridrec init` writes for this data; nothing else calls this hook."""


@hookspec
def hybridrec_fitted(label: str, component: str, fold: str, seconds: float, cached: bool) -> None:
    """A component of the fit plan is ready: fitted just now, or found in the store (`cached`)."""


@hookspec
def hybridrec_stage_done(stage: str, pipeline: str, fold: str, seconds: float, queries: int) -> None:
    """A pipeline has finished a stage ("generate", "score", "rerank") for all queries of a fold."""


@hookspec
def hybridrec_run_finished(report: dict[str, Any], folder: str) -> None:
    """A run is complete; `report` is the content of its report.json, `folder` holds all its files."""
