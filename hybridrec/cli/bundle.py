"""`hybridrec bundle`: write all that serving needs of a finished run into one file."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write (default: named like the run, in the working folder).",
)
@click.option(
    "--no-users",
    is_flag=True,
    help="Leave out ids, histories, tags, titles, features and times of users: queries must bring them.",
)
def bundle(run: Path, output: Path | None, no_users: bool) -> None:
    """Write everything that serving needs from a finished RUN (made with `refit: all`) into one file.

    `recommend` and `similar` accept the file in place of a run, also on another machine. It needs the plugins that it
    names, but no data, config or store. What models learned about users stays in it.
    """
    from hybridrec.runs.run import Run

    finished = Run.open(run)
    path = output or Path(f"{finished.folder.resolve().name}.hybridrec")
    print(finished.bundle(path, users=not no_users))
