"""Files that come with a plugin: `plugin:NAME/config.yaml`."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hybridrec.errors import ConfigError, did_you_mean
from hybridrec.registry.discovery import Provider, Registry

PREFIX = "plugin:"
CONFIGS = "configs"
"""The folder of configs in a package. In a clone it may lie beside the package and be put into it by the build."""

LONGEST = 110
"""Characters of a sentence from which on it ends at its colon."""


@dataclass(frozen=True, slots=True)
class ShippedConfig:
    """A config that comes with a plugin.

    name: `plugin:NAME/FILE`, by which commands take it
    summary: the first sentence of its comment
    """

    name: str
    path: Path
    summary: str


def located(path: Path, registry: Registry) -> Path:
    """Return the file of `plugin:NAME/FILE`, in the package of the plugin; return any other path unchanged.

    Raises ConfigError if the plugin or the file does not exist, with the YAML files that the plugin has.
    """
    text = path.as_posix()
    if not text.startswith(PREFIX):
        return path
    name, _, file = text.removeprefix(PREFIX).partition("/")
    provider = registry.provider(name)
    folder = _package(provider)
    if folder is None:
        raise ConfigError(f"{path}: {provider} is a single module, which ships no files")
    for top, within in _folders(folder):
        target = (top / file).resolve()
        if target.is_file() and target.is_relative_to(within):
            return target
    shipped = [name for name, _ in _yaml_files(folder)]
    raise ConfigError(f"{path}: {provider} ships no file '{file}': {did_you_mean(file, shipped)}")


def shipped_configs(registry: Registry) -> list[ShippedConfig]:
    """Return the experiments that come with the loaded plugins, in the order of their names."""
    configs: dict[Path, ShippedConfig] = {}
    for provider in registry.providers:
        folder = None if provider.blocked or provider.error is not None else _package(provider)
        for file, path in () if folder is None else _yaml_files(folder):
            text = path.read_text(encoding="utf-8", errors="replace")
            if all(re.search(rf"^{key}:", text, re.MULTILINE) for key in ("data", "pipelines")):
                config = ShippedConfig(f"{PREFIX}{provider.name}/{file}", path, _summary(text))
                configs.setdefault(path, config)  # several plugins may be of one package
    return sorted(configs.values(), key=lambda config: config.name)


def _package(provider: Provider) -> Path | None:
    """Return the folder of a plugin's package, or of the one that its module is in; None for a single module."""
    module = provider.module.partition(":")[0]
    for name in () if provider.file else (module, module.rpartition(".")[0]):
        spec = importlib.util.find_spec(name) if name else None
        if spec is not None and spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations))).resolve()
    return None


def _folders(package: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the folders in which the files of a package are named, each with the one that they must be in."""
    yield package, package
    beside = package.parent / CONFIGS
    if (package.parent / "pyproject.toml").is_file() and not (package / CONFIGS).exists() and beside.is_dir():
        yield package.parent, beside.resolve()


def _yaml_files(package: Path) -> Iterator[tuple[str, Path]]:
    """Yield the YAML files of a package by their names in `plugin:NAME/FILE`."""
    for top, within in _folders(package):
        for path in sorted(within.rglob("*.yaml")):
            yield path.relative_to(top).as_posix(), path


def _summary(text: str) -> str:
    """Return the first sentence of the comment at the top of a config."""
    comment = re.match(r"(?:#.*\n)*", text)
    lines = [
        line.lstrip("# ") for line in (comment[0] if comment else "").splitlines() if "language-server" not in line
    ]
    paragraph = " ".join(lines[: lines.index("")] if "" in lines else lines)
    sentence = re.split(r"(?<=\w[.?])\s", paragraph, maxsplit=1)[0]
    return sentence if len(sentence) <= LONGEST else sentence.partition(": ")[0]
