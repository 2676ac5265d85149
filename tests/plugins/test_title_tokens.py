"""Every component that reads titles cuts them as its option `tokenizer` says."""

import numpy as np
import pytest

from hybridrec import Query
from hybridrec.data.encoding import encode
from hybridrec.testing import toy_dataset
from hybridrec_lightfm.factorization import LightFM
from hybridrec_linear.ease import Ease
from hybridrec_neighbours.users import UserKNN
from hybridrec_tags.fallback import TagFallback

READERS = {
    "ease": (Ease, {"fields": ["items", "title"]}),
    "lightfm": (LightFM, {"user_fields": ["title"], "dim": 8, "epochs": 20}),
    "tag-fallback": (TagFallback, {"title_weight": 1}),
    "user-knn": (UserKNN, {}),
}


@pytest.mark.parametrize("name", READERS)
def test_an_unknown_form_of_a_known_word_is_read_by_its_letters(name):
    if name == "lightfm":
        pytest.importorskip("lightfm")
    component, options = READERS[name]
    data = toy_dataset()
    query = encode([Query(text="evens")], data)  # titles hold "even" and "evening"

    def scores(use):
        given = component.Config.model_validate({**options, "tokenizer": {"use": use}})
        fitted = component(given).fit(data, np.random.default_rng(0))
        items = np.arange(len(data.items), dtype=np.int32)[None]
        return component(given).restore(fitted.state()).score(query, items, "items")[0]

    assert np.isnan(scores("words")).all()
    scored = np.nan_to_num(scores("char-ngrams"))
    assert scored[::2].mean() > scored[1::2].mean()
