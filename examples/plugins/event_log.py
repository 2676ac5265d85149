"""`event-log`: writes a table of the events of runs and their durations, a line for each event, for spreadsheets."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

from pydantic import Field

from hybridrec import Event, FitFinished, Observer, Options, RunFailed, RunFinished, RunStarted, StageFinished


class EventLogOptions(Options):
    """Options of `event-log`."""

    path: Path = Path("events.csv")
    """File to which lines are appended; a relative path starts at the working directory."""
    least: float = Field(0.0, ge=0)
    """Smallest number of seconds for which a fit or a stage gets a line."""
    runs: Literal["all", "failed"] = "all"
    """Runs whose beginning and end get lines."""


class EventLog(Observer):
    """Observer that writes a row of a CSV file for each event: run, event, subject, seconds."""

    name = "event-log"
    Config = EventLogOptions
    config: EventLogOptions

    def observe(self, event: Event) -> None:
        """Write the row of an event; events of other classes get none."""
        match event:
            case RunStarted() if self.config.runs == "all":
                self._write(event, event.name)
            case RunFinished() if self.config.runs == "all":
                self._write(event, event.folder)
            case RunFailed():
                self._write(event, event.error)
            case FitFinished() if event.seconds >= self.config.least:
                self._write(event, event.label, event.seconds)
            case StageFinished() if event.seconds >= self.config.least:
                self._write(event, f"{event.pipeline} {event.stage}", event.seconds)

    def _write(self, event: Event, subject: str, seconds: float | None = None) -> None:
        with self.config.path.open("a", newline="", encoding="utf-8") as file:
            duration = "" if seconds is None else f"{seconds:.3f}"
            csv.writer(file).writerow([event.run, type(event).__name__, subject, duration])
