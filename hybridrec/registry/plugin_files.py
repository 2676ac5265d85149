"""Files that come with a plugin: `plugin:NAME/config.yaml`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from hybridrec.errors import ConfigError, did_you_mean
from hybridrec.registry.discovery import Registry

PREFIX = "plugin:"


def located(path: Path, registry: Registry) -> Path:
    """The file that `plugin:NAME/FILE` means, beside the code of the plugin; any other path as it is.

    Raises ConfigError if there is no such plugin or file, with the YAML files it has.
    """
    text = path.as_posix()
    if not text.startswith(PREFIX):
        return path
    name, _, file = text.removeprefix(PREFIX).partition("/")
    provider = registry.provider(name)
    spec = importlib.util.find_spec(provider.module.partition(":")[0])
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"{path}: {provider} is a single module, which ships no files")
    folder = Path(next(iter(spec.submodule_search_locations))).resolve()
    found = (folder / file).resolve()
    if found.is_file() and found.is_relative_to(folder):
        return found
    shipped = [known.relative_to(folder).as_posix() for known in folder.rglob("*.yaml")]
    raise ConfigError(f"{path}: {provider} ships no file '{file}': {did_you_mean(file, shipped)}")
