"""Nothing hidden reaches training or queries: other content of the hidden rows gives the same arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.data.dataset import Dataset
from hybridrec.data.entities import Entities
from hybridrec.data.queries import QueryBatch
from hybridrec.data.splits import ColdItems, LeaveOneOut, Masked, PredefinedSplit, Random, Temporal
from hybridrec.data.splits.base import Fold, Splitter
from hybridrec.data.vocabulary import Vocabulary
from tests.data.builders import dataset_of, random_dataset, random_rows
from tests.data.perturb import perturbed, perturbed_users

SPLITS: dict[str, Splitter] = {
    "masked": Masked(),
    "masked-cross-folds": Masked(Masked.Config(folds=3, cross=True)),
    "masked-items": Masked(Masked.Config(scenarios={"items": 1}, test=0.5)),
    "masked-tags": Masked(Masked.Config(scenarios={"tags": 1}, test=0.5)),
    "masked-title": Masked(Masked.Config(scenarios={"title": 1}, test=0.5)),
    "random": Random(),
    "random-half": Random(Random.Config(test=0.5)),
    "leave-one-out": LeaveOneOut(),
    "leave-one-out-random": LeaveOneOut(LeaveOneOut.Config(pick="random", validation=0.5)),
    "temporal": Temporal(Temporal.Config(test=0.4)),
    "temporal-warm": Temporal(Temporal.Config(min_history=1)),
    "folds": PredefinedSplit(),
    "cold-items": ColdItems(ColdItems.Config(min_history=2)),
    "cold-items-folds": ColdItems(ColdItems.Config(folds=3, min_history=2)),
}
Cut = Callable[[Dataset], list[Fold]]


def with_artists(data: Dataset) -> Dataset:
    """The dataset with a kind that users carry through their items: the artist of each item."""
    artists = np.arange(len(data.items)) % 25
    has = csr_matrix((np.ones(len(artists), np.float32), (np.arange(len(artists)), artists)))
    entities = Entities(Vocabulary(f"artist {number:02}" for number in range(25)))
    return replace(
        data,
        entities={**data.entities, "artists": entities},
        item_has={**data.item_has, "artists": has},
        through_items=("artists",),
    )


def outer(splitter: Splitter, seed: int) -> Cut:
    return lambda data: list(splitter.split(data, np.random.default_rng(seed)))


def validation(splitter: Splitter, seed: int) -> Cut:
    return lambda data: [splitter.validation_split(data, np.random.default_rng(seed))]


def visible(fold: Fold) -> dict[str, object]:
    """Everything that components and queries get from a fold, and the users that are asked."""
    return {
        "name": fold.name,
        "train": fold.train.fingerprint,
        "units": fold.units.tolist(),
        "weights": fold.weights.tolist(),
        "candidate_items": None if fold.candidate_items is None else fold.candidate_items.tolist(),
        **shown(fold.queries),
    }


def shown(queries: QueryBatch) -> dict[str, object]:
    history = queries.history
    arrays = {
        "users": queries.users,
        "items": history.ids,
        "offsets": history.offsets,
        "item times": history.times,
        "item weights": history.weights,
        "tags": queries.matrix("tags").toarray(),
        "artists": queries.matrix("artists").toarray(),
        "times": queries.times,
        "features": None if queries.user_features is None else queries.user_features.matrix.toarray(),
    }
    # As text, so that NaN equals NaN.
    texts = {name: repr(None if array is None else array.tolist()) for name, array in arrays.items()}
    return texts | {"text": queries.text}


def truth_of(fold: Fold) -> list[list[int]]:
    return fold.truth["items"].toarray().tolist()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("level", [outer, validation])
@pytest.mark.parametrize("name", SPLITS)
def test_hidden_content_reaches_neither_training_nor_queries(name, level, seed):
    data = with_artists(random_dataset(seed))
    cut = level(SPLITS[name], seed)
    change = perturbed_users if name.startswith("masked") else perturbed
    asks_for_artists = False
    for number, fold in enumerate(cut(data)):
        other = change(data, fold, np.random.default_rng(seed + 100))
        again = cut(other)[number]
        assert other.fingerprint != data.fingerprint
        assert visible(again) == visible(fold)
        assert truth_of(again) != truth_of(fold)
        asks_for_artists |= (again.truth["artists"] != fold.truth["artists"]).nnz > 0
    assert asks_for_artists, "the hidden items must have had other artists"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SPLITS)
def test_the_order_of_rows_in_the_files_is_nothing_to_learn_from(name, seed):
    rng = np.random.default_rng(seed)
    rows = random_rows(rng)
    cut = outer(SPLITS[name], seed)
    for fold, shuffled_fold in zip(cut(dataset_of(rows)), cut(dataset_of(rows.shuffled(rng))), strict=True):
        assert visible(fold) == visible(shuffled_fold)
        assert truth_of(fold) == truth_of(shuffled_fold)


@pytest.mark.parametrize("name", SPLITS)
def test_same_seed_same_folds_other_seed_other_folds(name):
    data = random_dataset(5)
    first, same, other = (list(map(visible, outer(SPLITS[name], seed)(data))) for seed in (1, 1, 2))
    assert first == same
    if name not in ("leave-one-out", "temporal", "temporal-warm", "folds"):
        assert first != other


def test_vocabularies_and_declared_content_stay():
    data = random_dataset()
    for splitter in SPLITS.values():
        for fold in outer(splitter, 0)(data):
            train = fold.train
            for kind in data.entities:
                assert train.vocabulary(kind) == data.vocabulary(kind)
            assert train.items.text == data.items.text
            assert train.items.times is data.items.times
            assert train.items.vectors is data.items.vectors
            assert train.items.features is data.items.features
            assert train.item_has["tags"] is data.item_has["tags"]
