from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.data.checks import check_fold
from hybridrec.data.ragged import Ragged
from hybridrec.data.splits import SPLITTERS, EachPosition
from hybridrec.data.splits.holdout import (
    Pairs,
    choose,
    choose_share,
    entries,
    hidden_pairs,
    of_rows,
    parts,
    set_difference,
)
from tests.data.builders import bare, random_dataset


def test_pairs_are_numbered_by_first_occurrence():
    pairs = Pairs.distinct(Ragged.from_rows([[7, 3, 7, 1], [], [3, 3]], 9))
    assert pairs.of.tolist() == [0, 1, 0, 2, 3, 3]
    assert pairs.rows.tolist() == [0, 0, 0, 2]
    assert pairs.lengths.tolist() == [3, 0, 1]
    assert pairs.at(np.array([0, 0, 1, 0, 0, 1], bool)).tolist() == [True, False, False, True]
    assert pairs.entries(np.array([1, 0, 0, 1], bool)).tolist() == [True, False, True, False, True, True]


def test_without_repeats_every_entry_is_a_pair():
    pairs = Pairs.distinct(Ragged.from_rows([[7, 3], [], [3]], 9))
    some = np.array([True, False, True])
    assert pairs.of is None
    assert pairs.rows.tolist() == [0, 0, 2]
    assert len(pairs) == 3
    assert pairs.at(some).tolist() == pairs.entries(some).tolist() == some.tolist()


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
    assert all((np.diff(members) > 0).all() for members in folds.values())
    assert list(parts(things, 0.2, None, np.random.default_rng(0))) == ["test"]


def test_entries_and_beyond():
    everything = csr_matrix(np.array([[2, 0, 3], [0, 5, 0], [1, 1, 1]], np.float32))
    shown = entries(everything, np.array([True, False, True, False, False, True]))
    assert shown.toarray().tolist() == [[2, 0, 0], [0, 5, 0], [0, 0, 1]]
    rest = set_difference(everything, shown)
    assert rest.toarray().tolist() == [[0, 0, 1], [0, 0, 0], [1, 1, 0]]
    assert rest.dtype == np.float32
    assert rest.nnz == 3


@pytest.mark.parametrize("block", [1, 50, 1 << 17])
def test_a_pair_is_hidden_with_all_its_repeats_or_not_at_all(block, monkeypatch):
    monkeypatch.setattr("hybridrec.data.ragged.BLOCK", block)
    rng = np.random.default_rng(0)
    rows = [rng.integers(12, size=length) for length in (0, 9, 30, 0, 1, 200, 40, 0)]
    ragged = Ragged.from_rows(rows, 12)
    hidden = rng.random(len(ragged.ids)) < 0.8
    before, shown = ragged.matrix(binary=True), ragged.where(~hidden).matrix(binary=True)
    gone, left = hidden_pairs(ragged, hidden)
    assert 0 < gone.nnz < before.nnz
    assert gone.has_canonical_format
    assert (gone.dtype, gone.indices.dtype) == (np.float32, np.int32)
    np.testing.assert_array_equal(gone.toarray(), (before - shown).toarray())
    assert left.tolist() == shown.getnnz(axis=1).tolist()


def test_nothing_is_hidden_of_nothing():
    gone, left = hidden_pairs(Ragged.empty(2, 3), np.empty(0, bool))
    assert gone.shape == (2, 3)
    assert left.tolist() == [0, 0]


def test_rows_that_hold_all_entries_are_no_copies():
    matrix = csr_matrix(np.array([[0, 0, 0], [1, 0, 1], [0, 0, 0], [0, 1, 0]], np.float32))
    for rows in ([1, 3], [0, 1, 3], [1, 2], []):
        picked = of_rows(matrix, np.array(rows, np.int32))
        np.testing.assert_array_equal(picked.toarray(), matrix.toarray()[rows])
        assert np.shares_memory(picked.data, matrix.data) == (picked.nnz == matrix.nnz)


DATA = random_dataset()


def folds(splitter, data, **options):
    options = {"cold-items": {"min_history": 1}}.get(splitter.name, {}) | options
    made = splitter(splitter.Config(**options))
    first, *others = made.split(data, np.random.default_rng(3))
    return [first, *others, made.validation_split(first.train, np.random.default_rng(3))]


@pytest.mark.parametrize("splitter", [s for s in SPLITTERS if s is not EachPosition], ids=lambda s: s.name)
def test_the_gain_of_a_hidden_pair_is_the_sum_of_its_weights(splitter):
    for fold in folds(splitter, DATA):
        check_fold(fold, DATA)
        gains = fold.gains["items"].tocoo()
        assert gains.nnz > 0
        weights = DATA.interactions.weights
        wanted = [summed(weights, fold.units[row], item) for row, item in zip(gains.row, gains.col, strict=True)]
        np.testing.assert_allclose(gains.data, wanted, rtol=1e-6)


@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda s: s.name)
def test_gains_of_their_own_stand_for_the_weights(splitter):
    """As weights they would be positive; as gains they may be 0 and below, and an entry of 0 stays."""
    gains = np.random.default_rng(0).integers(-1, 2, len(DATA.interactions.ids)).astype(np.float32)
    options = {"test": 3} if splitter is EachPosition else {}
    data = replace(DATA, interactions=replace(DATA.interactions, gains=gains))
    made = folds(splitter, data, **options)
    assert {value for fold in made for value in fold.gains["items"].data} >= {-1, 0, 1}
    for fold in made:
        check_fold(fold, data)
        own = fold.gains["items"].tocoo()
        if splitter is not EachPosition:
            wanted = [summed(gains, fold.units[row], item) for row, item in zip(own.row, own.col, strict=True)]
            assert own.data.tolist() == wanted
    for fold, plain in zip(made, folds(splitter, DATA, **options), strict=True):
        assert (fold.truth["items"] != plain.truth["items"]).nnz == 0
        assert fold.train.interactions.weights.tolist() == plain.train.interactions.weights.tolist()


def summed(values, user, item):
    """The sum of one value for each interaction over those of the user with the item."""
    start, stop = DATA.interactions.offsets[user : user + 2]
    return values[start:stop][DATA.interactions.ids[start:stop] == item].sum()


def test_the_gain_of_a_position_is_the_weight_of_that_interaction():
    (fold,) = EachPosition(EachPosition.Config(test=3)).split(DATA, np.random.default_rng(0))
    check_fold(fold, DATA)
    for user in np.unique(fold.units):
        asked = np.flatnonzero(fold.units == user)
        history = DATA.interactions.take(np.array([user]))
        pairs = set(zip(history.ids.tolist(), history.weights.tolist(), strict=True))
        assert set(zip(fold.gains["items"][asked].indices, fold.gains["items"][asked].data, strict=True)) <= pairs


@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda s: s.name)
def test_without_weights_there_are_no_gains(splitter):
    data = bare(DATA)
    kept = replace(data.interactions, times=DATA.interactions.times, groups=DATA.interactions.groups)
    (first, *_) = folds(splitter, replace(data, interactions=kept))
    assert first.gains == {}
