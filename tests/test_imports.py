"""No module of the core imports itself by way of others, not even inside a function."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in (ROOT / "hybridrec").rglob("*.py")
}


def imported(node: ast.AST) -> Iterator[str]:
    """Yield the modules of the core that code imports, those for type checks aside."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom) and child.module is not None:
            for name in (f"{child.module}.{alias.name}" for alias in child.names):
                yield name if name in MODULES else child.module
        yield from imported(child)


def test_there_is_no_circle_of_imports():
    graph = {
        module: {name for name in imported(ast.parse(file.read_text(encoding="utf-8"))) if name in MODULES} - {module}
        for module, file in MODULES.items()
    }
    assert len(graph) > 150
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError with the modules of the circle
