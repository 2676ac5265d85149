"""Commands around the store of fitted components."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli.running import STORE


@click.group()
def store() -> None:
    """Look at what is kept of earlier fits, and clear it."""


@store.command()
@STORE
def size(store_folder: Path) -> None:
    """Print what the store holds."""
    from collections import Counter

    from hybridrec.cli.printing import table
    from hybridrec.experiment.store import Store

    artifacts = Store(store_folder).artifacts()
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for artifact in artifacts:
        kind = str(artifact.about.get("component") or next(iter(artifact.about), "other"))
        counts[kind] += 1
        sizes[kind] += artifact.bytes
    rows = [[kind, str(counts[kind]), f"{sizes[kind] / 1e6:.1f}"] for kind in sorted(counts)]
    rows.append(["all", str(len(artifacts)), f"{sum(sizes.values()) / 1e6:.1f}"])
    table(f"Store {store_folder}", ["what", "artifacts", "MB"], rows)


@store.command()
@STORE
@click.option(
    "--keep", default="0", show_default=True, metavar="SIZE", help="Keep the most recently used up to this size."
)
@click.option("--older-than", default=float("inf"), metavar="DAYS", help="Remove what was not used for so many days.")
def gc(store_folder: Path, keep: str, older_than: float) -> None:
    """Remove artifacts: least recently used first, down to --keep, and those unused for long."""
    from hybridrec.errors import ConfigError
    from hybridrec.experiment.schema import parse_size
    from hybridrec.experiment.store import Store

    try:
        limit = int(str(parse_size(keep)))
    except ValueError as error:
        raise ConfigError(f"--keep: {error}") from None
    keep_all = older_than != float("inf") and keep == "0"
    removed = Store(store_folder).collect(2**63 if keep_all else limit, older_than * 86_400)
    print(f"removed {len(removed)} artifacts, {sum(artifact.bytes for artifact in removed) / 1e6:.1f} MB")
