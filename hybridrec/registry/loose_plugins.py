"""Plugins without packaging: Python files or classes that a caller passes, to be plugins for one call."""

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
"""The origin of a class whose module has no file, as in a notebook."""


@dataclass(frozen=True, slots=True)
class LooseSource:
    """A plugin without packaging that is not loaded yet.

    origin: the path of its file as the caller gave it, or "notebook"
    given: the class or path that the caller passed
    """

    name: str
    module: str
    origin: str
    given: type[Plugin] | Path

    def load(self) -> object:
        """Return the class itself, or run the file and return it as a module.

        A file is run at each call. Raises PluginError if it cannot be read.
        """
        return _run(self.given, self.module) if isinstance(self.given, Path) else self.given


def loose_sources(plugins: Sequence[type[Plugin] | Path | str]) -> list[LooseSource]:
    """Convert the classes and paths that a caller passed to sources of plugins without packaging.

    Raises ConfigError for a value that is neither a class of a plugin nor a Python file, and for two equal names.
    """
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
    """Yield (kind, class) for each plugin class that a module defines itself and gives a `name`."""
    home = getattr(module, "__name__", "")
    for value in list(vars(module).values()):
        if isinstance(value, type) and issubclass(value, Plugin) and value.__module__ == home:
            kind = kinds.kind_of(value)
            if kind is not None and "name" in vars(value):
                yield kind, value


def _run(path: Path, name: str) -> ModuleType:
    """Run a file and return it as a module of this name.

    Python's cache of compiled files is not used: it notices an edit only by the time (in seconds) and size of the file,
    and an edit may change neither.
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
    """Return (kind, class) for each class that a plugin without packaging offers, if it implements no hook.

    `loaded` is a class, which offers itself, or a module, which offers its plugin classes. Raises PluginError for a
    class that is of no kind.
    """
    if not isinstance(loaded, type):
        return list(classes_in(loaded))
    kind = kinds.kind_of(loaded)
    if kind is None:
        bases = ", ".join(kind.base_name for kind in kinds.KINDS if not kind.instances)
        raise PluginError(f"{loaded.__name__} does not derive from any of {bases}")
    return [(kind, loaded)]
