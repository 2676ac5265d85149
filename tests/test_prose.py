"""Prose of the code: docstrings open with a verb or a noun phrase, messages use usual words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VERBS = frozenset((Path(__file__).parent / "docstring_verbs.txt").read_text(encoding="utf-8").split())
FOLDERS = ("hybridrec", "plugins", "benchmarks", "docs")
RELATIVE = re.compile(
    r"(All that|Anybody|How|If|Of|That|What|Whatever|When|Where|Whether|Which|Who|Whoever|Whose|Why)\b"
)
"""Openings of relative clauses: the reader has to finish the sentence to learn what the thing is."""
RETURNED = re.compile(r"(Return|Give|Yield|Compute|Tell|Say) (how|what|where|which|who|why)\b")
EMPTY_NAMES = frozenset({"found", "known", "one", "part", "what"})
"""Names of anything, and so of nothing."""
NOUN_PHRASES = frozenset({"property", "cached_property", "hookspec", "hookimpl", "setter"})
"""Decorators of functions that stand for a thing, or that describe a hook."""

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def documented(folder: str) -> Iterator[tuple[str, Documented, str]]:
    """Yield (place, node, docstring) of all that has a docstring below a folder."""
    for file in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, Documented) and (docstring := ast.get_docstring(node)):
                yield f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}", node, docstring


def opens_with_verb(node: Documented) -> bool:
    """Return True for a function that acts: neither a property nor a hook."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    names = {ast.unparse(decorator).partition("(")[0].rpartition(".")[2] for decorator in node.decorator_list}
    return not names & NOUN_PHRASES


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_of_functions_open_with_a_verb(folder: str):
    wrong = [
        f"{place} {docstring.splitlines()[0]}"
        for place, node, docstring in documented(folder)
        if opens_with_verb(node) and docstring.split()[0].rstrip(",.:;") not in VERBS
    ]
    assert not wrong, f"{len(wrong)} open otherwise:\n" + "\n".join(wrong[:40])


@pytest.mark.parametrize("folder", [*FOLDERS, "examples", "tests"])
def test_docstrings_do_not_open_with_a_relative_clause(folder: str):
    wrong = [
        f"{place} {docstring.splitlines()[0]}"
        for place, _, docstring in documented(folder)
        if RELATIVE.match(docstring) or RETURNED.match(docstring)
    ]
    assert not wrong, f"{len(wrong)} open so:\n" + "\n".join(wrong[:40])


@pytest.mark.parametrize("folder", ["hybridrec", "plugins"])
def test_messages_say_is_not(folder: str):
    """'X is no Y' is not said in English of today: a message says 'X is not a Y', or what X is."""
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.value.strip()[:100]}"
        for file in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"\bis no [a-z]", node.value)
    ]
    assert not wrong, f"{len(wrong)} say so:\n" + "\n".join(wrong[:40])


def bound_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of all that code gives a name: variables, parameters, attributes, functions."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.arg(arg=name):
                yield node.lineno, name


@pytest.mark.parametrize("folder", [*FOLDERS, "examples", "tests"])
def test_names_say_what_they_hold(folder: str):
    """`part` could be a training part, a share or a block of rows: the reader has to look it up."""
    wrong = [
        f"{file.relative_to(ROOT)}:{line} {name}"
        for file in sorted((ROOT / folder).rglob("*.py"))
        for line, name in bound_names(ast.parse(file.read_text(encoding="utf-8")))
        if name in EMPTY_NAMES
    ]
    assert not wrong, f"{len(wrong)} names hold anything:\n" + "\n".join(wrong[:40])
