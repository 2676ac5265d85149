"""The split `random` hides its share of pairs, each with all repeats."""

from __future__ import annotations

import numpy as np
import pytest

from hybridrec.data.splits import Random
from hybridrec.errors import DataError
from tests.data.builders import bare, folds_of, random_dataset


def test_random_hides_its_share_of_pairs_with_all_repeats(data):
    pairs = data.interactions.matrix(binary=True).nnz
    (fold,) = folds_of(Random(Random.Config(test=0.3)), data)
    assert fold.truth["items"].nnz == round(pairs * 0.3)
    assert fold.train.interactions.matrix(binary=True).nnz == pairs - round(pairs * 0.3)
    assert fold.queries.times is None


def test_folds_of_random_hide_every_pair_exactly_once(data):
    folds = folds_of(Random(Random.Config(folds=4)), data)
    assert [fold.name for fold in folds] == ["fold-0", "fold-1", "fold-2", "fold-3"]
    hidden = np.zeros(data.interactions.matrix().shape)
    for fold in folds:
        hidden[fold.units] += fold.truth["items"].toarray()
    assert (hidden == data.interactions.matrix(binary=True).toarray()).all()
    sizes = [fold.truth["items"].nnz for fold in folds]
    assert max(sizes) - min(sizes) <= 1


def test_random_with_more_folds_than_pairs_says_what_to_lower():
    with pytest.raises(DataError, match=r"5000 folds need as many .* pairs, .* only \d+; lower `folds`"):
        folds_of(Random(Random.Config(folds=5000)), bare(random_dataset()))
