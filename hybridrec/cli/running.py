"""Commands around experiments: run, check, refresh, compare."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

CONFIG = click.argument("config", type=click.Path(path_type=Path))
SET = click.option(
    "--set", "assignments", multiple=True, metavar="KEY.PATH=VALUE", help="Override a key of the config."
)
STORE = click.option(
    "--store",
    "store_folder",
    type=click.Path(path_type=Path),
    envvar="HYBRIDREC_STORE",
    default=Path(".hybridrec/store"),
    show_default=True,
    help="Where fitted components are kept.",
)
BLOCK = click.option(
    "--block", multiple=True, metavar="PLUGIN", help="Leave a plugin out, by its name or that of its distribution."
)
RUNS = click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Folder of runs."
)


@click.command()
@CONFIG
@SET
@STORE
@BLOCK
@RUNS
@click.option("--name", help="Name of the run, instead of the config's.")
@click.option("--validation", is_flag=True, help="Measure on validation queries cut out of the training parts instead.")
@click.option("--quiet", is_flag=True, help="Print nothing but the path of the report.")
def run(
    config: Path,
    assignments: tuple[str, ...],
    store_folder: Path,
    block: tuple[str, ...],
    runs: Path,
    name: str | None,
    validation: bool,
    quiet: bool,
) -> None:
    """Carry out an experiment and print who is better.

    Everything is written into a folder of its own below RUNS; fitted components are kept in the store, so
    that a second run fits nothing twice. With --validation no test query is touched: use it to choose
    parameters. CONFIG may be `plugin:NAME/FILE`, a file that comes with a plugin.
    """
    from hybridrec.cli.printing import Bars, result
    from hybridrec.experiment.api import run as carry_out
    from hybridrec.reporting.page import PAGE, write

    assignments = (*assignments, f"name={name}") if name else assignments
    with _announcing_interrupts():
        finished = carry_out(
            config,
            assignments,
            store=store_folder,
            runs=runs,
            progress=Bars(quiet),
            validation=validation,
            block=block,
            written=write,
        )
    if not quiet:
        result(finished.report)
        print(finished.folder / PAGE)
    print(finished.folder / "report.json")


@click.command()
@CONFIG
@SET
@STORE
@BLOCK
def check(config: Path, assignments: tuple[str, ...], store_folder: Path, block: tuple[str, ...]) -> None:
    """Check a config, read its data, and print what would be fitted; nothing is fitted."""
    from hybridrec.cli.printing import table
    from hybridrec.experiment.api import fit_plan

    plan = fit_plan(config, assignments, store=store_folder, block=block)
    data = plan.data
    print(
        f"{config} is valid. Data: {data.users} users, {data.items} items, {data.tags} tags, "
        f"{data.interactions} interactions; {plan.folds} fold{'s'[: plan.folds != 1]}, {plan.queries} queries."
    )
    if plan.lessons:
        print(f"Re-rankers learn from {plan.lessons} validation queries, out of sample for the base fits below.")
    rows = [
        [job.label, job.component, job.level, str(job.fits), str(job.stored), _megabytes(job.memory)]
        for job in plan.jobs
    ]
    table("Fit plan", ["label", "component", "level", "fits", "in the store", "memory of one fit"], rows)
    for note in plan.notes:
        print(f"note: {note}")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@SET
@STORE
def refresh(run: Path, assignments: tuple[str, ...], store_folder: Path) -> None:
    """Let a finished RUN (made with `refit: all`) recommend from its data as it is now, with what is new in it.

    Components that can take up what is new are not fitted again, the others are; what blends learned stays. --set
    may name other data, as in `--set data.interactions.path=...`, and nothing else. The report is left as it is.
    """
    from hybridrec.cli.printing import table
    from hybridrec.experiment.refreshing import refresh as take_up

    found = take_up(run, assignments, store=store_folder)
    if not found:
        print("the data is what it was: nothing to do")
        return
    rows = [[one.label, one.component, one.how, f"{one.seconds:.2f}"] for one in found]
    table("Refreshed", ["label", "component", "how", "seconds"], rows)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--control", help="Pipeline of the first run the others are compared with (default: its last blend).")
@click.option("--metric", "metrics", multiple=True, help="Metrics to compare (default: all that the runs share).")
def compare(runs: tuple[Path, ...], control: str | None, metrics: tuple[str, ...]) -> None:
    """Compare finished RUNS, query by query: the first one is the control.

    Runs that did not answer the same queries over the same candidates are left out, with the reason.
    """
    from hybridrec.cli.printing import table
    from hybridrec.evaluation.compare import sentence
    from hybridrec.experiment.api import compare_runs

    if len(runs) < 2:
        raise click.UsageError("compare needs two runs or more")
    found = compare_runs(runs, control=control, metrics=metrics)
    table(
        "Comparison",
        ["control", "variant", "metric", "segment", "delta", "relative", "p (Holm)", "verdict"],
        [
            [
                r.control,
                r.variant,
                r.metric,
                r.segment,
                _signed(r.delta),
                _percent(r.relative),
                _p(r.p_adjusted),
                r.verdict,
            ]
            for r in found.rows
        ],
    )
    for row in found.rows:
        if row.segment == "all":
            print(sentence(row))
    for reason in found.left_out:
        print(f"note: {reason}")


@contextmanager
def _announcing_interrupts() -> Iterator[None]:
    """Threads cannot be stopped: the first Ctrl-C says what is waited for, the next one does not wait."""

    def interrupted(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        click.echo("waiting for the fits that run, to keep them; Ctrl-C again leaves at once", err=True)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f} %"


def _p(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size else "small"
