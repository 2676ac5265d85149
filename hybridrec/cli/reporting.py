"""Commands around finished runs: report, runs, export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click

from hybridrec.cli.running import STORE


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--no-open", is_flag=True, help="Only print the path of the page.")
@click.option("--force", is_flag=True, help="Write the page anew even if it is there.")
@click.option("--map", "label", metavar="LABEL", help="Add a map of the items as this component sees them.")
@STORE
def report(run: Path, no_open: bool, force: bool, label: str | None, store_folder: Path) -> None:
    """Open the page of a finished RUN, report.html; it is written if it is not there yet.

    With --map the page gets the items in a plane, those alike near one another (takes scikit-learn: the
    extra `map`, and the fitted component in the store).
    """
    from hybridrec.experiment.folder import Run
    from hybridrec.reporting.page import PAGE, write

    finished = Run.open(run)
    if label is not None:
        from hybridrec.experiment.mapping import draw_map
        from hybridrec.experiment.store import Store

        draw_map(finished, label, Store(store_folder))
    page = finished.folder / PAGE
    if force or label is not None or page.is_symlink() or not page.exists():
        write(finished)
    print(page)
    if not no_open:
        click.launch(str(page))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--metric", help="Sort by this metric (default: the first one of the latest run).")
def runs(folder: Path, metric: str | None) -> None:
    """List the finished runs in FOLDER, best first, with the config keys in which they differ.

    Each run stands with its best blend. Only results on the same queries can be ranked: runs that asked
    others make a table of their own.
    """
    from hybridrec.cli.printing import table
    from hybridrec.evaluation.summary import cell
    from hybridrec.experiment.listing import listing

    found = listing(folder, metric)
    for group in found.groups:
        rows = [[one.run.folder.name, one.pipeline, cell(one.result), _assigned(one.differences)] for one in group.runs]
        only = f", {_assigned(group.differences)}" if group.differences else ""
        title = f"Runs in {folder} that asked the same {group.asked} queries ({group.queries[:8]}{only})"
        table(title, ["run", "best blend", found.metric, "differs in"], rows)
    for reason in found.unreadable:
        print(f"note: {reason}")


def _assigned(keys: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in keys.items())


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder for the files (default: in RUN, named by format)."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["trec", "parquet", "melon", "mpd", "word2vec"]),
    default="trec",
    show_default=True,
    help="trec and parquet: slates and truth (qrels). melon: the results file of the Melon challenge. mpd: that of the "
    "RecSys Challenge 2018. word2vec: the vectors of a component, as text, with its vocabulary and model (the run was "
    "made with `refit: all`).",
)
@click.option(
    "--questions",
    type=click.Path(path_type=Path),
    help="With melon and mpd: ask what this file of the challenge asks (val.json, challenge_set.json) instead of the "
    "queries of the run (made with `refit: all`).",
)
@click.option("--team", nargs=2, metavar="NAME EMAIL", help="With mpd: who answers.")
@click.option("--label", help="With word2vec: the component whose vectors are written (default: the only one).")
@STORE
def export(
    run: Path,
    output: Path | None,
    form: Literal["trec", "parquet", "melon", "mpd", "word2vec"],
    questions: Path | None,
    team: tuple[str, str] | None,
    label: str | None,
    store_folder: Path,
) -> None:
    """Write the slates (and the truth) of a finished RUN for other judges, or the vectors of a component."""
    from hybridrec.experiment import challenges, judges, vectors
    from hybridrec.experiment.folder import Run
    from hybridrec.experiment.serving import load
    from hybridrec.paths import subfolder

    if label is not None and form != "word2vec":
        raise click.UsageError(f"--label goes with --format word2vec, not with {form}")
    if questions is not None and form not in ("melon", "mpd"):
        raise click.UsageError(f"--questions goes with --format melon or mpd, not with {form}")
    if (team is not None) != (form == "mpd"):
        raise click.UsageError("--format mpd needs --team NAME EMAIL, and no other format takes it")
    if team is not None and any("," in part for part in team):
        raise click.UsageError("--team: a comma would part NAME or EMAIL in the file; leave it out")
    finished = Run.open(run)
    folder = output or subfolder(finished.folder, form)
    if form == "word2vec":
        paths = vectors.export(load(finished, store=store_folder), folder, label)
    elif form in ("trec", "parquet"):
        paths = judges.export(finished, folder, form)
    else:
        written = challenges.melon if team is None else challenges.mpd(*team)
        if questions is None:
            paths = challenges.export(challenges.answers_of(finished), written, folder)
        else:
            recommender = load(finished, store=store_folder)
            paths = challenges.export(challenges.answers_to(questions, recommender), written, folder)
            for note in recommender.experiment.reader.notes():
                click.echo(f"note: {note}", err=True)
    for path in paths:
        print(path)
