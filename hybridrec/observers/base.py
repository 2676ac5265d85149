"""The base class of observers, and the events that they are told."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridrec.plugin import Plugin


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events: plain values, without scores and without data.

    run: id of the run, the search or the recommender that it belongs to
    """

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run or a search begins; its config is valid.

    name: of the experiment
    config: the content of the `config.yaml` of the run
    """

    name: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """A run is complete; `folder` holds all its files."""

    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed(Event):
    """A run or a search ended with an error, or was interrupted; `error` is its class and message."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FitFinished(Event):
    """A component of the fit plan is ready: just fitted, or loaded from the store (`cached`).

    A search tells a fit once, however many of its trials use it.

    label, component: its label in the config, and the name of its class
    level: "full" (evaluated and served) or "out_of_fold" (blends learn on its predictions)
    repeat: from 1
    seconds: duration of the fit, 0 if it was loaded
    """

    label: str
    component: str
    fold: str
    level: str
    repeat: int
    seconds: float
    cached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FitProgressed(Event):
    """A component reports while it is fitted (`Component.report`).

    step, of: the steps that are done, and all of them
    numbers: such as a loss; None for one that is not finite
    """

    label: str
    component: str
    fold: str
    level: str
    repeat: int
    step: int
    of: int
    numbers: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFinished(Event):
    """A pipeline finished a stage ("generate", "score", "rerank") for all queries of a fold."""

    stage: str
    pipeline: str
    fold: str
    seconds: float
    queries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFinished(Event):
    """A search measured one trial, or failed to.

    values: the values that were tried, by key path
    state: "complete", "infeasible" (it breaks a bound) or "failed"
    metrics: by name in reports; empty if it failed
    problem: the error of a failed trial
    """

    number: int
    values: Mapping[str, Any]
    state: str
    metrics: Mapping[str, float]
    seconds: float
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFinished(Event):
    """A search is complete; `folder` holds its files, and `best` is the number of the chosen trial."""

    folder: str
    best: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlatesServed(Event):
    """A recommender answered a call.

    name: of the experiment
    requests: id of the request of each slate: that of its query, or a fresh one
    ids: external ids of each slate, best first
    """

    name: str
    pipeline: str
    target: str
    requests: tuple[str, ...]
    ids: tuple[tuple[str, ...], ...] = field(repr=False)
    seconds: float


class Observer(Plugin):
    """A listener to runs: named under `observe` in a config, made once for each run, and told every event of it.

    What it is told decides nothing: its options enter no key of a fit or a result, and if it fails, the run goes on
    and a note names it. It is called by one thread at a time.
    """

    @abstractmethod
    def observe(self, event: Event) -> None:
        """Take note of an event; ignore those of unknown classes, as later versions may tell more.

        The first error ends the events of this class for the observer: it is named in a note of the report.
        """
