"""The command `schema`."""

from __future__ import annotations

import click


@click.command()
@click.option("--of", type=click.Choice(["experiment", "report"]), default="experiment", show_default=True)
def schema(of: str) -> None:
    """Print a JSON Schema: of experiment files with the options of all installed plugins, or of report.json."""
    import json

    from hybridrec.config.json_schema import experiment_schema
    from hybridrec.evaluation.report import Report
    from hybridrec.registry.discovery import Registry

    document = experiment_schema(Registry()) if of == "experiment" else Report.model_json_schema()
    print(json.dumps(document, indent=1, ensure_ascii=False))
