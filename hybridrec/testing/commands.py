"""The contract suite of commands: the checks that they must pass."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import click

from hybridrec.testing.contract import Contract

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class CommandContract(Contract):
    """The contract suite of commands, with a named check for each requirement.

    command: the click command under test
    """

    role = "command"
    command: ClassVar[click.Command]

    @classmethod
    def package(cls) -> str:
        """Return the name of the package in which the command's function is defined."""
        return str(getattr(cls.command.callback, "__module__", "")).partition(".")[0]

    def test_is_called_like_the_others(self, options: Mapping[str, Any]) -> None:
        """Require a name made of lower-case words and hyphens."""
        assert _NAME.fullmatch(self.command.name or ""), f"'{self.command.name}' is not lower-case words and hyphens"

    def test_says_what_it_does(self, options: Mapping[str, Any]) -> None:
        """Require a docstring, which is the help of the command, and a help text for each option."""
        assert (self.command.help or "").strip(), f"'{self.command.name}' has no docstring"
        for parameter in self.command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"the option {parameter.opts[0]} has no help"

    def test_help_works(self, options: Mapping[str, Any]) -> None:
        """Require `--help` of the command and of each subcommand to succeed and print the usage."""
        _check_help(self.command, self.command.name or "")


def _check_help(command: click.Command, path: str) -> None:
    from click.testing import CliRunner

    done = CliRunner().invoke(command, ["--help"], prog_name=f"hybridrec {path}")
    assert done.exit_code == 0, f"`hybridrec {path} --help` ended with {done.exit_code}: {done.exception!r}"
    assert f"hybridrec {path}" in done.output, f"`hybridrec {path} --help` does not print the usage"
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, f"'{path}' lists '{name}' but does not have it"
            _check_help(below, f"{path} {name}")
