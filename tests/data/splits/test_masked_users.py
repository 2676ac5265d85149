"""The users and items that `masked` holds out, shows and asks for."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from hybridrec.data.splits import Masked
from hybridrec.errors import DataError
from hybridrec.types import PADDING
from tests.data.builders import bare, random_dataset

CONFIGS = {
    "drawn": Masked.Config(test=0.5),
    "cross": Masked.Config(cross=True),
    "folds": Masked.Config(folds=4, cross=True, hide=0.3),
    "titles": Masked.Config(
        scenarios={"items+title": 0.3, "items+tags+title": 0.5, "tags+title": 0.15, "title": 0.05}, test=0.5
    ),
    "few titles": Masked.Config(
        scenarios={"items": 0.42, "items+tags": 0.39, "tags+title": 0.11, "title": 0.08}, cross=True
    ),
}


def folds_of(data, config, seed=0):
    return list(Masked(config).split(data, np.random.default_rng(seed)))


@pytest.fixture(params=range(2))
def data(request):
    return random_dataset(request.param)


@pytest.mark.parametrize("name", CONFIGS)
def test_training_knows_nothing_of_held_out_users(data, name):
    for fold in folds_of(data, CONFIGS[name]):
        held = np.unique(fold.units)
        train = fold.train
        assert train.interactions.lengths[held].sum() == 0
        assert {train.users.text[user] for user in held} == {""}
        assert train.user_matrix("tags")[held].sum() == 0
        assert train.users.features.matrix[held].sum() == 0
        assert not np.isin(train.assignments["tags"][:, 0], held).any()


@pytest.mark.parametrize("name", CONFIGS)
def test_queries_are_of_strangers(data, name):
    for fold in folds_of(data, CONFIGS[name]):
        assert (fold.queries.users == PADDING).all()
        assert fold.queries.user_features is None


@pytest.mark.parametrize("name", CONFIGS)
def test_truth_and_what_is_shown_are_disjoint_and_together_everything(data, name):
    everything = {
        "items": data.interactions.matrix(binary=True),
        "tags": (data.user_matrix("tags") > 0).astype(np.float32),
    }
    for fold in folds_of(data, CONFIGS[name]):
        shown = {
            "items": fold.queries.history.matrix(binary=True),
            "tags": (fold.queries.matrix("tags") > 0).astype(np.float32),
        }
        for target, truth in fold.truth.items():
            assert truth.multiply(shown[target]).nnz == 0
            assert (truth + shown[target] != everything[target][fold.units]).nnz == 0
            assert set(truth.data) <= {1.0}
        assert (fold.truth["items"].getnnz(axis=1) > 0).all()


def test_scenarios_show_their_fields_only(data):
    fields = {"items", "tags", "title"}
    for only in ("items", "tags", "title", "items+tags", "items+title", "items+tags+title"):
        (fold,) = folds_of(data, Masked.Config(scenarios={only: 2}, test=0.9))
        for field in fields:
            assert fold.queries.has(field).any() == (field in only.split("+"))


def test_listed_fields_hide_their_share(data):
    (fold,) = folds_of(data, Masked.Config(scenarios={"items+tags+title": 1}, test=0.99))
    total = data.interactions.matrix(binary=True).getnnz(axis=1)[fold.units]
    left = fold.queries.history.matrix(binary=True).getnnz(axis=1)
    assert (np.abs(left - total / 2) < 1).all()
    assert ((left >= 1) & (left < total)).all()
    # Tags of hidden items are hidden too, so at most about half of all tags is left.
    tags = data.user_matrix("tags").getnnz(axis=1)[fold.units]
    assert (fold.queries.matrix("tags").getnnz(axis=1) <= np.maximum(tags / 2 + 1, 1)).all()
    assert fold.truth["tags"].nnz > 0
    assert fold.queries.text == tuple(data.users.text[user] for user in fold.units)


def test_visible_histories_keep_order_repeats_times_and_weights(data):
    (fold,) = folds_of(data, Masked.Config(scenarios={"items": 1}, test=0.99))
    repeated = 0
    for query, unit in enumerate(fold.units):
        whole, seen = data.interactions.take(np.array([unit])), fold.queries.history.take(np.array([query]))
        visible = np.isin(whole.ids, seen.ids)
        for column in ("ids", "times", "weights"):
            assert getattr(seen, column).tolist() == getattr(whole, column)[visible].tolist()
        assert fold.queries.times[query] == seen.times.max()
        repeated += len(seen.ids) > len(set(seen.ids.tolist()))
    assert repeated


def test_queries_without_history_have_no_time(data):
    (fold,) = folds_of(data, Masked.Config(scenarios={"tags": 1}, test=0.9))
    assert np.isnan(fold.queries.times).all()
    assert folds_of(bare(data), Masked.Config())[0].queries.times is None


def test_every_user_is_held_out_once(data):
    enough = np.flatnonzero(data.interactions.matrix(binary=True).getnnz(axis=1) >= 3)
    folds = folds_of(data, Masked.Config(folds=4, min_items=3, scenarios={"items": 1}))
    assert [fold.name for fold in folds] == ["fold-0", "fold-1", "fold-2", "fold-3"]
    assert sorted(np.concatenate([fold.units for fold in folds])) == enough.tolist()


def test_one_draw_per_user_weighs_one(data):
    (fold,) = folds_of(data, Masked.Config(test=0.9))
    assert len(np.unique(fold.units)) == len(fold.units)
    assert set(fold.weights) == {1.0}


def test_cross_asks_each_user_under_every_scenario(data):
    mix = {"items+tags": 4, "items": 3, "items+title": 1}
    (fold,) = folds_of(data, Masked.Config(scenarios=mix, cross=True))
    units, counts = np.unique(fold.units, return_counts=True)
    assert set(counts) == {3}
    np.testing.assert_allclose(np.bincount(fold.units, fold.weights)[units], 1)
    assert fold.weights[:3].tolist() == [0.5, 0.375, 0.125]
    # The same items are visible under each scenario.
    for unit in units:
        histories = [
            fold.queries.history.take(np.array([query])).ids.tolist() for query in np.where(fold.units == unit)[0]
        ]
        assert histories[0] == histories[1] == histories[2]


def test_draws_follow_the_mix():
    data = random_dataset(users=800)
    (fold,) = folds_of(data, Masked.Config(scenarios={"items": 9, "items+title": 1}, test=0.9))
    with_title = np.array([data.users.text[user] != "" for user in fold.units])
    assert fold.queries.has("title")[with_title].mean() == pytest.approx(0.1, abs=0.04)


def test_scenarios_that_show_nothing_are_dropped(data):
    untitled = {user for user, title in enumerate(data.users.text) if not title}
    (fold,) = folds_of(data, Masked.Config(scenarios={"items": 1, "title": 1}, cross=True, test=0.9))
    asked, counts = np.unique(fold.units, return_counts=True)
    assert {user for user, count in zip(asked, counts, strict=True) if count == 1} == untitled & set(asked)
    assert (fold.queries.segments() != "nothing").all()


def test_inner_holds_out_training_users(data):
    splitter = Masked(Masked.Config(test=0.3, validation=0.5, scenarios={"items": 1}))
    fold = next(splitter.split(data, np.random.default_rng(0)))
    inner = splitter.validation_split(fold.train, np.random.default_rng(1))
    assert not set(inner.units) & set(fold.units)
    enough = (fold.train.interactions.matrix(binary=True).getnnz(axis=1) >= 2).sum()
    assert len(inner.units) == round(enough * 0.5)
    assert inner.train.interactions.lengths[np.concatenate([inner.units, fold.units])].sum() == 0


def test_the_mix_is_the_share_of_each_scenario_with_its_fields_in_order():
    assert Masked.Config(scenarios={"tags+items": 3, "title": 1}).mix == {("items", "tags"): 0.75, ("title",): 0.25}
    assert sum(Masked.Config(scenarios={"items": 0.42, "title": 0.08}).mix.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scenarios": {"items+tags": 1, "tags+items": 1}}, "show the same fields"),
        ({"scenarios": {}}, "no scenario is given"),
        ({"scenarios": {"items": 0}}, "greater than 0"),
        ({"folds": 1}, "greater than or equal to 2"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        Masked.Config(**options)


def test_errors_say_what_to_change(data):
    with pytest.raises(DataError, match=r"none of the 30 users has 99 distinct items .* lower `min_items`"):
        folds_of(data, Masked.Config(min_items=99))
    with pytest.raises(DataError, match=r"31 folds need as many users .* only 2\d; lower `folds`"):
        folds_of(data, Masked.Config(folds=31))
    with pytest.raises(DataError, match="none of the scenarios tags shows anything"):
        folds_of(bare(data), Masked.Config(scenarios={"tags": 1}))
    with pytest.raises(DataError, match="leaves no interaction to learn from; lower `test`"):
        folds_of(data.hide(data.interactions.rows != 2), Masked.Config())


def test_a_scenario_with_a_field_that_the_data_lacks_is_refused(data):
    with pytest.raises(DataError, match=r"scenario 'items\+tag': unknown field 'tag'; did you mean 'tags'"):
        folds_of(data, Masked.Config(scenarios={"items+tag": 1}))
