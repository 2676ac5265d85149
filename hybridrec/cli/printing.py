"""What the commands print: tables, sentences, and bars on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from hybridrec.evaluation.report import Comparison, Report


def console(*, stderr: bool = False) -> Console:
    """Colours and widths of the terminal, plain text elsewhere (never cut)."""
    from rich.console import Console

    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=200)


def table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; the first column is text, the others are aligned to the right if they hold numbers."""
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
    """Progress bars on a terminal, nothing elsewhere."""

    def __init__(self, quiet: bool) -> None:
        self.console = console(stderr=True)
        self.shown = self.console.is_terminal and not quiet

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar of `total` steps."""
        if not self.shown:
            yield lambda _: None
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True) as progress:
            bar = progress.add_task(what, total=total)
            yield lambda steps: progress.advance(bar, steps)


def result(report: Report) -> None:
    """The tables and the verdict of a report."""
    from hybridrec.evaluation.summary import result_table

    segments = next(iter(report.pipelines.values())).segments
    for segment in ["all", *(name for name in segments if name != "all")] if len(segments) > 2 else ["all"]:
        queries = segments[segment].queries
        what = "all queries" if segment == "all" else f"queries that know {segment.replace('+', ' and ')}"
        table(f"{what} ({queries})", *result_table(report, segment))
        print()
    verdicts(report)
    for note in report.notes:
        print(f"note: {note}")


def verdicts(report: Report) -> None:
    """The deciding comparisons in words: blends against the control, then against each single component."""
    from hybridrec.evaluation.compare import sentence

    deciding = [row for row in report.comparison if row.segment == "all" and row.metric == _first_metric(report)]
    for row in _in_order(report, deciding):
        print(sentence(row))
    if deciding:
        print()


def _first_metric(report: Report) -> str:
    return report.comparison[0].metric if report.comparison else ""


def _in_order(report: Report, rows: Sequence[Comparison]) -> list[Comparison]:
    """Declared pairs first; of the reference arms only what the blends that are no control say to them."""
    declared = [row for row in rows if not report.pipelines[row.control].single]
    variants = {row.variant for row in declared}
    others = [row for row in rows if report.pipelines[row.control].single and (row.variant in variants or not declared)]
    return declared + others
