"""The command `runs`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--metric", help="Sort by this metric (default: the first one of the latest run).")
def runs(folder: Path, metric: str | None) -> None:
    """List the finished runs in FOLDER, best first, with the config keys in which they differ.

    Each run is listed with its best blend. Only results on the same queries can be ranked: runs on other
    queries are in tables of their own.
    """
    from hybridrec.cli._console import print_table
    from hybridrec.evaluation.summary import cell
    from hybridrec.runs.leaderboard import leaderboard

    board = leaderboard(folder, metric)
    for group in board.groups:
        rows = [[row.run.folder.name, row.pipeline, cell(row.result), _assigned(row.differences)] for row in group.runs]
        only = f", {_assigned(group.differences)}" if group.differences else ""
        title = f"Runs in {folder} that asked the same {group.asked} queries ({group.queries[:8]}{only})"
        print_table(title, ["run", "best blend", board.metric, "differs in"], rows)
    for reason in board.unreadable:
        print(f"note: {reason}")


def _assigned(keys: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in keys.items())
