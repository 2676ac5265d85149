"""Scorers that fill several columns, and options that name some of them."""

import numpy as np
import pytest

from hybridrec import ConfigError, Exclude, PluginError, Pool, Scorer
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry
from hybridrec.serving.explain import explain
from hybridrec.testing import ComponentContract
from hybridrec_fusion.fixed_weights import Borda, ReciprocalRank, Weighted
from tests.stages.builders import DATA, QUERIES, Fixed, pipeline


class Facts(Scorer):
    """Two numbers of every item: its code, and how far it is from the middle."""

    name = "facts"
    columns = ()

    def fit(self, data, rng):
        self.columns, self.size = ("code", "middle"), len(data.items)
        return self

    def score(self, queries, ids, target):
        values = np.stack((ids, -np.abs(ids - self.size / 2))).astype(np.float32)
        return np.where(ids == -1, np.float32(np.nan), values)

    def state(self):
        return {"size": np.array(self.size), "columns": np.array(self.columns)}

    def restore(self, state):
        self.columns, self.size = tuple(state["columns"].tolist()), int(state["size"])
        return self


FACTS = Facts().fit(DATA, None)


class TestFacts(ComponentContract):
    component = Facts


def scored(rerankers=None, **more):
    pipe = pipeline([("g", Fixed(), 6)], scorers=[("f", FACTS)], rerankers=rerankers or {}, **more)
    return pipe, pipe.score(QUERIES, pipe.generate(QUERIES, "items", Exclude()))


def test_columns_are_named_by_label_and_name_in_their_order():
    _, pool = scored()
    assert list(pool.columns) == ["g", "f.code", "f.middle"]
    np.testing.assert_array_equal(pool.columns["f.code"], pool.ids)
    assert all(column.flags.c_contiguous for column in pool.columns.values())
    again = Pool.restore("items", pool.state())
    assert list(again.columns) == list(pool.columns)
    np.testing.assert_array_equal(again.columns["f.middle"], pool.columns["f.middle"])


def test_patterns_name_columns_and_a_name_goes_before_a_pattern():
    _, pool = scored()
    fused = Weighted(Weighted.Config(weights={"g": 1, "f.*": 0.5, "f.middle": 2}))
    parts = fused.contributions(QUERIES, pool)
    ones = Weighted(Weighted.Config()).contributions(QUERIES, pool)
    for label, weight in (("g", 1), ("f.code", 0.5), ("f.middle", 2)):
        np.testing.assert_allclose(parts[label], weight * ones[label], rtol=1e-6)


@pytest.mark.parametrize("fusion", [Weighted, Borda, ReciprocalRank])
def test_a_column_that_no_weight_names_has_none(fusion):
    _, pool = scored()
    parts = fusion(fusion.Config(weights={"?.code": 1})).contributions(QUERIES, pool)
    assert not parts["g"].any()
    assert not parts["f.middle"].any()
    assert parts["f.code"].any()


def test_a_pattern_that_names_nothing_is_refused_with_what_there_is():
    _, pool = scored()
    with pytest.raises(PluginError, match=r"'f\.cod' names no column of 'f'; there are f\.code, f\.middle"):
        Weighted(Weighted.Config(weights={"f.cod": 1})).rerank(QUERIES, pool, 3)
    with pytest.raises(PluginError, match=r"'g\.x' names no column of 'g'; there are g"):
        pool.matching("g.x")
    assert pool.matching("absent") == []
    with pytest.raises(PluginError, match=r"h: no column of the pool is named so; there are g, f\.code, f\.middle"):
        pool.only(["h"])
    assert list(pool.only(["f.*"]).columns) == ["f.code", "f.middle"]
    assert pool.only([]) is pool


def test_an_explanation_has_all_columns():
    fused = Weighted(Weighted.Config(weights={"f.code": 1}))
    pipe, _ = scored({"items": (fused,)})
    first = explain(pipe, QUERIES.take(slice(0, 1)), "items", 3, DATA)[0]
    assert set(first.opinions) == {"g", "f.code", "f.middle"}
    assert first.contributions["f.code"] == first.score


@pytest.mark.parametrize(("names", "message"), [
    (("a", "a"), "'a' is named twice"),
    (("a", "a: b"), "'a: b' cannot name a column"),
    (("a",), "scores"),
])  # fmt: skip
def test_bad_columns_are_refused(names, message):
    wrong = Facts().fit(DATA, None)
    wrong.columns = names
    pipe = pipeline([("g", Fixed(), 6)], scorers=[("f", wrong)], rerankers={})
    with pytest.raises(PluginError, match=message):
        pipe.score(QUERIES, pipe.generate(QUERIES, "items", Exclude()))


def test_a_column_does_not_replace_another():
    pipe = pipeline([("f.code", Fixed(), 6)], scorers=[("f", FACTS)], rerankers={})
    with pytest.raises(ConfigError, match=r"the pool has a column 'f\.code' already"):
        pipe.score(QUERIES, pipe.generate(QUERIES, "items", Exclude()))


CONFIG = """\
name: columns
data: {{reader: setlists, min_items: 12}}
split: {{use: masked, scenarios: {{items: 1}}}}
components: {{popularity: {{}}, item-knn: {{}}}}
targets: {{items: 5}}
pipelines:
  mine:
    generators: [{{from: popularity, k: 20}}]
    scorers: [item-knn]
    rerank: [{{use: {reranker}}}]
    fallback: []
compare: {{metrics: [ndcg@5]}}
"""


@pytest.mark.parametrize(("reranker", "message"), [
    ("weighted, weights: {item-knn: 1}", None),
    ("weighted, weights: {item*: 1}", None),
    ("weighted, weights: {item-knn.price: 1}", None),  # known when it is fitted
    ("validated, columns: [pop*, item-knn]", None),
    ("weighted, weights: {item-kn: 1}", "no generator or scorer here is 'item-kn': did you mean 'item-knn'"),
    ("weighted, weights: {als.*: 1}", r"no generator or scorer here is 'als\.\*'"),
    ("lambdamart, columns: [als]", "no generator or scorer here is 'als'"),
])  # fmt: skip
def test_a_config_may_name_columns_that_are_known_later(tmp_path, reranker, message):
    path = tmp_path / "columns.yaml"
    path.write_text(CONFIG.format(reranker=reranker), encoding="utf-8")
    if message is None:
        load_experiment(path, Registry())
    else:
        with pytest.raises(ConfigError, match=message):
            load_experiment(path, Registry())
