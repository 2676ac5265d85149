"""Small random datasets with everything in them, for tests of the data layer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

from hybridrec import Query
from hybridrec.data.builder import Tables, assemble
from hybridrec.data.dataset import Dataset, Features
from hybridrec.data.ragged import Ragged
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.testing import toy_dataset
from hybridrec.types import Ints


@dataclass(frozen=True)
class Rows:
    """The rows of the files a reader would read, in codes."""

    users: Ints
    items: Ints
    positions: Ints
    times: np.ndarray
    weights: np.ndarray
    groups: Ints
    assignments: Ints

    def shuffled(self, rng: np.random.Generator) -> Rows:
        """The same rows in another order."""
        order = rng.permutation(len(self.users))
        columns = {
            name: getattr(self, name)[order] for name in ("users", "items", "positions", "times", "weights", "groups")
        }
        return Rows(**columns, assignments=rng.permutation(self.assignments))


def random_rows(
    rng: np.random.Generator, users: int = 30, items: int = 40, tags: int = 60, max_length: int = 12
) -> Rows:
    """Histories of 0 to `max_length` interactions; about one in eight is a repeat; times ascend within a user."""
    lengths = rng.integers(0, max_length + 1, users)
    lengths[:3] = (0, 1, max_length)
    history = [rng.permutation(items)[:length] for length in lengths]
    for row in history:
        again = rng.random(len(row)) < 0.125
        row[again] = rng.choice(row, again.sum()) if len(row) else row[again]
    rows = np.repeat(np.arange(users), lengths)
    ids = np.concatenate(history)
    positions = np.concatenate([np.arange(length) for length in lengths])
    tagged = rng.random(len(ids)) < 0.5
    assignments = np.column_stack([rows[tagged], ids[tagged], rng.integers(0, tags, tagged.sum())])
    # Some tags go to items the user has (mostly) no interaction with.
    elsewhere = np.column_stack([rng.integers(0, size, users) for size in (users, items, tags)])
    assignments = np.concatenate([assignments, elsewhere])
    return Rows(
        users=rows.astype(np.int32),
        items=ids.astype(np.int32),
        positions=positions.astype(np.int32),
        times=1e9 + rows * 50.0 + positions * 1000.0 + rng.random(len(ids)),
        weights=rng.uniform(0.5, 5, len(ids)).astype(np.float32),
        groups=rng.integers(-1, 3, len(ids)).astype(np.int32),
        assignments=np.unique(assignments, axis=0).astype(np.int32),
    )


def dataset_of(rows: Rows, users: int = 30, items: int = 40, tags: int = 60, seed: int = 0) -> Dataset:
    """A dataset of these interactions; declared tags, features and texts come from `seed`."""
    rng = np.random.default_rng(seed)
    interactions = Ragged.from_columns(
        rows.users,
        rows.items,
        (users, items),
        times=rows.times,
        weights=rows.weights,
        groups=rows.groups,
        positions=rows.positions,
    )
    assignments = rows.assignments
    return Dataset(
        users=Vocabulary(f"user {number:03}" for number in range(users)),
        items=Vocabulary(f"item {number:03}" for number in range(items)),
        tags=Vocabulary(f"tag {number:03}" for number in range(tags)),
        interactions=interactions,
        titles=tuple(f"title {number}" if number % 5 else "" for number in range(users)),
        item_text=tuple(f"text {number}" for number in range(items)),
        declared_user_tags=_random_csr(rng, users, tags, 0.08),
        declared_item_tags=_random_csr(rng, items, tags, 0.05),
        assignments=assignments[np.lexsort(assignments.T[::-1])],
        item_times=rng.uniform(0, 1e9, items),
        item_features=Features(("loud", "long"), _random_csr(rng, items, 2, 0.5)),
        item_vectors=rng.normal(size=(items, 4)).astype(np.float32),
        user_features=Features(("young", "old", "far"), _random_csr(rng, users, 3, 0.5)),
    )


def random_dataset(seed: int = 0, *, users: int = 30, items: int = 40, tags: int = 60) -> Dataset:
    """A dataset with repeats, times, weights, groups, titles, tags, assignments and features."""
    rows = random_rows(np.random.default_rng(seed), users, items, tags)
    return dataset_of(rows, users, items, tags, seed)


def bare(data: Dataset) -> Dataset:
    """The same interactions with no time, weight, tag, title or feature."""
    empty = replace(data.interactions, times=None, weights=None, groups=None)
    return replace(
        data,
        interactions=empty,
        titles=("",) * len(data.users),
        declared_user_tags=csr_matrix(data.declared_user_tags.shape, dtype=np.float32),
        declared_item_tags=csr_matrix(data.declared_item_tags.shape, dtype=np.float32),
        assignments=np.empty((0, 3), np.int32),
        item_times=None,
        item_features=None,
        item_vectors=None,
        user_features=None,
    )


def _random_csr(rng: np.random.Generator, rows: int, columns: int, density: float) -> csr_matrix:
    return csr_matrix((rng.random((rows, columns)) < density).astype(np.float32))


def complete():
    """A dataset with something in every field."""
    frame = pl.DataFrame
    return assemble(
        Tables(
            interactions=frame(
                {
                    "user": ["me", "너", "me", "me"],
                    "item": ["🎸", "b", "b", "🎸"],
                    "time": [3.0, 1.0, 2.0, 1.0],
                    "weight": [1.0, 2.0, 3.0, 4.0],
                    "group": [0, 1, 2, 0],
                }
            ),
            users=frame({"id": ["silent", "me"], "title": ["", "Mein Mix ♥"], "time": [None, 4.0]}),
            items=frame({"id": ["new", "b", "new"], "text": ["Neu", None, "Alt"], "time": [5.0, None, 7.0]}),
            user_tags=frame({"user": ["me", "me", "nobody"], "tag": ["rock", "rock", "pop"]}),
            item_tags=frame({"item": ["b"], "tag": ["jazz"], "weight": [0.5]}),
            assignments=frame({"user": ["me", "me"], "item": ["🎸", "b"], "tag": ["rock", "loud"]}),
            user_features=frame({"user": ["me"], "feature": ["country:KR"]}),
            item_features=frame({"item": ["b", "new"], "feature": ["year:1999", "year:2000"]}),
            item_vectors=(pl.Series(["new", "elsewhere"]), np.ones((2, 3), np.float32)),
        )
    )


DATA = toy_dataset(users=6, items=9, tags=4)
EVERYTHING = Query(
    user="user 02",
    items=["item 05", "nothing", "item 01", "item 05"],
    tags=["tag 03", "tag 00", "tag 03", "nothing"],
    text="  even evening ",
    time=1e9,
    item_times=[4.0, 3.0, 2.0, 1.0],
    item_weights=[0.5, 9.0, 2.0, 3.0],
    disliked=["item 07", "nothing"],
)


def folds_of(splitter, data, seed=0):
    return list(splitter.split(data, np.random.default_rng(seed)))


def histories(data, *rows, times=None):
    """`data` with these histories for its first users, nothing for all others."""
    ragged = Ragged.from_rows([*rows, *([()] * (len(data.users) - len(rows)))], len(data.items))
    return replace(bare(data), interactions=replace(ragged, times=None if times is None else np.array(times, float)))
