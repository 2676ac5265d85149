"""The command line as a function, and a run to look at."""

import sys

import pytest

import hybridrec
from hybridrec.cli import main


@pytest.fixture
def call(capsys, monkeypatch):
    """Runs the command line in this process: (exit status, standard output, standard error)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["hybridrec", *map(str, arguments)])
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def finished(experiment):
    """A run that can serve."""
    return hybridrec.run(experiment(("workers: 2", "refit: all"))).folder
