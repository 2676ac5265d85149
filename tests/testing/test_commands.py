"""The contract of commands: a sound one keeps it, broken ones do not."""

from __future__ import annotations

import click
import pytest

from hybridrec.testing import CommandContract, run_checks


@click.group("sound")
def sound() -> None:
    """Do something."""


@sound.command()
@click.option("--loud", is_flag=True, help="Louder.")
def below(loud: bool) -> None:
    """Do something below."""


class TestSound(CommandContract):
    command = sound


@click.command("silent")
def silent() -> None:
    pass


@click.command("bare")
@click.option("--loud")
def bare(loud: str) -> None:
    """Take an option without help."""


@click.command("Wrong_Name")
def wrong_name() -> None:
    """Do something."""


class Helpless(click.Command):
    def get_help(self, ctx: click.Context) -> str:
        raise RuntimeError("no help")


@pytest.mark.parametrize(
    ("command", "check"),
    [
        (silent, "says_what_it_does"),
        (bare, "says_what_it_does"),
        (wrong_name, "is_called_like_the_others"),
        (Helpless("helpless", help="Help."), "help_works"),
        (click.Group("outer", help="Help.", commands=[Helpless("inner")]), "help_works"),
    ],
)
def test_each_check_fails_for_what_it_is_about(command: click.Command, check: str):
    suite = type("Suite", (CommandContract,), {"command": command})
    assert {outcome.check for outcome in run_checks(suite) if outcome.status == "failed"} == {check}
