"""Learned rankers: what they see, that they find what is there to find, and that they cannot find what is not."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import MissingDependencyError, Pool, QueryBatch, Ragged, kernels
from hybridrec.testing import toy_dataset
from hybridrec_fusion.features import features
from hybridrec_fusion.fixed_weights import Weighted
from hybridrec_fusion.greedy import Greedy, select
from hybridrec_fusion.item_stats import Facts
from hybridrec_fusion.lambdamart import LambdaMART, LambdaMARTConfig
from hybridrec_fusion.learned import Examples
from hybridrec_fusion.linear import Linear, LinearConfig, SoftmaxLoss
from hybridrec_fusion.normalisers import ZScore
from hybridrec_fusion.validation import Validation

NAN = np.nan
DAY = 86_400.0
TOY = toy_dataset()
Q, K = 240, 30
TAGGED = np.arange(Q) % 2 == 0
SMALL = {"trees": 60, "min_leaf": 10, "learning_rate": 0.1}


def rankers(**options):
    return Linear(LinearConfig(**options)), LambdaMART(LambdaMARTConfig(**options, **SMALL))


def batch(tagged=TAGGED):
    """Queries without history; every second one has the first tag."""
    q = len(tagged)
    tags = np.zeros((q, TOY.size("tags")), np.float32)
    tags[:, 0] = tagged
    return QueryBatch(np.full(q, -1, np.int32), Ragged.empty(q, len(TOY.items)), {"tags": csr_matrix(tags)}, ("",) * q)


def made(seed=0):
    """A pool in which one column knows queries with tags, the other those without, and both half of what matters.

    What else makes an item relevant is how popular it is, which no column says.
    """
    rng = np.random.default_rng(seed)
    ids = np.sort(np.argsort(rng.random((Q, len(TOY.items))), axis=1)[:, :K], axis=1).astype(np.int32)
    secret, noise = rng.standard_normal((2, Q, K))
    popularity = Facts.of(TOY, "items").popularity
    worth = secret + 1.5 * kernels.zscore(popularity[ids]) + 0.3 * rng.standard_normal((Q, K))
    relevant = worth >= np.sort(worth, axis=1)[:, -4, None]
    columns = {
        "tagged": np.where(TAGGED[:, None], secret, noise).astype(np.float32),
        "bare": np.where(TAGGED[:, None], noise, 50 * secret).astype(np.float32),
    }
    columns["bare"][rng.random((Q, K)) < 0.1] = NAN
    rows, places = np.nonzero(relevant)
    truth = csr_matrix((np.ones(len(rows), np.float32), (rows, ids[rows, places])), shape=(Q, len(TOY.items)))
    return Pool("items", ids, ("g",), np.ones(ids.shape, np.uint64), columns), truth


POOL, TRUTH = made()
FRESH, ANSWERS = made(1)


def learned(ranker, pool=POOL, truth=TRUTH, weights=None, units=None):
    weights = np.ones(Q) if weights is None else weights
    units = np.arange(Q, dtype=np.int32) if units is None else units
    return ranker.fit(TOY, np.random.default_rng(0)).fit_on_predictions(batch(), pool, truth, weights, units)


def value(final, pool=FRESH, truth=ANSWERS):
    final = np.where(pool.valid, final, -np.inf).astype(np.float32)
    return kernels.ndcg(final, kernels.hits(pool.ids, truth), np.diff(truth.indptr), 20).mean()


def summed(pool):
    return Weighted().rerank(batch(), pool, 20).final


def test_facts_as_by_hand():
    history = Ragged.from_rows([[0, 1, 0], [1]], 3)
    history = replace(history, times=np.array([5.0, 7.0, 9.0, 3.0]))
    none = csr_matrix((2, 2), dtype=np.float32)
    tags = csr_matrix(np.array([[3, 0], [1, 1], [0, 0]], np.float32))
    data = toy_dataset(users=2, items=3, tags=2)
    data = data.with_entities("items", times=np.array([NAN, NAN, 1.0]), features=None, vectors=None)
    data = replace(data, interactions=history, user_has={"tags": none}, item_has={"tags": tags}, assignments={})
    facts = Facts.of(data, "items")
    np.testing.assert_allclose(facts.popularity, np.log([2 / 3, 1, 1 / 3]), rtol=1e-6)
    np.testing.assert_array_equal(facts.first, [5, 3, 1])
    np.testing.assert_array_equal(facts.last, [9, 7, NAN])
    rare, rarer = np.log(2) * np.log(3 / 2), np.log(2) * np.log(3)
    row = np.array([rare, rarer]) / np.hypot(rare, rarer)
    np.testing.assert_allclose(facts.tags.toarray(), [[1, 0], row, [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(facts.content.toarray(), facts.tags.toarray(), rtol=1e-6)
    assert Facts.of(data, "tags").popularity.tolist() == pytest.approx(np.log([1 / 3] * 2))
    again = Facts.restore(facts.state("items"), "items")
    np.testing.assert_array_equal(again.content.toarray(), facts.content.toarray())


def test_features_as_by_hand():
    pool = Pool(
        "items",
        np.array([[0, 2, 3, -1]], np.int32),
        ("b", "a"),
        np.array([[1, 2, 3, 0]], np.uint64),
        {"b": np.array([[4, NAN, 2, NAN]], np.float32), "a": np.array([[1, 2, 3, NAN]], np.float32)},
    )
    history = Ragged.from_rows([[4, 6]], len(TOY.items))
    query = QueryBatch(np.array([-1], np.int32), history, {"tags": csr_matrix((1, 12), dtype=np.float32)}, ("",))
    query = replace(query, times=np.array([1.5e9 + 3 * DAY]))
    facts = Facts.of(TOY, "items")
    by_name = {name: values[0] for name, values in features(query, pool, facts, ZScore())}
    assert {values.dtype for values in by_name.values()} == {np.dtype(np.float32)}
    np.testing.assert_allclose(by_name["b: value"], [4, NAN, 2, NAN])
    np.testing.assert_allclose(by_name["b: normalised"], [1, NAN, -1, NAN])
    np.testing.assert_allclose(by_name["a: rank"], [1 / 2, 1 / np.log2(3), 1, NAN], rtol=1e-6)
    assert by_name["b: proposed"].tolist() == [1, 0, 1, 0]
    assert by_name["proposals"].tolist() == [1, 1, 2, 0]
    np.testing.assert_allclose(by_name["popularity"], [*facts.popularity[[0, 2, 3]], NAN])
    first_used = TOY.interactions.times[TOY.interactions.ids == 3].min()
    days = -np.log1p((first_used - query.times[0]) / DAY)  # nobody says when item 3 came out
    np.testing.assert_allclose(by_name["days since first"], [np.log1p(3), np.log1p(1), days, NAN], rtol=1e-5)
    profile = facts.content[[4, 6]].sum(axis=0)
    cosine = np.asarray(profile @ facts.content[[0, 2, 3]].T).ravel() / np.linalg.norm(profile)
    np.testing.assert_allclose(by_name["similar to the history"], [*cosine, NAN], rtol=1e-5)
    assert by_name["similar to the history"][:2].min() > by_name["similar to the history"][2]  # item 3 is odd
    assert np.isnan(by_name["similar to the tags"]).all()
    assert [by_name[f"knows {field}"][0] for field in ("user", "items", "tags", "title")] == [0, 1, 0, 0]
    np.testing.assert_allclose(by_name["items known"], np.log(3), rtol=1e-6)


def test_names_do_not_depend_on_the_order_of_the_config():
    turned = replace(POOL, columns=dict(reversed(POOL.columns.items())))
    facts = Facts.of(TOY, "items")
    names = [name for name, _ in features(batch(), POOL, facts, ZScore())]
    assert names == [name for name, _ in features(batch(), turned, facts, ZScore())]
    first, second = (learned(Linear(), pool) for pool in (POOL, turned))
    assert first.names == second.names
    np.testing.assert_array_equal(first.models, second.models)


@pytest.mark.parametrize("ranker", rankers(), ids=lambda ranker: ranker.name)
def test_a_ranker_finds_what_no_sum_of_columns_can(ranker):
    """The column to trust depends on the query, and popularity is in no column."""
    learned(ranker)
    assert not any(verdict.guarded for verdict in ranker.verdicts.values())
    gain = value(ranker.rerank(batch(), FRESH, 20).final)
    assert gain > value(summed(FRESH)) + 0.05
    assert gain == pytest.approx(ranker.verdicts["all"].blend_value, abs=0.03)
    summary = ranker.summary()
    assert set(summary["segments"]) == {"all", "tags", "nothing"}
    assert "popularity" in list(summary["features"])[:6]


@pytest.mark.parametrize("ranker", [*rankers(), Greedy()], ids=lambda ranker: ranker.name)
@pytest.mark.parametrize("seed", [2, 3])
def test_shuffled_labels_teach_nothing(ranker, seed):
    """Answers drawn from the pool at random: what is learned from them is no better than the order before it."""
    rng = np.random.default_rng(seed)
    rows, places = np.nonzero(rng.permuted(kernels.hits(POOL.ids, TRUTH), axis=1))
    shuffled = csr_matrix((np.ones(len(rows), np.float32), (rows, POOL.ids[rows, places])), shape=TRUTH.shape)
    learned(ranker, truth=shuffled)
    assert value(ranker.rerank(batch(), FRESH, 20).final) < value(summed(FRESH)) + 0.01
    by_chance = np.mean([value(rng.random(POOL.ids.shape), POOL, shuffled) for _ in range(20)])
    assert ranker.verdicts["all"].blend_value == pytest.approx(by_chance, abs=0.03)


@pytest.mark.parametrize("ranker", rankers(), ids=lambda ranker: ranker.name)
def test_the_guard_gives_the_segment_to_the_best_column(ranker):
    """The answers of queries with tags are exactly what one column says."""
    columns = {label: column.copy() for label, column in POOL.columns.items()}
    columns["tagged"][TAGGED] = kernels.hits(POOL.ids, TRUTH)[TAGGED]
    pool = replace(POOL, columns=columns)
    learned(ranker, pool)
    assert {segment: verdict.guarded for segment, verdict in ranker.verdicts.items()} == {
        "all": False,
        "nothing": False,
        "tags": True,
    }
    final = ranker.rerank(batch(), pool, 20).final
    np.testing.assert_allclose(final[TAGGED], kernels.zscore(columns["tagged"])[TAGGED], rtol=1e-5)
    (note,) = ranker.notes()
    assert note.startswith("in segment 'tags' the blend was no better than 'tagged'")


@pytest.mark.parametrize("ranker", rankers(), ids=lambda ranker: ranker.name)
def test_answers_that_nobody_found_stay_in_the_denominator(ranker):
    """Twice as many answers, the new ones in nobody's pool: what is reported falls, what is learned does not."""
    before = learned(ranker).verdicts["all"]
    wider = csr_matrix(np.concatenate([TRUTH.toarray(), TRUTH.toarray()], axis=1))
    after = learned(ranker, truth=wider).verdicts["all"]
    assert after.blend_value < 0.8 * before.blend_value
    assert after.single_value < 0.8 * before.single_value


@pytest.mark.parametrize("ranker", rankers(), ids=lambda ranker: ranker.name)
def test_statistics_are_those_of_the_part_it_was_fitted_on_last(ranker):
    learned(ranker)
    before = ranker.rerank(batch(), FRESH, 20).final
    other = TOY.hide(TOY.interactions.ids % 3 == 0)
    after = ranker.fit(other, np.random.default_rng(0)).rerank(batch(), FRESH, 20).final
    assert np.nanmax(np.abs(after - before)[FRESH.ids % 3 == 0]) > 0.1


@pytest.mark.parametrize("ranker", rankers(), ids=lambda ranker: ranker.name)
def test_a_query_without_weight_or_answer_teaches_nothing(ranker):
    half = np.arange(Q) < Q // 2
    unjudged = csr_matrix(TRUTH.multiply(half[:, None]))
    unjudged.eliminate_zeros()
    finals = [
        learned(ranker, **given).rerank(batch(), FRESH, 20).final
        for given in ({"truth": unjudged}, {"weights": half.astype(float)})
    ]
    np.testing.assert_array_equal(*finals)


@pytest.mark.parametrize("ranker", rankers(), ids=lambda ranker: ranker.name)
@pytest.mark.parametrize(
    "given",
    [{"truth": csr_matrix(TRUTH.shape, dtype=np.float32)}, {"weights": np.zeros(Q)}],
    ids=["truth", "weight"],
)
def test_nothing_to_learn_from_adds_the_columns_up(ranker, given):
    final = learned(ranker, **given).rerank(batch(), FRESH, 20).final
    assert ranker.verdicts["all"].single == 0
    assert ranker.summary()["features"] == {}
    np.testing.assert_allclose(final, summed(FRESH), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("ranker", rankers(), ids=lambda ranker: ranker.name)
def test_answers_in_nobodys_pool_are_no_failure(ranker):
    elsewhere = csr_matrix((np.ones(Q, np.float32), (np.arange(Q), np.full(Q, 40))), shape=(Q, 41))
    learned(ranker, truth=elsewhere)
    assert all(verdict.guarded for verdict in ranker.verdicts.values())
    assert not np.isnan(ranker.rerank(batch(), FRESH, 20).final).any()


def test_one_user_alone_cannot_judge():
    for ranker in rankers():
        learned(ranker, units=np.zeros(Q, np.int32))
        assert np.isnan(ranker.verdicts["all"].blend_value)
        assert value(ranker.rerank(batch(), FRESH, 20).final) > value(summed(FRESH)) + 0.05


def test_trees_are_parsed_when_they_are_loaded_and_not_at_the_first_query(monkeypatch, tmp_path):
    fitted = learned(rankers()[1])
    state = fitted.state()
    loaded = rankers()[1].restore(state)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    np.testing.assert_array_equal(loaded.rerank(batch(), FRESH, 20).final, fitted.rerank(batch(), FRESH, 20).final)
    with pytest.raises(MissingDependencyError, match=r"'lambdamart' needs LightGBM: .*: pip install 'hybridrec\[light"):
        rankers()[1].restore(state)
    unloadable = tmp_path / "lightgbm.py"
    unloadable.write_text("raise OSError('libgomp.so.1: cannot open shared object file')\n")
    monkeypatch.delitem(sys.modules, "lightgbm")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingDependencyError, match="LightGBM, which cannot be loaded: libgomp"):
        rankers()[1].restore(state)


def examples(rng):
    sizes = np.array([3, 1, 4])
    relevant = np.array([1, 0, 0, 1, 0, 1, 1, 0], bool)
    table = rng.standard_normal((8, 2)).astype(np.float32)
    return Examples(table, relevant, sizes, np.array([2, 1, 2]), np.array([1.0, 2.0, 0.5]), np.arange(3))


def test_the_softmax_loss_as_by_hand():
    given = examples(np.random.default_rng(0))
    loss = SoftmaxLoss(given, np.ones(2), 0.2)
    weights = np.array([0.7, -0.4])
    wanted, begin = 0.1 * weights @ weights, 0
    for size, answers, weight in zip(given.sizes, given.wanted, given.weights / 3.5, strict=True):
        rows = slice(begin, begin := begin + size)
        scores = given.features[rows] @ weights
        wanted -= weight / answers * (scores - np.log(np.exp(scores).sum()))[given.relevant[rows]].sum()
    assert loss(weights)[0] == pytest.approx(wanted, rel=1e-5)


def test_the_slope_of_the_softmax_loss():
    loss = SoftmaxLoss(examples(np.random.default_rng(1)), np.array([2.0, 0.5]), 0.2)
    weights, step = np.array([0.3, -0.2]), 1e-2
    slopes = [(loss(weights + move)[0] - loss(weights - move)[0]) / (2 * step) for move in step * np.eye(2)]
    np.testing.assert_allclose(loss(weights)[1], slopes, rtol=1e-2)


def test_greedy_selects_again_what_helps_and_stops_where_nothing_does():
    rng = np.random.default_rng(0)
    left, right, noise = rng.standard_normal((3, Q, K)).astype(np.float32)
    worth = 2 * left + right
    relevant = worth >= np.sort(worth, axis=1)[:, -3, None]
    ones, same = np.ones(Q), np.zeros(Q, int)
    columns = np.stack([left, right, noise])
    judge = Validation(columns, np.ones((Q, K), bool), relevant, relevant.sum(axis=1), ones, same.astype(str), same, 20)
    weights = select(judge, 6, [])
    assert weights[0] == 1
    assert weights[1] == pytest.approx(0.5, abs=0.2)
    assert weights[2] == 0
    assert judge.value(weights) >= max(judge.value(alone) for alone in np.eye(3))
    assert select(judge, 1, []).tolist() == [1, 0, 0]
    assert select(judge, 1, [np.array([2.0, 1.0, 0.0])]).tolist() == [1, 0.5, 0]
