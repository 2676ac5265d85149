"""Sections of the report on the origin of its numbers: data, fits, tuning, time, machine and software."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import metadata
from typing import Any

from hybridrec.data.dataset import Dataset
from hybridrec.evaluation.report.base import Number, Section
from hybridrec.paths import Key


class DataReport(Section):
    """The size and the fingerprint of the data of the experiment."""

    fingerprint: Key
    """Digest of all data that the reader returned."""
    users: int
    items: int
    entities: dict[str, int]
    """Number of entities of each other kind (tags, artists, ...)."""
    interactions: int

    @classmethod
    def of(cls, data: Dataset) -> DataReport:
        """Return the counts and the fingerprint of a dataset."""
        return cls(
            fingerprint=data.fingerprint,
            users=len(data.users),
            items=len(data.items),
            entities={kind: data.size(kind) for kind in data.kinds},
            interactions=len(data.interactions.ids),
        )


class FitProgressReport(Section):
    """Numbers that a component reported while it was fitted, for at most 200 steps."""

    of: int
    """Number of steps of the whole fit."""
    steps: list[int]
    """The numbers of steps after which the component reported."""
    numbers: dict[str, list[Number]]
    """By name of the number, a value for each of `steps`; null where it is missing or not finite."""


class FitReport(Section):
    """One fit of the fit plan: a component, the data it learned from, and its cost."""

    label: str
    """The component's label in the YAML."""
    component: str
    """Name of the component that the label uses."""
    version: str
    fold: str
    level: str
    """`full` for a fit that is evaluated, `out_of_fold` for a fit on whose predictions blends learn."""
    key: Key
    """The key of the fit in the store."""
    seconds: float
    cached: bool
    """True if the fit was read from the store instead of being computed."""
    doubled: bool = False
    """True if another process stored the same fit while this run computed it."""
    repeat: int = 1
    """Number of the training (repeat) that the fit belongs to, from 1."""
    progress: FitProgressReport | None = None
    """Numbers that the component reported during the fit; null for a component that reports nothing."""
    chosen: dict[str, Any] = {}
    """The option under `choose`, with the value that the run chose for this fit; empty for a component without
    `choose`."""
    ended_by_clock: bool = False
    """True if a limit of time ended this fit, or the fit of a component that it uses; a new run may then give another
    result."""


class TuningReport(Section):
    """The search that chose the values of the config, on validation queries inside the training parts."""

    metric: str
    """The metric that was optimized."""
    search: str
    """Search method: `tpe` or `random`."""
    subject_to: list[str] = []
    """Bounds that the best trial had to satisfy."""
    best: int
    """Number of the chosen trial; trial 0 is the config as written."""
    values: dict[str, Any]
    """Values of the chosen trial, by key path."""
    trials: list[Number]
    """For each trial, in order, the metric on the validation queries; null if the trial failed."""
    feasible: list[bool]
    """By trial: true if it satisfied all bounds."""
    importance: dict[str, float] = {}
    """Key path -> its share in the difference between the best trials and all others (PED-ANOVA); the shares sum to
    1."""


class SecondsReport(Section):
    """Wall time by stage, over all folds and pipelines; the stages add up to `total`."""

    start: float = 0.0
    """Loading plugins and checking the config."""
    read: float = 0.0
    """Reading the data."""
    split: float = 0.0
    """Splitting the data into folds."""
    fit: float = 0.0
    """Fitting the components, and learning the blends."""
    generate: float = 0.0
    """Generating candidates. The wall time of answering queries is divided among `generate`, `score` and `rerank`, in
    proportion to the time that each of these stages took on all threads."""
    score: float = 0.0
    """Scoring candidates."""
    rerank: float = 0.0
    """Re-ranking candidates."""
    evaluate: float = 0.0
    """Metrics, intervals and comparison."""
    refit: float = 0.0
    """Training the pipelines on the whole data, for serving."""
    write: float = 0.0
    """Writing the files of the run."""
    other: float = 0.0
    """Everything else, such as reading answers from the store."""
    total: float
    """From the start of the command or call to the end of writing."""


class PluginUse(Section):
    """A plugin that offers something that the run used, with its version and origin."""

    name: str
    module: str
    distribution: str
    """The distribution that installs it; for a plugin without packaging, the name of the plugin."""
    version: str
    file: str
    """For a plugin without packaging, its file or `notebook`; empty for an installed plugin."""
    digest: str
    """For a plugin without packaging, the digest of its source; empty for an installed plugin or an unknown source."""
    offers: dict[str, list[str]] = {}
    """The names that the run used, by kind of plugin."""


class Environment(Section):
    """The machine and software of the run."""

    python: str
    platform: str
    cores: int
    packages: dict[str, str]
    """Versions by distribution name."""
    plugins: list[PluginUse] = []
    """The plugins that the run used."""

    @classmethod
    def current(cls, packages: Iterable[str], plugins: Sequence[PluginUse] = ()) -> Environment:
        """Describe this process, with the versions of those `packages` (distribution names) that are installed."""
        versions = {name: version for name in sorted(packages) if (version := _version(name)) is not None}
        return cls(
            python=platform.python_version(),
            platform=platform.platform(),
            cores=os.cpu_count() or 1,
            packages=versions,
            plugins=list(plugins),
        )


@cache
def _version(distribution: str) -> str | None:
    """Return the version of a distribution, or None if it is not installed.

    The result is cached, since looking it up parses all metadata of the distribution.
    """
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
