"""Files that come with a plugin: `plugin:NAME/config.yaml`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from hybridrec.errors import ConfigError, did_you_mean
from hybridrec.registry.discovery import Registry

PREFIX = "plugin:"


def located(path: Path, registry: Registry) -> Path:
    """Return the file of `plugin:NAME/FILE`, in the package of the plugin; return any other path unchanged.

    Raises ConfigError if the plugin or the file does not exist, with the YAML files that the plugin has.
    """
    text = path.as_posix()
    if not text.startswith(PREFIX):
        return path
    name, _, file = text.removeprefix(PREFIX).partition("/")
    provider = registry.provider(name)
    spec = None if provider.file else importlib.util.find_spec(provider.module.partition(":")[0])
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"{path}: {provider} is a single module, which ships no files")
    folder = Path(next(iter(spec.submodule_search_locations))).resolve()
    target = (folder / file).resolve()
    if target.is_file() and target.is_relative_to(folder):
        return target
    shipped = [shipped_file.relative_to(folder).as_posix() for shipped_file in folder.rglob("*.yaml")]
    raise ConfigError(f"{path}: {provider} ships no file '{file}': {did_you_mean(file, shipped)}")
