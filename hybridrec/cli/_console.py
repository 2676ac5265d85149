"""Console output: tables, sentences, progress bars."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, Self

import click

if TYPE_CHECKING:
    from rich.console import Console

    from hybridrec.evaluation.report import Report
    from hybridrec.runs.run import HeldOutQuery


LINE_SECONDS = 5.0
"""Least seconds between two lines on the progress of fits."""


@contextmanager
def announcing_interrupts() -> Iterator[None]:
    """Print at the first Ctrl-C that running work is being finished; exit at the second.

    Threads cannot be stopped, so the first one waits for them.
    """

    def interrupted(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        click.echo("waiting for the fits that run, to keep them; Ctrl-C again leaves at once", err=True)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    except KeyboardInterrupt:
        from hybridrec.inference.threads import end_threads

        end_threads()
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"


def percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f} %"


def p_value(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size else "small"


def console(*, stderr: bool = False) -> Console:
    """Return a console with the colours and width of the terminal; elsewhere its plain text is never cut."""
    from rich.console import Console

    terminal = Console(stderr=stderr, highlight=False)
    return terminal if terminal.is_terminal else Console(stderr=stderr, highlight=False, width=200)


def print_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; the first column is text, the others are right-aligned if they hold numbers."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for position, header in enumerate(headers):
        numbers = all(not row[position] or row[position][0] in "-+.0123456789" for row in rows)
        drawn.add_column(header, justify="right" if numbers and position else "left")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console().print(Text(title, style="bold"))
    console().print(drawn)


class Bars:
    """Progress bars on a terminal; elsewhere a line for each fit that ends, and now and then for those that report.

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
        """Show a bar of `total` steps, and yield the function that advances it."""
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
        """Name the fit beside the bar, with the others that are at work."""
        self._at_work.append(fit)
        self._show_work()

    def end(self, fit: str, seconds: float, cached: bool) -> None:
        """Take the name of the fit away; without a terminal, print a line with the seconds that the fit took."""
        if fit in self._at_work:
            self._at_work.remove(fit)
        self._show_work()
        if not (self.quiet or self.shown or cached):
            click.echo(f"{self._task}: {fit} {seconds:.1f} s", err=True)

    def _show_work(self) -> None:
        if self._describe is not None:
            self._describe(", ".join(self._at_work))

    def report(self, fit: str, step: int, of: int, numbers: Mapping[str, float | None]) -> None:
        """Show the progress of a fit beside the bar; where there is none, on a line every `LINE_SECONDS` at most."""
        values = "".join(f", {name} {value:.4g}" for name, value in numbers.items() if value is not None)
        told = f"{fit} {step}/{of}{values}"
        if self._describe is not None:
            self._describe(told)
        elif not (self.quiet or self.shown) and time.monotonic() - self._told >= LINE_SECONDS:
            self._told = time.monotonic()
            click.echo(told, err=True)


class CheckProgress:
    """Progress of the checks of a class: a bar on a terminal, elsewhere a line for each check with its seconds."""

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
        """Tell that a check begins, and that the one before it has ended."""
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
    """Print the tables and the verdict of a report."""
    from hybridrec.evaluation.summary import result_tables

    for title, headers, rows in result_tables(report):
        print_table(title, headers, rows)
        print()
    verdict(report)
    for note in report.notes:
        print(f"note: {note}")


def verdict(report: Report) -> None:
    """Print the sentence that opens the verdict, and the table of the deciding comparisons."""
    from hybridrec.evaluation.summary import opening, verdict_table, verdict_title

    print(opening(report))
    print()
    if report.comparison:
        print_table(verdict_title(report), *verdict_table(report))
        print()


def names(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Return the names that can be explained or checked, for shell completion."""
    from hybridrec.registry.discovery import Registry

    return [name for name in Registry().names() if name.startswith(begun)]


def held_out_query(folder: Path, unit: str, number: int) -> HeldOutQuery:
    """Return a test query of a list by its number, from 1, and print what it shows and hides.

    Raises DataError if the folder is not that of a run, or if the list has fewer queries.
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
    print(
        f"'{unit}' of the test part{several} shows {', '.join(parts) or 'nothing'} and hides "
        f"{', '.join(hidden) or 'nothing'}; what answers has learned from all data, these included"
    )
    return chosen
