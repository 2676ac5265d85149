"""How the numbers came about: data, fits, tuning, time and place."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from hybridrec.data.dataset import Dataset
from hybridrec.evaluation.report.base import Number, Section
from hybridrec.paths import Key


class DataReport(Section):
    """What the experiment was made on."""

    fingerprint: Key
    """Digest of all data the reader found."""
    users: int
    items: int
    tags: int
    interactions: int

    @classmethod
    def of(cls, data: Dataset) -> DataReport:
        """Counts and fingerprint of a dataset."""
        return cls(
            fingerprint=data.fingerprint,
            users=len(data.users),
            items=len(data.items),
            tags=len(data.tags),
            interactions=len(data.interactions.ids),
        )


class FitReport(Section):
    """One fit of the plan."""

    label: str
    """The component's label in the YAML."""
    component: str
    """What it uses."""
    version: str
    fold: str
    level: str
    """`base`: made for learning the blend; `final`: evaluated."""
    key: Key
    """Its address in the store."""
    seconds: float
    cached: bool
    """True if it was found in the store."""
    repeat: int = 1
    """Which training it was made for, from 1."""


class TuningReport(Section):
    """How the values of the config were chosen, on validation queries inside the training parts."""

    metric: str
    """What was searched for."""
    search: str
    """How: `tpe` or `random`."""
    subject_to: list[str] = []
    """Bounds that the best trial had to keep."""
    best: int
    """Number of the trial that was taken; trial 0 is the config as it was written."""
    values: dict[str, Any]
    """What it chose, by key path."""
    trials: list[Number]
    """The metric on the validation queries by number of the trial; null if it failed."""
    feasible: list[bool]
    """Whether each trial kept all bounds."""
    importance: dict[str, float] = {}
    """Share of each key path in what tells the best trials from the others (PED-ANOVA); they sum to 1."""


class SecondsReport(Section):
    """Time by stage, over all folds and pipelines."""

    read: float = 0.0
    fit: float = 0.0
    """Fitting on all threads, and what the blends learned."""
    generate: float = 0.0
    """This and the next two are summed over threads."""
    score: float = 0.0
    rerank: float = 0.0
    evaluate: float = 0.0
    """Metrics, intervals and comparison."""
    total: float
    """From reading the data to writing this report."""


class Environment(Section):
    """Where it ran."""

    python: str
    platform: str
    cores: int
    packages: dict[str, str]
    """Versions by distribution name."""

    @classmethod
    def current(cls, packages: Iterable[str]) -> Environment:
        """This process; of `packages`, distribution names, those that are installed."""
        versions = {}
        for name in sorted(packages):
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
        return cls(
            python=platform.python_version(),
            platform=platform.platform(),
            cores=os.cpu_count() or 1,
            packages=versions,
        )
