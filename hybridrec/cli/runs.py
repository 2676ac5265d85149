"""`hybridrec runs`: list the finished runs in a folder, with the keys in which their configs differ."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from hybridrec.cli._console import say

WIDTH = 90
"""Number of characters of a row for keys of the config; if some keys do not fit, only their number is shown."""
VALUE = 30
"""The largest number of characters of a value that are shown."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--metric", help="Sort by this metric (default: the first one of the latest run).")
@click.option("--all", "every", is_flag=True, help="Show every key in which runs differ, and whole values.")
def runs(folder: Path, metric: str | None, every: bool) -> None:
    """List the finished runs in FOLDER, a line each, with the config keys in which they differ.

    Each run is listed with its best pipeline. Only results on the same queries can be ranked, so runs with the same
    queries (column `queries`) are listed together, best first.
    """
    from hybridrec.cli._console import print_table
    from hybridrec.evaluation.summary import cell
    from hybridrec.runs.leaderboard import leaderboard

    board = leaderboard(folder, metric)
    rows = [
        [
            row.run.folder.name,
            f"{group.asked} ({group.queries[:8]})",
            row.pipeline,
            cell(row.result),
            _assigned({**row.differences, **group.differences}, every),
        ]
        for group in board.groups
        for row in group.runs
    ]
    title = f"Runs in {folder}, best first among those that asked the same queries"
    print_table(title, ["run", "queries", "best blend", board.metric, "differs in"], rows)
    for reason in board.unreadable:
        say(f"note: {reason}")


def _assigned(keys: Mapping[str, str], every: bool) -> str:
    """Format keys of a config with their values, as many as fit in a row, and the number of the other keys.

    With `every`, all keys are shown, and values are not cut.
    """
    texts = [f"{key}={value if every or len(value) <= VALUE else value[:VALUE] + '...'}" for key, value in keys.items()]
    shown: list[str] = []
    length = 0
    for text in texts:
        length += len(text) + 2
        if shown and length > WIDTH and not every:
            break
        shown.append(text)
    hidden = len(texts) - len(shown)
    return ", ".join(shown) + (f" + {hidden} more" if hidden else "")
