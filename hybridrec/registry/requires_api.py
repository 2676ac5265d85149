"""The version of the API that a plugin was written for, read without running the plugin."""

from __future__ import annotations

import ast
import sys
from contextlib import suppress

NAME = "requires_api"


def requires_api_of(module: str) -> object:
    """Return the value of `requires_api` in the source of a module that need not be imported, nor its packages.

    Returns None if the module has no such line, or its source cannot be found.
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
    """Return the constant that the top level of a source gives to `requires_api`; None without one."""
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
