"""`hybridrec store`: show the size of the store of fits, and remove fits from it."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli._options import STORE


@click.group()
def store() -> None:
    """Show the size of the store of earlier fits, or remove fits from it."""


@store.command()
@STORE
def size(store_folder: Path | str) -> None:
    """Print the content of the store and its size."""
    from collections import Counter

    from hybridrec.cli._console import print_table
    from hybridrec.engine.object_store import open_store

    artifacts = open_store(store_folder).artifacts()
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for artifact in artifacts:
        kind = str(artifact.about.get("component") or next(iter(artifact.about), "other"))
        counts[kind] += 1
        sizes[kind] += artifact.bytes
    rows = [[kind, str(counts[kind]), f"{sizes[kind] / 1e6:.1f}"] for kind in sorted(counts)]
    rows.append(["all", str(len(artifacts)), f"{sum(sizes.values()) / 1e6:.1f}"])
    print_table(f"Store {store_folder}", ["what", "artifacts", "MB"], rows)


@store.command()
@STORE
@click.option("--keep", metavar="SIZE", help="Keep the most recently used up to this size, for example 2GB.")
@click.option(
    "--older-than", type=click.FloatRange(min=0), metavar="DAYS", help="Remove artifacts that were unused for so long."
)
@click.option("--all", "everything", is_flag=True, help="Remove everything; runs made with `refit: all` stop serving.")
def gc(store_folder: Path | str, keep: str | None, older_than: float | None, everything: bool) -> None:
    """Remove artifacts that were not used for --older-than days, and the least recently used beyond the size --keep."""
    from hybridrec.config.models import parse_size
    from hybridrec.engine.object_store import open_store
    from hybridrec.errors import ConfigError
    from hybridrec.types import DAY

    if keep is None and older_than is None and not everything:
        raise click.UsageError("choose the artifacts to remove: --keep SIZE, --older-than DAYS, or --all")
    try:
        limit = 2**63 if keep is None else int(str(parse_size(keep)))
    except ValueError as error:
        raise ConfigError(f"--keep: {error}") from None
    age = float("inf") if older_than is None else older_than * DAY
    removed = open_store(store_folder).collect(0 if everything else limit, age)
    print(f"removed {len(removed)} artifacts, {sum(artifact.bytes for artifact in removed) / 1e6:.1f} MB")
