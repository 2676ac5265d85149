"""Shells complete commands, options and names."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from hybridrec.cli import hybridrec


def completed(*words: str) -> list[str]:
    *before, begun = words
    completions = ShellComplete(hybridrec, {}, "hybridrec", "_HYBRIDREC_COMPLETE").get_completions(before, begun)
    return [item.value for item in completions]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script(shell: str):
    done = CliRunner().invoke(hybridrec, ["completion", shell])
    assert done.exit_code == 0
    assert f"_HYBRIDREC_COMPLETE={shell}_complete" in done.output


@pytest.mark.parametrize("command", ["show", "check-plugin"])
def test_names_are_completed(command: str):
    assert completed(command, "popul") == ["popularity", "popularity-correction"]


def test_commands_and_options_are_completed():
    assert completed("comp") == ["compare", "completion"]
    assert "--validation" in completed("run", "--va")
