"""`hybridrec plan`: list the single fits of an experiment, with the share of each, for workers that share a store."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli._console import megabytes
from hybridrec.cli._options import FitOptions, fit_options


@click.command()
@fit_options
@click.option("--shares", default=1, show_default=True, type=click.IntRange(1, 999_999), help="Number of shares.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def plan(
    config: Path,
    assignments: tuple[str, ...],
    options: FitOptions,
    shares: int,
    as_json: bool,
) -> None:
    """List every fit of an experiment with its share, and store the plan for the workers of `fit`; nothing is fitted.

    A fit waits for those that it uses, and for those by which an option is chosen; its key is known when these are in
    the store.
    """
    import json
    from dataclasses import asdict

    from hybridrec.api import plan_fits
    from hybridrec.cli._console import about, print_table

    shared = plan_fits(config, assignments, shares=shares, **options)
    if as_json:
        fits = [{**asdict(entry), "place": entry.place, "share": shared.shares[entry.place]} for entry in shared.fits]
        print(json.dumps({"shares": shares, "fits": fits}, indent=1, ensure_ascii=False))
        return
    rows = [
        [
            entry.label,
            entry.component,
            entry.fold,
            entry.level,
            str(entry.repeat),
            f"{shared.shares[entry.place]}/{shares}",
            "in the store" if entry.stored else f"{len(entry.waits_for)} fits" if entry.waits_for else "",
            megabytes(entry.memory),
            about(entry.seconds),
            entry.key,
        ]
        for entry in shared.fits
    ]
    heads = ["label", "component", "fold", "level", "repeat", "share", "waits for", "memory", "time", "key"]
    print_table(f"{len(rows)} fits", heads, rows)
