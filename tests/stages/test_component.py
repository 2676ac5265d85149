"""The two ready-made shapes of models, and what components do by default."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import DenseModel, Exclude, Options, PluginError, QueryBatch, Ragged, Reranker, VectorModel
from hybridrec.stages import component
from hybridrec.stages.checks import check_candidates, check_scores
from hybridrec.testing import toy_dataset, toy_queries
from tests.stages.builders import Stateless

DATA = toy_dataset(users=6, items=9, tags=4)
QUERIES = toy_queries(DATA).take(slice(0, 3))
RNG = np.random.default_rng(0)
LEFT, RIGHT = RNG.standard_normal((3, 5)).astype(np.float32), RNG.standard_normal((9, 5)).astype(np.float32)
LEFT[2] = np.nan


class Vectors(Stateless, VectorModel):
    name = "vectors"

    def query_vectors(self, queries, target):
        return LEFT[: len(queries)]

    def vectors(self, target):
        return RIGHT


class Doubles(Vectors):
    """Vectors of another type than asked for: they are converted."""

    def vectors(self, target):
        return RIGHT.astype(np.float64)


class Dense(Stateless, DenseModel):
    name = "dense"

    def scores(self, queries, target):
        return LEFT[: len(queries)] @ RIGHT.T


class Silent(Reranker):
    name = "silent"

    def rerank(self, queries, pool, n):
        return pool


ROWS = csr_matrix(np.array([[1, 0, 0, 1, 0, 0, 0, 0, 0], [0] * 9, [1] * 9], np.float32))
IDS = np.arange(9) == 5


@pytest.mark.parametrize("exclude", [Exclude(), Exclude(ROWS), Exclude(ids=IDS), Exclude(ROWS, IDS)])
@pytest.mark.parametrize("model", [Vectors(), Doubles(), Dense()], ids=["vectors", "doubles", "dense"])
def test_models_propose_and_score_the_same(model, exclude):
    candidates = model.candidates(QUERIES, 9, "items", exclude)
    check_candidates(candidates, 3, 9, 9)
    scores = model.score(QUERIES, candidates.ids, "items")
    check_scores(scores, candidates.ids)
    np.testing.assert_allclose(scores, candidates.scores, rtol=1e-5)
    left_out = [set(range(9)) - set(row.tolist()) for row in candidates.ids]
    everywhere = {5} if exclude.ids is not None else set()
    assert left_out[0] == everywhere | ({0, 3} if exclude.rows is not None else set())
    assert left_out[1] == everywhere
    assert left_out[2] == set(range(9))  # no opinion


class Histories(Stateless, DenseModel):
    name = "histories"

    def scores(self, queries, target):
        assert len(queries) == 1
        return queries.history.matrix().toarray() @ np.arange(81, dtype=np.float32).reshape(9, 9)


def test_a_dense_model_scores_a_few_queries_at_a_time(monkeypatch):
    monkeypatch.setattr(component, "_SCORES", 9)
    history = Ragged.from_rows([[1, 2], [], [8], [0]], 9)
    queries = QueryBatch(np.full(4, -1, np.int32), history, {"tags": csr_matrix((4, 2), dtype=np.float32)}, ("",) * 4)
    wanted = history.matrix().toarray() @ np.arange(81).reshape(9, 9)
    barred = csr_matrix(np.eye(4, 9))
    candidates = Histories().candidates(queries, 9, "items", Exclude(barred))
    picked = np.take_along_axis(np.where(barred.toarray() > 0, np.nan, wanted), candidates.ids, axis=1)
    np.testing.assert_array_equal(candidates.scores[:, :8], picked[:, :8])
    np.testing.assert_array_equal(candidates.ids[:, 8], -1)
    np.testing.assert_array_equal(Histories().score(queries, candidates.ids, "items"), candidates.scores)


@pytest.mark.parametrize("exclude", [Exclude(), Exclude(ROWS, IDS)])
def test_a_dense_model_scores_once_where_the_queries_keep_scores(exclude, monkeypatch):
    asked = []
    make = Dense.scores
    monkeypatch.setattr(Dense, "scores", lambda *given: asked.append(given) or make(*given))
    model, queries = Dense(), toy_queries(DATA).take(slice(0, 3))
    ids = np.tile(np.arange(9, dtype=np.int32), (3, 1))
    candidates, scores = model.candidates(queries, 9, "items", exclude), model.score(queries, ids, "items")
    assert len(asked) == 2, "a model may learn between two calls, unless the caller says that it does not"
    queries.keep_scores()
    for _ in range(2):  # what is excluded is written into a copy
        again = model.candidates(queries, 9, "items", exclude)
        assert again.ids.tobytes() == candidates.ids.tobytes()
        assert again.scores.tobytes() == candidates.scores.tobytes()
        assert model.score(queries, ids, "items").tobytes() == scores.tobytes()
    assert len(asked) == 3
    Dense().score(queries, ids, "items")
    model.score(queries.take(slice(0, 2)), ids[:2], "items")
    assert len(asked) == 5
    monkeypatch.setattr(component, "_KEPT", 26)  # one score fewer than these queries have
    model.score(queries, ids, "items")
    assert len(asked) == 6


def test_query_vectors_are_made_once_for_what_was_learned_and_for_these_queries(monkeypatch):
    asked = []
    make = Vectors.query_vectors
    monkeypatch.setattr(Vectors, "query_vectors", lambda *given: asked.append(given) or make(*given))
    learned = [RIGHT]
    monkeypatch.setattr(Vectors, "vectors", lambda *_: learned[-1])
    model, queries = Vectors(), toy_queries(DATA).take(slice(0, 3))
    candidates = model.candidates(queries, 9, "items", Exclude())
    model.score(queries, candidates.ids, "items")
    assert len(asked) == 1
    model.score(queries.take(slice(0, 2)), candidates.ids[:2], "items")
    Vectors().score(queries, candidates.ids, "items")
    assert len(asked) == 3
    learned.append(RIGHT.copy())
    model.score(queries, candidates.ids, "items")
    assert len(asked) == 4


def test_a_reranker_learns_and_tells_nothing_by_default():
    silent = Silent()
    assert silent.fit(DATA, RNG) is silent
    assert silent.restore(silent.state()) is silent
    assert (silent.state(), silent.summary(), silent.contributions(QUERIES, None)) == ({}, {}, {})
    with pytest.raises(NotImplementedError, match="silent learns nothing"):
        silent.fit_on_predictions(QUERIES, None, ROWS, np.ones(3), np.arange(3))


def test_a_component_takes_its_own_options_only():
    class Other(Options):
        """Options of another class."""

    class Picky(Dense):
        Config = Other

    assert isinstance(Picky().config, Other)
    with pytest.raises(TypeError, match=r"Picky takes .*Other, not Options"):
        Picky(Options())


@pytest.mark.parametrize(("wrong", "told"), [
    (lambda scores: scores[:, :-1], r"not of float32 \[3, 8\]"),
    (lambda scores: scores[:-1], r"not of float32 \[2, 9\]"),
    (lambda scores: scores.astype(np.int32), r"not of int32 \[3, 9\]"),
    (lambda scores: scores.astype(object), "not of object"),
    (lambda scores: scores.tolist(), "not list"),
    (lambda scores: None, "not NoneType"),
])  # fmt: skip
def test_scores_of_another_shape_or_type_are_refused_wherever_they_are_used(wrong, told):
    class Wrong(Stateless, DenseModel):
        name = "wrong"

        def scores(self, queries, target):
            return wrong(np.zeros((len(queries), queries.width(target)), np.float32))

    refused = pytest.raises(PluginError, match=r"scores must return an array of float32 \[3, 9\], " + told)
    with refused:
        Wrong().candidates(QUERIES, 3, "items", Exclude())
    with refused:
        Wrong().score(QUERIES, np.zeros((len(QUERIES), 1), np.int32), "items")
