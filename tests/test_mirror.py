"""Tests mirror the source: each module has the test file of its name, and each test file the module of its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from hybridrec.cli import COMMANDS

ROOT = Path(__file__).parents[1]
SOURCE, TESTS = ROOT / "hybridrec", ROOT / "tests"

SUBJECTS = {
    "tests/stages/test_columns.py": "scorers that fill several columns, from the scorer to fusions and options",
    "tests/cli/test_cli.py": "the group of commands in `cli/__init__.py`: exit statuses, messages, light start",
    "tests/cli/test_disk_faults.py": "disks that take nothing: what every command says, and what stays",
    "tests/cli/test_plugin_commands.py": "commands of plugins beside those of `cli/__init__.py`",
    "tests/data/splits/test_leaks.py": "a promise of all splitters: training does not hold what is asked for",
    "tests/engine/test_catalogue.py": "what depends on the catalogue alone, made once for all fits of all runs",
    "tests/engine/test_segments.py": "segments, from the config to slates, reports and bundles",
    "tests/engine/test_sameness.py": "one experiment gives one result: a promise of the whole engine",
    "tests/registry/test_choice.py": "the choice of plugins: blocks, several providers of a name, classes left out",
    "tests/reporting/test_browser.py": "the page as a browser shows it",
    "tests/reporting/test_sections.py": "sections of the page that several modules make",
    "tests/reporting/test_tradeoffs.py": "trade-off curves, from the config to the page",
}
"""Test files below the folders of the source that mirror no module, each with its subject."""


def modules() -> Iterator[str]:
    """Yield the path below the package of every module that is mirrored, such as "engine/keys.py"."""
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE)
        if path.stem not in ("__init__", "__main__") and "templates" not in place.parts:
            yield place.as_posix()


def mirror(module: str) -> Path:
    """Return the test file of a module."""
    place = Path(module)
    return TESTS / place.parent / f"test_{place.stem.lstrip('_')}.py"


def dotted(module: str) -> str:
    """Return the name under which a module is imported."""
    return ".".join(("hybridrec", *Path(module).with_suffix("").parts))


@cache
def exports(package: str) -> dict[str, str]:
    """Return the names that a package takes from its modules: name -> the module (or package) that it stands for."""
    folder = ROOT / package.replace(".", "/")
    names: dict[str, str] = {}
    for file in (folder / "__init__.py", folder / "__init__.pyi"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if file.exists() else ():
            if isinstance(node, ast.ImportFrom):
                home = ".".join(filter(None, (package if node.level else "", node.module)))
                for alias in node.names:
                    below = f"{home}.{alias.name}"
                    names[alias.asname or alias.name] = below if is_module(below) else home
    return names


def is_module(name: str) -> bool:
    """Return True if a dotted name is that of a module or package of the source."""
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def home(package: str, name: str) -> str:
    """Return the module that a name stands for, or that defines it, when it is taken from a module or package."""
    below = f"{package}.{name}"
    exported = exports(package).get(name)
    return exported or (below if is_module(below) else package)


def imported(tree: ast.Module) -> set[str]:
    """Return the modules that a test file imports, or a name of which it takes from a package that exports it."""
    reached: set[str] = set()
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "hybridrec":
                    reached.add(alias.name)
                    bound[alias.asname or "hybridrec"] = alias.name if alias.asname else "hybridrec"
        elif isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "hybridrec":
            for alias in node.names:
                place = home(str(node.module), alias.name)
                reached.add(place)
                if is_module(f"{node.module}.{alias.name}") or place.rpartition(".")[2] == alias.name:
                    bound[alias.asname or alias.name] = place
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in bound:
            reached.add(home(bound[node.value.id], node.attr))
    return reached


def commands(tree: ast.Module) -> set[str]:
    """Return the modules of the commands that a test file calls: the command line imports them by these words."""
    words: set[object] = set()
    for node in ast.walk(tree):
        called = (
            node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple | ast.List) else ()
        )
        words |= {word.value for word in called[:1] if isinstance(word, ast.Constant)}
    return {f"hybridrec.cli.{word.replace('-', '_')}" for word in COMMANDS if word in words}


def is_mirrored(module: str) -> bool:
    """Return True if the test file of a module is there and imports something of it, or calls its command."""
    file = mirror(module)
    if not file.is_file():
        return False
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return dotted(module) in imported(tree) | commands(tree)


def test_each_module_has_the_test_file_of_its_name_which_imports_it():
    lacking = [module for module in modules() if not is_mirrored(module)]
    assert lacking == [], "write the test file of the module, or move the tests there that it should hold"


def test_each_test_file_below_a_folder_of_the_source_is_that_of_a_module():
    folders = {mirror(module).parent for module in modules()} - {TESTS}
    files = {file.relative_to(ROOT).as_posix() for folder in folders for file in folder.glob("test_*.py")}
    mirrors = {mirror(module).relative_to(ROOT).as_posix() for module in modules()}
    assert sorted(files - mirrors - SUBJECTS.keys()) == [], (
        "no module has this name: move the tests, or say the subject"
    )
    assert sorted(SUBJECTS.keys() - (files - mirrors)) == [], (
        "strike from SUBJECTS what is not there, or mirrors a module"
    )


def test_imports_are_traced_to_the_module_that_defines_the_name():
    source = """
import hybridrec
from hybridrec import Store, kernels as k
from hybridrec.engine import keys
def test(call):
    hybridrec.tune("x")
    k.top_k(keys.digest())
    call("check-plugin", "ease")
"""
    tree = ast.parse(source)
    assert imported(tree) == {
        "hybridrec", "hybridrec.engine.store", "hybridrec.stages.kernels", "hybridrec.engine.keys",
        "hybridrec.tuning.tune", "hybridrec.stages.kernels.topk",
    }  # fmt: skip
    assert commands(tree) == {"hybridrec.cli.check_plugin"}
    assert not imported(ast.parse("import numpy\nfrom scipy import sparse\nsparse.tune(numpy.top_k)"))
