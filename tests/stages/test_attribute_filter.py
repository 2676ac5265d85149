"""Conditions on attributes and on the request: what may be shown, group by group."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from scipy.sparse import csr_matrix

import hybridrec
from hybridrec import DataError, Exclude, Query
from hybridrec.data.encoding import encode
from hybridrec.data.features import FeatureColumn, Features
from hybridrec.stages.attribute_filter import AttributeFilter
from hybridrec.testing import FilterContract, toy_dataset

DATA = toy_dataset()
N = len(DATA.items)
COST = DATA.items.features.columns["cost"].values
ASKED = encode(
    [
        Query(context={"budget": 2, "device": "tv"}, time=1.5e9 + 10 * 86_400),
        Query(context={"budget": 0}),
        Query(context={"budget": 2, "device": "tv"}, time=1.5e9 + 10 * 86_400),
        Query(),
    ],
    DATA,
)


class TestAttribute(FilterContract):
    filter = AttributeFilter
    configs = [
        {"where": "cost <= 2"},
        {"where": "cost <= request.budget"},
        {"where": "array_contains(tags, 'tag 01') or cost is null"},
        {"where": "request.device = 'tv' and time < request.time", "unknown": "allow"},
        {"where": "request.device = 'tv'"},
        {"where": "id != 'tag 03'", "target": "tags"},
    ]

    def queries(self):
        return ASKED


def shown(where, queries=ASKED, data=DATA, **options):
    """For each query the items that may be shown."""
    made = AttributeFilter(AttributeFilter.Config(where=where, **options)).fit(data)
    scores = np.zeros((len(queries), N), np.float32)
    made.exclude(queries, "items").mask(scores)
    return [np.flatnonzero(row == 0).tolist() for row in scores]


def those(mask):
    return np.flatnonzero(mask).tolist()


def test_a_condition_without_the_request_is_the_same_for_all():
    assert shown("cost > 1 and not cost = 4") == [those((COST > 1) & (COST != 4))] * 4
    assert (
        shown("cost between 1 and 2 or id in ('item 03', 'item 05')")
        == [those(((COST >= 1) & (COST <= 2)) | np.isin(np.arange(N), [3, 5]))] * 4
    )
    made = AttributeFilter(AttributeFilter.Config(where="cost > 1")).fit(DATA)
    assert made.exclude(ASKED, "items").groups is None
    assert made.exclude(ASKED, "tags").ids is None


def test_requests_with_the_same_values_are_one_group_and_computed_once(monkeypatch):
    made = AttributeFilter(AttributeFilter.Config(where="cost <= request.budget")).fit(DATA)
    computed, plain = [], AttributeFilter._barred
    monkeypatch.setattr(AttributeFilter, "_barred", lambda self, row: computed.append(row) or plain(self, row))
    exclude = made.exclude(ASKED, "items")
    assert exclude.group.tolist() == [0, 1, 0, 2]
    assert computed == [{"budget": 2.0}, {"budget": 0.0}, {"budget": None}]
    assert [those(~row) for row in exclude.groups] == [those(COST <= 2), those(COST <= 0), []]


def test_the_unknown_is_neither_true_nor_false():
    assert 3 not in shown("cost >= 0")[0]
    assert 3 not in shown("not cost >= 0")[0]
    assert 3 in shown("cost >= 0", unknown="allow")[0]
    assert shown("cost <= coalesce(request.budget, 99)")[3] == those(COST <= 99)
    assert shown("cost <= request.budget", unknown="allow")[3] == list(range(N))


def test_times_are_compared_with_the_time_of_the_request():
    times = DATA.items.times
    assert shown("time <= request.time")[0] == those(times <= 1.5e9 + 10 * 86_400)
    assert shown("time < date '2017-07-20'")[0] == those(times < 1_500_508_800)


def test_kinds_are_lists_and_features_with_several_values_too():
    has = DATA.item_matrix("tags").toarray()[:, 1] > 0
    assert shown("array_contains(tags, 'tag 01')")[0] == those(has)
    assert shown("not array_contains(tags, 'tag 01')")[0] == those(~has)  # no tags are none, not unknown ones
    values = np.zeros((N, 2), np.float32)
    values[:3, 0], values[1:5, 1] = 1, 1
    genres = FeatureColumn("category", csr_matrix(values), ("drama", "horror"))
    data = DATA.with_entities("items", features=Features({"genres": genres}))
    assert shown("not array_contains(genres, 'horror')", data=data)[0] == [0]  # of the others no genre is known
    with pytest.raises(DataError, match=r"array_contains\(NAME, 'value'\)"):
        shown("genres != 'horror'", data=data)


@pytest.mark.parametrize(("where", "message"), [
    ("prize <= 3", "where: unknown column 'prize'"),
    ("cost <= request.bugdet", r"where: unknown column 'request\.bugdet': did you mean 'budget'"),
    ("cost < 'a lot'", r"where: cannot be computed: .*\(cost number\)"),
    ("cost + 1", "where: gives Float32, not true or false: cost \\+ 1"),
])  # fmt: skip
def test_what_the_data_lack_is_told(where, message):
    with pytest.raises(DataError, match=message):
        shown(where)


@pytest.mark.parametrize(("where", "message"), [
    ("cost <=", "not a condition in SQL"),
    ("", "not a condition in SQL"),
    ("cost = 1; drop table items", "not a condition in SQL"),
    ("cost > (Select a from read_csv('/etc/passwd'))", "cannot hold a subquery"),
    ("__import__('os').system('true')", "not a condition in SQL"),
])  # fmt: skip
def test_what_is_not_a_condition_is_refused_with_the_config(where, message):
    with pytest.raises(ValidationError, match=message):
        AttributeFilter.Config(where=where)


def test_a_word_in_quotes_is_no_subquery():
    AttributeFilter.Config(where="id != 'select'")


def test_no_data_of_the_kind_is_told():
    with pytest.raises(DataError, match="the data has no venues"):
        AttributeFilter(AttributeFilter.Config(where="id != 'x'", target="venues")).fit(DATA)


def test_nobody_asks():
    made = AttributeFilter(AttributeFilter.Config(where="cost <= request.budget")).fit(DATA)
    assert made.exclude(ASKED.take(slice(0, 0)), "items").groups.shape == (0, N)
    assert isinstance(made.exclude(replace(ASKED, context=None), "items"), Exclude)


def test_a_price_cap_of_the_request_holds_in_the_run_and_when_serving(tmp_path):
    rng = np.random.default_rng(0)
    pairs = pl.DataFrame({"user": rng.integers(40, size=600), "item": rng.integers(30, size=600)}).unique(
        maintain_order=True
    )
    frames = {
        "interactions": pairs.with_columns(
            pl.all().cast(pl.String), budget=1.0 + pairs["user"] % 5, time=np.arange(len(pairs))
        ),
        "entities.items": pl.DataFrame({"id": [str(i) for i in range(30)], "price": [i % 6 + 0.5 for i in range(30)]}),
    }
    config = {
        "name": "capped",
        "data": {
            "reader": "table",
            "interactions": {"user": "user", "item": "item", "time": "time", "context": {"budget": "number"}},
            "entities": {"items": {"id": "id", "features": {"price": "number"}}},
        },
        "split": {"use": "leave-one-out"},
        "components": {"popularity": {}, "item-knn": {}},
        "targets": {"items": 5},
        "pipelines": {
            "free": {"generators": [{"from": "popularity"}], "fallback": []},  # so that the truth is not cut
            "mine": {
                "generators": [{"from": "item-knn", "k": 9}],
                "fallback": ["popularity"],
                "filters": [{"use": "attribute", "where": "price <= request.budget"}],
            },
        },
        "compare": {"metrics": ["ndcg@5"], "resamples": 100},
        "refit": "all",
    }
    run = hybridrec.run(config, data=frames, store=tmp_path / "store", runs=tmp_path / "runs")
    users = run.queries().select("query", "unit").cast(pl.Int64)
    shown_to = run.slates("mine").join(users, on="query").with_columns(pl.col("id").cast(pl.Int64))
    assert shown_to["query"].n_unique() > 30
    assert (shown_to["id"] % 6 + 0.5 <= 1 + shown_to["unit"] % 5).all()  # the budgets of the users
    (note,) = [note for note in run.report.notes if "shorter than 5" in note]
    assert note.startswith("mine, items: ")
    assert note.endswith("0 empty: the filters leave no more of what is proposed")
    recommender = hybridrec.load(run)
    for budget in (0.0, 1.0, 3.0):
        ids = recommender.recommend(Query(context={"budget": budget}), 30, pipeline="mine").to_frame()["id"]
        assert set(ids.cast(pl.Int32)) == {i for i in range(30) if i % 6 + 0.5 <= budget}
    with pytest.raises(DataError, match=r"filters\[0\]: where: unknown column 'prize': did you mean 'price'"):
        hybridrec.plan(config | {"filters": [{"use": "attribute", "where": "prize < 3"}]}, data=frames)
