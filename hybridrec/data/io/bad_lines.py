"""Malformed lines, which are an error if a reader is strict, and otherwise are skipped, counted and reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

from hybridrec.errors import DataError
from hybridrec.plugin import Options

if TYPE_CHECKING:
    import polars as pl

SHOWN = 3
"""Number of places that a note names."""


@dataclass(slots=True)
class Fault:
    """A fault that rows of a column have: what is wrong, what would be right, and the rows.

    first: the first value that has it
    rows: numbers of the rows that have it, in pieces
    of: number of all rows that were looked at
    """

    column: str
    fault: str
    right: str
    first: object = None
    rows: list[pl.Series] = field(default_factory=list)
    of: int = 0


@dataclass(slots=True)
class FaultList:
    """The faults of a table that is read in blocks of rows: one for each check of a column, in the order of the checks.

    Every block makes the same checks; `place` is the number of the next one.
    """

    faults: list[Fault] = field(default_factory=list)
    place: int = 0

    def next(self, fault: Fault) -> Fault:
        """Return the fault of the next check, which is `fault` if no block has made this check before."""
        if self.place == len(self.faults):
            self.faults.append(fault)
        self.place += 1
        return self.faults[self.place - 1]


class BadLineOptions(Options):
    """The option of readers that decides if malformed lines are an error or are skipped."""

    strict: bool = True
    """Treat a malformed line as an error. If false, such lines are skipped; the notes of the run give their number and
    the places of the first of them.
    """


class BadLines:
    """The malformed lines that a reader has met in one call of `read`.

    A line is malformed in four cases. It does not have the format of the file (a wrong number of fields, broken JSON,
    bytes that are invalid in the encoding). A value in it is invalid (a rating "x"). It refers to an id that no other
    file has. It is the second line about something that may occur only once.
    """

    def __init__(self, *, strict: bool, option: bool = True) -> None:
        """Raise an error at the first malformed line if `strict`; else count such lines.

        With `option` the message of the error says that `strict: false` skips malformed lines.
        """
        self.strict = strict
        self._advice = "; `strict: false` skips malformed lines" if option else ""
        self._counts: Counter[Path] = Counter()
        self._first: dict[Path, list[tuple[str, str, int]]] = {}

    @property
    def count(self) -> int:
        """Number of lines skipped so far."""
        return self._counts.total()

    def add(self, path: Path, lines: Collection[int], fault: str, *, unit: str = "line") -> None:
        """Record the numbers (from 1) of malformed lines of a file; `fault` describes the first of them.

        `unit` is "line", or "row" for files without lines. Raises DataError if `lines` is not empty and the reader is
        strict.
        """
        if not len(lines):
            return
        if self.strict:
            raise DataError(f"{path}, {unit} {next(iter(lines))}: {fault}{self._advice}")
        self._counts[path] += len(lines)
        first = self._first.setdefault(path, [])
        first += [(fault, unit, line) for line in islice(lines, max(0, SHOWN - len(first)))]

    def notes(self) -> list[str]:
        """Return a sentence for each file with malformed lines: how many it has, and the places of the first ones."""
        return [
            f"{path}: {count} malformed line{'s were' if count > 1 else ' was'} skipped; "
            f"{'the first: ' if count > 1 else ''}{_places(self._first[path])}"
            for path, count in self._counts.items()
        ]


def _places(first: list[tuple[str, str, int]]) -> str:
    """Describe places (fault, unit, line) in words, grouped by fault: "lines 2 and 5: no song; line 10: no user"."""
    groups = []
    for (fault, unit), group in groupby(first, key=lambda place: place[:2]):
        lines = [str(line) for *_, line in group]
        numbers = " and ".join([", ".join(lines[:-1]), lines[-1]] if len(lines) > 1 else lines)
        groups.append(f"{unit}{'s' if len(lines) > 1 else ''} {numbers}: {fault}")
    return "; ".join(groups)
