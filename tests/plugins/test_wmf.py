"""`wmf` keeps the contract, solves what it says, projects ratings, and gives cold items their category's vector."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from hybridrec import Exclude, Query, Ragged, Tables, assemble
from hybridrec.testing import ComponentContract, encode, toy_dataset
from hybridrec_implicit.als import ALS
from hybridrec_implicit.cold import _ridge
from hybridrec_implicit.least_squares import LeastSquares
from hybridrec_implicit.wmf import WMF


class TestWMF(ComponentContract):
    component = WMF
    configs = (
        {"factors": 8},
        {"factors": 6, "similarity": "cosine", "cold": "mean"},
        {"factors": 6, "similarity": "euclidean", "cold": "regression"},
        {"factors": 6, "norm_exponent": 0.5, "gravity": 0.1},
        {"factors": 8, "solver": "sgd", "iterations": 60, "regularization": 1},
    )
    learns_the_checkerboard = ("items",)


class TestExplicitWMF(ComponentContract):
    component = WMF
    configs = (
        {"factors": 6, "feedback": "explicit", "center": "user", "unobserved_weight": 0, "gravity": 0.01},
        {"factors": 6, "feedback": "explicit", "center": "global", "unobserved_weight": 0},
        {"factors": 6, "feedback": "explicit", "center": "item", "unobserved_weight": 0},
        {"factors": 6, "feedback": "explicit", "unobserved_weight": 0, "gravity": 0.1, "solver": "sgd"},
    )


def fitted(data=None, **options):
    return WMF(WMF.Config(factors=4, **options)).fit(toy_dataset() if data is None else data, np.random.default_rng(3))


def query(data, *names, **rest):
    return encode([Query(items=names, **rest)], data)


def loss(vector, items, ratings, rated, model):
    """The loss that the page of the component states, for one user."""
    scores = items @ vector
    config = model.config
    return (
        config.observed_weight * ((ratings - scores[rated]) ** 2).sum()
        + config.unobserved_weight * (np.delete(scores, rated) ** 2).sum()
        + config.gravity * (scores**2).sum()
        + config.regularization * (vector**2).sum()
    )


def total_loss(model, data):
    """The loss of all users, who are solved for from the items, and of the items."""
    entries, _ = model._training_entries(data)
    items = np.nan_to_num(model.state()["items"]).astype(np.float64)
    users = model._squares.solve(*model._side(entries)).astype(np.float64)
    each = [loss(user, items, entries[row].data, entries[row].indices, model) for row, user in enumerate(users)]
    return sum(each) + model.config.regularization * (items**2).sum()


@pytest.mark.parametrize(
    "options",
    [
        {"unobserved_weight": 0.1},
        {"unobserved_weight": 0.3, "observed_weight": 2, "gravity": 0.05},
        {"unobserved_weight": 0, "gravity": 0.2, "feedback": "explicit"},
    ],
)
def test_gradient_descent_comes_to_the_loss_of_least_squares(options):
    data = toy_dataset(users=200)
    shared = {"regularization": 0.7, **options}
    best = total_loss(fitted(data, iterations=60, **shared), data)
    passes = {"solver": "sgd", "learning_rate": 0.2, **shared}
    few, many = (total_loss(fitted(data, iterations=number, **passes), data) for number in (5, 150))
    assert best * 0.999 < many < best * 1.02
    assert few > many * 1.05


def test_no_rate_makes_gradient_descent_diverge():
    data = toy_dataset()
    losses = [total_loss(fitted(data, solver="sgd", learning_rate=rate, iterations=30), data) for rate in (0.1, 1e4)]
    assert losses[1] < 3 * losses[0]


def test_the_error_of_each_pass_is_told_and_falls():
    model, told = WMF(WMF.Config(factors=4, solver="sgd", iterations=20)), []
    model._reporter = lambda step, of, numbers: told.append((step, of, numbers["loss"]))
    model.fit(toy_dataset(), np.random.default_rng(0))
    assert [step for step, _, _ in told] == list(range(1, 21))
    assert told[-1][2] < told[0][2] / 2


def test_a_new_item_is_projected_with_the_users_as_they_are():
    """Half a round more: items are solved from users who are solved from the items that were known."""
    data = toy_dataset()
    before = data.hide(data.interactions.ids == 7)
    model = fitted(before, iterations=40, regularization=1)
    assert np.isnan(model.vectors("items")[7]).all()
    codes = {"items": np.arange(len(data.items), dtype=np.int32), "tags": np.arange(data.size("tags"), dtype=np.int32)}
    refreshed = model.refresh(data, codes, np.random.default_rng(9))
    again = fitted(data, iterations=40, regularization=1)
    everybody = data.queries(np.arange(len(data.users), dtype=np.int32))
    ids = np.tile(np.arange(len(data.items), dtype=np.int32), (len(data.users), 1))
    np.testing.assert_allclose(
        refreshed.score(everybody, ids, "items"), again.score(everybody, ids, "items"), atol=0.06
    )


def test_the_mean_of_an_item_is_taken_off_and_added_to_its_score():
    """Ratings of two items far apart for everybody: the factors see what is left, the score has both."""
    data = toy_dataset(users=4, items=4, tags=2)
    ratings = np.array([[5, 1, 4, 2], [4, 2, 5, 2], [5, 1, 0, 0], [0, 0, 4, 2]], np.float32)
    rows, columns = np.nonzero(ratings)
    history = Ragged.from_columns(
        rows.astype(np.int32), columns.astype(np.int32), (4, 4), weights=ratings[rows, columns]
    )
    data = replace(data, interactions=history, assignments={})
    model = fitted(data, feedback="explicit", center="item", unobserved_weight=0, regularization=0.1)
    mean = ratings.sum(axis=0) / (ratings > 0).sum(axis=0)
    np.testing.assert_allclose(model.state()["mean"], mean, rtol=1e-6)
    everybody = data.queries(np.arange(4, dtype=np.int32))
    scores = model.score(everybody, np.tile(np.arange(4, dtype=np.int32), (4, 1)), "items")
    factors = model._project(everybody) @ model.state()["items"].T
    np.testing.assert_allclose(scores, factors + mean, rtol=1e-4)
    np.testing.assert_allclose(scores[ratings > 0], ratings[ratings > 0], atol=0.4)
    as_everybody = query(data, data.items.vocabulary.ids[3], item_weights=[2.0])
    assert np.isnan(model.query_vectors(as_everybody, "items")).all()


@pytest.mark.parametrize("rated", [[3, 5], [1, 2, 3, 5, 8, 9]], ids=["few", "more than factors"])
def test_a_projected_query_minimises_the_loss(rated):
    """By a general minimiser, with fewer ratings than factors and with more."""
    data = toy_dataset()
    model = fitted(data, observed_weight=2, unobserved_weight=0.3, gravity=0.2, regularization=0.7)
    items = np.nan_to_num(model.state()["items"]).astype(np.float64)
    ratings = np.linspace(0.2, 1, len(rated))
    asked = query(data, *(data.items.vocabulary.ids[item] for item in rated), item_weights=ratings)
    given = model.query_vectors(asked, "items")[0]
    wanted = minimize(loss, np.zeros(4), (items, ratings, rated, model), tol=1e-10).x
    np.testing.assert_allclose(given, wanted, atol=1e-4)


def test_a_dislike_is_an_entry_of_zero():
    data = toy_dataset()
    model = fitted(data, regularization=0.5)
    items = np.nan_to_num(model.state()["items"]).astype(np.float64)
    asked = query(data, "item 02", disliked=["item 04"])
    wanted = minimize(loss, np.zeros(4), (items, np.array([1.0, 0.0]), [2, 4], model), tol=1e-10).x
    np.testing.assert_allclose(model.query_vectors(asked, "items")[0], wanted, atol=1e-4)


def test_training_users_are_where_projection_puts_them():
    """Enough rounds: solving for users once more changes nothing that can be seen in the scores."""
    data = toy_dataset()
    short, long = (fitted(data, iterations=n, regularization=1) for n in (60, 61))
    everybody = data.queries(np.arange(len(data.users), dtype=np.int32))
    ids = np.tile(np.arange(len(data.items), dtype=np.int32), (len(data.users), 1))
    np.testing.assert_allclose(short.score(everybody, ids, "items"), long.score(everybody, ids, "items"), atol=0.02)


def test_similarities_by_hand():
    data = toy_dataset()
    asked, ids = query(data, "item 02", "item 05"), np.array([[1, 4, 7]], np.int32)
    plain = fitted(data)
    q, v = plain.query_vectors(asked, "items")[0], plain.state()["items"][[1, 4, 7]]
    length, angle = np.linalg.norm(v, axis=1), v @ q / np.linalg.norm(v, axis=1)
    for options, wanted in (
        ({"similarity": "dot"}, v @ q),
        ({"norm_exponent": 0.5}, angle * length**0.5),
        ({"similarity": "cosine"}, angle / np.linalg.norm(q)),
        ({"similarity": "euclidean"}, -((v - q) ** 2).sum(axis=1)),
    ):
        np.testing.assert_allclose(fitted(data, **options).score(asked, ids, "items")[0], wanted, rtol=1e-4, atol=1e-6)


def test_the_norm_exponent_leads_from_niche_to_popular():
    """300 users of two tastes, whose items are of very different popularity."""
    rng, toy, code = np.random.default_rng(0), toy_dataset(users=300), np.arange(40)
    chances = [np.where(code % 2 == taste, 1, 0.1) / np.sqrt(code + 1) for taste in (0, 1)]
    draws = [rng.choice(40, 8, replace=False, p=(p := chances[user % 2]) / p.sum()) for user in range(300)]
    data = replace(toy, interactions=Ragged.from_rows(draws, 40))
    count = np.bincount(data.interactions.ids, minlength=40)
    queries = data.queries(np.arange(300, dtype=np.int32))
    means = []
    for exponent in (0, 0.5, 1):
        model = fitted(data, norm_exponent=exponent, regularization=1, unobserved_weight=1)
        means.append(count[model.candidates(queries, 5, "items", Exclude()).ids].mean())
    assert means[0] + 3 < means[1] < means[2] - 3


def test_explicit_ratings_lose_their_mean():
    """Users who like and dislike the same get the same, however generous; equal ratings tell nothing."""
    data = toy_dataset()
    model = fitted(data, feedback="explicit", center="user", unobserved_weight=0)
    harsh, generous = (query(data, "item 02", "item 03", item_weights=w) for w in ([1, 3], [3, 5]))
    np.testing.assert_allclose(model.query_vectors(harsh, "items"), model.query_vectors(generous, "items"), rtol=1e-5)
    same = query(data, "item 02", "item 03", "item 04", item_weights=[0.7, 0.7, 0.7])
    assert np.isnan(model.query_vectors(same, "items")).all()
    overall = fitted(data, feedback="explicit", center="global", unobserved_weight=0)
    assert not np.isnan(overall.query_vectors(same, "items")).any()


def test_repeated_ratings_count_by_their_mean():
    data = toy_dataset()
    model = fitted(data, feedback="explicit", unobserved_weight=0)
    twice = query(data, "item 02", "item 02", "item 03", item_weights=[1, 3, 5])
    once = query(data, "item 02", "item 03", item_weights=[2, 5])
    np.testing.assert_allclose(model.query_vectors(twice, "items"), model.query_vectors(once, "items"), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"center": "user"}, "feedback: explicit"),
        ({"similarity": "cosine", "norm_exponent": 0.5}, "similarity: dot"),
        ({"center": "item", "feedback": "explicit", "similarity": "cosine"}, "center: item .* needs similarity: dot"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        WMF.Config(**options)


@pytest.mark.parametrize("model", [WMF, ALS])
@pytest.mark.parametrize("cold", ["mean", "regression"])
def test_cold_items_are_found_beside_their_like(model, cold):
    """The last ten items lose their users; what is recommended of them is mostly of the colour of the query."""
    if model is ALS:
        pytest.importorskip("implicit")
    toy = toy_dataset()
    hidden = np.arange(40) >= 30
    data = toy.hide(hidden[toy.interactions.ids])
    data = replace(data, assignments={})
    component = model(model.Config(factors=8, regularization=1, cold=cold)).fit(data, np.random.default_rng(0))
    even, odd = query(data, *toy.items.vocabulary.ids[0:10:2]), query(data, *toy.items.vocabulary.ids[1:10:2])
    for colour, asked in enumerate((even, odd)):
        ids = component.candidates(asked, 5, "items", Exclude(ids=~hidden)).ids
        assert (ids % 2 == colour).sum() >= 4
    before = component.state()
    plain = model(model.Config(factors=8, regularization=1)).fit(data, np.random.default_rng(0)).state()
    np.testing.assert_array_equal(before["items"][~hidden], plain["items"][~hidden])
    only_cold = query(data, toy.items.vocabulary.ids[35])
    assert np.isnan(component.query_vectors(only_cold, "items")).all()


def test_a_cold_item_is_the_mean_of_its_categories():
    toy = toy_dataset()
    data = replace(toy.with_entities("items", features=None), assignments={})
    model = fitted(data, cold="mean")
    vectors, tags = model.state()["items"], data.item_has["tags"].toarray() > 0
    categories = [np.mean(vectors[:-1][tags[:-1, tag]], axis=0) for tag in np.flatnonzero(tags[-1])]
    np.testing.assert_allclose(vectors[-1], np.mean(categories, axis=0), rtol=1e-4)


def test_the_ridge_is_that_of_the_normal_equations():
    rng = np.random.default_rng(0)
    x, v, w = rng.random((30, 6)) * (rng.random((30, 6)) < 0.5), rng.normal(size=(30, 3)), rng.integers(1, 90, 30)
    wanted = np.linalg.solve(x.T @ (w[:, None] * x) + 2 * np.eye(6), x.T @ (w[:, None] * v))
    np.testing.assert_allclose(_ridge(csr_matrix(x), v, w.astype(float), 2.0), wanted, rtol=1e-5, atol=1e-8)


def test_least_squares_of_short_and_long_rows_alike():
    """Both ways of solving agree with the plain normal equations, row by row."""
    rng = np.random.default_rng(1)
    y = rng.normal(size=(20, 5))
    values = rng.random((7, 20)) * (rng.random((7, 20)) < np.linspace(0, 1, 7)[:, None])
    sparse = csr_matrix(values)
    excess, ridge = rng.random(sparse.nnz), rng.random(7) + 0.1
    squares = LeastSquares.of(y, 0.4)
    np.testing.assert_allclose(squares.columns @ squares.columns.T, y @ y.T, atol=1e-12)
    given = squares.solve(sparse, excess, ridge)
    y = squares.columns
    for row in range(7):
        cut = slice(*sparse.indptr[row : row + 2])
        own = y[sparse.indices[cut]]
        left = 0.4 * y.T @ y + own.T @ (excess[cut, None] * own) + ridge[row] * np.eye(5)
        np.testing.assert_allclose(given[row], np.linalg.solve(left, own.T @ sparse.data[cut]), atol=1e-9)


def test_dislikes_lower_the_scores_of_an_item_for_those_who_are_alike():
    rows = [(f"u{user}", f"i{item}", 1.0) for user in range(24) for item in range(8) if (user + item) % 2 == 0]
    rows += [(f"u{user}", "odd", 1.0) for user in (0, 1)]
    disliked = [(f"u{user}", "odd", -1.0) for user in range(2, 24, 2)]

    def scores(rows):
        frame = pl.DataFrame(rows, schema=["user", "item", "weight"], orient="row")
        data = assemble(Tables(interactions=frame.cast({"weight": pl.Float32})))
        model = WMF(WMF.Config(factors=4, regularization=0.1)).fit(data, np.random.default_rng(0))
        odd = data.items.vocabulary.encode(["odd"])[0]
        even, uneven = (data.users.vocabulary.encode([name])[0] for name in ("u4", "u5"))
        queries = replace(data.queries(np.array([even, uneven])), disliked=None)
        return model.score(queries, np.full((2, 1), odd, np.int32), "items")[:, 0]

    (before_even, before_uneven), (even, uneven) = scores(rows), scores(rows + disliked)
    assert even < before_even - 0.01
    assert abs(uneven - before_uneven) < before_even - even
