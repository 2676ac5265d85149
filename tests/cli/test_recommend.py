"""The commands around a user's data and a finished run: init, reduce, recommend, similar."""

import json
import re

import jsonschema
import numpy as np
import pytest
import yaml

import hybridrec
from hybridrec import DataError
from hybridrec.serving.user_ratings import read_ratings
from hybridrec.testing import toy_dataset


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


def test_reduce_makes_vectors_that_are_not_overwritten_by_accident(call, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(30, 4, 5)))
    command = ("reduce", tmp_path / "x.npy", "--dims", "3", "-o", tmp_path / "v.npy")
    status, out, _ = call(*command)
    assert status == 0
    assert "3 numbers in place of 20 for each of 30 items, with" in out
    vectors = np.load(tmp_path / "v.npy")
    assert (vectors.shape, vectors.dtype) == ((30, 3), np.float32)
    assert call(*command)[0] == 2
    assert call(*command, "--force")[0] == 0
    assert (np.load(tmp_path / "v.npy") == vectors).all()


def test_recommend_from_a_file_of_ratings(call, finished, tmp_path):
    ratings = tmp_path / "mine.csv"
    ratings.write_text('item,rating\nitem 02,1\n"Item 4",0.5\n\nitem 06,0\n')
    status, out, err = call("recommend", finished, "--ratings", ratings, "-n", "30")
    assert (status, err) == (0, "")
    assert "'Item 4' is taken for '" in out
    assert not any(f" item {seen} " in out for seen in ("02", "04", "06")), "what was rated is not recommended"
    status, both, _ = call("recommend", finished, "--ratings", ratings, "--item", "item 08", "-n", "30")
    assert status == 0
    assert " item 08 " not in both
    assert " item 08 " in out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item 02\n", "line 1: 1 fields, not `item,rating`"),
        ("item,rating\nitem 02,good\n", "line 2: the rating of 'item 02' is 'good', not a number from 0"),
        ("item 02,1\nitem 04,-1\n", "line 2: the rating of 'item 04' is '-1'"),
        ("item 02,1\n\nitem 04,nan\n", "line 3: the rating of 'item 04' is 'nan'"),
        ("item 02,1\n#!?*,1\n", "line 2: nothing among 40 items is called like '#!?*'"),
        ("item 02,1\nitem 04,1\nitem 02,0\n", "line 3: 'item 02' is 'even song 2', as is 'item 02' in line 1"),
        ('item 02,1\n"item 04,1\n', "line 2: unexpected end of data; put names with commas or quotes in quotes"),
        ("item 02,0\n", "has no rating above 0"),
    ],
)
def test_ratings_that_cannot_be_used_are_named_with_their_line(text, message, tmp_path):
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(DataError, match=re.escape(message)):
        read_ratings(tmp_path / "mine.csv", toy_dataset())


def test_a_missing_file_of_ratings(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_ratings(tmp_path / "mine.csv", toy_dataset())


def test_vectors_are_exported(call, experiment, tmp_path):
    pytest.importorskip("gensim")
    noise, scorers = "noise: {use: echo}", ("scorers: [pop]", "scorers: [pop, w2v]")
    w2v = (noise, f"{noise}\n  w2v: {{use: word2vec, dim: 4, epochs: 1}}")
    config = experiment(w2v, scorers, ("workers: 2", "refit: all"))
    folder = hybridrec.run(config).folder
    status, out, err = call("export", folder, "--format", "word2vec", "--set", "label=w2v")
    assert (status, err) == (0, "")
    assert str(folder / "word2vec" / "w2v.items.txt") in out.splitlines()
    status, _, err = call("export", folder, "--set", "label=w2v")
    assert status == 2
    assert "--format trec --set: label: unknown key" in err
