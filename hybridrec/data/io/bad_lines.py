"""Lines that a reader cannot use: an error where it is strict; else counted, with the first places kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import islice
from pathlib import Path

from hybridrec.errors import DataError
from hybridrec.plugin import Options

SHOWN = 3
"""Places that a note names."""


class Tolerance(Options):
    """What all readers of files have in common."""

    strict: bool = True
    """Whether a malformed line is an error. If false, such lines are passed over; how many there were, and
    where the first of them are, stands in the notes of the run."""


class Malformed:
    """The lines of one reading that could not be used.

    Malformed is what is not of the format (a wrong number of fields, broken JSON, bytes that are not of
    the encoding), a value that is none (a rating "x"), an id that no other file knows, and a second line for
    what occurs once.
    """

    def __init__(self, *, strict: bool, option: bool = True) -> None:
        """With `strict` the first malformed line is an error; it names the option, unless there is none to set."""
        self.strict = strict
        self._advice = "; `strict: false` passes over malformed lines" if option else ""
        self._counts: Counter[Path] = Counter()
        self._first: dict[Path, list[str]] = {}

    @property
    def count(self) -> int:
        """Lines passed over so far."""
        return self._counts.total()

    def add(self, path: Path, lines: Collection[int], what: str, *, unit: str = "line") -> None:
        """Lines (or rows) of a file, counted from 1, and what is wrong with the first of them.

        Raises DataError if there are any and the reader is strict.
        """
        if not len(lines):
            return
        if self.strict:
            raise DataError(f"{path}, {unit} {next(iter(lines))}: {what}{self._advice}")
        self._counts[path] += len(lines)
        first = self._first.setdefault(path, [])
        first += [f"{unit} {line}: {what}" for line in islice(lines, max(0, SHOWN - len(first)))]

    def notes(self) -> list[str]:
        """A sentence for each file with malformed lines: how many, and where the first ones are."""
        return [
            f"{path}: {count} malformed line{'s were' if count > 1 else ' was'} passed over; "
            f"{'the first: ' if count > 1 else ''}{'; '.join(self._first[path])}"
            for path, count in self._counts.items()
        ]
