"""The command `similar`: neighbours of an item, a tag or words."""

import polars as pl
import pytest

import hybridrec
from hybridrec import Run


def test_similar_finds_by_loose_text(call, finished):
    status, out, _ = call("similar", finished, "item 02", "--component", "ease", "-n", "4")
    assert status == 0
    assert "Nearest items to 'even song 2' in ease" in out
    status, out, _ = call("similar", finished, "tag 02", "--by", "tags", "--component", "tag-fallback")
    assert status == 0
    status, _, err = call("similar", finished, "item 02", "--component", "ese")
    assert status == 2
    assert "did you mean 'ease'" in err


def test_neighbours_have_a_count_and_a_position(call, finished):
    status, out, _ = call("similar", finished, "item 02", "--component", "ease", "-n", "2")
    assert status == 0
    assert out.splitlines()[-3].split() == ["rank", "name", "id", "score", "count", "position"]
    assert all(line.split()[-1].isdigit() for line in out.splitlines()[-2:])


def test_a_list_of_the_test_part_is_asked_by_what_it_shows(call, finished):
    row = Run.open(finished).queries().filter(pl.col("items").list.len() > 0).row(0, named=True)
    status, out, _ = call("similar", finished, row["unit"], "--by", "held-out", "--component", "ease", "-n", "40")
    assert status == 0
    assert f"'{row['unit']}' of the test part shows {len(row['items'])} items" in out
    assert not any(f" {item} " in out for item in row["items"])
    assert any(f" {item} " in out for item in row["relevant_items"])
    status, _, err = call("similar", finished, row["unit"], "--by", "held-out", "--query", "2", "--component", "ease")
    assert status == 2
    assert f"--query 2: '{row['unit']}' has 1 query" in err


def test_what_has_no_vectors_says_so(call, finished):
    status, _, err = call("similar", finished, "even", "--by", "words", "--component", "ease")
    assert status == 2
    assert "'ease' (ease) has no vectors of words" in err


def test_unknown_words_are_told_from_a_component_that_reads_none(call, experiment):
    component = ("noise: {use: echo}", "noise: {use: echo}\n  linear: {use: p3alpha, fields: [items, title]}")
    run = hybridrec.run(experiment(("workers: 2", "refit: all"), component, ("from: noise", "from: linear"))).folder
    status, out, _ = call("similar", run, "zzzz", "--by", "text", "--component", "linear")
    assert (status, out) == (0, "'linear' has nothing to say about 'zzzz': none of these words is known to 'linear'\n")
    status, out, _ = call("similar", run, "even", "--by", "text", "--component", "linear")
    assert (status, "Nearest items to 'even' in linear" in out) == (0, True)
    status, out, _ = call("similar", run, "even", "--by", "text", "--component", "ease")
    assert (status, "it may not read text" in out) == (0, True)


def test_an_item_of_which_nothing_was_learned_is_told_from_a_component_that_reads_none(call, experiment):
    rows = "rows: {use: denoising-autoencoder, hidden: 4, epochs: 1, min_users: {items: 1000, tags: 1}}"
    component = ("noise: {use: echo}", f"noise: {{use: echo}}\n  {rows}")
    changes = ("workers: 2", "refit: all"), component, ("scorers: [pop]", "scorers: [pop, rows]")
    run = hybridrec.run(experiment(*changes)).folder
    status, out, _ = call("similar", run, "item 02", "--component", "rows")
    assert (status, "nothing to say about 'even song 2': it learned nothing about it" in out) == (0, True)


def test_features_are_typed_loosely(call, experiment):
    pytest.importorskip("gensim")
    component = ("noise: {use: echo}", "noise: {use: echo}\n  w2v: {use: word2vec, fields: [items, features], dim: 8}")
    run = hybridrec.run(experiment(("workers: 2", "refit: all"), component, ("scorers: [pop]", "scorers: [pop, w2v]")))
    status, out, _ = call("similar", run.folder, "EVEN", "--by", "features", "--component", "w2v")
    assert (status, "Nearest items to 'even' in w2v" in out) == (0, True)
    assert out.startswith("'EVEN' is taken for 'even'\n")
