"""The command `runs`: finished runs with their best blend."""


def test_runs_are_listed_with_their_best_blend(call, finished):
    status, out, err = call("runs")
    assert (status, err) == (0, "")
    (line,) = [line for line in out.splitlines() if line.startswith("toy-")]
    assert line.split()[0] == finished.name
    assert call("runs", "nowhere") == (2, "", "error: nowhere holds no finished runs\n")
