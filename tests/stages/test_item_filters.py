"""Lists of ids and release dates: as filters, and under the keys of a pipeline."""

from __future__ import annotations

import numpy as np
import pytest

import hybridrec
from hybridrec import ConfigError, DataError
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry
from hybridrec.stages.item_filters import AllowFilter, BlockFilter, ListOptions, ReleasedFilter
from hybridrec.testing import FilterContract, toy_dataset, toy_queries

DATA = toy_dataset()
LISTED = {"ids": ["item 03", "item 05"]}


class TestAllow(FilterContract):
    filter = AllowFilter
    configs = [LISTED, {"ids": []}, {"ids": ["tag 01"], "target": "tags"}]


class TestBlock(FilterContract):
    filter = BlockFilter
    configs = [LISTED, {}]


class TestReleased(FilterContract):
    filter = ReleasedFilter


def test_allow_and_block_are_opposites(tmp_path):
    (tmp_path / "ids.txt").write_text("item 05\n\n item 03 \n")
    queries = toy_queries(DATA)
    codes = DATA.items.vocabulary.encode(LISTED["ids"])
    for cls, wanted in ((AllowFilter, True), (BlockFilter, False)):
        by_ids = cls(ListOptions(**LISTED)).fit(DATA).exclude(queries, "items")
        by_file = cls(ListOptions(path=tmp_path / "ids.txt")).fit(DATA).exclude(queries, "items")
        np.testing.assert_array_equal(by_ids.ids, by_file.ids)
        assert (np.isin(np.arange(len(by_ids.ids)), codes) == wanted).tolist() == (~by_ids.ids).tolist()
        assert cls(ListOptions(**LISTED)).fit(DATA).exclude(queries, "tags").ids is None


def test_what_cannot_be_read_or_is_unknown_is_told(tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"item 1\n\xe9\n")
    with pytest.raises(DataError, match=r"path: .*latin\.txt is not in UTF-8 \(byte 7\)"):
        AllowFilter(ListOptions(path=tmp_path / "latin.txt")).fit(DATA)
    with pytest.raises(DataError, match=r"path: .*nowhere\.txt cannot be read"):
        BlockFilter(ListOptions(path=tmp_path / "nowhere.txt")).fit(DATA)
    with pytest.raises(DataError, match="the only id is not in the data, first 'nothing'"):
        BlockFilter(ListOptions(ids=["nothing"])).fit(DATA)
    for cls in (AllowFilter, BlockFilter):
        partly = cls(ListOptions(ids=["nothing", *LISTED["ids"]])).fit(DATA)
        assert partly.notes() == ["1 of 3 ids are not in the data, first 'nothing'; the list is applied without them"]
        whole = cls(ListOptions(**LISTED)).fit(DATA)
        assert whole.notes() == []
        excluded = [each.exclude(toy_queries(DATA), "items").ids for each in (partly, whole)]
        np.testing.assert_array_equal(*excluded)


CONFIG = """\
name: rules
data: {{reader: setlists, min_items: 12}}
split: {{use: masked, scenarios: {{items: 1}}}}
components: {{popularity: {{}}, item-knn: {{}}}}
targets: {{items: 10}}
{shared}
pipelines:
  plain: {{generators: [{{from: item-knn, k: 30}}], fallback: [popularity]}}
  ruled: {{generators: [{{from: item-knn, k: 30}}], fallback: [popularity], {rules}}}
compare: {{metrics: [ndcg@10], resamples: 100}}
refit: all
"""


def made(tmp_path, rules, shared=""):
    path = tmp_path / "rules.yaml"
    path.write_text(CONFIG.format(rules=rules, shared=shared), encoding="utf-8")
    return path


def test_a_filter_holds_in_the_run_and_when_serving(tmp_path):
    best = hybridrec.run(made(tmp_path, "seen: exclude"), store=tmp_path / "store", runs=tmp_path / "runs")
    three = best.slates("plain")["id"].value_counts(sort=True)["id"].to_list()[:3]
    runs = [
        hybridrec.run(made(tmp_path, rules), store=tmp_path / "store", runs=tmp_path / "runs")
        for rules in (f"block: {{ids: {three}}}", f"filters: [{{use: block, ids: {three}}}]")
    ]
    for run in runs:
        assert run.slates("plain").equals(best.slates("plain"))
        assert not run.slates("ruled")["id"].is_in(three).any()
        assert run.slates("ruled")["id"].equals(runs[0].slates("ruled")["id"])
        recommender = hybridrec.load(run)
        assert [rule.name for rule in recommender.pipelines["ruled"].filters] == ["seen", "disliked", "block"]
        shown = recommender.recommend(hybridrec.Query(), 10, pipeline="ruled").to_frame()["id"]
        assert not shown.is_in(three).any()
        assert recommender.recommend(hybridrec.Query(), 10, pipeline="plain").to_frame()["id"].is_in(three).any()


def test_shared_filters_hold_for_every_pipeline(tmp_path):
    path = made(tmp_path, "filters: [{use: block, ids: [a]}]", "filters: [{use: released}]")
    experiment = load_experiment(path, Registry())
    listed = {name: [spec for spec in plan.filters if not spec.implied] for name, plan in experiment.pipelines.items()}
    places = {name: [spec.place for spec in specs] for name, specs in listed.items()}
    assert places == {"plain": ["filters[0]"], "ruled": ["filters[0]", "pipelines.ruled.filters[0]"]}


@pytest.mark.parametrize(("rules", "message"), [
    ("filters: [{use: blok}]", r"rules.yaml:9: pipelines\.ruled\.filters\[0\]\.use: .*did you mean 'block'"),
    ("filters: [{use: block, idz: [a]}]", r"rules.yaml:9: pipelines\.ruled\.filters\[0\]\.idz: unknown key"),
])  # fmt: skip
def test_mistakes_are_told_with_their_place(tmp_path, rules, message):
    with pytest.raises(ConfigError, match=message):
        load_experiment(made(tmp_path, rules), Registry())


def test_check_refuses_what_the_data_lack_before_any_fit(tmp_path):
    path = made(tmp_path, "filters: [{use: block, ids: [no such song]}]")
    with pytest.raises(DataError, match=r"^pipelines\.ruled\.filters\[0\]: the only id is not in the data"):
        hybridrec.plan(path, store=tmp_path / "store")


def test_an_unknown_id_beside_known_ones_is_noted_by_check_and_run(tmp_path):
    path = made(tmp_path, "filters: [{use: block, ids: [no such song, Sugaree]}]")
    missing = "1 of 2 ids are not in the data, first 'no such song'; the list is applied without them"
    told = f"pipelines.ruled.filters[0]: {missing}"
    assert told in hybridrec.plan(path, store=tmp_path / "store").notes
    run = hybridrec.run(path, store=tmp_path / "store", runs=tmp_path / "runs")
    assert run.report.notes.count(told) == 1
    assert "Sugaree" not in set(run.slates("ruled")["id"])
