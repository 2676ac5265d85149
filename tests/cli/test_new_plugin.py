"""The command `new-plugin`: files, and the next thing to do."""


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
