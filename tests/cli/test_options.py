"""Options that commands share."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hybridrec.cli import hybridrec
from hybridrec.cli._options import BLOCK, CONFIG, RUNS, SET, STORE


@pytest.mark.parametrize("command", ["run", "check"])
def test_what_a_blocked_plugin_provides_is_missed(call, experiment, command):
    status, _, err = call(command, experiment(), "--block", "toyland")
    assert status == 2
    assert "unknown reader 'toy'" in err
    assert "It may belong to a blocked plugin: plugin 'toyland' (toyland 1.5, module toyland)" in err


@click.command()
@CONFIG
@SET
@STORE
@BLOCK
@RUNS
def told(**given):
    click.echo(repr(given))


def test_the_store_comes_from_the_option_the_environment_or_the_working_folder(monkeypatch):
    monkeypatch.delenv("HYBRIDREC_STORE", raising=False)
    call = CliRunner()
    assert ".hybridrec/store" in call.invoke(told, ["c.yaml"]).output
    monkeypatch.setenv("HYBRIDREC_STORE", "shared")
    assert "PosixPath('shared')" in call.invoke(told, ["c.yaml"]).output
    assert "PosixPath('own')" in call.invoke(told, ["c.yaml", "--store", "own"]).output


def test_assignments_and_blocked_plugins_may_be_several():
    given = CliRunner().invoke(told, ["c.yaml", "--set", "a=1", "--set", "b=2", "--block", "x", "--block", "y"]).output
    assert "'assignments': ('a=1', 'b=2')" in given
    assert "'block': ('x', 'y')" in given


def test_an_option_has_one_meaning_in_all_commands_that_share_it():
    group = click.Context(hybridrec)
    shared = {option.name: option for option in told.params}
    users = dict.fromkeys(("store_folder", "block", "runs"), 0)
    for name in ("run", "check", "tune", "refresh", "show", "plugins", "check-plugin", "export"):
        for option in hybridrec.get_command(group, name).params:
            if option.name in users:
                assert option.to_info_dict() == shared[option.name].to_info_dict(), f"{name} {option.name}"
                users[option.name] += 1
    assert min(users.values()) >= 2


@pytest.mark.parametrize(("command", "done"), [("run", "report.json"), ("fit", "share 1/1"), ("tune", "best.yaml")])
def test_the_executor_comes_from_the_option_the_environment_or_the_config(experiment, call, monkeypatch, command, done):
    tuned = "workers: 2\ntune: {pipeline: hybrid, trials: 1, space: {components.ease.l2: [5, 6]}}\n"
    path = experiment(("workers: 2", tuned + "executor: {use: toy-threads, log: log.txt}"))

    def opened(*words):
        Path("log.txt").unlink(missing_ok=True)
        status, out, err = call(command, path, *words)
        assert (status, done in out) == (0, True), err
        return Path("log.txt").read_text().splitlines() if Path("log.txt").exists() else []

    assert opened() == ["opened 2", "closed"]
    assert opened("--executor", "threads") == []
    monkeypatch.setenv("HYBRIDREC_EXECUTOR", "threads")
    assert opened() == []
    assert opened("--executor", "toy-threads", "--set", "executor.threads=3") == ["opened 3", "closed"]
    status, _, err = call(command, path, "--executor", "toy-thread")
    assert status == 2
    assert "executor.use: unknown executor 'toy-thread': did you mean 'toy-threads'" in err
