"""`hybridrec export`: write the content of a finished run in a format for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hybridrec.cli._options import BLOCK, PLUGIN

if TYPE_CHECKING:
    from hybridrec.runs.exporter import Exporter


def _formats(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Return the names of exporters that start with `begun`, for shell completion."""
    from hybridrec.registry.discovery import Registry

    return [name for name in Registry().names("exporters") if name.startswith(begun)]


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder for the files (default: in RUN, named by format)."
)
@click.option(
    "--format",
    "form",
    default="trec",
    show_default=True,
    metavar="NAME",
    shell_complete=_formats,
    help="An exporter, as `hybridrec show` lists them: trec and parquet write slates and truth (qrels), split writes "
    "training parts and queries; plugins bring others, such as logs and vectors.",
)
@click.option(
    "--set", "assignments", multiple=True, metavar="OPTION=VALUE", help="An option of the exporter (`hybridrec show`)."
)
@BLOCK
@PLUGIN
def export(
    run: Path,
    output: Path | None,
    form: str,
    assignments: tuple[str, ...],
    block: tuple[str, ...],
    plugins: tuple[Path, ...],
) -> None:
    """Write the content of a finished RUN in a format for other tools."""
    from hybridrec.paths import subfolder
    from hybridrec.registry.discovery import Registry
    from hybridrec.runs.exporter import export as write
    from hybridrec.runs.run import Run

    exporter = _exporter(Registry(block=block, plugins=plugins).get("exporters", form), assignments, plugins)
    finished = Run.open(run)
    for path in write(exporter, finished, output or subfolder(finished.folder, form)):
        print(path)
    for note in exporter.notes():
        click.echo(f"note: {note}", err=True)


def _exporter(cls: Any, assignments: tuple[str, ...], plugins: tuple[Path, ...]) -> Exporter:
    """Make an exporter with the options in `assignments`; raises ConfigError for an unknown or invalid option.

    `plugins` is the default of an option of this name, which exporters have that load the plugins of the run.
    """
    from hybridrec.config import yaml_document
    from hybridrec.config.validation import Validator

    given = yaml_document.YamlDocument(f"--format {cls.name} --set", {})
    for assignment in assignments:
        given.set(assignment)
    if plugins and "plugins" in cls.Config.model_fields:
        given.content.setdefault("plugins", list(map(str, plugins)))
    return cls(Validator(given, {}).validate(cls.Config, given.content, ()))
