"""The command `init`."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli._options import BLOCK, PLUGIN


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("experiment.yaml"), show_default=True)
@click.option("--force", is_flag=True, help="Overwrite the output file.")
@BLOCK
@PLUGIN
def init(files: tuple[Path, ...], output: Path, force: bool, block: tuple[str, ...], plugins: tuple[Path, ...]) -> None:
    """Profile your own data FILES and write a working config for them, with a JSON Schema for your editor.

    FILES may be a folder. A published data set (MovieLens, ...) gets the reader that is made for it.
    """
    import json

    from hybridrec.config.json_schema import experiment_schema
    from hybridrec.config.starter import SCHEMA, starting_config
    from hybridrec.errors import ConfigError
    from hybridrec.paths import write_whole
    from hybridrec.registry.discovery import Registry

    if output.exists() and not force:
        raise ConfigError(f"{output} exists; give another name with -o, or --force to overwrite it")
    registry = Registry(block=block, plugins=plugins)
    description, config = starting_config(files, output.resolve().parent, registry)
    for line in description:
        print(line)
    write_whole(output, config)
    schema = output.parent / SCHEMA
    schema.parent.mkdir(exist_ok=True)
    write_whole(schema, json.dumps(experiment_schema(registry), indent=1, ensure_ascii=False))
    print(f"wrote {output}; try: hybridrec run {output}")
