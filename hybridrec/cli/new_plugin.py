"""`hybridrec new-plugin`: write a small installable plugin with tests."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli._options import BLOCK, PLUGIN
from hybridrec.scaffold import KINDS


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="Kind of class that the plugin offers.")
@click.option(
    "--path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="here",
    help="Folder in which the plugin's folder is made.",
)
@BLOCK
@PLUGIN
def new_plugin(name: str, kind: str, path: Path, block: tuple[str, ...], plugins: tuple[Path, ...]) -> None:
    """Write a small installable plugin NAME (lower-case words and hyphens) with tests and an experiment.

    It passes its own tests as written; existing files are never overwritten.
    """
    from hybridrec import scaffold
    from hybridrec.registry.discovery import Registry

    folder = scaffold.new_plugin(name, kind, path, Registry(block=block, plugins=plugins))
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        print(f"wrote {file}")
    plugin = folder.name.removeprefix("hybridrec-")
    print(f"try: pip install -e '{folder}[dev]' && hybridrec run plugin:{plugin}/example.yaml && pytest {folder}")
