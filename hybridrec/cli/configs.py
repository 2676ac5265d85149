"""`hybridrec configs`: list the configs that come with plugins, or print one of them."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli._options import BLOCK, PLUGIN


@click.command()
@click.argument("name", required=False)
@BLOCK
@PLUGIN
def configs(name: str | None, block: tuple[str, ...], plugins: tuple[Path, ...]) -> None:
    """List the configs that come with the installed plugins, or print the one of this NAME.

    Each runs by its name: `hybridrec run plugin:core/configs/quickstart.yaml`. If a config needs data of yours,
    `--set data.folder=FOLDER` says where it is. A config that is printed can be saved and changed.
    """
    from hybridrec.cli._console import print_table
    from hybridrec.errors import ConfigError, did_you_mean
    from hybridrec.registry.discovery import Registry
    from hybridrec.registry.plugin_files import located, shipped_configs

    registry = Registry(block=block, plugins=plugins)
    shipped = {config.name: config for config in shipped_configs(registry)}
    if name is None:
        rows = [[config.name, config.summary] for config in shipped.values()]
        print_table("Configs of the installed plugins", ["config", "about"], rows)
    elif name in shipped:
        print(located(Path(name), registry).read_text(encoding="utf-8"), end="")
    else:
        raise ConfigError(f"no plugin ships the config '{name}': {did_you_mean(name, shipped)}")
