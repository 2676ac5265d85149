"""The command `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from hybridrec.cli._options import STORE


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
    from hybridrec.paths import subfolder
    from hybridrec.runs import export_trec as judges
    from hybridrec.runs.run import Run
    from hybridrec.serving import export_word2vec as vectors
    from hybridrec.serving import submissions as challenges
    from hybridrec.serving.recommender import load

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
