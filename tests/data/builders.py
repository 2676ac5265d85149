"""Small random datasets with everything in them, for tests of the data layer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

from hybridrec import Query
from hybridrec.data.builder import Tables, assemble
from hybridrec.data.dataset import Dataset
from hybridrec.data.entities import Entities
from hybridrec.data.features import Features
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
    return (
        Dataset(
            entities={
                "users": Entities(
                    Vocabulary(f"user {number:03}" for number in range(users)),
                    text=tuple(f"title {number}" if number % 5 else "" for number in range(users)),
                ),
                "items": Entities(
                    Vocabulary(f"item {number:03}" for number in range(items)),
                    text=tuple(f"text {number}" for number in range(items)),
                ),
                "tags": Entities(Vocabulary(f"tag {number:03}" for number in range(tags))),
            },
            interactions=interactions,
            user_has={"tags": _random_csr(rng, users, tags, 0.08)},
            item_has={"tags": _random_csr(rng, items, tags, 0.05)},
            assignments={"tags": assignments[np.lexsort(assignments.T[::-1])]},
        )
        .with_entities(
            "items",
            times=rng.uniform(0, 1e9, items),
            features=Features.of_labels(("loud", "long"), _random_csr(rng, items, 2, 0.5)),
            vectors=rng.normal(size=(items, 4)).astype(np.float32),
        )
        .with_entities("users", features=Features.of_labels(("young", "old", "far"), _random_csr(rng, users, 3, 0.5)))
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
        entities={kind: Entities(data.vocabulary(kind)) for kind in data.entities},
        interactions=empty,
        user_has={"tags": csr_matrix(data.user_has["tags"].shape, dtype=np.float32)},
        item_has={"tags": csr_matrix(data.item_has["tags"].shape, dtype=np.float32)},
        assignments={},
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
                    "user": ["me", "너", "me", "me", "me"],
                    "item": ["🎸", "b", "b", "🎸", "new"],
                    "time": [3.0, 1.0, 2.0, 1.0, 4.0],
                    "weight": [1.0, 2.0, 3.0, 4.0, -1.0],
                    "group": [0, 1, 2, 0, 0],
                    "gain": [0.0, -1.5, 2.0, 9.0, 0.0],
                    "target": [True, False, True, True, True],
                    "device": ["tv", None, "phone", "tv", None],
                    "budget": [1.0, 0.0, None, 5.0, None],
                }
            ),
            entities={
                "users": frame({"id": ["silent", "me"], "text": ["", "Mein Mix ♥"], "time": [None, 4.0]}),
                "items": frame({"id": ["new", "b", "new"], "text": ["Neu", None, "Alt"], "time": [5.0, None, 7.0]}),
                "halls": frame({"id": ["Roxy", "Odeon"], "text": ["The Roxy", None]}),
            },
            user_has={
                "tags": frame({"user": ["me", "me", "nobody"], "id": ["rock", "rock", "pop"]}),
                "halls": frame({"user": ["me"], "id": ["Roxy"], "weight": [2.0]}),
            },
            item_has={"tags": frame({"item": ["b"], "id": ["jazz"], "weight": [0.5]})},
            assignments={"tags": frame({"user": ["me", "me"], "item": ["🎸", "b"], "id": ["rock", "loud"]})},
            labels={
                "users": frame({"id": ["me"], "feature": ["country:KR"]}),
                "items": frame({"id": ["b", "new"], "feature": ["year:1999", "year:2000"]}),
            },
            features={
                "items": frame(
                    {"id": ["b", "new"], "price": [0.0, None], "live": [False, True], "mood": [["sad", "slow"], None]}
                )
            },
            vectors={"items": (pl.Series(["new", "elsewhere"]), np.ones((2, 3), np.float32))},
            context=("device", "budget"),
            impressions=frame({"user": ["me", "nobody"], "item": ["new", "b"], "time": [6.0, 7.0]}),
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


def spectrograms(rows=200, shape=(6, 5)):
    """Draw arrays of four patterns, noise and a mean far from 0, one for each row."""
    rng = np.random.default_rng(1)
    patterns = rng.normal(size=(4, *shape))
    return np.tensordot(rng.normal(size=(rows, 4)) * [9, 5, 3, 2], patterns, 1) + rng.normal(size=(rows, *shape)) + 20
