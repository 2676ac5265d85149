"""A factorization that is asked by another similarity answers as one that was trained with it."""

import numpy as np
import polars as pl
import pytest

from hybridrec import ConfigError, Exclude, Query
from hybridrec.testing import ComponentContract, encode, toy_dataset
from hybridrec_implicit.als import ALS
from hybridrec_implicit.bpr import BPR
from hybridrec_implicit.other_similarity import OtherSimilarity
from hybridrec_implicit.vector_files import VectorFiles
from hybridrec_implicit.wmf import WMF

pytest.importorskip("implicit")

ASKED = ({}, {"similarity": "cosine"}, {"similarity": "euclidean"}, {"norm_exponent": 0.5})


class TestOtherSimilarity(ComponentContract):
    component = OtherSimilarity
    base_model, base_options = WMF, {"factors": 8}
    configs = tuple({"uses": "wmf", **asked} for asked in ASKED)
    learns_the_checkerboard = ("items",)


class TestOtherSimilarityOfJointColumns(ComponentContract):
    component = OtherSimilarity
    base_model, base_options = ALS, {"factors": 8, "regularization": 1}
    configs = ({"uses": "als", "similarity": "cosine"},)
    learns_the_checkerboard = ("items", "tags")


def other(model, data, **asked):
    options = OtherSimilarity.Config(uses="model", **asked)
    return OtherSimilarity(options).use(model).fit(data, np.random.default_rng(9))


@pytest.fixture
def options(tmp_path):
    """Model -> the options of its training."""
    names = toy_dataset().items.vocabulary.ids
    vectors = np.random.default_rng(2).standard_normal((len(names), 4), np.float32)
    pl.DataFrame({"id": names, "vector": vectors}).write_parquet(tmp_path / "items.parquet")
    return {
        ALS: {"factors": 6, "regularization": 1, "cold": "mean"},
        BPR: {"factors": 6},
        WMF: {"factors": 6, "gravity": 0.1},
        VectorFiles: {"items": {"path": tmp_path / "items.parquet"}},
    }


@pytest.mark.parametrize("base", [{}, {"similarity": "cosine"}], ids=["of-dot", "of-cosine"])
@pytest.mark.parametrize("asked", ASKED, ids=["dot", "cosine", "euclidean", "half"])
@pytest.mark.parametrize("model", [ALS, BPR, WMF, VectorFiles])
def test_answers_are_those_of_a_training_of_its_own(model, asked, base, options):
    """To the last digit, whatever the similarity of the component that is borrowed."""
    data = toy_dataset()

    def fit(**similarity):
        config = model.Config.model_validate(options[model] | similarity)
        return model(config).fit(data, np.random.default_rng(5))

    own, borrowed = fit(**asked), other(fit(**base), data, **asked)
    queries = encode([Query(items=["item 02", "item 05"]), Query(items=["item 07"]), Query()], data)
    for target in ("items", "tags") if model in (ALS, BPR) else ("items",):
        expected = own.candidates(queries, 10, target, Exclude(queries.matrix(target)))
        given = borrowed.candidates(queries, 10, target, Exclude(queries.matrix(target)))
        np.testing.assert_array_equal(given.ids, expected.ids)
        np.testing.assert_array_equal(given.scores, expected.scores)
        assert borrowed.vectors(target) is borrowed.vectors(target), "the same array in every call"


def test_a_similarity_that_the_factorization_cannot_have_is_refused():
    data = toy_dataset()
    options = WMF.Config(factors=4, feedback="explicit", center="item", unobserved_weight=0)
    model = WMF(options).fit(data, np.random.default_rng(1))
    with pytest.raises(
        ConfigError, match=r"other-similarity: 'model' cannot .*: center: item .* needs similarity: dot"
    ):
        other(model, data, similarity="cosine")
    assert other(model, data).vectors("items").shape == model.vectors("items").shape
