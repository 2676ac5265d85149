"""Files in the package of a plugin, which commands take as `plugin:NAME/FILE`."""

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
"""The folder of configs in a package; in a clone it may lie beside the package, until the build moves it inside."""

LONGEST = 110
"""Number of characters. A summary with more characters is cut before its first colon."""


@dataclass(frozen=True, slots=True)
class ShippedConfig:
    """A config that comes with a plugin.

    name: `plugin:NAME/FILE`, the name that commands take
    summary: the first sentence of the comment at its top
    """

    name: str
    path: Path
    summary: str


def located(path: Path, registry: Registry) -> Path:
    """Return the path of the file that `plugin:NAME/FILE` names in the package of a plugin.

    A path without the prefix `plugin:` is returned unchanged. Raises ConfigError if the plugin does not exist, or does
    not have the file; in the second case the message proposes a file that it has.
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
    """Return the configs of experiments that come with the loaded plugins, in the order of their names."""
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
    """Return the folder of a plugin's package, or of the package that holds its module; None for a single module."""
    module = provider.module.partition(":")[0]
    for name in () if provider.file else (module, module.rpartition(".")[0]):
        spec = importlib.util.find_spec(name) if name else None
        if spec is not None and spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations))).resolve()
    return None


def _folders(package: Path) -> Iterator[tuple[Path, Path]]:
    """Yield (top, within) for each folder where a package may have files.

    The files are inside the folder `within`, and FILE of `plugin:NAME/FILE` is their path relative to the folder `top`.
    The first pair is the package twice. In a clone the folder `configs` may lie beside the package; then the second
    pair is the package's parent and this folder.
    """
    yield package, package
    beside = package.parent / CONFIGS
    if (package.parent / "pyproject.toml").is_file() and not (package / CONFIGS).exists() and beside.is_dir():
        yield package.parent, beside.resolve()


def _yaml_files(package: Path) -> Iterator[tuple[str, Path]]:
    """Yield (name, path) for each YAML file of a package; the name is the FILE of `plugin:NAME/FILE`."""
    for top, within in _folders(package):
        for path in sorted(within.rglob("*.yaml")):
            yield path.relative_to(top).as_posix(), path


def _summary(text: str) -> str:
    """Return the first sentence of the comment at the top of a config, shortened if it is longer than `LONGEST`."""
    comment = re.match(r"(?:#.*\n)*", text)
    lines = [
        line.lstrip("# ") for line in (comment[0] if comment else "").splitlines() if "language-server" not in line
    ]
    paragraph = " ".join(lines[: lines.index("")] if "" in lines else lines)
    sentence = re.split(r"(?<=\w[.?])\s", paragraph, maxsplit=1)[0]
    return sentence if len(sentence) <= LONGEST else sentence.partition(": ")[0]
