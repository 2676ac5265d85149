"""What the splits of known users hide and ask for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridrec.data.ragged import Ragged
from hybridrec.data.splits import SPLITTERS, ColdItems, LeaveOneOut, PredefinedSplit, Random, Temporal
from hybridrec.errors import DataError
from hybridrec.types import PADDING
from tests.data.builders import bare, random_dataset

KNOWN = [
    Random(),
    Random(Random.Config(folds=3)),
    LeaveOneOut(),
    Temporal(),
    PredefinedSplit(),
    ColdItems(ColdItems.Config(min_history=1)),
]


def folds_of(splitter, data, seed=0):
    return list(splitter.split(data, np.random.default_rng(seed)))


def histories(data, *rows, times=None):
    """`data` with these histories for its first users, nothing for all others."""
    ragged = Ragged.from_rows([*rows, *([()] * (len(data.users) - len(rows)))], len(data.items))
    return replace(bare(data), interactions=replace(ragged, times=None if times is None else np.array(times, float)))


@pytest.fixture(params=range(3))
def data(request):
    return random_dataset(request.param)


def test_names():
    assert [splitter.name for splitter in SPLITTERS] == [
        "masked",
        "random",
        "leave-one-out",
        "each-position",
        "temporal",
        "folds",
        "cold-items",
    ]


@pytest.mark.parametrize("splitter", KNOWN, ids=lambda splitter: splitter.name)
def test_truth_is_what_training_lacks_and_queries_show_what_it_has(splitter, data):
    all_tags = (data.user_tags > 0).astype(np.float32)
    for fold in folds_of(splitter, data):
        for cut in (fold, splitter.validation_split(fold.train, np.random.default_rng(1))):
            source = data if cut is fold else fold.train
            train, truth = cut.train.interactions.matrix(binary=True)[cut.units], cut.truth["items"]
            assert truth.multiply(train).nnz == 0
            assert cut.truth["tags"].multiply(cut.queries.tags).nnz == 0
            assert (truth + train != source.interactions.matrix(binary=True)[cut.units]).nnz == 0
            assert cut.weights.tolist() == [1.0] * len(cut.units)
            assert len(np.unique(cut.units)) == len(cut.units)
            assert (cut.truth["items"].getnnz(axis=1) + cut.truth["tags"].getnnz(axis=1) > 0).all()
            known = cut.queries.users != PADDING
            assert (cut.queries.users == np.where(known, cut.units, PADDING)).all()
            assert (known == cut.queries.has("items")).all()
            assert cut.queries.history.ids.tolist() == cut.train.interactions.take(cut.units).ids.tolist()
            assert (cut.queries.tags[known] != cut.train.user_tags[cut.units[known]]).nnz == 0
        tags = fold.truth["tags"] + (fold.queries.tags > 0).astype(np.float32)
        if splitter.name != "cold-items":  # where tags of hidden items are nobody's truth
            assert (tags != all_tags[fold.units]).nnz == 0


@pytest.mark.parametrize("splitter", KNOWN, ids=lambda splitter: splitter.name)
def test_users_without_history_are_unknown_to_training_but_show_what_is_declared(splitter, data):
    for fold in folds_of(splitter, data):
        unknown = np.flatnonzero(fold.queries.users == PADDING)
        for query, user in zip(unknown, fold.units[unknown], strict=True):
            assert fold.queries.text[query] == data.titles[user]
            assert fold.train.titles[user] == ""
            assert fold.train.user_tags[user].nnz == 0
            assert (fold.queries.user_features[query] != data.user_features.matrix[user]).nnz == 0


def test_some_users_are_left_without_history():
    assert any((fold.queries.users == PADDING).any() for fold in folds_of(PredefinedSplit(), random_dataset(1)))


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


def test_leave_one_out_hides_the_last_item_with_its_repeats():
    data = histories(random_dataset(), [4, 5, 6], [7, 8, 7], [9], [3, 3])
    (fold,) = folds_of(LeaveOneOut(), data)
    assert fold.units.tolist() == [0, 1]
    assert fold.truth["items"].indices.tolist() == [6, 7]
    assert fold.train.interactions.take(np.arange(4)).ids.tolist() == [4, 5, 8, 9, 3, 3]


def test_leave_one_out_picks_any_item_at_random():
    data = histories(random_dataset(), *[[1, 2, 3, 2]] * 30)
    (fold,) = folds_of(LeaveOneOut(LeaveOneOut.Config(pick="random")), data)
    assert fold.truth["items"].getnnz(axis=1).tolist() == [1] * 30
    assert set(fold.truth["items"].indices) == {1, 2, 3}


def test_leave_one_out_validation_takes_a_share_of_users(data):
    splitter = LeaveOneOut(LeaveOneOut.Config(validation=0.5))
    enough = (data.interactions.matrix(binary=True).getnnz(axis=1) >= 2).sum()
    assert len(splitter.validation_split(data, np.random.default_rng(0)).units) == round(enough / 2)


def test_temporal_learns_strictly_before_the_cut():
    data = histories(random_dataset(), [1, 2, 3, 1], [4, 5], [6, 7], times=[10, 20, 30, 40, 20, 30, 30, 40])
    (fold,) = folds_of(Temporal(Temporal.Config(cut="1970-01-01T00:00:30")), data)
    assert fold.train.interactions.times.tolist() == [10, 20, 20]
    assert fold.units.tolist() == [0, 1, 2]
    assert fold.queries.users.tolist() == [0, 1, PADDING]
    assert fold.queries.times.tolist() == [30.0] * 3
    # Item 1 is a repeat.
    assert [row.indices.tolist() for row in fold.truth["items"]] == [[3], [5], [6, 7]]


def test_temporal_share_takes_the_latest(data):
    times = data.interactions.times
    (fold,) = folds_of(Temporal(Temporal.Config(test=0.25)), data)
    kept = fold.train.interactions.times
    assert len(kept) == len(times) - round(len(times) * 0.25)
    assert kept.max() < np.setdiff1d(times, kept).min()
    assert (fold.queries.times > kept.max()).all()
    assert (fold.queries.times <= np.setdiff1d(times, kept).min()).all()


def test_temporal_keeps_interactions_of_one_time_together():
    data = histories(random_dataset(), [1, 2], [3, 4], [5, 6], times=[1, 2, 1, 2, 1, 2])
    (fold,) = folds_of(Temporal(Temporal.Config(test=0.1)), data)
    assert fold.train.interactions.ids.tolist() == [1, 3, 5]


def test_temporal_and_cold_items_ask_only_users_with_enough_history(data):
    for splitter in (Temporal(Temporal.Config(min_history=3, test=0.4)), ColdItems(ColdItems.Config(min_history=3))):
        for fold in folds_of(splitter, data):
            assert (fold.queries.history.matrix(binary=True).getnnz(axis=1) >= 3).all()


def test_a_cut_without_a_zone_is_utc():
    zoned = Temporal.Config(cut="2020-01-01T02:00:00+02:00")
    data = histories(random_dataset(), [1, 2], times=[1577836799, 1577836800])
    for config in (zoned, Temporal.Config(cut="2020-01-01")):
        (fold,) = folds_of(Temporal(config), data)
        assert fold.train.interactions.ids.tolist() == [1]


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


def test_cold_items_leave_no_trace_but_their_content(data):
    splitter = ColdItems(ColdItems.Config(folds=4, min_history=2))
    folds = folds_of(splitter, data)
    assert (
        sum(fold.candidate_items.astype(int) for fold in folds).tolist()
        == np.isin(np.arange(40), data.interactions.ids).astype(int).tolist()
    )
    for fold in folds:
        cold = np.flatnonzero(fold.candidate_items)
        assert not np.isin(fold.train.interactions.ids, cold).any()
        assert not np.isin(fold.train.assignments[:, 1], cold).any()
        assert (fold.train.item_tags[cold] != data.declared_item_tags[cold]).nnz == 0
        assert np.isin(fold.truth["items"].indices, cold).all()
        inner = splitter.validation_split(fold.train, np.random.default_rng(0))
        assert inner.candidate_items.any()
        assert not (inner.candidate_items & fold.candidate_items).any()


def test_cold_items_are_chosen_whatever_their_popularity(data):
    splitter = ColdItems(ColdItems.Config(min_history=1))
    history = data.interactions
    for cut in (
        lambda data: folds_of(splitter, data)[0],
        lambda data: splitter.validation_split(data, np.random.default_rng(0)),
    ):
        fold = cut(data)
        again = np.repeat(np.arange(len(history.ids)), np.where(fold.candidate_items[history.ids], 50, 1))
        popular = Ragged.from_columns(history.rows[again], history.ids[again], (30, 40), times=history.times[again])
        plain = replace(history, weights=None, groups=None)
        one, two = (cut(replace(data, interactions=interactions)) for interactions in (plain, popular))
        assert one.candidate_items.tolist() == two.candidate_items.tolist() == fold.candidate_items.tolist()
        assert one.train.fingerprint == two.train.fingerprint


def test_cold_items_among_all(data):
    splitter = ColdItems(ColdItems.Config(candidate_items="all", min_history=2))
    (fold,) = folds_of(splitter, data)
    assert fold.candidate_items is None


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        (Temporal(), "no times; name their column"),
        (PredefinedSplit(), "no fold numbers; name their column in the key `group`"),
        (ColdItems(ColdItems.Config(min_history=50)), "no user has 50 visible items and a hidden one; lower"),
        (Random(Random.Config(folds=5000)), r"5000 folds need as many .* pairs, .* only \d+; lower `folds`"),
        (ColdItems(ColdItems.Config(folds=41)), r"41 folds need as many items .* only \d+; lower `folds`"),
    ],
)
def test_errors_say_what_to_change(splitter, message):
    with pytest.raises(DataError, match=message):
        folds_of(splitter, bare(random_dataset()))


def test_too_little_data_is_an_error():
    tiny = histories(random_dataset(), [1], times=[5])
    nothing = histories(random_dataset(), times=[])
    grouped = replace(tiny, interactions=replace(tiny.interactions, groups=np.zeros(1, np.int32)))
    for data in (tiny, nothing, grouped):
        for splitter in KNOWN:
            with pytest.raises(DataError, match="split"):
                folds_of(splitter, data)
            with pytest.raises(DataError, match="split"):
                splitter.validation_split(data, np.random.default_rng(0))


def test_temporal_errors_give_the_range_of_the_data(data):
    late = Temporal(Temporal.Config(cut="2050-01-01"))
    with pytest.raises(
        DataError, match=r"cut at 2050-01-01T00:00:00 leaves \d+ .* and 0 from then on.*from 2001-09-09"
    ):
        folds_of(late, data)
    times = data.interactions.times.copy()
    times[3] = np.nan
    with pytest.raises(DataError, match=r"1 of \d+ interactions have no time"):
        folds_of(Temporal(), replace(data, interactions=replace(data.interactions, times=times)))
