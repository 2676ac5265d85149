"""Doubts that are told before anything is fitted, each with its number; a sound experiment raises none."""

from dataclasses import replace

import numpy as np
import pytest

from hybridrec import plan
from hybridrec.engine import doubts as gathered
from hybridrec.testing import toy_dataset

ROWS = [
    (f"u{user}", f"i{(user * 3 + n * n) % 23}", 86400 * (400 + user + 30 * n)) for user in range(40) for n in range(6)
]


@pytest.fixture
def doubts(tmp_path, monkeypatch):
    """The warnings of `check` about rows (user, item, time), with changes of a sound config."""
    monkeypatch.chdir(tmp_path)

    def warnings(rows=ROWS, **changes):
        text = "user,item,time\n" + "".join(f"{user},{item},{time}\n" for user, item, time in rows)
        (tmp_path / "plays.csv").write_text(text)
        config = {
            "name": "doubtful",
            "data": {
                "reader": "table",
                "interactions": {"path": str(tmp_path / "plays.csv"), "user": "user", "item": "item", "time": "time"},
            },
            "split": {"use": "temporal"},
            "components": {"als": {"factors": 8}, "popularity": {}},
            "pipelines": {"control": {"generators": [{"from": "als"}], "fallback": ["popularity"]}},
            "compare": {"metrics": ["ndcg@10"]},
            **changes,
        }
        return plan(config).warnings

    return warnings


def test_a_sound_experiment_raises_none(doubts):
    assert doubts() == ()


def test_queries_that_know_nothing_are_counted_by_segment(doubts):
    late = [(f"new{n % 7}", f"i{n % 23}", 86400 * 600 + n) for n in range(28)]
    (line,) = doubts(ROWS + late, compare={"metrics": ["ndcg@10"], "segments": ["activity"]})
    assert "queries know nothing (7 of " in line
    assert "the same slate, that of a fallback" in line
    only = [(f"basket{n // 3}", f"i{n * n % 23}", 86400 * 400 + 3600 * n) for n in range(240)]
    assert any("split: {use: masked}" in line for line in doubts(only))


@pytest.mark.parametrize(
    ("time", "says"),
    [
        (lambda time: time // 1000, r"all 240 times are from 1970-01-01 09:36 to 1970-01-01 14:08, soon after 1970"),
        (lambda time: 1.7e9 + time / 1000, r"all 240 times are within one day, from 2023-11-1"),
    ],
)
def test_times_of_one_day(doubts, time, says):
    lines = doubts([(user, item, time(at)) for user, item, at in ROWS], split={"use": "random"})
    assert [line for line in lines if says in line], lines


def test_a_scenario_that_no_query_has(doubts):
    split = {"use": "masked", "scenarios": {"items": 1, "title": 1}}
    (line,) = doubts(split=split)
    assert line.startswith("split.scenarios.title: no query knows this; the queries of all folds are ")
    assert line.endswith(" items")


def test_options_beyond_the_data(doubts):
    components = {
        "als": {"factors": 100_000},
        "item-knn": {"neighbours": 5000},
        "ease": {"min_users": 90},
        "bpr": {},
        "popularity": {},
    }
    generators = [{"from": label} for label in ("als", "item-knn", "ease", "bpr")]
    fuse = [{"use": "rrf"}]
    lines = doubts(
        split={"use": "random", "test": 0.1},
        components=components,
        pipelines={"control": {"generators": generators, "rerank": fuse, "fallback": ["popularity"]}},
    )
    rank, count, threshold = lines
    data = "the training part has 40 users and 23 items"
    assert rank == f"components.als.factors: 100,000, and {data}: more than 23 add nothing but time and memory"
    assert count == f"components.item-knn.neighbours: 5,000, and {data}: all of them are taken"
    assert threshold.startswith("components.ease.min_users: 90, and no item of the training part has more than ")


def test_a_core_that_leaves_little(doubts, monkeypatch):
    lines = doubts(k_core={"users": 1, "items": 20})
    assert any(line.startswith("k_core leaves ") and "interactions of the training part" in line for line in lines)
    monkeypatch.setattr(gathered, "THINNED", 0)
    assert doubts(k_core={"users": 1, "items": 20}) == ()


def test_an_option_is_doubted_once_however_many_folds_have_other_numbers(doubts):
    lines = doubts(split={"use": "masked", "folds": 3}, components={"als": {"factors": 1000}, "popularity": {}})
    assert [line.partition(",")[0] for line in lines] == ["components.als.factors: 1"]


@pytest.mark.parametrize(("times", "number"), [([np.nan] * 8, 0), ([-1e14, 1e15] * 4, 0), ([-1e14, -1e14 + 9] * 4, 1)])
def test_times_of_any_reader_can_be_told(times, number):
    data = toy_dataset(users=8)
    history = replace(data.interactions.last(1), times=np.array(times))
    assert len(list(gathered._of_times(replace(data, interactions=history)))) == number
