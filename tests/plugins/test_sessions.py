"""`markov-chain` and `vsknn`: their formulas by hand, and their contracts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridrec import Query, Ragged
from hybridrec.data.encoding import encode
from hybridrec.testing import ComponentContract, toy_dataset
from hybridrec_sessions import neighbours, recency
from hybridrec_sessions.chain import MarkovChain, MarkovChainOptions
from hybridrec_sessions.neighbours import VSKNN, VSKNNOptions

RNG = np.random.default_rng(0)
LOOSE = {"idf": 0, "decay": "none", "closeness": "none"}
"""Session kNN without what makes it VSKNN."""


class TestMarkovChain(ComponentContract):
    component = MarkovChain
    configs = ({}, {"smoothing": 0.1, "context": 3, "decay": 0.8})
    learns_the_checkerboard = ("items",)


class TestVSKNN(ComponentContract):
    component = VSKNN
    configs = ({}, {"decay": "div", "closeness": "linear", "idf": 1}, {"sample": 4, "neighbours": 2, "idf": 0})
    learns_the_checkerboard = ("items",)


def plays(*rows: list[int], items: int, times: list[float] | None = None):
    """A dataset in which each user plays these items, all at one time."""
    history = Ragged.from_rows(rows, items)
    if times is not None:
        history = replace(history, times=np.repeat(np.array(times, float), history.lengths))
    return replace(toy_dataset(users=len(rows), items=items, tags=2), interactions=history)


def scores(model, data, *items: int):
    """The scores of all items for a query of these items, in this order."""
    query = encode([Query(items=[data.items.vocabulary.ids[item] for item in items])], data)
    return model.fit(data, RNG).scores(query, "items")[0]


def test_what_follows_by_hand() -> None:
    """0 is followed by 1 twice and by 2 once; of four followers two are 1s and two are 2s."""
    data = plays([0, 1, 2], [0, 1], [0, 2], items=3)
    scored = scores(MarkovChain(MarkovChainOptions(smoothing=2)), data, 0)
    np.testing.assert_allclose(scored, [0, (2 + 1) / 5, (1 + 1) / 5], rtol=1e-6)


def test_what_ends_a_session_is_followed_by_the_shares_of_all() -> None:
    data = plays([0, 1], [0, 1], [0, 2], items=3)
    np.testing.assert_allclose(scores(MarkovChain(), data, 2), [0, 2 / 3, 1 / 3], rtol=1e-6)


def test_earlier_items_count_less() -> None:
    data = plays([0, 1], [2, 3], items=4)
    options = MarkovChainOptions(smoothing=1, context=2, decay=0.25)
    after_0, after_2 = np.array([0, 0.75, 0, 0.25]), np.array([0, 0.25, 0, 0.75])
    scored = scores(MarkovChain(options), data, 1, 0, 2)
    np.testing.assert_allclose(scored, (0.25 * after_0 + after_2) / 1.25, rtol=1e-6)


def test_a_row_counts_back_from_its_end() -> None:
    history = Ragged.from_rows([[5, 6, 5], [], [7]], 8)
    assert recency.steps_from_end(history).tolist() == [2, 1, 0, 0]
    assert [array.tolist() for array in recency.latest(history)] == [[0, 0, 2], [5, 6, 7], [0, 1, 0]]


@pytest.mark.parametrize(("decay", "wanted"), [("linear", [1, 0.9, 0]), ("div", [1, 0.5, 1 / 13]), ("none", [1, 1, 1])])
def test_decays(decay, wanted) -> None:
    np.testing.assert_allclose(recency.decayed(np.array([0, 1, 12]), decay), wanted, rtol=1e-6)


def test_sessions_vote_by_hand() -> None:
    """The query [0, 1] weighs 0 by 1/2 and 1 by 1; session 0 shares item 0 with it, session 1 item 1."""
    data = plays([0, 2], [1, 3, 4], [5], items=6)
    length = np.sqrt(0.5**2 + 1)
    similar = np.array([0.5 / (length * 2**0.5), 1 / (length * 3**0.5)])
    scored = scores(VSKNN(VSKNNOptions(decay="div", closeness="linear", idf=0)), data, 0, 1)
    np.testing.assert_allclose(scored[[2, 3]], similar * [0.9, 1], rtol=1e-6)
    assert np.isnan(scored[5])
    rare = scores(VSKNN(VSKNNOptions(decay="div", closeness="linear", idf=2)), data, 0, 1)
    np.testing.assert_allclose(rare[2], scored[2] * np.log1p(3) ** 2, rtol=1e-5)


def test_the_last_common_item_is_the_closest() -> None:
    data = plays([0, 1, 2], items=3)
    near = scores(VSKNN(VSKNNOptions(**LOOSE | {"closeness": "div"})), data, 0, 1)[2]
    far = scores(VSKNN(VSKNNOptions(**LOOSE)), data, 0, 1)[2]
    np.testing.assert_allclose(near, far, rtol=1e-6)


@pytest.mark.parametrize(("times", "scored"), [([30, 10, 20], [1, 3]), ([10, 30, 20], [2, 3]), (None, [2, 3])])
def test_the_most_recent_sessions_are_compared(times, scored) -> None:
    data = plays([0, 1], [0, 2], [0, 3], items=4, times=times)
    votes = scores(VSKNN(VSKNNOptions(**LOOSE, sample=2)), data, 0)
    assert [item for item in (1, 2, 3) if not np.isnan(votes[item])] == scored


@pytest.mark.parametrize("field", ["times", "item_times"])
def test_a_query_of_the_past_finds_the_sessions_of_its_time(field) -> None:
    data = plays([0, 1], [0, 2], [0, 3], items=4, times=[10, 20, 99])
    model = VSKNN(VSKNNOptions(**LOOSE, sample=2)).fit(data, RNG)
    query = encode([Query(items=["item 00"], **{"time": 12.0} if field == "times" else {field: [12.0]})], data)
    assert np.flatnonzero(~np.isnan(model.scores(query, "items")[0])).tolist() == [0, 1, 2]


def test_the_most_similar_of_them_vote() -> None:
    data = plays([0, 1], [0, 2, 3], items=4)
    scored = scores(VSKNN(VSKNNOptions(**LOOSE, neighbours=1)), data, 0)
    assert np.flatnonzero(~np.isnan(scored)).tolist() == [0, 1]


def test_blocks_of_any_size_give_the_same_scores(monkeypatch) -> None:
    data = toy_dataset()
    model, queries = VSKNN().fit(data, RNG), data.queries(np.arange(20))
    whole = model.scores(queries, "items")
    monkeypatch.setattr(neighbours, "_CELLS", 100)
    np.testing.assert_allclose(model.scores(queries, "items"), whole, rtol=1e-6)
