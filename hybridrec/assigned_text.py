"""Texts of assignments, `--set KEY=TEXT`: as paths they start where the command is given."""

from __future__ import annotations

from pathlib import Path


class AssignedText(str):
    """A text of an assignment; wherever a path is asked for it starts at the current folder, not at the config's.

    It is plain text in all other uses; validation makes plain text of it.
    """

    __slots__ = ()


def beside_the_command(value: object) -> object:
    """Return the absolute path of an assigned text, and any other value as it is."""
    return Path.cwd() / Path(value).expanduser() if isinstance(value, AssignedText) else value
