"""`hybridrec fit`: do the fits of a share of an experiment, beside other workers that use the same store."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

from hybridrec.cli._console import announcing_interrupts, say
from hybridrec.cli._options import FitOptions, work_options


@click.command()
@work_options
@click.option("--share", default="1/1", show_default=True, metavar="NUMBER/OF", help="The share to fit, as 3/16.")
@click.option("--wait", is_flag=True, help="Wait for fits of other workers until the share is done.")
@click.option("--steal", is_flag=True, help="Then do the fits of other shares, too, if nobody is at them.")
@click.option(
    "--beat",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0.05),
    metavar="SECONDS",
    help="Time between two signs of life; after three that fail to come, another worker takes a fit over.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def fit(
    config: Path,
    assignments: tuple[str, ...],
    options: FitOptions,
    share: str,
    wait: bool,
    steal: bool,
    beat: float,
    as_json: bool,
    quiet: bool,
) -> None:
    """Fit what is ready of a share and not in the store, and print what is left.

    Workers on other machines do the other shares with the same store; `hybridrec run` then finds all fits
    there. Without --share it is all fits: workers that are started several times leave each other's alone.
    """
    import json
    from dataclasses import asdict

    from hybridrec.api import fit as carry_out
    from hybridrec.cli._console import Bars, about, print_table

    with announcing_interrupts(), redirect_stdout(sys.stderr):
        report = carry_out(
            config,
            assignments,
            share=share,
            wait=wait,
            steal=steal,
            beat=beat,
            **options,
            progress=Bars(quiet),
        )
    if as_json:
        print(json.dumps(asdict(report), indent=1, ensure_ascii=False))
        return
    doubled = f", {report.doubled} of which another worker had done meanwhile" if report.doubled else ""
    say(
        f"share {report.share}: {report.fitted} fits done in {about(report.seconds)}{doubled}; "
        f"{report.stored} of {report.fits} fits are in the store, {len(report.left)} of this share are left"
    )
    if report.left:
        rows = [[left.entry.place, left.reason] for left in report.left]
        print_table("Left", ["fit", "reason"], rows)
