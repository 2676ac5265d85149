"""The trials of a search, and the table to which each trial is written when it ends, so that none is lost."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hybridrec.config.experiment import Tuning
from hybridrec.data.fingerprint import json_digest
from hybridrec.errors import StoreError
from hybridrec.paths import append, write_whole

CHECKSUM = "checksum"
"""The last column: a digest of the other cells of a line."""
State = Literal["complete", "infeasible", "failed"]
"""The state of a trial: one that violates a bound is infeasible, one that ended with an error has failed."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial of a search: a set of values, and the metrics on the validation queries."""

    number: int
    values: dict[str, Any]
    """The values that were tried, by key path."""
    state: State
    metrics: dict[str, float] = field(default_factory=dict)
    """The tuned metric and those of the bounds, by names in reports; empty if the trial failed."""
    seconds: float = 0.0
    problem: str = ""
    """The error of a failed trial, else empty."""


def best_of(trials: Sequence[Trial], tuning: Tuning) -> list[Trial]:
    """Return the trials that satisfy all bounds, best first; of equally good trials the earlier one comes first."""
    sign = -1 if tuning.metric_spec.measure.metric.higher_is_better else 1
    complete = [trial for trial in trials if trial.state == "complete"]
    return sorted(complete, key=lambda trial: sign * trial.metrics[tuning.metric_spec.key])


class TrialTable:
    """The table `trials.csv` of a search, with a line for each trial, in order."""

    def __init__(self, path: Path, tuning: Tuning) -> None:
        """Use the table at this path, which may not exist yet."""
        self.path = path
        self.tuning = tuning
        paths = (dimension.path for dimension in tuning.space)
        self.columns = ["number", "state", *tuning.metric_specs, "seconds", *paths, "problem", CHECKSUM]

    def read(self) -> list[Trial]:
        """Read all trials, and remove an incomplete last line that an interruption left.

        A table that does not exist is created. Raises StoreError if the file is not a table of this search, or if a
        line is damaged.
        """
        if not self.path.exists():
            self._append(self.columns)
        try:
            text = self.path.read_text(encoding="utf-8")
            whole = text[: text.rfind("\n") + 1]
            if whole != text:
                write_whole(self.path, whole)
            header, *rows = csv.reader(io.StringIO(whole))
            if header != self.columns:
                raise ValueError("other columns than those of this search")
            return [self._trial(number, dict(zip(header, row, strict=True))) for number, row in enumerate(rows)]
        except (csv.Error, OSError, ValueError, KeyError, StopIteration) as error:
            raise StoreError(f"{self.path} cannot be read: {error}") from None

    def add(self, trial: Trial) -> None:
        """Append the line of a trial to the table."""
        row = {"number": trial.number, "state": trial.state, "seconds": f"{trial.seconds:.3f}", **trial.metrics}
        row |= {d.path: d.text(trial.values[d.path]) for d in self.tuning.space}
        row["problem"] = " ".join(trial.problem.split())
        cells = [str(row.get(column, "")) for column in self.columns[:-1]]
        self._append([*cells, json_digest(cells, 8)])

    def _append(self, cells: Sequence[object]) -> None:
        line = io.StringIO(newline="")
        csv.writer(line, lineterminator="\n").writerow(cells)
        append(self.path, line.getvalue())

    def _trial(self, number: int, row: Mapping[str, str]) -> Trial:
        """Return the trial of a line; raises ValueError if the line is damaged or that of another trial."""
        if row[CHECKSUM] != json_digest([row[column] for column in self.columns[:-1]], 8):
            raise ValueError(
                f"line {number + 2} is damaged (its checksum differs): remove it with those below, and the search with "
                "--resume repeats their trials"
            )
        if row["number"] != str(number):
            raise ValueError(f"line {number + 2} is that of trial {row['number']}, not of {number}")
        state = row["state"]
        if state not in ("complete", "infeasible", "failed"):
            raise ValueError(f"'{state}' is not a state of a trial")
        return Trial(
            number=number,
            values={dimension.path: dimension.parse(row[dimension.path]) for dimension in self.tuning.space},
            state=state,  # type: ignore[arg-type]
            metrics={name: float(row[name]) for name in self.tuning.metric_specs if row[name]},
            seconds=float(row["seconds"]),
            problem=row["problem"],
        )
