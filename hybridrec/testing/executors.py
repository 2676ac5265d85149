"""The contract suite of executors: the checks that they must pass."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from hybridrec.config.experiment import ComponentSpec
from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import QueryBatch
from hybridrec.engine.executor import Executor, ExecutorPlugin, ThreadExecutor
from hybridrec.engine.fitter import Fitter, TrainingPart
from hybridrec.engine.store import Store
from hybridrec.plugin import Options
from hybridrec.registry.discovery import Registry
from hybridrec.stages.component import DenseModel
from hybridrec.testing._helpers import toy
from hybridrec.testing.contract import PluginContract
from hybridrec.types import Floats, State, Target

WORKERS = 2
_PATIENCE = 10.0
"""Seconds within which the processes of an executor must have ended."""


class _DrawsOptions(Options):
    """Options of the component that is fitted."""

    sound: bool = True
    """False to fail in `fit`."""


class _Draws(DenseModel):
    """A model that draws the scores of all items, for the checks of executors."""

    name = "draws-for-executors"
    Config = _DrawsOptions
    config: _DrawsOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Draw a number for each item."""
        if not self.config.sound:
            raise KeyError("this fit fails")
        return self.restore({"drawn": rng.random(len(data.items)).astype(np.float32)})

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the drawn numbers for each query."""
        return np.tile(self.drawn, (len(queries), 1))

    def state(self) -> State:
        """Return the drawn numbers."""
        return {"drawn": self.drawn}

    def restore(self, state: State) -> Self:
        """Take the drawn numbers."""
        self.drawn = state["drawn"]
        return self


class ExecutorContract(PluginContract):
    """The contract suite of executors, with a named check for each requirement.

    executor: the class under test
    configs: the options to test it with, one dict each, as in the YAML
    """

    role = "executor"
    executor: ClassVar[type[ExecutorPlugin]]

    @contextmanager
    def opened(self, options: Mapping[str, Any]) -> Iterator[Executor]:
        """Open the executor with two workers for a `with` block."""
        with self.executor(self.options(options)).open(WORKERS) as executor:
            yield executor

    def test_options_can_be_given(self, options: Mapping[str, Any]) -> None:
        """Require options with another name than `use`, which the config keeps for itself."""
        fields = self.executor.Config.model_fields.items()
        assert "use" not in {field.alias or key for key, field in fields}, "the config means something else by `use`"

    def test_being_made_starts_nothing(self, options: Mapping[str, Any]) -> None:
        """Require that making the plugin starts no process: `hybridrec check` makes one as well, without a run."""
        before = _children()
        self.executor(self.options(options))
        assert _children() <= before, "a process was started before `open`"

    def test_works_like_threads(self, options: Mapping[str, Any]) -> None:
        """Require the fits and the results of blocks that threads give, the latter in the order of the blocks."""
        with self.opened(options) as executor:
            assert executor.workers >= 1, f"it has {executor.workers} workers"
            assert list(executor.map(_double, range(20))) == [2 * number for number in range(20)]
            assert list(executor.map(_double, [])) == []
            fitted = _fitted(executor)
        for label, state in _fitted(ThreadExecutor(1)).items():
            assert np.array_equal(state["drawn"], fitted[label]["drawn"]), f"threads give another fit {label}"

    def test_errors_come_out(self, options: Mapping[str, Any]) -> None:
        """Require the error of a fit or a block to come out of `submit` and `map`, with its class and its text."""
        with self.opened(options) as executor:
            for work in (lambda: list(executor.map(_fail, range(3))), lambda: _fitted(executor, sound=False)):
                raised: Exception | None = None
                try:
                    work()
                except Exception as error:
                    raised = error
                assert raised is not None, "an error in a worker was swallowed"
                assert isinstance(raised, KeyError), f"a KeyError came out as {raised!r}"
                assert "fails" in str(raised), f"the message of the error is gone: {raised!r}"

    def test_ends_what_it_started(self, options: Mapping[str, Any]) -> None:
        """Require that no process is left once the executor is closed, also after an error in the `with` block."""
        before = _children()
        try:
            with self.opened(options) as executor:
                assert list(executor.map(_double, [1])) == [2]
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        ends = time.monotonic() + _PATIENCE
        while _children() - before and time.monotonic() < ends:
            time.sleep(0.1)
        assert not _children() - before, "a process is left after the executor was closed"


def _double(number: int) -> int:
    return 2 * number


def _fail(number: int) -> int:
    if number == 1:
        raise KeyError("this block fails")
    return number


def _fitted(executor: Executor, *, sound: bool = True) -> dict[str, State]:
    """Fit three components on the toy dataset by an executor; returns their arrays by label."""
    with tempfile.TemporaryDirectory() as place:
        registry, store = _registry(), Store(Path(place))
        options = _DrawsOptions(sound=sound)
        specs = [ComponentSpec.of(label, "", _Draws, options, registry) for label in ("a", "b", "c")]
        training_part = TrainingPart("test", "full", toy(), toy().fingerprint)
        fitter = Fitter(store, registry, executor, seed=1, memory=10**9)
        fits = fitter.fit([(spec, training_part) for spec in specs])
        return {fit.spec.label: {name: array.copy() for name, array in fit.component.state().items()} for fit in fits}


@lru_cache(maxsize=1)
def _registry() -> Registry:
    """Return a registry that knows the component of the checks."""
    return Registry(plugins=[_Draws])


def _children() -> set[str]:
    """Return the ids of the processes that this process has started and that run; empty where that cannot be told."""
    children: set[str] = set()
    for listed in Path("/proc/self/task").glob("*/children"):
        try:
            children.update(listed.read_text(encoding="utf-8").split())
        except OSError:  # the thread has ended
            continue
    return {child for child in children if _runs(child)}


def _runs(process: str) -> bool:
    """Return True unless a process has ended and only waits to be noticed."""
    try:
        return Path("/proc", process, "stat").read_text(encoding="utf-8").rpartition(") ")[2][0] != "Z"
    except OSError:
        return False
