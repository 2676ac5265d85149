"""Tables of queries are answered as the queries are one by one, in the class of table that was given."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec import BatchRecommender, DataError, Query, Run
from hybridrec.serving import batch

pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")

QUERIES = {
    "a": Query(user="user 04"),
    "b": Query(items=["item 02", "item 04", "item 06"], item_times=[1.6e9, 1.61e9, 1.62e9]),
    "c": Query(tags=["tag 01"], context={"device": "tv"}),
    "d": Query(text="even evening", disliked=["item 02"]),
    "e": Query(user="nobody"),
    "f": Query(user="user 09", time=1.7e9),
    "g": Query(user="user 07", items=["item 01"]),
    "h": Query(),
}
TABLE = pl.DataFrame(
    {
        "query": list(QUERIES),
        "user": [query.user for query in QUERIES.values()],
        "items": [list(query.items) or None for query in QUERIES.values()],
        "item_times": [query.item_times for query in QUERIES.values()],
        "tags": [list(query.tags) for query in QUERIES.values()],
        "text": [query.text for query in QUERIES.values()],
        "disliked": [list(query.disliked) or None for query in QUERIES.values()],
        "time": [query.time for query in QUERIES.values()],
        "context.device": [query.context.get("device") for query in QUERIES.values()],
    }
)
DAYS = ("  hybrid:\n", "  hybrid:\n    filters: [{use: seen, days: 300}]\n")
"""A filter that reads the times of histories."""


@pytest.fixture
def finished(experiment):
    return hybridrec.run(experiment(("workers: 2", "refit: all"), DAYS)).folder


def one_by_one(folder, n=None, **options):
    """The answers of `Recommender.recommend` to each query alone, in the shape of the batch's."""
    recommender = hybridrec.load(folder)
    frames = [
        recommender.recommend(query, n if n is None else n[name], **options)
        .to_frame()
        .rename({"rank": "place"})
        .select(pl.lit(name).alias("query"), "place", "id", pl.col("score").fill_nan(None), "served_by")
        for name, query in QUERIES.items()
    ]
    return pl.concat(frames)


def same(table, other):
    """Fail unless two tables of recommendations hold the same ids, and scores within 1e-5."""
    exact = [name for name in table.columns if name not in ("score", "contributions")]
    assert table.select(exact).equals(other.select(exact))
    ours, theirs = (each["score"].to_numpy() for each in (table, other))
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"pipeline": "control"}, {"target": "tags"}])
def test_a_batch_answers_as_queries_one_by_one_whatever_its_size(finished, options, monkeypatch):
    answer = BatchRecommender(finished, **options)
    whole = answer.recommend(TABLE)
    same(whole, one_by_one(finished, **options))
    monkeypatch.setattr(batch, "ROWS", 3)
    same(answer.recommend(TABLE), whole)
    for size in (1, 5):
        pieces = [TABLE[start : start + size] for start in range(0, len(TABLE), size)]
        same(pl.concat(answer(pieces)), whole)


def test_each_query_may_ask_for_its_own_number_of_places(finished):
    n = dict(zip(QUERIES, [3, 1, 3, 7, 5, 1, 10, 10], strict=True))
    asked = TABLE.with_columns(n=pl.Series([*list(n.values())[:-2], None, None]))
    same(BatchRecommender(finished, n=10).recommend(asked), one_by_one(finished, n))


def test_queries_exclude_ids_whatever_the_size_of_the_batch(finished, monkeypatch):
    answer = BatchRecommender(finished, n=9)
    before = answer.recommend(TABLE)
    bars = {name: before.filter(query=name)["id"].to_list()[:2] for name in "bd"}
    table = TABLE.with_columns(
        n=pl.Series([None, 4, None, 9, None, 4, None, 4]),
        blocked=pl.Series([bars.get(name) for name in QUERIES], dtype=pl.List(pl.String)),
    ).with_columns(pl.Series("filters.cost", [[1, 2] if name in "adg" else None for name in QUERIES]))
    plain = answer.recommend(table)
    pins = {"b": ["item 33", "item 30"], "g": ["item 31"]}
    table = table.with_columns(pinned=pl.Series([pins.get(name) for name in QUERIES], dtype=pl.List(pl.String)))
    whole = answer.recommend(table)
    unpinned = ~pl.col("query").is_in(list(pins))
    same(whole.filter(unpinned), plain.filter(unpinned))
    slates = dict(whole.group_by("query", maintain_order=True).agg("id").iter_rows())
    for name, ids in slates.items():
        assert not {*bars.get(name, ())} & {*ids}
        pinned = pins.get(name, [])
        assert ids[: len(pinned)] == pinned
        other_costs = {item for item in ids[len(pinned) :] if int(item[-2:]) % 5 not in (1, 2)}
        assert bool(other_costs) == (name not in "adg")
    untouched = pl.col("query").is_in(["c", "e"])
    same(whole.filter(untouched), before.filter(untouched))
    monkeypatch.setattr(batch, "ROWS", 3)
    same(answer.recommend(table), whole)
    same(pl.concat(answer([table[:1], table[1:6], table[6:]])), whole)


def test_the_answer_is_a_table_of_the_class_of_the_queries(finished):
    answer = BatchRecommender(finished, n=2)
    asked = TABLE.select("query", "user").head(3)
    frame = answer.recommend(asked)
    assert frame.schema == answer.schema
    arrow = asked.to_arrow()
    table = answer.recommend(arrow)
    assert isinstance(table, pyarrow.Table)
    assert table.schema.field("query").type == pyarrow.string()
    assert pl.DataFrame(table).equals(frame)
    (arrow_batch,) = answer(iter(arrow.to_batches()))
    assert isinstance(arrow_batch, pyarrow.RecordBatch)
    assert pl.DataFrame(arrow_batch).equals(frame)
    assert isinstance(answer.recommend(arrow.to_batches()[0]), pyarrow.RecordBatch)
    people = answer.recommend(pandas.DataFrame(asked.to_dict(as_series=False)))
    assert isinstance(people, pandas.DataFrame)
    assert pl.DataFrame(people).select("query", "place", "id").equals(frame.select("query", "place", "id"))
    assert answer.recommend(asked.head(0)).schema == answer.schema


def test_contributions_add_up_to_the_score_and_are_those_of_an_explanation(finished):
    answer = BatchRecommender(finished, n=40, explain=True)
    frame = answer.recommend(TABLE)
    same(frame.drop("contributions"), BatchRecommender(finished, n=40).recommend(TABLE))
    assert frame.schema == answer.schema
    explained = [
        {label: pytest.approx(value, abs=1e-5) for label, value in place.contributions.items()}
        for query in QUERIES.values()
        for place in hybridrec.load(finished).explain(query, 40)
    ]
    told = [{summand["label"]: summand["value"] for summand in summands} for summands in frame["contributions"]]
    assert told == explained
    assert {} in told, "an id from the fallback is among them"
    blended = frame.filter(pl.col("contributions").list.len() > 0)
    sums = blended["contributions"].list.eval(pl.element().struct.field("value")).list.sum()
    np.testing.assert_allclose(sums, blended["score"], atol=1e-5)
    control = BatchRecommender(finished, explain=True, pipeline="control").recommend(TABLE)
    assert control.schema == answer.schema


def test_other_processes_answer_the_same_and_load_once(finished):
    batch._loaded.cache_clear()
    answer = BatchRecommender(finished, n=3)
    wanted = answer.recommend(TABLE)
    again = pickle.loads(pickle.dumps(answer))
    assert again == answer
    assert again.recommender is answer.recommender
    assert batch._loaded.cache_info().misses == 1
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        same(pool.submit(answer.recommend, TABLE).result(), wanted)


def test_plugins_and_blocked_names_may_be_lists_as_for_load(finished):
    listed = BatchRecommender(finished, n=2, block=["word2vec"], plugins=[])
    assert listed.recommend(TABLE).equals(BatchRecommender(finished, n=2).recommend(TABLE))
    assert listed == BatchRecommender(finished, n=2, block=("word2vec",))
    assert pickle.loads(pickle.dumps(listed)).recommender is listed.recommender


def test_mistakes_are_told_with_the_row_counted_over_all_tables(finished):
    answer = BatchRecommender(finished)
    tables = [TABLE.head(2), pl.DataFrame({"query": ["x", "y"], "items": [["item 01"], ["item 77"]]})]
    with pytest.raises(DataError, match="row 4: column 'items': none of 40 items has the id 'item 77'"):
        list(answer(tables))
    skipped = BatchRecommender(finished, unknown="skip").recommend(tables[1])
    assert skipped["query"].unique().sort().to_list() == ["x", "y"]


def test_a_bundle_without_users_refuses_users_by_name(finished, tmp_path):
    bundle = Run.open(finished).bundle(tmp_path / "bare.hybridrec", users=False)
    with pytest.raises(DataError, match="user 'user 04' cannot be asked for: this bundle was written without users"):
        BatchRecommender(bundle).recommend(TABLE)
    assert len(BatchRecommender(bundle).recommend(TABLE.drop("user")))
