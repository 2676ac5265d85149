"""Uses of private names of hybridrec in the source of a plugin: any release may move or remove such names."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import hybridrec
from hybridrec import kernels, testing, text_files

_ROOT = hybridrec.__name__
_NAMES = frozenset(dir(hybridrec))
"""The public names; `import hybridrec` alone does not load the objects behind them."""
_MODULES = {"kernels": kernels, "text_files": text_files, "testing": testing}
"""The public modules; only the last one may be imported by its path."""


def private_imports(module: str) -> list[str]:
    """Return a text for each use of a private name of hybridrec: file, line, name, and the public name if there is one.

    It searches the files of the package to which `module`, an imported module, belongs, and runs no file.
    """
    return [
        f"{shown}:{line}: {told}"
        for path, shown in _sources(module)
        for line, told in sorted(set(_uses(path.read_text(encoding="utf-8", errors="replace"))))
    ]


def _sources(module: str) -> Iterator[tuple[Path, str]]:
    """Yield (file, path as messages show it) for each file of a module's package; for a single module, for its file."""
    package = module.partition(".")[0]
    if package == _ROOT:
        return
    for name in (package, module):
        loaded = sys.modules.get(name)
        for folder in map(Path, getattr(loaded, "__path__", ())):
            yield from ((path, path.relative_to(folder.parent).as_posix()) for path in sorted(folder.rglob("*.py")))
            return
        if file := getattr(loaded, "__file__", None):
            yield Path(file), Path(file).name
            return


def _uses(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line number, description) for each use of a private name of hybridrec in a source text."""
    if _ROOT not in text:
        return
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # it was not imported, so the plugin works without it
        return
    bound = False
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(home), names=names, level=0) if home.partition(".")[0] == _ROOT:
                for alias in names:
                    if alias.name not in _public(home):
                        yield node.lineno, _advice(f"{home}.{alias.name}", alias.name)
            case ast.Import(names=names):
                for alias in names:
                    root, _, below = alias.name.partition(".")
                    bound |= root == _ROOT and alias.asname in (None, _ROOT)
                    if root == _ROOT and below not in ("", "testing"):
                        yield node.lineno, _advice(alias.name, alias.name.rpartition(".")[2])
    for node in ast.walk(tree) if bound else ():
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name == _ROOT:
                if attribute not in _public(_ROOT):
                    yield node.lineno, _advice(f"{_ROOT}.{attribute}", attribute)


def _public(home: str) -> set[str]:
    """Return the names that may be imported from a module of hybridrec."""
    if home == _ROOT:
        return {*_NAMES, "testing", "__version__"}
    return {*testing.__all__} if home == testing.__name__ else set()


def _advice(used: str, name: str) -> str:
    """Return the sentence about the use of a private name; it proposes the public object with that name, if any."""
    if name in _NAMES:
        return f"{used} is not public: write `from {_ROOT} import {name}`"
    for module in (module for module, public in _MODULES.items() if name in public.__all__):
        return f"{used} is not public: write `from {_ROOT} import {module}` and `{module}.{name}`"
    return f"{used} is not public, and nothing public has this name"
