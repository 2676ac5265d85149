"""The base class of observers, and the events of which they are told."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridrec.plugin import Plugin


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base class of all events, which consist of plain values and never hold scores or data.

    run: id of the run, search or recommender to which the event belongs
    """

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """The event that a run or a search begins, after its config was checked.

    name: name of the experiment
    config: the content of the `config.yaml` of the run
    """

    name: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """The event that a run is complete; `folder` holds all its files."""

    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed(Event):
    """The event that a run or a search failed or was interrupted; `error` is the error's class and message."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FitFinished(Event):
    """The event that a component of the fit plan was fitted, or found in the store (`cached`).

    In a search it occurs once for each fit, however many trials use the fit, unless the fit is dropped from memory.

    label, component: the component's label in the config, and the name of its class
    level: "full" (evaluated and served) or "out_of_fold" (blends learn on its predictions)
    repeat: number of the training, from 1
    seconds: duration of the fit, 0 if the store had it
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
    """The event that a component reports its progress while it is fitted (`Component.report`).

    step, of: number of steps that are done, and of all steps
    numbers: numbers by name, such as a loss; None for a number that is not finite
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
    """The event that a pipeline finished a stage ("generate", "score", "rerank") for all queries of a fold."""

    stage: str
    pipeline: str
    fold: str
    seconds: float
    queries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFinished(Event):
    """The event that a trial of a search ended.

    values: the values that were tried, by key path
    state: "complete", "infeasible" (the trial breaks a bound) or "failed"
    metrics: the metrics by their names in reports; empty for a failed trial
    problem: the error of a failed trial, else empty
    """

    number: int
    values: Mapping[str, Any]
    state: str
    metrics: Mapping[str, float]
    seconds: float
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFinished(Event):
    """The event that a search is complete; `folder` holds its files, and `best` is the number of the chosen trial."""

    folder: str
    best: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlatesServed(Event):
    """The event that a recommender answered a call.

    name: name of the experiment
    requests: for each slate, the id of its request: the id that its query has, or else a fresh id
    ids: external ids of each slate, best first
    """

    name: str
    pipeline: str
    target: str
    requests: tuple[str, ...]
    ids: tuple[tuple[str, ...], ...] = field(repr=False)
    seconds: float


class Observer(Plugin):
    """Base class of observers. An observer is named under `observe` in a config and told every event of a run.

    One instance is made for each run. An observer changes no result: its options are in no key of a fit or a result,
    and if it fails, the run goes on, and a note in the report names it. It is called by one thread at a time.
    """

    @abstractmethod
    def observe(self, event: Event) -> None:
        """Take note of an event; ignore events of classes that you do not know, since later versions may add classes.

        After an error the observer is told no more events of that class, and a note in the report names the error.
        """
