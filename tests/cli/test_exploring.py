"""The commands around a user's data and a finished run: init, recommend, similar."""

import json

import jsonschema
import pytest
import yaml

import hybridrec


def test_recommend_by_items_tags_text_and_user(call, finished):
    status, out, _ = call("recommend", finished, "--item", "Item 2", "--tag", "tag 00", "-n", "3")
    assert status == 0
    assert "'Item 2' is taken for '" in out
    assert len([line for line in out.splitlines() if line[:1] in "123" and "song" in line]) == 3
    status, out, _ = call("recommend", finished, "--user", "nobody", "--text", "even evening", "--target", "tags")
    assert status == 0
    assert "user 'nobody' is unknown" in out
    assert "Recommended tags" in out
    status, out, _ = call("recommend", finished, "--user", "user 03", "--pipeline", "control")
    assert status == 0


def test_recommend_explains_sources_ranks_and_contributions(call, finished):
    status, out, _ = call("recommend", finished, "--item", "item 02", "--explain", "-n", "3")
    assert status == 0
    for word in ("proposed by", "opinions: rank (value)", "contributions", "ease 1 (", "blend"):
        assert word in out


def test_similar_finds_by_loose_text(call, finished):
    status, out, _ = call("similar", finished, "item 02", "--component", "ease", "-n", "4")
    assert status == 0
    assert "Nearest items to 'even song 2' in ease" in out
    status, out, _ = call("similar", finished, "tag 02", "--by", "tag", "--component", "tag-fallback")
    assert status == 0
    status, _, err = call("similar", finished, "item 02", "--component", "ese")
    assert status == 2
    assert "did you mean 'ease'" in err


def test_init_writes_a_config_that_runs(call, experiment, tmp_path):
    experiment()
    rows = [f"u{user},i{item}" for user in range(40) for item in range(user % 2, 24, 2) if (user * item) % 5]
    (tmp_path / "plays.csv").write_text("\n".join(["user,item", *rows]) + "\n")
    status, out, err = call("init", "plays.csv", "-o", "mine.yaml")
    assert (status, err) == (0, "")
    assert "wrote mine.yaml; try: hybridrec run mine.yaml" in out
    written = (tmp_path / "mine.yaml").read_text()
    schema = written.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    jsonschema.validate(yaml.safe_load(written), json.loads((tmp_path / schema).read_text()))
    status, _, err = call("init", "plays.csv", "-o", "mine.yaml")
    assert status == 2
    assert "mine.yaml exists" in err
    status, out, err = call("run", "mine.yaml")
    assert (status, err) == (0, "")


def test_vectors_are_exported(call, experiment, tmp_path):
    pytest.importorskip("gensim")
    noise, scorers = "noise: {use: echo}", ("scorers: [pop]", "scorers: [pop, w2v]")
    w2v = (noise, f"{noise}\n  w2v: {{use: word2vec, dim: 4, epochs: 1}}")
    config = experiment(w2v, scorers, ("workers: 2", "refit: all"))
    folder = hybridrec.run(config).folder
    status, out, err = call("export", folder, "--format", "word2vec", "--label", "w2v")
    assert (status, err) == (0, "")
    assert str(folder / "word2vec" / "w2v.items.txt") in out.splitlines()
    status, _, err = call("export", folder, "--label", "w2v")
    assert status == 2
    assert "--label goes with --format word2vec, not with trec" in err
