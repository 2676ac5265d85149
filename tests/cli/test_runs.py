"""The command `runs`: finished runs with their best blend."""

import hybridrec


def test_each_run_is_a_line_with_the_keys_that_differ(call, experiment):
    config = experiment()
    weights = [
        f"pipelines.hybrid.rerank=[{{use: weighted, weights: {{ease: 1, pop: {weight}}}}}]" for weight in (0.9, 0.2)
    ]
    for weight in weights:
        hybridrec.run(config, [weight])
    hybridrec.run(config, ["split.hide=0.4", "components.noise={use: ease, l2: 7}", "targets.items=9", "seed=4"])
    status, out, _ = call("runs")
    assert status == 0
    title, head, *lines = out.splitlines()
    assert title == "Runs in runs, best first among those that asked the same queries"
    assert head.split()[:4] == ["run", "queries", "best", "blend"]
    assert len(lines) == 3
    assert all(line.startswith("toy-") for line in lines)
    hide, *same = lines
    assert "seed=4" in hide
    assert "more" in hide
    assert sorted(line.partition("weights.pop=")[2][:3] for line in same) == ["0.2", "0.9"]
    assert len({line.split()[2] for line in same}) == 1
    assert hide.split()[2] != same[0].split()[2]
    _, every, _ = call("runs", "--all")
    assert "more" not in every
    assert "components.noise.l2=7" in every.replace("\n", "")


def test_runs_are_listed_with_their_best_blend(call, finished):
    status, out, err = call("runs")
    assert (status, err) == (0, "")
    (line,) = [line for line in out.splitlines() if line.startswith("toy-")]
    assert line.split()[0] == finished.name
    assert call("runs", "nowhere") == (2, "", "error: nowhere holds no finished runs\n")
