"""Texts that were assigned by `--set KEY=TEXT`; if such a text is a relative path, it starts at the working folder."""

from __future__ import annotations

from pathlib import Path


class AssignedText(str):
    """A text that was assigned by `--set`; a relative path starts at the working folder, not at the config's folder.

    In all other uses it is plain text, and validation converts it to plain text.
    """

    __slots__ = ()


def beside_the_command(value: object) -> object:
    """Convert an assigned text to a path that starts at the working folder; any other value is returned unchanged."""
    return Path.cwd() / Path(value).expanduser() if isinstance(value, AssignedText) else value
