"""`p3alpha`, `rp3beta` and `slim`: their formulas by hand, and their contracts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from hybridrec import Entities, Query, Ragged, Vocabulary
from hybridrec.data.encoding import encode
from hybridrec.testing import ComponentContract, toy_dataset
from hybridrec_linear import slim, walks
from hybridrec_linear.ease import Ease
from hybridrec_linear.slim import Slim, SlimOptions
from hybridrec_linear.walks import P3Alpha, P3AlphaOptions, RP3Beta, RP3BetaOptions

RNG = np.random.default_rng(0)


class TestP3Alpha(ComponentContract):
    component = P3Alpha
    configs = ({}, {"alpha": 0.5, "neighbours": 3, "weights": "log"}, {"item_tags": 0.5, "min_items": 2})
    learns_the_checkerboard = ("items",)


class TestRP3Beta(ComponentContract):
    component = RP3Beta
    configs = ({}, {"fields": ["items", "tags"], "weights": "raw"}, {"fields": ["items", "tags", "title"]})
    learns_the_checkerboard = ("items", "tags", "title")


class TestSlim(ComponentContract):
    component = Slim
    configs = ({"l2": 1}, {"neighbours": 3, "column_power": 0, "l1": 0}, {"fields": ["items", "tags"], "l2": 1})
    learns_the_checkerboard = ("items", "tags")


def plays(*rows: list[int], items: int):
    """A dataset in which each user has these items."""
    return replace(toy_dataset(users=len(rows), items=items, tags=2), interactions=Ragged.from_rows(rows, items))


def test_a_walk_by_hand() -> None:
    """From item 0: over user 0 (one of two) to item 1 (one of two), or over user 1 to items 1 and 2 (each one of
    three); item 1 has two users, item 2 one."""
    data = plays([0, 1], [0, 1, 2], items=3)
    query = encode([Query(items=["item 00"])], data)
    score = P3Alpha().fit(data, RNG).scores(query, "items")[0]
    np.testing.assert_allclose(score[1:], [1 / 2 * 1 / 2 + 1 / 2 * 1 / 3, 1 / 2 * 1 / 3], rtol=1e-6)
    assert np.isnan(score[0]), "no walk ends where it began"
    score = P3Alpha(P3AlphaOptions(alpha=2)).fit(data, RNG).scores(query, "items")[0]
    np.testing.assert_allclose(score[1:], [1 / 4 * 1 / 4 + 1 / 4 * 1 / 9, 1 / 4 * 1 / 9], rtol=1e-6)
    score = RP3Beta(RP3BetaOptions(alpha=2, beta=0.5)).fit(data, RNG).scores(query, "items")[0]
    np.testing.assert_allclose(score[1:], [(1 / 4 * 1 / 4 + 1 / 4 * 1 / 9) / 2**0.5, 1 / 4 * 1 / 9], rtol=1e-6)


def test_a_query_takes_the_first_step() -> None:
    data = plays([0, 1], [0, 1, 2], [2], items=3)
    model = P3Alpha(P3AlphaOptions(alpha=2)).fit(data, RNG)
    first, other, both = (
        np.nan_to_num(model.scores(encode([Query(items=items)], data), "items")[0])
        for items in (["item 00"], ["item 02"], ["item 00", "item 02"])
    )
    np.testing.assert_allclose(both, (first + other) / 4, rtol=1e-6)


def test_only_the_strongest_neighbours_stay() -> None:
    data = plays([0, 1], [0, 1, 2], items=3)
    query = encode([Query(items=["item 00"])], data)
    score = P3Alpha(P3AlphaOptions(neighbours=1)).fit(data, RNG).scores(query, "items")[0]
    assert np.flatnonzero(~np.isnan(score)).tolist() == [1]


@pytest.mark.parametrize("steps", [1, 50])
def test_blocks_of_any_size_give_the_same_walks(monkeypatch, steps: int) -> None:
    data = toy_dataset()
    whole = RP3Beta().fit(data, RNG).state()
    monkeypatch.setattr(walks, "_STEPS", steps)
    again = RP3Beta().fit(data, RNG).state()
    assert all(np.array_equal(whole[name], again[name]) for name in whole)


def matrix(rows: int, columns: int):
    values = np.random.default_rng(3).random((rows, columns))
    return csr_matrix(np.where(values > 0.5, values, 0).astype(np.float32))


def solved(rows, **options):
    """The weights of all columns, dense."""
    model = Slim(SlimOptions(**options))
    model.learn(rows, rows.shape[1])
    return model._weights.toarray()


def test_slim_finds_the_minimum_of_the_paper() -> None:
    x, l1, l2 = matrix(20, 6), 0.2, 0.5
    weights = solved(x, l1=l1, l2=l2, sweeps=1000)
    dense = x.toarray().astype(np.float64)
    for j in range(6):
        others = np.delete(dense, j, axis=1)

        def loss(b, others=others, y=dense[:, j]):
            return ((y - others @ b) ** 2).sum() / 2 + l2 * (b**2).sum() / 2 + l1 * b.sum()

        solution = minimize(loss, np.full(5, 0.1), bounds=[(0, None)] * 5, tol=1e-12).x
        np.testing.assert_allclose(np.delete(weights[:, j], j), solution, atol=2e-3)
    assert (np.diag(weights) == 0).all()


def test_only_the_nearest_predict() -> None:
    x = matrix(20, 6)
    weights = solved(x, neighbours=2, l1=0, l2=0.1)
    dense = x.toarray()
    cosine = dense.T @ dense / np.outer(*2 * [np.linalg.norm(dense, axis=0)])
    np.fill_diagonal(cosine, -1)
    for j in range(6):
        assert set(np.flatnonzero(weights[:, j])) <= set(np.argsort(-cosine[j])[:2])


def test_blocks_of_any_size_give_the_same_weights(monkeypatch) -> None:
    x = matrix(30, 12)
    whole = solved(x, neighbours=4)
    monkeypatch.setattr(slim, "_CELLS", 40)
    np.testing.assert_allclose(solved(x, neighbours=4), whole, atol=1e-4)
    assert whole.any()


def test_l1_makes_it_sparse() -> None:
    x = matrix(30, 12)
    assert (solved(x, l1=2.0, l2=1) > 0).sum() < (solved(x, l1=0, l2=1) > 0).sum()


def test_what_a_catalogue_of_700_000_items_takes() -> None:
    """More than any machine has for `ease`, little for models that keep few weights."""
    n = 700_000
    pairs = np.stack((np.arange(n), (np.arange(n) + 1) % n), axis=1).astype(np.int32)
    history = Ragged(pairs.ravel(), np.arange(0, 2 * n + 1, 2), n)
    names = Vocabulary(f"{i:06}" for i in range(n))
    small = toy_dataset(users=1, items=1, tags=1)
    entities = {"users": Entities(names), "items": Entities(names)}
    data = replace(small, entities=entities, interactions=history, user_has={}, item_has={}, assignments={})
    assert Ease().memory(data) > 8 * n**2
    assert max(model().memory(data) for model in (P3Alpha, RP3Beta, Slim)) < 8e9
