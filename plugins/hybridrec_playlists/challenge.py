"""Splitter `ten-categories`: the queries of the RecSys Challenge 2018 on any collection of playlists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from pydantic import Field

from hybridrec import PADDING, Bools, DataError, Dataset, Fold, Ints, Longs, Options, QueryBatch, Splitter


class Category(NamedTuple):
    """Contents of a query of the challenge.

    seeds: number of tracks that it shows
    title: true if it shows the title
    first: true if its tracks are the first ones of the playlist, false if they are random ones
    """

    seeds: int
    title: bool = True
    first: bool = True


CATEGORIES = (
    Category(0),
    Category(1),
    Category(5),
    Category(5, title=False),
    Category(10),
    Category(10, title=False),
    Category(25),
    Category(25, first=False),
    Category(100),
    Category(100, first=False),
)
"""The ten categories, in the order of the challenge."""


class TenCategoriesOptions(Options):
    """Options of `ten-categories`: the shares of playlists that are held out."""

    test: float = Field(0.01, gt=0, lt=1)
    """Share of the playlists to hold out; the challenge holds out 10,000 of a million."""
    validation: float = Field(0.01, gt=0, lt=1)
    """Share of the training playlists to hold out, in the same categories, for learning blends."""


class TenCategories(Splitter):
    """Splitter that holds playlists out, a tenth for each category of queries; the truth is what the category hides.

    The ten categories of queries have: the title only; the title and the first track; the first 5 tracks, with or
    without the title; the first 10 tracks, with or without the title; the title and the first 25 tracks, or any 25; the
    title and the first 100 tracks, or any 100. A playlist of a category has more distinct tracks than its query;
    categories for which there are too few such playlists are smaller.
    All data of a held-out playlist is removed from training, and queries do not include its tags. In the files of a
    run, the number and order of a query's tracks and the presence of a title show its category.
    """

    name = "ten-categories"
    Config = TenCategoriesOptions
    config: TenCategoriesOptions

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """Yield one fold; raises DataError if no playlist fits any category."""
        yield _fold("test", data, self.config.test, rng)

    def validation_split(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Return a fold that holds out the share `validation` of the training playlists."""
        return _fold("validation", train, self.config.validation, rng)


def _fold(name: str, data: Dataset, share: float, rng: np.random.Generator) -> Fold:
    distinct = data.interactions.matrix(binary=True).getnnz(axis=1)
    lists = np.flatnonzero(distinct)
    wanted = max(1, round(share * len(lists)))
    users, categories = _assign(
        rng.permutation(lists), distinct, np.array([bool(title) for title in data.users.text]), wanted
    )
    if not len(users) or len(users) == len(lists):
        raise DataError(
            f"split ten-categories: {len(users)} of {len(lists)} playlists can be queries; these need a title or two "
            "distinct tracks, and some playlists have to remain for training"
        )
    is_held = np.zeros(len(data.users), bool)
    is_held[users] = True
    history = data.interactions.take(users)
    shown = history.where(_shown(history.offsets, categories, rng))
    truth = (history.matrix(binary=True) - shown.matrix(binary=True)).tocsr()
    truth.eliminate_zeros()
    asked = truth.getnnz(axis=1) > 0
    titles = tuple(
        data.users.text[user] if CATEGORIES[category].title else ""
        for user, category in zip(users, categories, strict=True)
    )
    has = data.query_has({}, shown)
    hidden = {
        kind: ((data.user_matrix(kind)[users] > 0) > (has[kind] > 0)).astype(np.float32) for kind in data.targets[1:]
    }
    queries = QueryBatch(
        users=np.full(len(users), PADDING, np.int32),
        history=shown,
        entities=has,
        text=titles,
        times=None if data.users.times is None else data.users.times[users],
        derived=data.through_items,
    )
    return Fold(
        name=name,
        train=data.hide_users(is_held),
        queries=queries.take(np.flatnonzero(asked)),
        truth={"items": truth[asked], **{kind: matrix[asked] for kind, matrix in hidden.items()}},
        units=users[asked].astype(np.int32),
        weights=np.ones(int(asked.sum())),
    )


def _assign(lists: Longs, distinct: Ints, titled: Bools, wanted: int) -> tuple[Longs, Longs]:
    """Choose the held-out playlists and their categories, beginning with the categories that show the most tracks.

    Returns two parallel arrays: the rows of the playlists, and the numbers of their categories.
    """
    taken: list[Longs] = []
    categories: list[Longs] = []
    order = sorted(range(len(CATEGORIES)), key=lambda number: -CATEGORIES[number].seeds)
    for place, number in enumerate(order):
        category = CATEGORIES[number]
        fits = (distinct[lists] > category.seeds) & (titled[lists] | (not category.title))
        left = wanted - sum(len(chosen_lists) for chosen_lists in taken)
        chosen = np.flatnonzero(fits)[: -(-left // (len(order) - place))]
        taken.append(lists[chosen])
        categories.append(np.full(len(chosen), number))
        lists = np.delete(lists, chosen)
    return np.concatenate(taken), np.concatenate(categories)


def _shown(offsets: Longs, categories: Longs, rng: np.random.Generator) -> Bools:
    """Mark the entries of the playlists that their categories show: bool, parallel to all entries."""
    lengths = np.diff(offsets)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    first = np.array([category.first for category in CATEGORIES])[categories]
    keys = np.where(first[rows], np.arange(len(rows), dtype=float), rng.random(len(rows)))
    places = np.empty(len(rows), np.int64)
    places[np.lexsort((keys, rows))] = np.arange(len(rows)) - offsets[:-1][rows]
    return places < np.array([category.seeds for category in CATEGORIES])[categories][rows]
