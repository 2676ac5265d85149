"""The errors a user can meet: each says what is wrong, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class HybridrecError(Exception):
    """Base of all errors that are answered with a message instead of a traceback."""

    exit_status: ClassVar[int] = 2
    """What the command line ends with."""


class ConfigError(HybridrecError):
    """The YAML (or a `--set`) asks for something that is not valid; nothing has been started."""


class DataError(HybridrecError):
    """The data cannot be read, or cannot serve what the config asks of it."""


class PluginError(HybridrecError):
    """A plugin could not be loaded, clashes with another, or broke its contract."""

    exit_status = 3


class StoreError(HybridrecError):
    """A stored artifact is missing, damaged, or not of this version."""

    exit_status = 4


class MissingDependencyError(PluginError):
    """A component needs a library that is not installed; the message names the extra that brings it."""

    exit_status = 2


class MemoryBudgetError(HybridrecError):
    """A component would need more memory than the budget allows; the message gives the way out."""


def did_you_mean(name: str, available: Iterable[str]) -> str:
    """The end of an error about an unknown name: the nearest valid one and all there are.

    >>> did_you_mean("esae", ["als", "ease"])
    "did you mean 'ease'? Available: als, ease"
    """
    names = sorted(available)
    if not names:
        return "none are available"
    plain = {known.casefold(): known for known in names}
    near = difflib.get_close_matches(name.casefold(), plain, n=1, cutoff=0.5)
    listed = ", ".join(names)
    return f"did you mean '{plain[near[0]]}'? Available: {listed}" if near else f"available are {listed}"


def unknown_pipeline(name: str, pipelines: Iterable[str]) -> str:
    """Return the message about the name of a pipeline that an experiment does not have."""
    return f"no pipeline is named '{name}': {did_you_mean(name, pipelines)}"
