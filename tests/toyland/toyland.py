"""A plugin of the tests, installed as a third party's: a tiny reader, components of every kind, an observer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, Self

import numpy as np
from pydantic import Field

from hybridrec import (
    Candidates,
    Component,
    Dataset,
    DenseModel,
    Event,
    Exclude,
    ExecutorPlugin,
    FitFinished,
    Floats,
    Generator,
    InputPath,
    Ints,
    Normaliser,
    Observer,
    Options,
    Pool,
    QueryBatch,
    Reader,
    Reranker,
    RunFinished,
    Scorer,
    StageFinished,
    State,
    Target,
    ThreadExecutor,
    hookimpl,
    kernels,
)
from hybridrec.testing import toy_dataset

events: list[tuple[str, dict[str, Any]]] = []
"""Events the observer received, oldest first."""


class ToyOptions(Options):
    """Sizes of the dataset."""

    users: int = Field(60, ge=2)
    """Users."""
    items: int = Field(40, ge=1)
    """Items."""
    tags: int = 12
    """Tags."""
    assigned: bool = True
    """Whether users tagged items: if not, the declared tags of users are all there are, and are not copied."""
    path: InputPath | None = None
    """Not read."""


class ToyReader(Reader):
    """The checkerboard of the contract suite."""

    name = "toy"
    Config = ToyOptions

    def read(self) -> Dataset:
        """All of it."""
        data = toy_dataset(self.config.users, self.config.items, self.config.tags)
        return data if self.config.assigned else replace(data, assignments={})


class EchoOptions(Options):
    """Scores, delay and log of fits."""

    level: float = 0.0
    """Added to every score."""
    seconds: float = 0.0
    """Duration of a fit."""
    log: InputPath | None = None
    """A file that gets a line for every fit."""
    misbehave: str = ""
    """"raise" in fit, "object" state, or "infinite" scores."""
    bytes: int = 0
    """Memory it claims to need."""


class Echo(DenseModel):
    """Random numbers from the seed: the same seed and label give the same numbers."""

    name = "echo"
    Config = EchoOptions
    config: EchoOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Draw."""
        time.sleep(self.config.seconds)
        if self.config.misbehave == "raise":
            raise RuntimeError("the echo is gone")
        if self.config.log is not None:
            with self.config.log.open("a") as log:
                log.write("fit\n")
        self.numbers = {
            "items": rng.random(len(data.items)).astype(np.float32),
            "tags": rng.random(data.size("tags")).astype(np.float32),
        }
        if self.config.misbehave == "forget":
            return None  # type: ignore[return-value]
        return self

    def memory(self, data: Dataset) -> int:
        """As configured."""
        return self.config.bytes

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """The same for every query."""
        level = np.float32(np.inf if self.config.misbehave == "infinite" else self.config.level)
        return np.tile(self.numbers[target] + level, (len(queries), 1))

    def state(self) -> State:
        """The numbers."""
        return {"oops": np.array([object()])} if self.config.misbehave == "object" else dict(self.numbers)

    def restore(self, state: State) -> Self:
        """From `state`."""
        self.numbers = dict(state)
        return self


class ItemsOnly(Echo):
    """Recommends no tags."""

    name = "items-only"
    targets = ("items",)


class Proposer(Generator):
    """Proposes the first items and scores nothing that others propose."""

    name = "proposer"

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Only the size."""
        self.size = len(data.items)
        return self

    def candidates(self, queries: QueryBatch, k: int, target: Target, exclude: Exclude) -> Candidates:
        """By id."""
        scores = np.tile(-np.arange(self.size, dtype=np.float32), (len(queries), 1))
        exclude.mask(scores)
        return Candidates(*kernels.top_k(scores, k))

    def state(self) -> State:
        """The size."""
        return {"size": np.array(self.size)}

    def restore(self, state: State) -> Self:
        """From `state`."""
        self.size = int(state["size"])
        return self


class Judge(Scorer):
    """Scores by id, and proposes nothing."""

    name = "judge"

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Nothing to learn."""
        return self

    def score(self, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
        """The id itself."""
        return np.where(ids < 0, np.nan, ids).astype(np.float32)

    def state(self) -> State:
        """Nothing."""
        return {}

    def restore(self, state: State) -> Self:
        """Nothing."""
        return self


class Homeless(Echo):
    """Needs a library that nobody has."""

    name = "homeless"
    requires = ("no_such_library",)
    install_hint = "pip install 'toyland[home]'"


class Student(Reranker):
    """Learns how many queries it was shown and what they weighed, and ranks by the first column, its gaps last."""

    name = "student"
    learns = True
    targets = ("items", "tags")

    def fit_on_predictions(self, queries: QueryBatch, pool: Pool, truth: Any, weights: Any, units: Any) -> Self:
        """Remember."""
        mean = 0.0 if pool.final is None else float(np.nanmean(pool.final))
        self.lesson = np.array([len(queries), (weights**2).sum(), mean])
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """By the first column."""
        return pool.ranked(np.nan_to_num(next(iter(pool.columns.values())), nan=-1e6))

    def summary(self) -> dict[str, Any]:
        """Return the lesson under names."""
        return {"queries": float(self.lesson[0]), "weight": float(self.lesson[1]), "mean": float(self.lesson[2])}

    def notes(self) -> list[str]:
        """Return the number of queries."""
        return [f"{int(self.lesson[0])} queries"]

    def state(self) -> State:
        """Return the lesson."""
        return {"lesson": self.lesson}

    def restore(self, state: State) -> Self:
        """From `state`."""
        self.lesson = state["lesson"]
        return self


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """All of them."""
    return [Echo, ItemsOnly, Proposer, Judge, Homeless, Student]


class SignsOptions(Options):
    """Origin of the scores."""

    level: float = 0.0
    """Subtracted first."""


class Signs(Normaliser):
    """Below, at or above the level."""

    name = "signs"
    Config = SignsOptions
    config: SignsOptions

    def scale(self, values: Floats) -> Floats:
        """-1, 0 or 1."""
        return np.sign(values - self.config.level)


@hookimpl
def hybridrec_normalisers() -> list[type[Normaliser]]:
    """The only one."""
    return [Signs]


@hookimpl
def hybridrec_readers() -> list[type[Reader]]:
    """The toy."""
    return [ToyReader]


class ToyEvents(Observer):
    """Remembers fits, stages and ends."""

    name = "toy-events"

    def observe(self, event: Event) -> None:
        """Remember the values."""
        kinds = {FitFinished: "fitted", StageFinished: "stage", RunFinished: "finished"}
        if (kind := kinds.get(type(event))) is not None:
            events.append((kind, asdict(event)))


@hookimpl
def hybridrec_observers() -> list[type[Observer]]:
    """The only one."""
    return [ToyEvents]


class ToyThreadsOptions(Options):
    """Log and number of threads."""

    log: InputPath | None = None
    """A file that gets a line when the executor is opened, and one when it is closed."""
    threads: int | None = Field(None, ge=1)
    """Threads, in place of the number of workers."""


class ToyThreads(ExecutorPlugin):
    """Threads that are logged."""

    name = "toy-threads"
    Config = ToyThreadsOptions
    config: ToyThreadsOptions

    @contextmanager
    def open(self, workers: int) -> Iterator[ThreadExecutor]:
        """Log, and give them."""
        threads = self.config.threads or workers
        self._log(f"opened {threads}")
        try:
            yield ThreadExecutor(threads)
        finally:
            self._log("closed")

    def _log(self, line: str) -> None:
        if self.config.log is not None:
            with self.config.log.open("a") as log:
                log.write(f"{line}\n")


class HomelessThreads(ToyThreads):
    """Need a library that nobody has."""

    name = "homeless-threads"
    requires = ("no_such_library",)
    install_hint = "pip install 'toyland[home]'"


@hookimpl
def hybridrec_executors() -> list[type[ExecutorPlugin]]:
    """Both."""
    return [ToyThreads, HomelessThreads]
