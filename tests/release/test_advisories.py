"""Advisories are told, and so is everything about which none could be asked for."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.release import advisories

SOUND = {"name": "click", "version": "8.1.0", "vulns": []}
BAD = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1", "2.0"]}]}
SKIPPED = {"name": "own", "skip_reason": "Dependency not found on PyPI and could not be audited: own (1.0)"}


@pytest.mark.parametrize(
    ("dependencies", "lines", "status"),
    [
        ([SOUND], ["advisories: 0; dependencies asked about: 1 of 1"], 0),
        (
            [SOUND, BAD],
            ["old 1.0: PYSEC-1, fixed in 1.1, 2.0", "advisories: 1; dependencies asked about: 2 of 2"],
            1,
        ),
        (
            [SOUND, SKIPPED],
            [
                "advisories: 0; dependencies asked about: 1 of 2",
                "NOT ASKED: the index serves no advisories of 1 dependencies, such as own, or cannot be reached",
            ],
            2,
        ),
    ],
)
def test_advisories_are_listed_and_who_was_not_asked(dependencies, lines, status):
    assert advisories.summary(dependencies, len(dependencies)) == (lines, status)


def test_without_an_index_nothing_counts_as_asked(monkeypatch, capsys):
    def unreachable(command, **options):
        assert command[1:3] == ["-m", "pip_audit"]
        return subprocess.CompletedProcess(command, 1, "", "WARNING: x\nERROR: the index cannot be reached\n")

    monkeypatch.setattr(subprocess, "run", unreachable)
    assert advisories.main() == 2
    out, err = capsys.readouterr()
    assert err == "ERROR: the index cannot be reached\n"
    assert out.startswith("advisories: 0; dependencies asked about: 0 of ")
    assert out.splitlines()[-1].startswith("NOT ASKED: ")


def test_everything_in_the_bill_is_asked_for(monkeypatch):
    pins = {}

    def audit(command, **options):
        pins.update(line.split("==") for line in Path(command[-1]).read_text(encoding="utf-8").splitlines())
        answered = [{"name": name, "version": version, "vulns": []} for name, version in pins.items()]
        return subprocess.CompletedProcess(command, 0, json.dumps({"dependencies": answered}), "")

    monkeypatch.setattr(subprocess, "run", audit)
    assert advisories.main() == 0
    assert {"numpy", "scipy", "polars"} <= pins.keys()
    assert "hybridrec" not in pins
