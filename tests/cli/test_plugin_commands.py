"""Commands of plugins stand beside the built-in ones, and are loaded only when one of them is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hybridrec.registry.discovery import Registry
from tests.fake_plugin import install

SOURCE = '''
import click
from hybridrec import DataError, hookimpl


@click.command("greet")
@click.argument("name")
@click.option("--loud", is_flag=True, help="In capitals.")
@click.option("--to", help="Whom.")
def greet(name, loud, to):
    """Greet NAME."""
    if name == "nobody":
        raise DataError("nobody is there")
    if name == "trouble":
        raise ZeroDivisionError("it broke")
    click.echo(name.upper() if loud else name)


@click.command("run")
def run():
    """Hide the command of the same name."""
    click.echo("hidden")


@hookimpl
def hybridrec_commands():
    return [greet, run]
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install(tmp_path, monkeypatch, "greeter", SOURCE)


def test_a_command_of_a_plugin_is_called_with_its_options(plugin: Path, call):
    assert call("greet", "ann", "--loud") == (0, "ANN\n", "")
    assert "Greet NAME." in call("greet", "--help")[1]


def test_its_errors_are_messages_with_an_exit_status(plugin: Path, call):
    assert call("greet", "nobody")[::2] == (2, "error: nobody is there\n")
    assert call("greet")[0] == 2
    status, _, err = call("greet", "trouble")
    assert status == 3
    assert "error: ZeroDivisionError: it broke" in err
    assert "greeter_plugin.py" in err
    assert "in the command 'greet' of a plugin" in err


def test_plugins_and_show_know_it(plugin: Path, call):
    out = call("plugins")[1]
    assert "commands: greet, run" in out
    assert "the command 'run' of a plugin is never called" in out
    out = call("show", "greet")[1]
    assert "greet (command, version 1.0, from greeter 1.0)" in out
    assert "hybridrec greet --help" in out
    rows = [line.split() for line in out.splitlines()]
    assert ["--loud", "boolean", "false", "In", "capitals."] in rows
    assert ["--to", "text", "null", "Whom."] in rows


def test_a_built_in_command_goes_first(plugin: Path, call):
    assert "hidden" not in call("run", "--help")[1]


def test_an_unknown_command_is_answered_with_the_nearest_of_all(plugin: Path, call):
    status, _, err = call("gret", "ann")
    assert status == 2
    assert "error: no command is called 'gret': did you mean 'greet'?" in err


@pytest.mark.parametrize(
    ("offers", "message"),
    [
        ("[greet.callback]", "hybridrec_commands must return instances of Command, got <function"),
        ("greet", "hybridrec_commands must return a list of instances of Command, got <Command"),
        ("[click.Command(None)]", "hybridrec_commands returned a command without a name"),
    ],
)
def test_what_is_not_a_command_is_refused(plugin: Path, offers: str, message: str):
    plugin.write_text(SOURCE.replace("[greet, run]", offers))
    (broken,) = Registry().broken
    assert message in str(broken.error)


def test_help_and_built_in_commands_load_no_plugin(plugin: Path):
    program = (
        "import sys; sys.argv = ['hybridrec', *sys.argv[1:]]\n"
        "from hybridrec.cli import main\n"
        "try:\n    main()\nfinally:\n    print('greeter_plugin' in sys.modules)"
    )
    for arguments in (["--help"], ["run", "--help"]):
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(plugin.parent)!r})\n{program}"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "False"
