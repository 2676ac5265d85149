"""Commands around finished runs: report, runs, export."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--no-open", is_flag=True, help="Only print the path of the page.")
@click.option("--force", is_flag=True, help="Write the page anew even if it is there.")
def report(run: Path, no_open: bool, force: bool) -> None:
    """Open the page of a finished RUN, report.html; it is written if it is not there yet."""
    from hybridrec.experiment.folder import Run
    from hybridrec.reporting.page import PAGE, write

    finished = Run.open(run)
    page = finished.folder / PAGE
    if force or not page.exists():
        write(finished)
    print(page)
    if not no_open:
        click.launch(str(page))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--metric", help="Sort by this metric (default: the first one of the latest run).")
def runs(folder: Path, metric: str | None) -> None:
    """List the finished runs in FOLDER, best first, with the config keys in which they differ.

    Each run stands with its best blend. Results are comparable where the column `queries` is the same.
    """
    from hybridrec.cli.printing import table
    from hybridrec.evaluation.summary import cell
    from hybridrec.experiment.listing import listing

    found = listing(folder, metric)
    rows = [
        [
            one.run.folder.name,
            one.pipeline,
            cell(one.result),
            one.queries[:8],
            ", ".join(f"{key}={value}" for key, value in one.differences.items()),
        ]
        for one in found.runs
    ]
    table(f"Runs in {folder}", ["run", "best blend", found.metric, "queries", "differs in"], rows)
    for reason in found.unreadable:
        print(f"note: {reason}")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder for the files (default: in the run, by format)."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["trec", "melon"]),
    default="trec",
    help="trec: run files and qrels. melon: the results file of the Melon challenge.",
)
def export(run: Path, output: Path | None, form: str) -> None:
    """Write the slates (and the truth) of a finished RUN for other judges."""
    from hybridrec.experiment import melon, trec
    from hybridrec.experiment.folder import Run

    finished = Run.open(run)
    write = {"trec": trec.export, "melon": melon.export}[form]
    for path in write(finished, output or finished.folder / form):
        print(path)
