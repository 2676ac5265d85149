"""The errors that users see: each says what is wrong, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class HybridrecError(Exception):
    """The base of all errors that are reported as a message instead of a traceback."""

    exit_status: ClassVar[int] = 2
    """The exit status of the command line."""


class ConfigError(HybridrecError):
    """The YAML or a `--set` is not valid; nothing was started."""


class DataError(HybridrecError):
    """The data cannot be read, or does not suffice for the config."""


class PluginError(HybridrecError):
    """A plugin cannot be loaded, clashes with another, or breaks its contract."""

    exit_status = 3


class StoreError(HybridrecError):
    """A stored artifact is missing, damaged, or of another version."""

    exit_status = 4


class MissingDependencyError(PluginError):
    """A component needs a library that is not installed; the message names the extra that installs it."""

    exit_status = 2


class MemoryBudgetError(HybridrecError):
    """A component would need more memory than the budget allows; the message names the remedies."""


def did_you_mean(name: str, available: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest valid name and all valid names.

    >>> did_you_mean("esae", ["als", "ease"])
    "did you mean 'ease'? Available: als, ease"
    """
    names = sorted(available)
    if not names:
        return "none are available"
    plain = {valid.casefold(): valid for valid in names}
    near = difflib.get_close_matches(name.casefold(), plain, n=1, cutoff=0.5)
    listed = ", ".join(names)
    return f"did you mean '{plain[near[0]]}'? Available: {listed}" if near else f"available are {listed}"


def unknown_pipeline(name: str, pipelines: Iterable[str]) -> str:
    """Return the message about a pipeline name that the experiment does not have."""
    return f"no pipeline is named '{name}': {did_you_mean(name, pipelines)}"
