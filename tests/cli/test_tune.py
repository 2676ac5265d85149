"""The command `tune`: the best trials and what they changed, or the path of the config alone."""

from pathlib import Path

import pytest

from hybridrec.cli.tune import TuneDisplay, _names

pytest.importorskip("optuna")

SECTION = (
    "workers: 2",
    "workers: 2\ntune: {pipeline: hybrid, trials: 3, search: random, "
    "space: {pipelines.hybrid.rerank.0.weights.pop: {low: 0.0, high: 2.0}}}",
)


def test_the_best_trials_are_a_table_and_the_next_command_is_told(call, experiment):
    status, out, err = call("tune", experiment(SECTION))
    assert status == 0
    (folder,) = Path("runs").iterdir()
    assert err.splitlines()[0] == f"trials go into {folder}"
    assert out.startswith("Best of 3 trials (validation)\n")
    assert out.splitlines()[1].split() == ["trial", "ndcg@5", "pop"]
    assert out.splitlines()[-1] == f"now on the test queries: hybridrec run {folder / 'best.yaml'}"


def test_quiet_prints_the_path_alone_and_a_search_is_carried_on(call, experiment):
    config = experiment(SECTION)
    status, out, err = call("tune", config, "--quiet", "--trials", "2", "--runs", "there")
    assert (status, err) == (0, "")
    best = Path(out.strip())
    assert best.is_file()
    assert best.parent.parent == Path("there")
    assert call("tune", config, "--quiet", "--resume", best.parent) == (0, out, "")
    assert len((best.parent / "trials.csv").read_text().splitlines()) == 1 + 3


def test_an_interruption_tells_how_to_go_on(capsys):
    display = TuneDisplay(quiet=True)
    display.folder = Path("runs/toy-tune")
    with pytest.raises(KeyboardInterrupt), display:
        raise KeyboardInterrupt
    assert "say the same again with --resume runs/toy-tune" in capsys.readouterr().err


def test_paths_are_shown_without_what_they_share():
    assert _names(["components.als.factors", "components.als.l2"]) == ["factors", "l2"]
    assert _names(["components.als.l2", "pipelines.hybrid.scorers"]) == [
        "components.als.l2",
        "pipelines.hybrid.scorers",
    ]
    assert _names(["components.als.l2"]) == ["l2"]
