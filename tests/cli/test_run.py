"""The command `run`: what it prints, and where it writes."""

import json
from pathlib import Path


def test_run_prints_tables_verdict_and_the_path_of_the_report(call, experiment):
    status, out, err = call("run", experiment(), "--set", "seed=5", "--name", "renamed")
    assert status == 0
    assert all(line.startswith("fit test: ") for line in err.splitlines())
    assert "all queries" in out
    assert "queries that know items and tags" in out
    assert "ndcg@5" in out
    (opening,) = [line for line in out.splitlines() if line.startswith("In ndcg@5, ")]
    assert "control" in opening
    headers, row = out.partition("Comparisons in ndcg@5, all queries\n")[2].splitlines()[:2]
    assert headers.split()[:3] == ["variant", "against", "verdict"]
    assert row.split()[:2] == ["hybrid", "control"]
    *_, page, path = out.splitlines()
    assert Path(page).name == "report.html"
    assert Path(page).is_file()
    report = Path(path)
    assert report.parent.name.startswith("renamed-")
    assert json.loads(report.read_text())["name"] == "renamed"


def test_quiet_prints_the_path_alone(call, experiment):
    status, out, err = call("run", experiment(), "--quiet", "--store", "elsewhere", "--runs", "there")
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    assert Path(out.strip()).is_file()
    assert out.startswith("there/")
    assert Path("elsewhere").is_dir()
    assert not Path(".hybridrec").exists()


def test_validation_says_what_it_measured(call, experiment):
    status, out, _ = call("run", experiment(), "--validation")
    assert status == 0
    assert "note: measured on validation queries" in out
