"""The command `refresh`: what became of each component."""

import pytest
from click.testing import CliRunner

import hybridrec
from hybridrec.cli import hybridrec as command

SERVED = ("workers: 2", "refit: all")
ALS = ("noise: {use: echo}", "noise: {use: als, factors: 4}")


@pytest.fixture
def run(experiment):
    return hybridrec.run(experiment(SERVED, ALS))


def test_the_command_says_what_became_of_each_component(run):
    done = CliRunner().invoke(command, ["refresh", str(run.folder), "--set", "data.users=80"])
    assert done.exit_code == 0, done.output
    assert "refreshed" in done.output
    assert "fitted again" in done.output
    assert len(hybridrec.load(run).data.users) == 80
    again = CliRunner().invoke(command, ["refresh", str(run.folder), "--set", "data.users=80"])
    assert "nothing to do" in again.output
