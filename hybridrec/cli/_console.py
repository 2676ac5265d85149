"""Console output of the commands: tables, sentences, progress bars, and the treatment of Ctrl-C."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, Self

import click

from hybridrec.cli._interrupts import INTERRUPTED, interrupts

if TYPE_CHECKING:
    from rich.console import Console

    from hybridrec.evaluation.report import Report
    from hybridrec.runs.run import HeldOutQuery


_STEERING = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff]")
LINE_SECONDS = 5.0
"""The shortest time between two lines on the progress of fits, in seconds."""


@contextmanager
def announcing_interrupts() -> Iterator[None]:
    """Print at the first Ctrl-C that the running fits are finished first; end at once at the second Ctrl-C.

    Threads cannot be stopped, so the process waits for them after the first Ctrl-C.
    """

    def interrupted(number: int, frame: FrameType | None) -> NoReturn:
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        INTERRUPTED.set()
        click.echo("waiting for the fits that run, to keep them; Ctrl-C again leaves at once", err=True)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupted) for number in interrupts()}
    try:
        yield
    except KeyboardInterrupt:
        from hybridrec.inference.threads import end_threads

        end_threads()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def visible(text: str, *, lines: bool = True) -> str:
    """Return a text in which characters that steer a terminal are shown as `\\x1b` or `\\u202e`.

    They are control characters, characters that reverse the direction of writing, and separators of lines. Data from
    elsewhere could otherwise clear the screen, name the window, or reverse the text beside it. With `lines`, line
    breaks and tabs stay as they are.
    """
    shown = _STEERING.sub(lambda match: _escaped(match[0]), text)
    return shown if lines else shown.replace("\n", "\\n").replace("\t", "\\t")


def _escaped(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"


def say(text: str) -> None:
    """Print a line that may contain data; `visible` makes it harmless to the terminal."""
    print(visible(text))


def signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"


def percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f} %"


def p_value(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size else "small"


def about(seconds: float | None) -> str:
    """Format a rough duration in seconds with at most two digits and a unit; "?" if it is not known.

    >>> about(None), about(0.2), about(7.6), about(150), about(9000)
    ('?', 'under 1 s', '8 s', '2.5 min', '2.5 h')
    """
    if seconds is None:
        return "?"
    if seconds < 1:
        return "under 1 s"
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            number = seconds / size
            return f"{number:.0f} {unit}" if number >= 10 else f"{number:.2g} {unit}"
    return f"{seconds:.0f} s"


def console(*, stderr: bool = False) -> Console:
    """Return a console with the colours and width of the terminal; without a terminal, its lines are 200 wide."""
    from rich.console import Console

    terminal = Console(stderr=stderr, highlight=False)
    return terminal if terminal.is_terminal else Console(stderr=stderr, highlight=False, width=200)


def print_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of text; all columns but the first are aligned to the right if they hold only numbers."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for position, header in enumerate(headers):
        numbers = all(not row[position] or row[position][0] in "-+.0123456789" for row in rows)
        drawn.add_column(header, justify="right" if numbers and position else "left")
    for row in rows:
        drawn.add_row(*(Text(visible(cell, lines=False)) for cell in row))
    console().print(Text(visible(title), style="bold"))
    console().print(drawn)


class Bars:
    """A `Progress` that draws bars on a terminal.

    Without a terminal, it prints a line for each fit that ends, and now and then the progress that a fit reports.

    started: a reading of `time.perf_counter` at the start of the command, from which the report of a run counts
    """

    def __init__(self, quiet: bool, started: float | None = None) -> None:
        self.console = console(stderr=True)
        self.quiet = quiet
        self.started = started
        self.shown = self.console.is_terminal and not quiet
        self._describe: Callable[[str], None] | None = None
        self._at_work: list[str] = []
        self._task = ""
        self._told = time.monotonic()

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar of `total` steps, and yield the function that advances it by a number of steps."""
        self._task = name
        if not self.shown:
            self._told = time.monotonic()
            yield lambda _: None
            return
        from rich.markup import escape
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Remaining

        bars = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*bars, TextColumn("ETA"), Remaining(), console=self.console, transient=True) as progress:
            bar = progress.add_task(name, total=total)
            self._describe = lambda told: progress.update(bar, description=escape(f"{name}: {told}" if told else name))
            try:
                yield lambda steps: progress.advance(bar, steps)
            finally:
                self._describe = None

    def begin(self, fit: str) -> None:
        """Add a fit to the names of running fits beside the bar."""
        self._at_work.append(fit)
        self._show_work()

    def end(self, fit: str, seconds: float, cached: bool) -> None:
        """Remove a fit from the names beside the bar.

        Without a terminal, print a line with the seconds that it took, unless it was `cached`.
        """
        with suppress(ValueError):  # it is of another repeat, which may end at the same time
            self._at_work.remove(fit)
        self._show_work()
        if not (self.quiet or self.shown or cached):
            click.echo(f"{self._task}: {fit} {seconds:.1f} s", err=True)

    def _show_work(self) -> None:
        if self._describe is not None:
            self._describe(", ".join(self._at_work))

    def report(self, fit: str, step: int, of: int, numbers: Mapping[str, float | None]) -> None:
        """Show the progress of a fit beside the bar.

        Without a bar, print it as a line, unless a line was printed in the last `LINE_SECONDS`.
        """
        values = "".join(f", {name} {value:.4g}" for name, value in numbers.items() if value is not None)
        told = f"{fit} {step}/{of}{values}"
        if self._describe is not None:
            self._describe(told)
        elif not (self.quiet or self.shown) and time.monotonic() - self._told >= LINE_SECONDS:
            self._told = time.monotonic()
            click.echo(visible(told), err=True)


class CheckProgress:
    """The progress of the checks of a class: a bar on a terminal; elsewhere, a line for each check with its seconds."""

    def __init__(self, name: str, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        terminal = console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.name = name
        self._bars = Progress(*columns, console=terminal, transient=True) if terminal.is_terminal else None
        self._bar = None if self._bars is None else self._bars.add_task(name, total=total + 1)
        self._began: float | None = None

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end()
        if self._bars is not None:
            self._bars.stop()

    def begin(self, check: str) -> None:
        """Show that a check begins, and that the check before it has ended."""
        self._end()
        self._began = time.perf_counter()
        told = f"{self.name}: {check.replace('_', ' ')}"
        if self._bars is not None and self._bar is not None:
            self._bars.update(self._bar, description=told)
        else:
            click.echo(f"{told} ... ", nl=False, err=True)  # the name of one that hangs is there

    def _end(self) -> None:
        if self._began is None:
            return
        if self._bars is not None and self._bar is not None:
            self._bars.advance(self._bar)
        else:
            click.echo(f"{time.perf_counter() - self._began:.1f} s", err=True)
        self._began = None


def print_report(report: Report) -> None:
    """Print the tables, the verdict and the notes of a report."""
    from hybridrec.evaluation.summary import result_tables

    for title, headers, rows in result_tables(report):
        print_table(title, headers, rows)
        print()
    verdict(report)
    for note in report.notes:
        say(f"note: {note}")


def verdict(report: Report) -> None:
    """Print the opening sentence of a report, and the table of the comparisons from which the verdict follows."""
    from hybridrec.evaluation.summary import opening, verdict_table, verdict_title

    say(opening(report))
    print()
    if report.comparison:
        print_table(verdict_title(report), *verdict_table(report))
        print()


def names(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Return the names of classes and commands that start with `begun`, for shell completion."""
    from hybridrec.registry.discovery import Registry

    return [name for name in Registry().names() if name.startswith(begun)]


def held_out_query(folder: Path, unit: str, number: int) -> HeldOutQuery:
    """Return a test query of the user (or list) `unit`, and print a line on what the query shows and hides.

    folder: the folder of a run
    number: number of the query among the test queries of this user, from 1

    Raises DataError if the folder does not belong to a run, or if the user has fewer queries.
    """
    from hybridrec.errors import DataError
    from hybridrec.runs.run import Run

    if folder.is_file():
        raise DataError(f"{folder} is a bundle, which holds no test queries: name the run")
    queries = Run.open(folder).held_out(unit)
    if number > len(queries):
        raise DataError(f"--query {number}: '{unit}' has {len(queries)} quer{'y' if len(queries) == 1 else 'ies'}")
    chosen = queries[number - 1]
    shown = {"items": chosen.query.items, **chosen.query.entities}
    parts = [f"{len(ids)} {kind}" for kind, ids in shown.items() if ids] + ["a title"] * bool(chosen.query.text)
    hidden = [f"{len(ids)} {kind}" for kind, ids in chosen.hidden.items() if ids]
    several = f", query {number} of {len(queries)}" if len(queries) > 1 else ""
    say(
        f"'{unit}' of the test part{several} shows {', '.join(parts) or 'nothing'} and hides "
        f"{', '.join(hidden) or 'nothing'}; what answers has learned from all data, these included"
    )
    return chosen
