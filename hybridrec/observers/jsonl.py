"""Observer `jsonl`, which writes the events of a run as lines of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from hybridrec.observers.base import Event, Observer
from hybridrec.plugin import Options


class JsonLinesOptions(Options):
    """Options of the observer `jsonl`: the file to which it writes the events."""

    path: Path = Field(examples=["events.jsonl"])
    """The file, created with its folders; lines are added to one that exists. A relative path starts at the working
    directory."""


class JsonLines(Observer):
    """An observer that writes a line of JSON for each event, at once.

    A line has `event` (the class of the event), `time` (in UTC), `run`, and the values of the event. `tail -f` follows
    the progress of a long run; several runs may write into one file, since each line has the id of its run.
    """

    name = "jsonl"
    Config = JsonLinesOptions
    config: JsonLinesOptions

    def observe(self, event: Event) -> None:
        """Append a line to the file and close the file, so that the line is kept even if the process is killed."""
        content = {"event": type(event).__name__, "time": datetime.now(UTC).isoformat(), **asdict(event)}
        path = self.config.path.expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(content, ensure_ascii=False, default=str) + "\n")
