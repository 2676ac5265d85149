"""The split `folds` hides the pairs that are published with its number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridrec.data.splits import PredefinedSplit
from hybridrec.errors import DataError
from tests.data.builders import bare, folds_of, histories, random_dataset


def test_published_folds_hide_their_pairs_and_negative_numbers_never():
    data = histories(random_dataset(), [1, 2, 3, 1], [4, 5, 6])
    numbers = np.array([0, 2, -1, 0, 2, 0, -1], np.int32)
    data = replace(data, interactions=replace(data.interactions, groups=numbers))
    first, second = folds_of(PredefinedSplit(), data)
    assert (first.name, second.name) == ("fold-0", "fold-2")
    assert [row.indices.tolist() for row in first.truth["items"]] == [[1], [5]]
    assert [row.indices.tolist() for row in second.truth["items"]] == [[2], [4]]
    assert first.train.interactions.ids.tolist() == [2, 3, 4, 6]


def test_a_pair_with_two_fold_numbers_is_hidden_in_both():
    data = histories(random_dataset(), [1, 2, 1, 3])
    data = replace(data, interactions=replace(data.interactions, groups=np.array([0, -1, 1, -1], np.int32)))
    for fold in folds_of(PredefinedSplit(), data):
        assert fold.truth["items"].indices.tolist() == [1]
        assert fold.train.interactions.ids.tolist() == [2, 3]


def test_folds_without_numbers_say_what_to_name():
    with pytest.raises(DataError, match="no fold numbers; name their column in the key `group`"):
        folds_of(PredefinedSplit(), bare(random_dataset()))
