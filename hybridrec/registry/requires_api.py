"""The version of the plugin API that a plugin requires, read from its source without running the plugin."""

from __future__ import annotations

import ast
import sys
from contextlib import suppress

NAME = "requires_api"


def requires_api_of(module: str) -> object:
    """Return the value that the source of a module gives to `requires_api`.

    Neither the module nor its packages are imported. Returns None if the source does not set `requires_api` or
    cannot be found.
    """
    path, spec = None, None
    steps = module.split(".")
    for depth in range(1, len(steps) + 1):
        name = ".".join(steps[:depth])
        spec = None
        for finder in sys.meta_path:
            with suppress(Exception):  # finders of others may do anything; then the import says what is wrong
                spec = finder.find_spec(name, path)
            if spec is not None:
                break
        if spec is None:
            return None
        path = spec.submodule_search_locations
    text = None
    with suppress(Exception):
        text = spec.loader.get_source(module)  # type: ignore[union-attr]
    return None if text is None else requires_api_in(text)


def requires_api_in(text: str) -> object:
    """Return the constant that a source text assigns to `requires_api` at its top level; None without such a line."""
    if NAME not in text:
        return None
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id="requires_api")], value=ast.Constant(value)):
                return value
            case ast.AnnAssign(target=ast.Name(id="requires_api"), value=ast.Constant(value)):
                return value
    return None
