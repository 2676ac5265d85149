"""Helpers of splitters: the random choice of interactions to hide, and the fold that hides them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hybridrec.data.dataset import Dataset, pair_keys
from hybridrec.data.features import Features
from hybridrec.data.ragged import Ragged, offsets_of
from hybridrec.data.splits.base import Fold
from hybridrec.errors import DataError
from hybridrec.types import ITEMS, PADDING, Bools, Floats, Ints, Longs, Sparse, Target


@dataclass(frozen=True, slots=True)
class Pairs:
    """The P distinct (row, id) pairs of a Ragged, row by row, in order of first occurrence.

    lengths: int64, the number of distinct ids in each row
    of: int64, parallel to `Ragged.ids`: the number, from 0 to P - 1, of the pair to which each entry belongs; None if
        nothing is repeated, so that every entry is a pair of its own
    """

    lengths: Longs
    of: Longs | None = None

    @classmethod
    def distinct(cls, ragged: Ragged) -> Pairs:
        """Assign a number to each distinct (row, id) pair of `ragged`."""
        if not any(_repeats(ragged.take(rows)) for rows in ragged.blocks()):
            return cls(ragged.lengths)
        keys = pair_keys(ragged.rows, ragged.ids, ragged.width)
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        by_position = np.argsort(first)
        number = np.empty_like(by_position)
        number[by_position] = np.arange(len(first))
        return cls(np.bincount(ragged.rows[first], minlength=len(ragged)), number[inverse])

    def __len__(self) -> int:
        return int(self.lengths.sum())

    @property
    def rows(self) -> Ints:
        """The row of each pair: int32[P]."""
        return np.repeat(np.arange(len(self.lengths), dtype=np.int32), self.lengths)

    def at(self, entries: Bools) -> Bools:
        """Return bool[P]: true for each pair that has an entry marked in `entries`, bool parallel to `Ragged.ids`."""
        if self.of is None:
            return entries
        flags = np.zeros(len(self), bool)
        flags[self.of[entries]] = True
        return flags

    def entries(self, pairs: Bools) -> Bools:
        """Return bool, parallel to `Ragged.ids`: true for every entry of the pairs marked in `pairs`, bool[P]."""
        return pairs if self.of is None else pairs[self.of]


def _repeats(ragged: Ragged) -> bool:
    """Return True if a row has an id twice."""
    keys = np.sort(pair_keys(ragged.rows, ragged.ids, ragged.width))
    return bool((keys[1:] == keys[:-1]).any())


def hidden_pairs(ragged: Ragged, hidden: Bools) -> tuple[Sparse, Longs]:
    """Return the distinct (row, id) pairs whose entries are all hidden, and the number of the other pairs in each row.

    `hidden` is bool, parallel to `ids`. The hidden pairs are a csr of ones; the numbers of the other pairs, which are
    still visible, are int64[len(ragged)].
    """
    gone, left = np.zeros((2, len(ragged)), np.int64)
    ids = [np.empty(0, np.int32)]
    for rows in ragged.blocks():
        block, start, stop = ragged.take(rows), ragged.offsets[rows.start], ragged.offsets[rows.stop]
        keys = 2 * pair_keys(block.rows, block.ids, block.width) + hidden[start:stop]
        keys.sort()
        # The lowest bit is the flag, so a pair's visible entries sort first: its first entry is hidden only if all are.
        first = np.ones(len(keys), bool)
        first[1:] = keys[1:] ^ keys[:-1] > 1
        is_gone = (keys & 1).astype(bool) & first
        ids.append((keys[is_gone] // 2 % block.width).astype(np.int32))
        for count, flags in ((gone, is_gone), (left, first & ~is_gone)):
            count[rows] = np.diff(np.concatenate(([0], np.cumsum(flags, dtype=np.int64)))[block.offsets])
    column = np.concatenate(ids)
    ones = np.ones(len(column), np.float32)
    return csr_matrix((ones, column, offsets_of(gone)), shape=(len(ragged), ragged.width)), left


def choose_share(lengths: NDArray[np.integer], share: float, rng: np.random.Generator) -> Bools:
    """Choose about `share` of the entries of each row at random: bool[sum(lengths)], row after row.

    The number of chosen entries is rounded up or down at random, so that the expected share is exact; in rows of two
    or more at least one entry is chosen and at least one is not.
    """
    rows = np.repeat(np.arange(len(lengths)), lengths)
    counts = np.floor(share * lengths + rng.random(len(lengths)))
    counts = np.where(lengths >= 2, np.clip(counts, 1, lengths - 1), counts)
    starts = np.cumsum(lengths) - lengths
    shuffled = np.lexsort((rng.random(len(rows)), rows))
    chosen = np.empty(len(rows), bool)
    chosen[shuffled] = np.arange(len(rows)) - starts[rows] < counts[rows]
    return chosen


def choose(n: int, share: float, rng: np.random.Generator) -> Bools:
    """Choose `share` of n things at random, but at least one: bool[n]."""
    chosen = np.zeros(n, bool)
    chosen[rng.permutation(n)[: max(1, round(share * n))]] = True
    return chosen


def parts(things: Ints, share: float, folds: int | None, rng: np.random.Generator) -> dict[str, Ints]:
    """Draw the codes of the things that each fold hides: name of the fold -> codes, ascending.

    Without `folds` there is one fold "test" with a random `share` of the things. Otherwise each thing goes to one of
    the folds "fold-0", "fold-1", ...
    """
    if folds is None:
        return {"test": things[choose(len(things), share, rng)]}
    shuffled = np.array_split(rng.permutation(things), folds)
    return {f"fold-{number}": np.sort(members) for number, members in enumerate(shuffled)}


def train_without(data: Dataset, held: Ints, split: str, remedy: str) -> Dataset:
    """Return the data without the users `held`, as training part; raises DataError if no interactions are left.

    The message of the error begins with `split`, the name of the splitter, and ends with `remedy`.
    """
    is_held = np.zeros(len(data.users), bool)
    is_held[held] = True
    train = data.hide_users(is_held)
    if not len(train.interactions.ids):
        raise DataError(
            f"split {split}: holding out {len(held)} of {len(data.users)} users leaves no interaction to learn from; "
            f"{remedy}"
        )
    return train


def entries(matrix: Sparse, keep: Bools) -> Sparse:
    """Return the matrix with only the stored entries where `keep`, bool[nnz], is true."""
    counts = np.concatenate(([0], np.cumsum(keep, dtype=np.int64)))
    return csr_matrix((matrix.data[keep], matrix.indices[keep], counts[matrix.indptr]), shape=matrix.shape)


def of_rows(matrix: Sparse, rows: Ints) -> Sparse:
    """Return the given rows of a matrix, which must be ascending.

    If these rows hold all entries of the matrix, the result shares its arrays.
    """
    lengths = np.diff(matrix.indptr)[rows]
    if lengths.sum() < matrix.nnz:
        return matrix[rows]
    return csr_matrix((matrix.data, matrix.indices, offsets_of(lengths)), shape=(len(rows), matrix.shape[1]))


def set_difference(everything: Sparse, shown: Sparse) -> Sparse:
    """Return the entries that `everything` has and `shown` lacks, as a csr of ones."""
    return (_ones(everything) > _ones(shown)).astype(np.float32).tocsr()


def _ones(matrix: Sparse) -> Sparse:
    result = matrix.copy()
    result.data = np.ones_like(result.data)
    return result


def gains_of(truth: Sparse, interactions: Ragged) -> dict[Target, Sparse]:
    """Return the gains of relevant items, by target: csr [Q, I] with the entries of `truth`.

    A gain is the sum of the gains of the user's interactions with the item; if the data has no gains, it is the sum of
    their weights. `interactions` has a row for each row of `truth`, and holds every pair of `truth`. If the data has
    neither gains nor weights, all gains are 1, and the result is empty.
    """
    if (gains := gains_or_weights(interactions)) is None:
        return {}
    worth = replace(interactions, weights=gains).matrix()
    width = interactions.width
    asked, stored = (
        pair_keys(np.repeat(np.arange(len(interactions)), np.diff(matrix.indptr)), matrix.indices, width)
        for matrix in (truth, worth)
    )
    values = worth.data[np.searchsorted(stored, asked)]
    return {"items": csr_matrix((values, truth.indices, truth.indptr), shape=truth.shape)}


def gains_or_weights(interactions: Ragged) -> Floats | None:
    """Return the gain of each interaction, or its weight if the data has no gains: float32, parallel to `ids`.

    The value is 0 for an interaction of a kind that is not asked for. The result is None if the data has neither gains
    nor weights.
    """
    gains = interactions.weights if interactions.gains is None else interactions.gains
    return gains if gains is None or interactions.targets is None else gains * interactions.targets


def fold_of(
    name: str,
    data: Dataset,
    hidden: Bools,
    *,
    min_history: int = 0,
    time: float | None = None,
    candidate_items: Bools | None = None,
    sequential: bool = False,
    seen: bool = False,
) -> Fold | None:
    """Return the fold that hides the interactions `hidden`, bool parallel to `interactions.ids`; None if it is empty.

    Each user with hidden ids to find and at least `min_history` distinct visible items becomes one query of weight 1,
    which shows the user's visible data. Its truth has the hidden ids except for ids that are also visible; with `seen`
    it has all hidden ids. Users without any visible interaction are unknown: training has no data about them, and their
    queries have no user id, only the entities, title and features that the data declares.

    `time` is the time of all queries; without it each query has the time of its user. In a `sequential` split a query
    is asked at the moment of the first hidden interaction, so it has the context of that interaction. The fold is empty
    if no user becomes a query, or if no interaction is visible.
    """
    shown = data.hide(hidden)
    gone, history = hidden_pairs(data.interactions, hidden)
    asked = data.interactions.where(hidden) if seen else data.interactions
    truth: dict[Target, Sparse] = {ITEMS: _ones(asked.matrix(binary=True)) if seen else gone}
    for kind in data.targets[1:]:
        truth[kind] = set_difference(data.user_matrix(kind), shown.user_matrix(kind))
    wanted = sum(matrix.getnnz(axis=1) for matrix in truth.values())
    users = np.flatnonzero((wanted > 0) & (history >= min_history)).astype(np.int32)
    if not len(users) or not history.any():
        return None
    queries = shown.queries(users)
    relevant = {target: of_rows(matrix, users) for target, matrix in truth.items()}
    return Fold(
        name=name,
        train=shown.hide_users((history == 0) & (data.interactions.lengths > 0)),
        queries=replace(
            queries,
            users=np.where(history[users] > 0, users, PADDING).astype(np.int32),
            times=queries.times if time is None else np.full(len(users), time),
            context=context_of(data.interactions.where(hidden).take(users)) if sequential else None,
        ),
        truth=relevant,
        units=users,
        weights=np.ones(len(users)),
        candidate_items=candidate_items,
        gains=gains_of(relevant["items"], asked.take(users)),
    )


def context_of(asked: Ragged) -> Features | None:
    """Return the context of the first interaction of each row, unknown in empty rows; None if the data has no context.

    A query may know nothing else of a hidden interaction, since the request comes before the interaction.
    """
    if asked.context is None:
        return None
    return asked.context.take(np.where(asked.lengths > 0, asked.offsets[:-1], PADDING))


def hide_pairs(name: str, data: Dataset, share: float, rng: np.random.Generator) -> Fold:
    """Return the fold that hides a random `share` of all distinct (user, item) pairs, each with its repeats."""
    pairs = Pairs.distinct(data.interactions)
    return _without(name, data, pairs, np.flatnonzero(choose(len(pairs), share, rng)))


def _without(name: str, data: Dataset, pairs: Pairs, chosen: Ints | Longs) -> Fold:
    """Return the fold that hides the `chosen` pairs; raises DataError if nothing is left to learn from."""
    hidden = np.zeros(len(pairs), bool)
    hidden[chosen] = True
    fold = fold_of(name, data, pairs.entries(hidden)) if len(pairs) else None
    if fold is None:
        raise DataError(
            f"split: hiding {len(chosen)} of {len(pairs)} (user, item) pairs leaves nothing to learn from; "
            "hide a smaller share or give more data"
        )
    return fold
