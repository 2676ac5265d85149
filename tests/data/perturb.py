"""Datasets that differ from a given one only in what a fold hides: same shape, other content."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec.data.dataset import Dataset, pair_keys
from hybridrec.data.features import Features
from hybridrec.data.splits.base import Fold
from hybridrec.types import Bools, Ints, Sparse


def perturbed(data: Dataset, fold: Fold, rng: np.random.Generator) -> Dataset:
    """Other items, tags, times and weights at all hidden interactions of `fold`.

    What is the same item stays the same item (the shape of a history), and what comes from one moment on
    stays so. `data` needs distinct times: interactions are told apart by them.
    """
    times, items = data.interactions.times, data.interactions.ids
    assert times is not None
    hidden = ~np.isin(times, fold.train.interactions.times)
    if fold.candidate_items is not None:
        mapping = _shuffled_items(fold.candidate_items, rng)[None, :].repeat(len(data.users), axis=0)
    else:
        # A user of whom only repeats are hidden has nothing to find: new items would make it one who is asked.
        rows, gone = data.interactions.rows, hidden & ~np.isin(data.pairs, data.pairs[~hidden])
        moved = hidden & np.isin(rows, rows[gone])
        mapping = _other_items(data, rows[moved], items[moved], rng)
    return _with_other_pairs(data, hidden, mapping, _assigned_and_gone(data, fold, hidden), rng)


def perturbed_users(data: Dataset, fold: Fold, rng: np.random.Generator) -> Dataset:
    """Other content for all that no query of `fold` shows of its held-out users."""
    shown_items = [set[int]() for _ in range(len(data.users))]
    shown_tags = [set[int]() for _ in range(len(data.users))]
    titles = {unit for unit, text in zip(fold.units, fold.queries.text, strict=True) if text}
    for query, unit in enumerate(fold.units):
        shown_items[unit].update(fold.queries.history.take(np.array([query])).ids.tolist())
        shown_tags[unit].update(fold.queries.matrix("tags")[query].indices.tolist())
    held = np.zeros(len(data.users), bool)
    held[fold.units] = True
    rows, items = data.interactions.rows, data.interactions.ids
    shown = np.array([item in shown_items[user] for user, item in zip(rows, items, strict=True)], bool)
    hidden = held[rows] & ~shown
    # Which items are in the hidden part is known only where a query shows the others.
    free = np.array(
        [held[u] and bool(shown_items[u]) and i not in shown_items[u] for u, i, _ in data.assignments["tags"]], bool
    )
    free &= np.isin(pair_keys(*data.assignments["tags"].T[:2], len(data.items)), data.pairs[hidden])
    for user, _, tag in data.assignments["tags"][~free]:
        shown_tags[user].add(tag)
    mapping = _other_items(data, rows[hidden], items[hidden], rng)
    changed = _with_other_pairs(data, hidden, mapping, free, rng)
    assert data.users.features is not None
    features = data.users.features.matrix.toarray()
    features[held] = 1 - features[held]
    changed = changed.with_entities(
        "users",
        text=tuple(
            f"other {user}" if title and held[user] and user not in titles else title
            for user, title in enumerate(data.users.text)
        ),
        features=Features.of_labels(data.users.features.names, csr_matrix(features)),
    )
    return replace(changed, user_has={"tags": _other_tags(data, held, shown_tags, rng)})


def _shuffled_items(among: Bools, rng: np.random.Generator) -> Ints:
    """A permutation of all items that moves those at which `among` is true, all others stay."""
    mapping = np.arange(len(among), dtype=np.int32)
    moved = rng.permutation(np.flatnonzero(among))
    mapping[moved] = np.roll(moved, 1)
    return mapping


def _other_items(data: Dataset, users: Ints, items: Ints, rng: np.random.Generator) -> Ints:
    """int32 [U, I]: for each user another item, new to the user, in place of each given one."""
    mapping = np.tile(np.arange(len(data.items), dtype=np.int32), (len(data.users), 1))
    for user in np.unique(users):
        old = np.unique(items[users == user])
        own = data.interactions.take(np.array([user])).ids
        tagged = data.assignments["tags"][data.assignments["tags"][:, 0] == user, 1]
        new = np.setdiff1d(np.arange(len(data.items)), np.concatenate([own, tagged]))
        mapping[user, old] = rng.choice(new, len(old), replace=False)
    return mapping


def _assigned_and_gone(data: Dataset, fold: Fold, hidden: Bools) -> Bools:
    """bool[M]: the assignments of pairs of which training has no interaction left."""
    keys = pair_keys(data.assignments["tags"][:, 0], data.assignments["tags"][:, 1], len(data.items))
    gone = np.isin(keys, data.pairs[hidden]) & ~np.isin(keys, data.pairs[~hidden])
    return gone if fold.candidate_items is None else gone | fold.candidate_items[data.assignments["tags"][:, 1]]


def _with_other_pairs(data: Dataset, hidden: Bools, mapping: Ints, tags: Bools, rng: np.random.Generator) -> Dataset:
    """Hidden interactions (and their assignments) moved by `mapping`; other tags at the assignments `tags`."""
    history = data.interactions
    assert history.times is not None
    assert history.weights is not None
    ids, times, weights = history.ids.copy(), history.times.copy(), history.weights.copy()
    assignments = data.assignments["tags"].copy()
    users, items = assignments.T[:2]
    keys = pair_keys(users, items, len(data.items))
    moved = np.isin(keys, data.pairs[hidden]) & ~np.isin(keys, data.pairs[~hidden])
    assignments[moved, 1] = mapping[users[moved], items[moved]]
    assignments[tags, 2] = rng.integers(0, data.size("tags"), tags.sum())
    ids[hidden] = mapping[history.rows[hidden], ids[hidden]]
    times[hidden] = rng.uniform(times[hidden].min(), times[hidden].max(), hidden.sum())
    weights[hidden] = rng.uniform(0.5, 5, hidden.sum())
    return replace(
        data,
        interactions=replace(history, ids=ids, times=times, weights=weights),
        assignments={"tags": assignments[np.lexsort(assignments.T[::-1])]},
    )


def _other_tags(data: Dataset, held: Bools, kept: list[set[int]], rng: np.random.Generator) -> Sparse:
    """Declared tags with others in place of those not in `kept`; the order of a user's tags stays (their shape)."""
    tags = data.user_has["tags"].toarray()
    for user in np.flatnonzero(held):
        for tag in np.flatnonzero(tags[user]):
            row = np.union1d(np.flatnonzero(tags[user]), np.array(sorted(kept[user]), int))
            place = np.searchsorted(row, tag)
            low = row[place - 1] if place else -1
            high = row[place + 1] if place + 1 < len(row) else data.size("tags")
            if tag not in kept[user]:
                tags[user, tag] = 0
                tags[user, rng.integers(low + 1, high)] = 1
    return csr_matrix(tags)
