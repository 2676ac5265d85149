"""Arrays of a dataset that do not fit each other are named, whichever array it is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.data.consistency import check_consistency
from hybridrec.data.dataset import Dataset
from hybridrec.testing import toy_dataset


def test_sound_data_passes_before_and_after_a_file():
    data = toy_dataset()
    check_consistency(data)
    check_consistency(Dataset.restore(data.state(), mapped=True))


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("interactions.ids", lambda ids: ids + 40, "interactions: a code outside of 0 to 39"),
        ("interactions.ids", lambda ids: ids - 1, "a code outside"),
        ("interactions.ids", lambda ids: ids.astype(np.float64), "codes of float64"),
        ("interactions.offsets", lambda offsets: offsets[:-1], "interactions of 59 users"),
        ("interactions.offsets", lambda offsets: offsets[::-1], "offsets that do not ascend"),
        ("interactions.times", lambda times: times[:-1], "interactions: a column of"),
        ("entities.0.text.ends", lambda ends: ends + 5, "texts of users: offsets"),
        ("entities.1.times", lambda times: times[1:], "40 items and times of 39"),
        ("user_has.0.indices", lambda codes: codes + 12, "tags of users: a code outside of 0 to 11"),
        ("assignments.0", lambda rows: rows[:, :2], "assignments of tags are not rows"),
        ("assignments.0", lambda rows: rows + 60, "assignments of tags: a code outside"),
    ],
)
def test_arrays_that_do_not_fit_are_named(name, change, told):
    state = toy_dataset().state()
    assert name in state, sorted(state)
    with pytest.raises(ValueError, match=told):
        check_consistency(Dataset.restore({**state, name: change(state[name])}, mapped=True))


def test_matrices_and_features_have_a_row_for_each():
    data = toy_dataset()
    with pytest.raises(ValueError, match="tags of items have the shape"):
        check_consistency(replace(data, item_has={"tags": csr_matrix((3, 12), dtype=np.float32)}))
    with pytest.raises(ValueError, match="the feature"):
        check_consistency(data.with_entities("items", features=data.users.features))
