"""`approximate` finds what an exact search finds, keeps exclusions, and refuses to find too little."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import hybridrec
from hybridrec import ConfigError, DataError, Exclude, Ragged, VectorModel
from hybridrec.testing import ComponentContract, toy_dataset
from hybridrec_ann.approximate import Approximate
from hybridrec_ann.codes import Codes

pytest.importorskip("faiss")


class Factors(VectorModel):
    """Truncated singular vectors of the items, NaN for those that nobody has; a query is the sum of its own."""

    name = "factors"
    needs = frozenset({"items"})
    folds_in = True

    def fit(self, data, rng):
        has = data.interactions.matrix(binary=True).toarray()
        items = np.linalg.svd(has, full_matrices=False)[2][:6].T
        self._items = np.where(has.any(axis=0)[:, None], items, np.nan).astype(np.float32)
        return self

    def query_vectors(self, queries, target):
        vectors = queries.history.matrix(binary=True) @ np.nan_to_num(self._items)
        vectors[~queries.has("items")] = np.nan
        return vectors

    def vectors(self, target):
        return self._items

    def state(self):
        return {"items": self._items}

    def restore(self, state):
        self._items = state["items"]
        return self


class OverFactors(Approximate):
    """With a component of its own, as the contract knows no experiment that would lend one."""

    def __init__(self, config=None):
        super().__init__(config)
        self.use(Factors())

    def fit(self, data, rng):
        return self.use(Factors().fit(data, rng))._fit(data, rng)

    def memory(self, data):
        """Estimate the bytes of the histories as a full matrix and of its decomposition, beside its own."""
        return super().memory(data) + 40 * len(data.users) * len(data.items)

    def _fit(self, data, rng):
        return super().fit(data, rng)

    def state(self):
        return super().state() | self._model.state()

    def restore(self, state):
        return self.use(Factors().restore(state))._restore(state)

    def _restore(self, state):
        return super().restore(state)


class TestApproximate(ComponentContract):
    component = OverFactors
    configs = ({"uses": "factors"}, {"uses": "factors", "expansion": 2, "probes": 0.7, "recall": 0.9})
    learns_the_checkerboard = ("items",)


class Given(VectorModel):
    """Vectors as they are given; the query of user u has the u-th."""

    name = "given"
    needs = frozenset({"user"})

    def __init__(self, users, items):
        super().__init__()
        self._users, self._items = users, items

    def fit(self, data, rng):
        return self

    def query_vectors(self, queries, target):
        return self._users[queries.users]

    def vectors(self, target):
        return self._items

    def state(self):
        return {}

    def restore(self, state):
        return self


ITEMS, USERS = 3_000, 40


@pytest.fixture(scope="module")
def data():
    """A dataset of as many users and items, each with a few of them."""
    rng = np.random.default_rng(3)
    base = toy_dataset(USERS, ITEMS)
    users = np.repeat(np.arange(USERS, dtype=np.int32), 10)
    items = rng.integers(ITEMS, size=len(users)).astype(np.int32)
    return replace(base, interactions=Ragged.from_columns(users, items, (USERS, ITEMS)))


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(4)
    return Given(rng.standard_normal((USERS, 16), np.float32), rng.standard_normal((ITEMS, 16), np.float32))


def fitted(model, data, **options):
    made = Approximate(Approximate.Config(uses="given", **options)).use(model)
    return made.fit(data, np.random.default_rng(0))


def asked(data):
    return data.queries(np.arange(USERS, dtype=np.int32))


def share(candidates, exact):
    """The share of the exact ids among the candidates."""
    return np.mean([np.isin(wanted, ids).mean() for wanted, ids in zip(exact.ids, candidates.ids, strict=True)])


def test_it_finds_most_of_an_exact_search_with_the_same_scores(model, data):
    candidates = fitted(model, data, expansion=2).candidates(asked(data), 100, "items", Exclude())
    exact = model.candidates(asked(data), 100, "items", Exclude())
    assert 0.95 < share(candidates, exact) < 1  # it is not the exact search itself
    np.testing.assert_allclose(candidates.scores, model.score(asked(data), candidates.ids, "items"), rtol=1e-5)


def test_more_is_found_the_further_it_looks(model, data):
    exact = model.candidates(asked(data), 100, "items", Exclude())
    shares = [
        share(fitted(model, data, expansion=times, recall=0.1).candidates(asked(data), 100, "items", Exclude()), exact)
        for times in (1, 2, 4)
    ]
    assert shares[0] < shares[1] < shares[2]


def test_more_is_found_in_more_cells(model, data):
    exact = model.candidates(asked(data), 100, "items", Exclude())
    shares = [
        share(fitted(model, data, probes=probes, recall=0.1).candidates(asked(data), 100, "items", Exclude()), exact)
        for probes in (0.2, 0.6, 1)
    ]
    assert shares[0] < shares[1] < shares[2]


def test_what_is_excluded_leaves_and_the_next_best_come(model, data):
    """Excluded are the first 30 of each query, every third item for all, and what is not out yet."""
    approximate, queries = fitted(model, data), asked(data)
    first = model.candidates(queries, 30, "items", Exclude()).ids
    rows = csr_matrix(
        (np.ones(first.size, np.float32), (np.repeat(np.arange(USERS), 30), first.ravel())), (USERS, ITEMS)
    )
    exclude = Exclude(rows, np.arange(ITEMS) % 3 == 0, np.arange(ITEMS, dtype=float), np.full(USERS, ITEMS * 0.9))
    candidates = approximate.candidates(queries, 50, "items", exclude)
    assert not exclude.holds(candidates.ids).any()
    assert (candidates.ids >= 0).all()
    assert share(candidates, model.candidates(queries, 50, "items", exclude)) > 0.95


def test_where_too_little_is_left_the_search_is_exact(model, data):
    allowed = np.zeros(ITEMS, bool)
    allowed[::50] = True
    candidates = fitted(model, data).candidates(asked(data), 20, "items", Exclude(ids=~allowed))
    exact = model.candidates(asked(data), 20, "items", Exclude(ids=~allowed))
    np.testing.assert_array_equal(candidates.ids, exact.ids)


def test_too_low_a_recall_is_refused(model, data):
    with pytest.raises(
        DataError, match=r"finds 0\.\d+ of the first 100 items .*'given'.*0\.99.*raise `expansion` \(1\)"
    ):
        fitted(model, data, expansion=1, recall=0.99)


def test_the_recall_that_is_noted_is_what_queries_get(model, data):
    (note,) = fitted(model, data).notes()
    queries = asked(data)
    seen = Exclude(queries.history.matrix(binary=True))
    near = fitted(model, data).candidates(queries, 100, "items", seen)
    assert f"finds {share(near, model.candidates(queries, 100, 'items', seen)):.3f} of the first 100 items" in note


@pytest.mark.parametrize("probes", [1, 0.3])
def test_codes_survive_as_bytes(probes):
    rng = np.random.default_rng(5)
    vectors, queries = rng.standard_normal((500, 7), np.float32), rng.standard_normal((9, 7), np.float32)
    codes = Codes.of(vectors, probes, 1)
    again = Codes.deserialized(codes.serialized(), probes)
    np.testing.assert_array_equal(again.nearest(queries, 50), codes.nearest(queries, 50))


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_a_query_finds_the_same_in_any_batch(model, data, rows):
    approximate, queries = fitted(model, data), asked(data)
    whole = approximate.candidates(queries, 30, "items", Exclude())
    parts = [queries.take(slice(start, start + rows)) for start in range(0, USERS, rows)]
    ids = np.concatenate([approximate.candidates(batch, 30, "items", Exclude()).ids for batch in parts])
    np.testing.assert_array_equal(ids, whole.ids)


class TestInAnExperiment:
    """A generator that `uses` another is fitted after it, on its very fit."""

    @pytest.fixture(autouse=True)
    def installed(self, monkeypatch):
        pytest.importorskip("implicit")

    def config(self, experiment, options="uses: als"):
        near = f"components:\n  als: {{factors: 8, regularization: 1}}\n  near: {{use: approximate, {options}}}\n"
        pipeline = "pipelines:\n  near: {generators: [{from: near, k: 10}], fallback: [tag-fallback, popularity]}\n"
        return experiment(("components:\n", near), ("pipelines:\n", pipeline))

    def test_the_recall_stands_in_the_report(self, experiment):
        report = hybridrec.run(self.config(experiment)).report
        assert any(
            "near, " in note and "of the first 100 items of an exact search of 'als'" in note for note in report.notes
        )
        assert {"als", "near"} <= {fit.label for fit in report.fits}
        again = hybridrec.run(self.config(experiment)).report
        assert all(fit.cached for fit in again.fits)
        assert again.notes == report.notes

    def test_another_lender_is_another_fit(self, experiment):
        first = hybridrec.run(self.config(experiment)).report
        other = hybridrec.run(self.config(experiment), ["components.als.factors=4"]).report
        keys = [{fit.key for fit in report.fits if fit.label == "near"} for report in (first, other)]
        assert not keys[0] & keys[1]

    def test_another_training_of_the_lender_is_another_fit(self, experiment):
        report = hybridrec.run(self.config(experiment), ["repeats=2", "workers=1"]).report
        keys = {(fit.fold, fit.level, fit.repeat): fit.key for fit in report.fits if fit.label == "near"}
        assert len(keys) == len(set(keys.values())) >= 2

    def test_a_tuned_lender_is_searched_anew(self, experiment):
        path = self.config(experiment)
        tune = "tune: {pipeline: near, search: random, trials: 4, space: {components.als.factors: [1, 8]}}\n"
        path.write_text(path.read_text() + tune, encoding="utf-8")
        by_factors = {trial.values["components.als.factors"]: trial.metrics for trial in hybridrec.tune(path).trials}
        assert by_factors[1] != by_factors[8]

    def test_data_that_grew_is_searched_anew(self, experiment):
        """The search stands on the refreshed model, which takes up new data without a fit."""
        run = hybridrec.run(self.config(experiment), ["refit=all", "data.users=50"])
        how = {refreshed.label: refreshed.how for refreshed in hybridrec.refresh(run, ["data.users=60"])}
        assert (how["als"], how["near"]) == ("refreshed", "fitted again")
        recommender = hybridrec.load(run)
        als, near = (recommender.components[label] for label in ("als", "near"))
        np.testing.assert_array_equal(near.vectors("items"), als.vectors("items"))
        whole = hybridrec.load(hybridrec.run(self.config(experiment), ["refit=all"]))
        assert not np.array_equal(whole.components["near"].vectors("items"), near.vectors("items"))

    def test_what_uses_what_uses_another_serves_from_a_bundle_and_takes_up_data_that_grew(self, experiment):
        path = self.config(experiment)
        text = path.read_text().replace("components:\n", "components:\n  upon: {use: approximate, uses: near}\n", 1)
        path.write_text(text.replace("{from: near,", "{from: upon,"), encoding="utf-8")
        run = hybridrec.run(path, ["refit=all", "data.users=50"])
        served = hybridrec.load(run).components
        assert served["upon"].vectors("items") is served["als"].vectors("items")
        how = {each.label: each.how for each in hybridrec.refresh(run, ["data.users=60"])}
        assert (how["als"], how["near"], how["upon"]) == ("refreshed", "fitted again", "fitted again")
        grown = hybridrec.load(run).components
        assert grown["upon"].vectors("items") is grown["als"].vectors("items")
        assert not np.array_equal(grown["als"].vectors("items"), served["als"].vectors("items"))

    def test_it_serves(self, experiment):
        run = hybridrec.run(self.config(experiment), ["refit=all"])
        slate = hybridrec.load(run).recommend(hybridrec.Query(items=["item 02", "item 04"]), pipeline="near")
        assert (slate.ids >= 0).all()

    def test_a_circle_is_refused_with_its_labels(self, experiment):
        others = "\n  other: {use: approximate, uses: third}\n  third: {use: approximate, uses: near}"
        path = self.config(experiment, "uses: other")
        path.write_text(path.read_text().replace("uses: other}", f"uses: other}}{others}"), encoding="utf-8")
        with pytest.raises(ConfigError, match=r"cannot stand on itself: 'near' uses 'other' uses 'third' uses 'near'"):
            hybridrec.run(path)

    @pytest.mark.parametrize(
        ("uses", "message"),
        [
            ("alz", "components.near.uses.*no component is labelled 'alz': did you mean 'als'"),
            ("pop", "'pop' .popularity. is not a vector model; vector models here: als"),
            ("near", "components.near.uses: a component cannot stand on itself: 'near' uses 'near'"),
        ],
    )
    def test_what_it_uses_is_checked(self, experiment, uses, message):
        with pytest.raises(ConfigError, match=message):
            hybridrec.run(self.config(experiment, f"uses: {uses}"))
