"""The commands for authors of plugins: check-plugin, new-plugin."""

from pathlib import Path


def test_check_plugin_shows_every_check_and_the_speed(call, toyland):
    status, out, err = call("check-plugin", "popularity")
    assert (status, err) == (0, "")
    rows = {line[:30].strip(): line for line in out.splitlines()}
    assert "passed" in rows["batch and one by one agree"]
    assert "10,000 queries" in out
    assert out.splitlines()[-1].startswith("popularity")


def test_check_plugin_names_what_failed(call, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "registry/plugins/nan_scores"))
    status, out, err = call("check-plugin", "nan_scores", "--verbose")
    assert status == 3
    assert "checks failed: nan-scores: candidates_are_well_formed" in err
    (row,) = [row for row in out.splitlines() if row.startswith("candidates_are_well_formed") and ", ten" in row]
    assert "failed" in row
    assert "an id of query 0 has the score nan" in row


def test_check_plugin_says_what_it_cannot_check(call, toyland):
    status, out, _ = call("check-plugin", "homeless")
    assert status == 0
    assert "not checked: 'homeless' needs no_such_library, not installed here. pip install 'toyland[home]'" in out
    status, out, _ = call("check-plugin", "table")
    assert status == 0
    assert "not checked: 'table' has no default for interactions" in out
    status, _, err = call("check-plugin", "nobody")
    assert status == 2
    assert "nothing in one is called 'nobody'" in err


def test_a_re_ranker_is_spelt_as_everywhere(call, tmp_path):
    assert call("new-plugin", "calm", "--kind", "re-ranker", "--path", tmp_path)[0] == 0
    assert (tmp_path / "hybridrec-calm/src/hybridrec_calm/reranker.py").is_file()
    assert "'re-ranker'" in call("new-plugin", "calm", "--kind", "reranker", "--path", tmp_path)[2]


def test_new_plugin_writes_files_and_says_what_to_do(call, tmp_path):
    status, out, err = call("new-plugin", "mood", "--kind", "metric", "--path", tmp_path)
    assert (status, err) == (0, "")
    assert (tmp_path / "hybridrec-mood" / "pyproject.toml").is_file()
    assert "pip install -e" in out.splitlines()[-1]
    status, _, err = call("new-plugin", "mood", "--kind", "metric", "--path", tmp_path)
    assert status == 2
    assert "nothing was written" in err
