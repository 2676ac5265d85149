"""The toy dataset, for which the right recommendations are known, queries for it, and incomplete datasets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix, hstack

from hybridrec.data.dataset import Dataset, empty_csr
from hybridrec.data.encoding import encode
from hybridrec.data.entities import Entities
from hybridrec.data.features import LABELS, FeatureColumn, Features
from hybridrec.data.queries import Query, QueryBatch
from hybridrec.data.ragged import Ragged
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.types import DAY, ITEMS, USERS, Bools, Field, Ints, Sparse


def toy_dataset(users: int = 60, items: int = 40, tags: int = 12, share: float = 0.5) -> Dataset:
    """Build a small checkerboard: ids of the same parity (code modulo 2, its "colour") belong together.

    A user plays each item of its colour with the probability `share`, and some items twice. Interactions have times and
    weights of 1 to 3; their context is a device and a budget. Titles, texts, tags and features name the colour, along
    with irrelevant content. Every item has a price of 1 to 5, and all but one item have a cost of 0 to 4. The last user
    and the last item have no interactions. Codes are equal to the numbers in the external ids ("user 07", "item 03",
    "tag 11"). The same arguments always give the same data.
    """
    rng = np.random.default_rng(20)
    history = _toy_history(users, items, share, rng)
    user_tags, item_tags = (
        csr_of(_same_colour(rows, tags) & (rng.random((rows, tags)) < 0.4)) for rows in (users, items)
    )
    return Dataset(
        entities={
            USERS: _toy_users(users),
            ITEMS: _toy_items(items, rng),
            "tags": Entities(Vocabulary(f"tag {t:02}" for t in range(tags))),
        },
        interactions=replace(history, context=_toy_context(history)),
        user_has={"tags": user_tags},
        item_has={"tags": item_tags},
        assignments={"tags": _toy_assignments(history, tags)},
    )


def _toy_history(users: int, items: int, share: float, rng: np.random.Generator) -> Ragged:
    """Draw the interactions of the toy dataset, with times and weights."""
    played = _same_colour(users, items) & (rng.random((users, items)) < share)
    played[-1, :] = False
    played[:, -1] &= items == 1  # the last item is cold, unless it is the only one
    user, item = np.nonzero(played)
    again = rng.random(len(user)) < 0.2
    user, item = np.concatenate((user, user[again])), np.concatenate((item, item[again]))
    return Ragged.from_columns(
        user.astype(np.int32),
        item.astype(np.int32),
        (users, items),
        times=1.6e9 + rng.permutation(len(user)).astype(np.float64) * DAY,
        weights=rng.integers(1, 4, len(user)).astype(np.float32),
    )


def _toy_context(history: Ragged) -> Features:
    """Build the context of each interaction: a device that depends on the item's colour, and a budget."""
    device = one_hot(history.ids % 2, 2)
    return Features(
        {
            "device": FeatureColumn("category", device, ("phone", "tv")),
            "budget": FeatureColumn("number", (1 + history.rows % 5).astype(np.float32)),
        }
    )


def _toy_users(users: int) -> Entities:
    """Build the users of the toy dataset, with titles and features."""
    return Entities(
        Vocabulary(f"user {u:02}" for u in range(users)),
        text=tuple("" if u % 5 == 4 else f"{_colour(u)} evening {u % 3}" for u in range(users)),
        features=Features.of_labels(("even", "odd", "low", "high"), _toy_features(users)),
    )


def _toy_items(items: int, rng: np.random.Generator) -> Entities:
    """Build the items of the toy dataset, with texts, times, features and vectors.

    The time and the cost of item 3 are unknown.
    """
    code = np.arange(items)
    labels = ("even", "odd", "low", "high", "price")
    return Entities(
        Vocabulary(f"item {i:02}" for i in range(items)),
        text=tuple(f"{_colour(i)} song {i % 7}" for i in range(items)),
        times=np.where(code == 3, np.nan, 1.5e9 + code * DAY),
        features=Features(
            {
                LABELS: FeatureColumn("category", _toy_item_features(items), labels),
                "cost": FeatureColumn("number", np.where(code == 3, np.nan, code % 5).astype(np.float32)),
            }
        ),
        vectors=(np.eye(2)[code % 2] + rng.normal(0, 0.1, (items, 2))).astype(np.float32),
    )


def toy_queries(dataset: Dataset) -> QueryBatch:
    """Build queries of all kinds for a dataset with tags.

    Some have only a known user, only a history, only tags or only a text. One has all of these, one a history and tags,
    one unknown words, one nothing, and one has only unknown ids.
    """
    users, items, tags = (list(dataset.vocabulary(kind).ids) for kind in (USERS, ITEMS, "tags"))
    words = [text for text in dataset.users.text if text][:2]
    everything = Query(
        user=users[0],
        items=[*items[0:6:2], *items[0:1]],
        tags=tags[0:4:2],
        text=" ".join(words[:1]),
        time=1.7e9,
        item_times=[1.6e9 + day * DAY for day in range(len(items[0:6:2]) + len(items[0:1]))],
        item_weights=[1.0 + place for place in range(len(items[0:6:2]) + len(items[0:1]))],
        disliked=items[1:2],
    )
    return encode(
        [
            everything,
            *(Query(user=user) for user in (*users[:2], *users[-1:])),
            *(Query(items=items[colour:8:2]) for colour in (0, 1)),
            Query(items=items[-1:]),
            *(Query(tags=tags[colour:6:2]) for colour in (0, 1)),
            *(Query(text=text) for text in words),
            Query(items=items[1:4:2], tags=tags[1:4:2]),
            Query(text="words nobody ever wrote"),
            Query(),
            Query(user="nobody", items=["no such item"], tags=["no such tag"]),
        ],
        dataset,
    )


def parity_queries(dataset: Dataset, field: Field) -> QueryBatch:
    """Build two queries for the toy dataset that have only this field: one with even, one with odd entities."""
    users, items, tags = dataset.users.vocabulary.ids, dataset.items.vocabulary.ids, dataset.vocabulary("tags").ids
    by_field: dict[Field, list[Query]] = {
        "user": [Query(user=users[colour]) for colour in (0, 1)],
        "items": [Query(items=items[colour:10:2].to_list()) for colour in (0, 1)],
        "tags": [Query(tags=tags[colour:6:2].to_list()) for colour in (0, 1)],
        "title": [Query(text=_colour(colour)) for colour in (0, 1)],
    }
    return encode(by_field[field], dataset)


def _colour(code: int) -> str:
    return ("even", "odd")[code % 2]


def _same_colour(rows: int, columns: int) -> Bools:
    return (np.arange(rows)[:, None] - np.arange(columns)[None, :]) % 2 == 0


def csr_of(flags: Bools) -> Sparse:
    """Convert flags, bool [R, C], to a sparse matrix that is 1 where a flag is True: csr float32 [R, C]."""
    return csr_matrix(flags, dtype=np.float32)


def one_hot(codes: Ints, size: int) -> Sparse:
    """Build a sparse matrix with a 1 at the code of each row: csr float32 [len(codes), size]."""
    ones = np.ones(len(codes), np.float32)
    return csr_matrix((ones, codes, np.arange(len(codes) + 1)), shape=(len(codes), size))


def _toy_features(rows: int) -> Sparse:
    code = np.arange(rows)
    return csr_of(np.stack((code % 2 == 0, code % 2 == 1, code < rows / 2, code >= rows / 2), axis=1))


def _toy_item_features(items: int) -> Sparse:
    """Return the features of the items: csr float32 [items, 5]; every item has the last feature, a price.

    The price catches components that change the data. Its weight by rarity is log(items / items that have it) = 0. A
    component that removes such zeros in place must work on a copy, since the matrix belongs to the data.
    """
    prices = csr_matrix(1.0 + np.arange(items)[:, None] % 5, dtype=np.float32)
    return csr_matrix(hstack([_toy_features(items), prices], format="csr", dtype=np.float32))


def _toy_assignments(history: Ragged, tags: int) -> Ints:
    """Return tags of the item's colour that the users of every fifth interaction assigned to its item.

    The array is int32 [assignments, 3] with the columns user, item and tag.
    """
    if tags < 2:
        return np.empty((0, 3), np.int32)
    user, item = history.rows[::5], history.ids[::5]
    return np.stack((user, item, item % (tags - tags % 2)), axis=1)


def edge_datasets() -> dict[str, Dataset]:
    """Build small datasets that are incomplete: description of the gap -> dataset."""
    toy, n_users, n_items = toy_dataset(), 60, 40
    return {
        "no tags": toy_dataset(tags=0),
        "no interactions": toy.hide(np.ones(len(toy.interactions.ids), bool)),
        "nothing known about anybody": toy.hide_users(np.ones(n_users, bool)),
        "cold items": toy.hide(toy.interactions.ids >= n_items // 2),
        "one item": toy_dataset(users=6, items=1, tags=2),
        "one user with interactions": toy.hide(toy.interactions.rows != 0),
        "only interactions": replace(
            toy,
            entities={kind: Entities(toy.vocabulary(kind)) for kind in toy.entities},
            interactions=replace(toy.interactions, times=None, weights=None, context=None),
            user_has={"tags": empty_csr(n_users, toy.size("tags"))},
            item_has={"tags": empty_csr(n_items, toy.size("tags"))},
            assignments={},
        ),
        "no other kind": replace(
            toy, entities={USERS: toy.users, ITEMS: toy.items}, user_has={}, item_has={}, assignments={}
        ),
    }
