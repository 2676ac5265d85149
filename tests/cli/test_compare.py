"""The command `compare`: finished runs against the first of them."""

from pathlib import Path

import hybridrec


def test_compare_two_runs(call, experiment):
    first = hybridrec.run(experiment()).folder
    second = hybridrec.run(experiment(("pop: 0.2", "pop: 0.9"))).folder
    status, out, _ = call("compare", first, second, "--metric", "ndcg@5")
    assert status == 0
    assert "pop=0.2:hybrid" in out
    assert "pop=0.9:hybrid" in out
    assert f"pop=0.9  {second}" in out
    status, out, _ = call("compare", first, second, "--control", "control")
    assert status == 0
    assert "pop=0.9:control" in out
    status, _, err = call("compare", first, second, "--metric", "ndcg@9")
    assert status == 2
    assert "'ndcg@9': did you mean 'ndcg@5'?" in err
    status, _, err = call("compare", first, second, "--control", "contrl")
    assert status == 2
    assert "did you mean 'control'" in err


def test_compare_refuses_runs_that_asked_something_else(call, experiment):
    first = hybridrec.run(experiment()).folder
    second = hybridrec.run(experiment(("seed: 3", "seed: 4"))).folder
    status, _, err = call("compare", first, second)
    assert status == 2
    assert "it was not asked the same queries" in err


def test_compare_takes_the_runs_that_match_the_first_and_says_why_not_the_others(call, experiment):
    first, other, match = (
        hybridrec.run(experiment(change)).folder
        for change in (("pop: 0.2", "pop: 0.2"), ("seed: 3", "seed: 4"), ("pop: 0.2", "pop: 0.9"))
    )
    damaged = Path("runs/damaged")
    damaged.mkdir()
    status, out, _ = call("compare", first, other, damaged, match)
    assert status == 0
    assert f"pop=0.9  {match}" in out
    assert "pop=0.9:hybrid" in out
    assert "seed=" not in out
    assert f"note: {other} cannot be compared with {first}: it was not asked the same queries" in out
    assert "note: runs/damaged is not a run: it has no manifest.json" in out
