"""The core knows no plugin: no string in it names a component or normaliser that a plugin offers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hybridrec
from hybridrec.registry.discovery import Registry

CORE = Path(hybridrec.__file__).parent
WORDS = {
    "borda": "a key of `compare` and a part of the report: points of arms, not the fusion of columns",
    "content": "the content of a file or document",
    "explore": "a verb",
    "linear": "a gain in proportion to the weight",
    "listed": "a verb",
    "none": "nothing",
    "pinned": "a field of queries: ids that take the first places",
    "random": "drawn at random: the search of `tune`, a split, what the store knows of a fit",
    "rank": "a place in a list: columns of frames and tables",
    "vectors": "the vectors of entities: a section of `data`, a field of tables",
}
"""Names of components that mean something else in the core -> what."""
PLACES = {
    ("stages/kernels/__init__.py", "zscore"): "a function of the kernels",
}
"""(File, name) -> why a string there holds the name."""
OTHERS = {"melon", "mpd"}
"""Names of readers that the core knew, too."""


def names() -> set[str]:
    """Names of the components and normalisers of all plugins of this repository, and some of readers."""
    registry = Registry()
    offered = {
        cls.name
        for kind in ("components", "normalisers")
        for cls in registry.classes(kind)
        if (provider := registry.provider_of(cls)) is not None and provider.module != "hybridrec.builtin"
    }
    return offered | OTHERS


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every string that is no statement of its own: docstrings are."""
    tree = ast.parse(source)
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements:
            yield node.lineno, node.value


def named(text: str, components: set[str]) -> set[str]:
    """The names that are the text or words of it; a hyphen belongs to the word."""
    return components & {text, *re.findall(r"[\w-]+", text)}


def literals_with_names() -> Iterator[tuple[str, int, str]]:
    """File, line and name of every literal of the core with the name of a plugin's component, reasons aside."""
    components = names()
    for path in sorted(CORE.rglob("*.py")):
        file = path.relative_to(CORE).as_posix()
        for line, text in literals(path.read_text(encoding="utf-8")):
            yield from ((file, line, name) for name in sorted(named(text, components)))


def test_no_string_of_the_core_names_a_component_of_a_plugin() -> None:
    told = [
        f"{f}:{line}: {name}"
        for f, line, name in literals_with_names()
        if name not in WORDS and (f, name) not in PLACES
    ]
    assert not told, "take the name from the registry, or give the reason above"


def test_every_exception_is_needed() -> None:
    there = list(literals_with_names())
    assert WORDS.keys() <= {name for _, _, name in there}
    assert PLACES.keys() <= {(file, name) for file, _, name in there}


@pytest.mark.parametrize("text", ["als", "{use: als}", "or use a factor model such as als", "als, ease"])
def test_a_name_is_seen_alone_and_in_a_sentence(text: str) -> None:
    assert "als" in named(text, names())
    assert not named(text.replace("als", "false").replace("ease", "please"), names())


def test_docstrings_may_name_components() -> None:
    source = '"""als"""\n\ndef one():\n    """ease"""\n    return "slim"\n'
    assert list(literals(source)) == [(5, "slim")]
