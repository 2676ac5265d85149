"""`hybridrec schema`: print the JSON Schema of experiment files or of reports."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli._options import BLOCK, PLUGIN


@click.command()
@click.option("--of", type=click.Choice(["experiment", "report"]), default="experiment", show_default=True)
@BLOCK
@PLUGIN
def schema(of: str, block: tuple[str, ...], plugins: tuple[Path, ...]) -> None:
    """Print the JSON Schema of experiment files, with the options of all installed plugins, or of report.json."""
    import json

    from hybridrec.config.json_schema import experiment_schema
    from hybridrec.evaluation.report import Report
    from hybridrec.registry.discovery import Registry

    json_schema = (
        experiment_schema(Registry(block=block, plugins=plugins)) if of == "experiment" else Report.model_json_schema()
    )
    print(json.dumps(json_schema, indent=1, ensure_ascii=False))
