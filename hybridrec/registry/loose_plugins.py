"""Plugins without packaging: a file of Python, or a class that is handed in."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from hybridrec.errors import ConfigError, PluginError
from hybridrec.plugin import Plugin
from hybridrec.registry import kinds
from hybridrec.registry.requires_api import requires_api_in
from hybridrec.registry.validation import validate_api_version
from hybridrec.tracing import LOOSE

NOTEBOOK = "notebook"
"""The origin of a class whose module has no file."""


@dataclass(frozen=True, slots=True)
class LooseSource:
    """A plugin without packaging before it is loaded: `origin` is its file as it was given, or "notebook"."""

    name: str
    module: str
    origin: str
    given: type[Plugin] | Path

    def load(self) -> object:
        """Return the module of a file, run anew, or the class. Raises PluginError if the file cannot be run."""
        return _run(self.given, self.module) if isinstance(self.given, Path) else self.given


def loose_sources(plugins: Sequence[type[Plugin] | Path | str]) -> list[LooseSource]:
    """Return the sources of plugins without packaging; raises ConfigError for other values, and for equal names."""
    if isinstance(plugins, (str, Path, type)):
        raise ConfigError(f"plugins without packaging are given as a list: [{plugins!r}]")
    sources = [_source(plugin) for plugin in plugins]
    names = [source.name for source in sources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"two plugins without packaging are called '{twice[0]}': rename one of them")
    return sources


def _source(plugin: object) -> LooseSource:
    if isinstance(plugin, type) and issubclass(plugin, Plugin):
        file = getattr(sys.modules.get(plugin.__module__), "__file__", None)
        return LooseSource(plugin.__name__, plugin.__module__, NOTEBOOK if file is None else Path(file).name, plugin)
    if not isinstance(plugin, (str, Path)):
        raise ConfigError(f"a plugin is given as a class or as the path of a file, not as {type(plugin).__name__}")
    path = Path(plugin)
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise ConfigError(f"{path}: a plugin file is called like a module of Python, for example my_plugin.py")
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    return LooseSource(path.stem, f"{LOOSE}{path.stem}", path.as_posix(), path)


def classes_in(module: object) -> Iterator[tuple[kinds.Kind, type[Plugin]]]:
    """Yield the classes that a module defines itself and that have a name, with their kinds."""
    home = getattr(module, "__name__", "")
    for value in list(vars(module).values()):
        if isinstance(value, type) and issubclass(value, Plugin) and value.__module__ == home:
            kind = kinds.kind_of(value)
            if kind is not None and "name" in vars(value):
                yield kind, value


def _run(path: Path, name: str) -> ModuleType:
    """Run a file as a module of this name.

    Nothing compiled is kept: Python tells files apart by their seconds and sizes, and an edit may change neither.
    """
    file = str(path.resolve())
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise PluginError(f"{path} cannot be read: {error}") from None
    validate_api_version(requires_api_in(text), str(path))
    module = ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module
    # Its text is the one that runs, whatever becomes of the file meanwhile.
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec", dont_inherit=True), vars(module))
    return module


def offers_of(loaded: object) -> list[tuple[kinds.Kind, Any]]:
    """Return the offers of a plugin without packaging that uses no hook: the class itself, or those of its module."""
    if not isinstance(loaded, type):
        return list(classes_in(loaded))
    kind = kinds.kind_of(loaded)
    if kind is None:
        bases = ", ".join(kind.base_name for kind in kinds.KINDS if not kind.instances)
        raise PluginError(f"{loaded.__name__} does not derive from any of {bases}")
    return [(kind, loaded)]
