"""LightFM keeps the contract, scores as the library predicts, and serves the cold by their features."""

import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec

import numpy as np
import pytest

from hybridrec import Exclude, MissingDependencyError, Ragged, Tokenizer
from hybridrec.testing import ComponentContract, parity_queries, toy_dataset
from hybridrec_lightfm import loading
from hybridrec_lightfm.factorization import LightFM
from hybridrec_lightfm.feature_rows import UserSpace, item_rows


def _installed() -> bool:
    try:
        loading.load_lightfm()
    except MissingDependencyError:
        return False
    return True


pytestmark = pytest.mark.skipif(not _installed(), reason="no package that provides lightfm")


class TestLightFM(ComponentContract):
    component = LightFM
    configs = (
        {"dim": 8, "epochs": 20},
        {"dim": 8, "epochs": 20, "user_fields": ["items", "tags"], "item_fields": ["item"], "loss": "bpr"},
        {"dim": 8, "user_fields": ["title", "items"], "loss": "logistic", "epochs": 20},
        {"dim": 8, "user_fields": ["title"], "tokenizer": {"use": "char-ngrams"}, "epochs": 20},
        {"dim": 8, "user_fields": ["user", "tags"], "max_sampled": 3, "share_weight": False, "epochs": 20},
        {
            "dim": 8,
            "epochs": 10,
            "alone": False,
            "user_fields": ["features", "tags"],
            "loss": "warp-kos",
            "schedule": "adadelta",
        },
    )
    learns_the_checkerboard = ("tags", "title", "items", "user")


class TestLightFMByCosine(ComponentContract):
    component = LightFM
    configs = ({"dim": 8, "epochs": 20, "similarity": "cosine"},)
    learns_the_checkerboard = ("tags", "title", "items", "user")


@pytest.mark.parametrize("options", [{"similarity": "euclidean"}, {"norm_exponent": 0.5}])
def test_other_similarities_compare_embeddings_without_biases(options):
    data = toy_dataset()
    plain = LightFM(LightFM.Config(dim=8, epochs=3)).fit(data, np.random.default_rng(0))
    other = LightFM(LightFM.Config(dim=8, epochs=3, **options)).restore(plain.state())
    q, v = plain.query_vectors(everybody(data), "items")[:, :8], plain.vectors("items")[:, :8]
    distance = -((q[:, None] - v) ** 2).sum(axis=2)
    expected = distance if "similarity" in options else q @ v.T / np.linalg.norm(v, axis=1) ** 0.5
    scores = other.query_vectors(everybody(data), "items") @ other.vectors("items").T
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)


def everybody(data):
    return data.queries(np.arange(len(data.users), dtype=np.int32))


def test_scores_are_those_the_library_predicts(monkeypatch):
    """All users and warm items of the toy data, from arrays, against LightFM.predict."""
    trained = {}
    train = LightFM._models

    def spy(self, users, items, positives, seed):
        for model in train(self, users, items, positives, seed):
            trained.update(model=model, items=items)
            yield model

    monkeypatch.setattr(LightFM, "_models", spy)
    data = toy_dataset()
    model = LightFM(LightFM.Config(dim=6, epochs=5)).fit(data, np.random.default_rng(0))
    queries = everybody(data)
    warm = np.flatnonzero(np.bincount(data.interactions.ids, minlength=len(data.items))).astype(np.int32)
    given = model.score(queries, np.tile(warm, (len(queries), 1)), "items")
    user, item = np.indices(given.shape)
    features = model._user_space(data).rows(queries)
    wanted = trained["model"].predict(
        user.ravel(), item.ravel(), user_features=features, item_features=trained["items"], num_threads=1
    )
    is_scored = ~np.isnan(given)
    assert is_scored.any(axis=1).sum() > 50
    np.testing.assert_allclose(given[is_scored], wanted.reshape(given.shape)[is_scored], atol=1e-4)


def test_cold_items_are_ranked_by_their_features():
    """Items 30 to 39 have no interactions; their tags, features and text tell their colour."""
    data = toy_dataset()
    cold = np.arange(len(data.items)) >= 30
    train = data.hide(cold[data.interactions.ids])
    model = LightFM(LightFM.Config(dim=8, epochs=40)).fit(train, np.random.default_rng(0))
    ids = model.candidates(parity_queries(data, "tags"), 5, "items", Exclude(ids=~cold)).ids
    assert (ids % 2 == [[0], [1]]).all()


def test_items_without_any_feature_are_no_candidates():
    data = toy_dataset()
    model = LightFM(LightFM.Config(dim=8, epochs=2, item_fields=("item",))).fit(data, np.random.default_rng(0))
    ids = model.candidates(everybody(data), len(data.items), "items", Exclude()).ids
    assert not (ids == len(data.items) - 1).any()


def test_features_of_a_field_share_a_weight_of_one():
    data = toy_dataset()
    rows = UserSpace.of(data, ("tags", "title"), Tokenizer()).rows(everybody(data)).toarray()
    tags, words = rows[:, : data.size("tags")].sum(axis=1), rows[:, data.size("tags") :].sum(axis=1)
    np.testing.assert_allclose(tags, np.diff(data.user_matrix("tags").indptr) > 0, atol=1e-6)
    np.testing.assert_allclose(words, [bool(title) for title in data.users.text], atol=1e-6)
    assert item_rows(data, ("item",), Tokenizer(), shares=True).toarray().tolist() == np.eye(len(data.items)).tolist()
    assert set(item_rows(data, ("features",), Tokenizer(), shares=True).sum(axis=1).ravel().tolist()[0]) == {1.0}


def test_features_of_items_count_in_full_if_asked():
    data = toy_dataset()
    rows = item_rows(data, ("features", "tags"), Tokenizer(), shares=False)
    np.testing.assert_array_equal(
        rows.toarray(), np.hstack([m.toarray() for m in (data.items.features.matrix, data.item_matrix("tags"))])
    )


def test_training_users_are_not_described_by_the_items_they_are_trained_on():
    data = toy_dataset()
    data = replace(data, interactions=Ragged.from_rows(_histories(data), len(data.items)))
    model = LightFM(LightFM.Config(user_fields=("items", "tags")))
    features, positives = model._training_rows(
        data, UserSpace.of(data, ("items", "tags"), Tokenizer()), np.random.default_rng(0)
    )
    shown = features[:, : len(data.items)]
    assert shown.nnz > 0
    assert shown.multiply(positives).nnz == 0


def _histories(data):
    return [np.unique(row) for row in np.split(data.interactions.ids, data.interactions.offsets[1:-1])]


def test_a_missing_package_is_explained(monkeypatch):
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"hybridrec\[lightfm\].*wheels.*Any installed package"):
        loading.load_lightfm()


def test_a_package_that_cannot_be_loaded_is_explained(monkeypatch):
    spec = ModuleSpec("lightfm", None, is_package=True)
    spec.submodule_search_locations = ["nowhere"]
    monkeypatch.setitem(sys.modules, "lightfm", None)
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(loading, "_load_with_todays_names", lambda folder: None)
    with pytest.raises(MissingDependencyError, match="cannot be loaded"):
        loading.load_lightfm()


def test_the_extension_computes_logarithms_and_exponentials():
    """Each loss calls one of the functions that some wheels ask for under names of the past."""
    data = toy_dataset()
    for loss in ("warp", "bpr", "logistic"):
        model = LightFM(LightFM.Config(dim=4, epochs=1, loss=loss)).fit(data, np.random.default_rng(0))
        assert np.isfinite(model.vectors("items")[:-1]).all()
