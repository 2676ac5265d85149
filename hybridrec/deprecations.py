"""What is on its way out, and what to write instead: the only place that says so."""

from __future__ import annotations

import warnings
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

Kind = Literal["name", "component", "normaliser", "reader", "splitter", "metric", "key", "option"]


class DeprecationNote(FutureWarning):
    """Something that will go was used. The command line prints it as a note."""


class Renamed(NamedTuple):
    """A name that has become another one."""

    kind: Kind
    """A public `name` of hybridrec, a plugin class by its kind, a `key` of experiment files, or an `option`."""
    old: str
    """Of a key its path, where * stands for a label (`pipelines.*.k`); of an option `PLUGIN.OPTION`."""
    new: str
    """The last part of it."""
    since: str
    removed: str
    """The version of hybridrec in which the old name stops working."""

    def __str__(self) -> str:
        return (
            f"the {self.kind} '{self.old}' is deprecated since hybridrec {self.since} and goes in {self.removed}: "
            f"write '{self.new}'"
        )


RENAMED: tuple[Renamed, ...] = ()


def renamed(kind: Kind, name: str) -> str | None:
    """What `name` is called now, with a warning; None if that is its name."""
    for entry in RENAMED:
        if entry.kind == kind and fnmatchcase(name, entry.old):
            warnings.warn(str(entry), DeprecationNote, stacklevel=3)
            return entry.new
    return None


def current_keys(content: Any, path: str = "") -> Any:
    """The content of an experiment file with its keys as they are called now; lists add nothing to a path."""
    if isinstance(content, list):
        return [current_keys(value, path) for value in content]
    if not isinstance(content, dict):
        return content
    below = {key: current_keys(value, f"{path}{key}.") for key, value in content.items()}
    return _under_current_names("key", path, below)


def current_options(plugin: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a plugin as they are called now."""
    return _under_current_names("option", f"{plugin}.", options)


def _under_current_names(kind: Kind, path: str, given: dict[str, Any]) -> dict[str, Any]:
    """Where both names are given the old one stays, to be refused as unknown."""
    new = {key: renamed(kind, f"{path}{key}") or key for key in given}
    return {key if new[key] in given else new[key]: value for key, value in given.items()}
