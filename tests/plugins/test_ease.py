"""EASE: primal, dual and a naive reference agree; what columns, rows and weights do; and the contract."""

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from scipy.sparse import csr_matrix

import hybridrec_linear
from hybridrec import DataError, MemoryBudgetError, run
from hybridrec.engine.store import Store
from hybridrec.testing import ComponentContract, parity_queries, toy_dataset
from hybridrec_linear import solve
from hybridrec_linear.ease import Ease, EaseOptions

RNG = np.random.default_rng(0)


class TestEaseContract(ComponentContract):
    component = Ease
    configs = [
        {},
        {"weights": "log", "column_power": 0, "l2": 5},
        {"weights": "raw"},
        {"item_tags": 0.5, "min_items": 2},
    ]
    learns_the_checkerboard = ("items",)


class TestEaseOfTagsAndTitlesContract(ComponentContract):
    component = Ease
    configs = [
        {"fields": ["items", "tags"], "l2": 5},
        {"fields": ["items", "tags", "title"], "tag_weight": 2},
        {"fields": ["items", "title"], "tokenizer": {"use": "char-ngrams"}},
    ]
    learns_the_checkerboard = ("items", "tags", "title")


def test_what_the_package_offers():
    assert [component.name for component in hybridrec_linear.hybridrec_components()] == [
        "ease",
        "p3alpha",
        "rp3beta",
        "slim",
    ]


def rows_of(n_rows, n_columns):
    values = np.random.default_rng(1).random((n_rows, n_columns))
    return csr_matrix(np.where(values > 0.7, values, 0).astype(np.float32))


def naive(rows, l2):
    """B as the paper writes it."""
    x = rows.toarray().astype(np.float64)
    p = np.linalg.inv(x.T @ x + l2 * np.eye(x.shape[1]))
    return np.eye(x.shape[1]) - p / np.diag(p)


@pytest.mark.parametrize("shape", [(30, 12), (12, 30), (20, 20)])
@pytest.mark.parametrize("form", [solve.Primal, solve.Dual])
@pytest.mark.parametrize("block", [7, 1024])
def test_primal_and_dual_give_the_published_solution(monkeypatch, form, shape, block):
    monkeypatch.setattr(solve, "BLOCK", block)
    rows, queries = rows_of(*shape), rows_of(5, shape[1])
    wanted = queries.toarray() @ naive(rows, 3.0)
    for n in (shape[1], shape[1] - 4):
        solution = form.solve(rows, 3.0, n)
        assert solution.predict(queries).dtype == np.float32
        np.testing.assert_allclose(solution.predict(queries), wanted[:, :n], atol=1e-5)


def test_the_smaller_system_is_solved():
    assert isinstance(solve.solve(rows_of(5, 9), 1.0, 9), solve.Dual)
    assert isinstance(solve.solve(rows_of(9, 5), 1.0, 5), solve.Primal)


def test_scores_are_those_of_the_paper_for_items_alone():
    data = toy_dataset()
    queries = parity_queries(data, "items")
    x = data.interactions.matrix(binary=True)
    is_had = np.asarray(x.sum(axis=0)).ravel() > 0
    wanted = np.full((2, 40), np.nan)
    wanted[:, is_had] = queries.history.matrix(binary=True).toarray()[:, is_had] @ naive(x[:, is_had], 10.0)
    model = Ease(EaseOptions(l2=10, column_power=0)).fit(data, RNG)
    np.testing.assert_allclose(model.scores(queries, "items"), wanted, atol=1e-5)
    assert not is_had[39], "the toy has a cold item"


def test_column_power_divides_training_and_query_by_the_counts():
    data = toy_dataset()
    queries = parity_queries(data, "items")
    x, q = data.interactions.matrix(binary=True)[:, :39], queries.history.matrix(binary=True)[:, :39]
    scale = np.diag(np.asarray(x.sum(axis=0)).ravel() ** -0.5)
    wanted = q @ scale @ naive(csr_matrix(x @ scale), 2.0)
    model = Ease(EaseOptions(l2=2, column_power=0.5)).fit(data, RNG)
    np.testing.assert_allclose(model.scores(queries, "items")[:, :39], wanted, atol=1e-5)


def test_item_tags_reach_cold_items():
    data = toy_dataset()
    queries = parity_queries(data, "items")
    assert np.isnan(Ease().fit(data, RNG).scores(queries, "items")[:, 39]).all()
    scores = Ease(EaseOptions(item_tags=1, min_items=2)).fit(data, RNG).scores(queries, "items")[:, 39]
    assert scores[1] > scores[0], "item 39 is odd"


def test_rare_tags_and_words_are_no_columns():
    data = toy_dataset()
    data = data.with_entities("users", text=("even unheard", *data.users.text[1:]))
    options = EaseOptions(fields=("items", "title"), min_users=2)
    columns = Ease(options).fit(data, RNG)._columns
    words = [columns.lexicon.words.ids[int(i)] for i in columns.ids[columns.n_predicted :] - len(data.items)]
    assert words == ["0", "1", "2", "evening", "even", "odd"] or sorted(words) == [
        "0",
        "1",
        "2",
        "even",
        "evening",
        "odd",
    ]


def test_without_interactions_it_says_so():
    data = toy_dataset()
    with pytest.raises(DataError, match="no interactions"):
        Ease().fit(data.hide(np.ones(len(data.interactions.ids), bool)), RNG)


def test_fields_without_items_are_refused():
    with pytest.raises(ValidationError, match="`items` must be among the fields"):
        EaseOptions(fields=("tags",))


def test_memory_grows_with_the_smaller_side():
    small, large = Ease().memory(toy_dataset(20, 40)), Ease().memory(toy_dataset(60, 40))
    assert small < large
    assert Ease().memory(toy_dataset(60, 40)) >= 8 * 39**2


def test_a_catalogue_too_large_is_refused_before_any_fit_with_the_way_out(tmp_path):
    plays = pl.DataFrame({"item": np.arange(700_000)}).with_columns(user=pl.col("item") // 10)
    plays.write_parquet(tmp_path / "plays.parquet")
    (tmp_path / "large.yaml").write_text(
        """
        name: large
        data: {reader: table, interactions: {path: plays.parquet, user: user, item: item}}
        split: {use: random, test: 0.001}
        components: {popularity: {}, ease: {}}
        pipelines:
          control: {generators: [{from: popularity, k: 10}], fallback: [tag-fallback, popularity]}
          linear: {generators: [{from: ease, k: 10}], fallback: [tag-fallback, popularity]}
        """
    )
    store = tmp_path / "store"
    refused = (
        r"components.ease \(ease\) would need about \d+\.\d GB .* raise `memory`, thin .* `k_core`, "
        r".* a component that needs less"
    )
    with pytest.raises(MemoryBudgetError, match=refused):
        run(tmp_path / "large.yaml", store=store, runs=tmp_path / "runs")
    assert Store(store).artifacts() == []
