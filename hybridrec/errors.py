"""The errors that users see; each message says what is wrong, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class HybridrecError(Exception):
    """Base class of all errors that are reported by a message instead of a traceback."""

    exit_status: ClassVar[int] = 2
    """The exit status of the command line after such an error."""


class ConfigError(HybridrecError):
    """The error for a config, a `--set` or an argument that is not valid; nothing was started."""


class DataError(HybridrecError):
    """The error for data that cannot be read, or that does not suffice for the config."""


class PluginError(HybridrecError):
    """The error for a plugin that cannot be loaded, clashes with another plugin, or breaks its contract."""

    exit_status = 3


class StoreError(HybridrecError):
    """The error for a stored file (of the store, a run or a bundle) that is missing, damaged or of another version."""

    exit_status = 4


class ObjectStorageError(HybridrecError):
    """The error for object storage that cannot be reached, or that refuses a request."""

    exit_status = 4


class WriteError(HybridrecError):
    """The error for a file or folder that cannot be written: because the disk is full or read-only, for example.

    report: the report of a run that was measured but could not be written, else None
    """

    exit_status = 4

    def __init__(self, message: str, report: object = None) -> None:
        """Set the message, and the report that would otherwise be lost."""
        super().__init__(message)
        self.report = report


class MissingDependencyError(PluginError):
    """The error for a component whose library is not installed; the message says how to install the library."""

    exit_status = 2


class MemoryBudgetError(HybridrecError):
    """The error for a component that would need more memory than the budget allows; the message names remedies."""


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
    """Return the message about a name that no pipeline of the experiment has, with the names that exist."""
    return f"no pipeline is named '{name}': {did_you_mean(name, pipelines)}"


def format_size(size: float) -> str:
    """Format a number of bytes for a message, in the largest unit that leaves a number of at least one."""
    for unit, bytes_of_it in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= bytes_of_it:
            return f"{size / bytes_of_it:.1f} {unit}"
    return f"{size:.0f} bytes"
