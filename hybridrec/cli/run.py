"""`hybridrec run`: run an experiment, write its folder, and print the verdict."""

from __future__ import annotations

import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

import click

from hybridrec.cli._console import announcing_interrupts
from hybridrec.cli._options import ExperimentOptions, experiment_options


@click.command()
@experiment_options
@click.option("--name", help="Name of the run, instead of the config's.")
@click.option("--validation", is_flag=True, help="Measure on validation queries of the training parts instead.")
@click.option("--quiet", is_flag=True, help="Print nothing but the path of the report.")
def run(
    config: Path,
    assignments: tuple[str, ...],
    options: ExperimentOptions,
    name: str | None,
    validation: bool,
    quiet: bool,
) -> None:
    """Run an experiment and print the verdict.

    Everything is written into a new folder below RUNS; fitted components are kept in the store, so
    that a second run fits nothing twice. With --validation no test query is used: choose parameters with
    it. CONFIG may be `plugin:NAME/FILE`, a file that comes with a plugin.
    """
    started = time.perf_counter()  # the imports are part of what the user waits for
    from hybridrec.api import run as carry_out
    from hybridrec.cli._console import Bars, print_report
    from hybridrec.errors import WriteError
    from hybridrec.evaluation.report import Report
    from hybridrec.reporting.page import PAGE

    assignments = (*assignments, f"name={name}") if name else assignments
    with announcing_interrupts():
        try:
            with redirect_stdout(sys.stderr):  # standard output is for the result, whatever plugins print
                finished = carry_out(
                    config, assignments, **options, progress=Bars(quiet, started), validation=validation
                )
        except WriteError as error:
            if isinstance(error.report, Report) and not quiet:
                print_report(error.report)  # what was measured, at least
            raise
    if not quiet:
        print_report(finished.report)
        print(finished.folder / PAGE)
    print(finished.folder / "report.json")
