import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.data.masking import Pairs, beyond, choose, choose_share, entries, parts
from hybridrec.data.ragged import Ragged


def test_pairs_are_numbered_by_first_occurrence():
    pairs = Pairs.distinct(Ragged.from_rows([[7, 3, 7, 1], [], [3, 3]], 9))
    assert pairs.of.tolist() == [0, 1, 0, 2, 3, 3]
    assert pairs.rows.tolist() == [0, 0, 0, 2]
    assert pairs.lengths.tolist() == [3, 0, 1]


def test_no_pairs_at_all():
    pairs = Pairs.distinct(Ragged.empty(2, 3))
    assert len(pairs) == 0
    assert pairs.lengths.tolist() == [0, 0]


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.99])
def test_rows_of_two_and_more_keep_one_and_lose_one(share):
    lengths = np.arange(12)
    chosen = choose_share(lengths, share, np.random.default_rng(0))
    counts = np.bincount(np.repeat(np.arange(12), lengths), chosen, minlength=12)
    assert (counts[2:] >= 1).all()
    assert (counts[2:] < lengths[2:]).all()


def test_the_mean_share_is_exact_and_every_place_is_as_likely():
    lengths = np.full(6000, 5)
    chosen = choose_share(lengths, 0.3, np.random.default_rng(0)).reshape(-1, 5)
    assert set(chosen.sum(axis=1)) == {1, 2}
    assert chosen.mean() == pytest.approx(0.3, abs=0.01)
    np.testing.assert_allclose(chosen.mean(axis=0), 0.3, atol=0.03)


def test_single_entries_are_chosen_with_the_share_as_probability():
    assert choose_share(np.ones(4000, int), 0.25, np.random.default_rng(0)).mean() == pytest.approx(0.25, abs=0.03)


def test_choose_takes_the_share_and_at_least_one():
    rng = np.random.default_rng(0)
    assert choose(10, 0.3, rng).sum() == 3
    assert choose(2, 0.1, rng).sum() == 1


def test_folds_are_disjoint_and_complete():
    things = np.arange(5, 16, dtype=np.int32)
    folds = parts(things, 0.2, 3, np.random.default_rng(0))
    assert list(folds) == ["fold-0", "fold-1", "fold-2"]
    assert sorted(np.concatenate(list(folds.values()))) == things.tolist()
    assert all((np.diff(part) > 0).all() for part in folds.values())
    assert list(parts(things, 0.2, None, np.random.default_rng(0))) == ["test"]


def test_entries_and_beyond():
    everything = csr_matrix(np.array([[2, 0, 3], [0, 5, 0], [1, 1, 1]], np.float32))
    shown = entries(everything, np.array([True, False, True, False, False, True]))
    assert shown.toarray().tolist() == [[2, 0, 0], [0, 5, 0], [0, 0, 1]]
    rest = beyond(everything, shown)
    assert rest.toarray().tolist() == [[0, 0, 1], [0, 0, 0], [1, 1, 0]]
    assert rest.dtype == np.float32
    assert rest.nnz == 3
