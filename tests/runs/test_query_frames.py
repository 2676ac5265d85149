"""Queries and slates in external ids: what was asked is what was hidden and shown."""

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec.runs import query_frames
from hybridrec.runs.query_frames import item_names, write_slates
from hybridrec.stages.slate import Slate
from hybridrec.testing import toy_dataset


def test_the_folder_says_what_was_known_and_what_was_hidden(experiment):
    run = hybridrec.run(experiment())
    asked, measured = run.queries(), run.per_query().filter(pl.col("pipeline") == "hybrid")
    assert asked["query"].to_list() == measured["query"].to_list()
    assert asked["unit"].to_list() == measured["unit"].to_list()
    given = {"items": asked["items"].list.len() > 0, "tags": asked["tags"].list.len() > 0, "title": asked["text"] != ""}
    for field, there in given.items():
        segments = measured["segment"].str.split("+")
        assert there.to_list() == [field in parts for parts in segments]
    assert asked["items"].list.set_intersection(asked["relevant_items"]).list.len().sum() == 0
    first = asked.row(0, named=True)
    hits = set(run.slates("hybrid").filter(pl.col("query") == 0, pl.col("rank") <= 5)["id"]) & set(
        first["relevant_items"]
    )
    assert bool(hits) == (measured["ndcg@5"][0] > 0)
    names = dict(run.names().iter_rows())
    assert names["item 03"] == "odd song 3"


def test_in_how_many_pieces_a_run_is_written_makes_no_difference(experiment, monkeypatch):
    whole = hybridrec.run(experiment(("test: 0.3", "folds: 3")))
    monkeypatch.setattr("hybridrec.runs.query_frames.PIECE", 40)
    pieces = hybridrec.run(experiment(("test: 0.3", "folds: 3")))
    queries = whole.queries()
    assert queries["query"].to_list() == list(range(queries.height))
    assert queries["fold"].n_unique() == 3
    assert queries.schema == {
        "query": pl.UInt32, "fold": pl.String, "unit": pl.String, "items": pl.List(pl.String),
        "tags": pl.List(pl.String), "text": pl.String, "time": pl.Float64, "relevant_items": pl.List(pl.String),
        "relevant_tags": pl.List(pl.String),
    }  # fmt: skip
    assert queries.drop("time").null_count().sum_horizontal().sum() == 0
    assert pieces.queries().equals(queries)
    for target in ("items", "tags"):
        assert whole.slates("hybrid", target)["query"].unique().to_list() == queries["query"].to_list()
        assert pieces.slates("hybrid", target).equals(whole.slates("hybrid", target))


@pytest.mark.parametrize("piece", [1, 4, 1000])
def test_slates_count_queries_through_all_folds_and_leave_empty_places_out(tmp_path, monkeypatch, piece):
    monkeypatch.setattr(query_frames, "PIECE", piece)
    ids = np.array([[3, 1], [-1, -1], [0, -1]], np.int32)
    scores = np.array([[2, 1], [np.nan, np.nan], [0.5, np.nan]], np.float32)
    slate = Slate("items", ids, scores, np.array([0, 1, 0], np.int8), ("blend", "none"), toy_dataset().items.vocabulary)
    write_slates(tmp_path / "slates.parquet", [slate, slate.take(slice(0, 1))])
    rows = pl.read_parquet(tmp_path / "slates.parquet").rows()
    assert rows == [
        (0, 1, "item 03", 2.0, "blend"), (0, 2, "item 01", 1.0, "blend"), (2, 1, "item 00", 0.5, "blend"),
        (3, 1, "item 03", 2.0, "blend"), (3, 2, "item 01", 1.0, "blend"),
    ]  # fmt: skip


def test_an_item_without_a_text_goes_by_its_id():
    data = toy_dataset()
    texts = ("", *data.items.text[1:])
    names = item_names(data.with_entities("items", text=texts))
    assert names.rows()[:2] == [("item 00", "item 00"), ("item 01", data.items.text[1])]
    assert len(names) == len(data.items)
