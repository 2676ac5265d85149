"""The contract suite of observers: the checks that they must pass."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from hybridrec.observers.base import (
    Event,
    FitFinished,
    FitProgressed,
    Observer,
    RunFailed,
    RunStarted,
    SearchFinished,
    SlatesServed,
    StageFinished,
    TrialFinished,
)
from hybridrec.testing.contract import PluginContract


@dataclass(frozen=True, slots=True, kw_only=True)
class _Later(Event):
    """An event of a class that the observer cannot know, like the events that later versions may add."""

    number: int


class ObserverContract(PluginContract):
    """The contract suite of observers, with a named check for each requirement.

    observer: the class under test
    configs: the options to test it with, one dict each, as in the YAML; relative paths start at a temporary folder
    """

    role = "observer"
    observer: ClassVar[type[Observer]]

    def events(self, run: str = "0") -> list[Event]:
        """Return an event of each class except `RunFinished`, which needs the folder of a run."""
        values = {"components.mine.size": 5.0}
        fit = {"label": "mine", "component": "model", "fold": "test", "level": "full"}
        return [
            RunStarted(run=run, name="small", config={"name": "small", "components": {"mine": {"use": "model"}}}),
            FitProgressed(run=run, **fit, repeat=1, step=1, of=2, numbers={"loss": 0.5, "norm": None}),
            FitFinished(run=run, **fit, repeat=1, seconds=0.5, cached=False),
            StageFinished(run=run, stage="generate", pipeline="mine", fold="test", seconds=0.25, queries=10),
            TrialFinished(run=run, number=0, values=values, state="complete", metrics={"ndcg@5": 0.5}, seconds=1.5),
            SearchFinished(run=run, folder="runs/none", best=0),
            SlatesServed(
                run=run,
                name="small",
                pipeline="mine",
                target="items",
                requests=("r1",),
                ids=(("i1", "i2"),),
                seconds=0.01,
            ),
            RunFailed(run=run, error="ValueError: the disk is full"),
        ]

    def test_being_made_does_nothing(self, options: Mapping[str, Any]) -> None:
        """Require that making an observer writes no file: `hybridrec check` makes one as well, without a run."""
        with _elsewhere() as place:
            self.observer(self.options(options))
            assert not [*place.iterdir()], "a file was written before the first event"

    def test_takes_every_event(self, options: Mapping[str, Any]) -> None:
        """Require every event to be taken without an error, also a second time and in another order."""
        with _elsewhere():
            made = self.observer(self.options(options))
            for event in (*self.events(), *reversed(self.events("1"))):
                made.observe(event)

    def test_ignores_events_of_later_versions(self, options: Mapping[str, Any]) -> None:
        """Require an event of an unknown class to be taken without an error, since later versions may have more."""
        with _elsewhere():
            self.observer(self.options(options)).observe(_Later(run="0", number=1))


@contextmanager
def _elsewhere() -> Iterator[Path]:
    """Make a temporary folder the working folder for the `with` block, and yield its path."""
    back = Path.cwd()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        try:
            yield Path(place)
        finally:
            os.chdir(back)
